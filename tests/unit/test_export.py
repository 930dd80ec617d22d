"""The tree of files: complete, reversible, and never outside its folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evaluator.errors import UsageProblem
from evaluator.runs.export import export_files
from repair.llm import Arm
from repair.outcome import Verdict

MODELS = [
    "../x",
    "..",
    "CON",
    "x" * 300,
    "a/b",
    "a\\b",
    "Model",
    "model",
    "index.json",
    "\u202egpj",
    "/etc",
    "x\x00y",
    "",
]


@dataclass(frozen=True)
class Tests:
    """What an export asks of a task."""

    __test__ = False

    tests: str | None = "def test_f(): ...\n"
    holdout: str | None = None


def files(folder: Path) -> set[str]:
    """List all files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_every_attempt_has_its_files(builder: Any, tmp_path: Path) -> None:
    """Reply, script, output, feedback, verdict and messages lie where a person would look."""
    builder.sample(
        "m", "b/t", [{"verdict": Verdict.TESTS_FAILED, "reasoning": "hm", "stdout": "out"}, Verdict.PASSED]
    )

    index = export_files(builder.build(), tmp_path / "out", {"b/t": Tests()})

    sample = "m/b/t/default-0"
    first = {
        f"{sample}/attempt-00-first/{name}"
        for name in ("reply.txt", "reasoning.txt", "script.py", "output.txt", "verdict.json", "messages.json")
    }
    second = {
        f"{sample}/attempt-01-repair/{name}"
        for name in ("reply.txt", "script.py", "output.txt", "verdict.json", "messages.json", "feedback.txt")
    }
    assert files(tmp_path / "out") == first | second | {"index.json", "m/b/t/tests.py"}
    assert "out" in (tmp_path / "out" / sample / "attempt-00-first" / "output.txt").read_text()
    assert json.loads(index.read_text())["samples"][0]["attempts"] == ["tests_failed", "passed"]
    verdict = json.loads((tmp_path / "out" / sample / "attempt-01-repair" / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["holdout_verdict"]) == ("passed", "passed")


def test_hostile_names_stay_inside_and_apart(builder: Any, tmp_path: Path) -> None:
    """Each model has a folder of its own inside the target, and the index says whose it is."""
    for model in MODELS:
        builder.sample(model, f"{model or 'b'}/{model or 't'}", [Verdict.PASSED], template=f"../{model}")

    index = export_files(builder.build(), tmp_path / "out")

    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    samples = json.loads(index.read_text())["samples"]
    assert {sample["model"] for sample in samples} == set(MODELS)
    folders = [sample["folder"] for sample in samples]
    assert len({folder.casefold() for folder in folders}) == len(MODELS)
    assert all((tmp_path / "out" / folder / "attempt-00-first" / "script.py").is_file() for folder in folders)
    assert all(".." not in Path(folder).parts for folder in folders)
    assert max(len(part) for folder in folders for part in Path(folder).parts) <= 80


def test_arms_have_folders_of_their_own(builder: Any, tmp_path: Path) -> None:
    """The control arm lies beside the repair arm."""
    builder.sample("m", "b/t", [Verdict.PASSED])
    builder.sample("m", "b/t", [Verdict.PASSED], arm=Arm.CONTROL)

    export_files(builder.build(), tmp_path)

    assert {path.name for path in (tmp_path / "m/b/t").iterdir()} == {"default-0", "default-0-control"}


def test_texts_are_written_as_they_came(builder: Any, tmp_path: Path) -> None:
    """Line ends and odd characters survive; a lone surrogate does not stop the export."""
    builder.sample(
        "m",
        "b/t",
        [
            {
                "verdict": Verdict.PASSED,
                "reply": "a\r\nb\rc\u202e\x1b[1m",
                "code": "x = '\ud83d'\n",
                "reply_sha256": "0",
            }
        ],
    )

    export_files(builder.build(), tmp_path)

    attempt = tmp_path / "m/b/t/default-0/attempt-00-first"
    assert (attempt / "reply.txt").read_bytes() == "a\r\nb\rc\u202e\x1b[1m".encode()
    assert (attempt / "script.py").read_bytes() == b"x = '\\ud83d'\n"


@pytest.mark.parametrize("kind", ["full", "file", "link"])
def test_nothing_is_overwritten(builder: Any, tmp_path: Path, kind: str) -> None:
    """A target that is not an empty folder is refused and left as it is."""
    target, other = tmp_path / "target", tmp_path / "other"
    other.mkdir()
    match kind:
        case "full":
            target.mkdir()
            (target / "mine").write_text("mine")
        case "file":
            target.write_text("mine")
        case _:
            target.symlink_to(other)

    with pytest.raises(UsageProblem, match="not an empty folder"):
        export_files(builder.build(), target)

    assert files(tmp_path) == {"full": {"target/mine"}, "file": {"target"}, "link": set()}[kind]


def test_an_attempt_without_a_reply(builder: Any, tmp_path: Path) -> None:
    """A failure of ours leaves its verdict and its reason."""
    builder.sample("m", "b/t", [Verdict.LLM_ERROR])

    export_files(builder.build(), tmp_path)

    attempt = tmp_path / "m/b/t/default-0/attempt-00-first"
    assert files(attempt) == {"verdict.json"}
    assert json.loads((attempt / "verdict.json").read_text())["error"] == "connection refused"
