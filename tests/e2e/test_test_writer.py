"""`bench --test-writer`: tasks without tests are judged by tests that a model wrote, and reports say so."""

import json

import pytest

from evaluator.replay.recorded import RecordedServer
from evaluator.runs.journal import SUITES, load_run
from evaluator.statistics.metrics import groups
from prompts.recordings import Reply
from repair.outcome import Verdict

pytestmark = [pytest.mark.docker, pytest.mark.slow]

WEAK = "from solution import {name}\n\ndef test_it():\n    {name}(3)\n"
GOOD = "from solution import {name}\n\ndef test_it():\n    assert {name}(3) == {value}\n"
RIGHT, WRONG = "def double(x):\n    return 2 * x\n", "def double(x):\n    return x\n"


def reply(code):
    return Reply(content=f"```python\n{code}```\n", prompt_tokens=10, completion_tokens=5)


@pytest.fixture
def tasks(tmp_path):
    """Two tasks without tests, one of which nobody can write tests for."""
    batch = tmp_path / "batches" / "small"
    batch.mkdir(parents=True)
    for name in ("double", "triple"):
        text = f"---\nentry_point: {name}\nlimits: {{wall_s: 20, cpu_s: 5}}\n---\nWrite `{name}(x)`.\n"
        (batch / f"{name}.md").write_text(text, encoding="utf-8")
    return batch.parent


def scripts():
    """One model is right, one mends its script after a failure."""
    triple = {"small/triple/default/0/repair/0": reply("def triple(x):\n    return 3 * x\n")}
    return {
        "able": {"small/double/default/0/repair/0": reply(RIGHT), **triple},
        "mender": {
            "small/double/default/0/repair/0": reply(WRONG),
            "small/double/default/0/repair/1": reply(RIGHT),
            **triple,
        },
    }


def run(bench, tasks, recordings, *words, again=False):
    with RecordedServer(recordings) as server:
        models = [f"--model={name}@{server.base_url}" for name in ("able", "mender")]
        writer = f"--test-writer=tester@{server.base_url}"
        words = ("bench", "--tasks-dir", tasks, *models, writer, "--repairs=1", *words)
        done = bench(*words)
        (folder,) = bench.runs()
        assert done.returncode == 0, done.stderr
        if again:
            lines = (folder / SUITES).read_bytes()
            assert bench(*words, "--resume", folder).returncode == 0
            assert (folder / SUITES).read_bytes() == lines
    return folder, load_run(folder)


def test_one_suite_for_everybody(bench, tasks):
    """A suite that passes on a module without behaviour is sent back; the next one judges all models."""
    none = Reply(content="No idea.", prompt_tokens=10, completion_tokens=3)
    recordings = scripts() | {
        "tester": {
            "small/double/tests/0/repair/0": reply(WEAK.format(name="double")),
            "small/double/tests/0/repair/1": reply(GOOD.format(name="double", value=6)),
            **{f"small/triple/tests/0/repair/{number}": none for number in range(4)},
        }
    }

    folder, found = run(bench, tasks, recordings, again=True)

    verdicts = {
        (a.model, a.task_id, a.call_no): (a.basis, a.verdict, len(a.shown.tests)) for a in found.attempts
    }
    assert verdicts["able", "small/double", 0] == ("model-written", Verdict.PASSED, 1)
    assert verdicts["mender", "small/double", 0] == ("model-written", Verdict.TESTS_FAILED, 1)
    assert verdicts["mender", "small/double", 1] == ("model-written", Verdict.PASSED, 1)
    assert verdicts["able", "small/triple", 0] == ("program", Verdict.PASSED, 0)
    assert {group.basis for group in groups(found)} == {"model-written", "program"}
    assert any("small/triple" in warning for warning in found.manifest.warnings)
    told = [m.content for c in found.completions.values() if c.model == "tester" for m in c.messages]
    assert any("functions do nothing" in text for text in told)
    assert not any("return 2 * x" in text for text in told)
    assert len([record for record in found.suites if record.task_id == "small/double"]) == 2
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert any("written by the model tester" in note for note in summary["notes"])
    assert set(summary["bases"]) == {"model-written", "program"}


def test_one_suite_for_each_script(bench, tasks):
    """The writer sees the script; a failing suite is sent back to the script's author."""
    tester = {}
    for code in (RIGHT, WRONG):
        mark = load_mark(code)
        tester[f"small/double@{mark}/tests/0/repair/0"] = reply(GOOD.format(name="double", value=6))
    mark = load_mark("def triple(x):\n    return 3 * x\n")
    tester[f"small/triple@{mark}/tests/0/repair/0"] = reply(GOOD.format(name="triple", value=9))

    _, found = run(bench, tasks, scripts() | {"tester": tester}, "--test-writer-sees=script")

    verdicts = {(a.model, a.task_id, a.call_no): (a.basis, a.verdict) for a in found.attempts}
    assert verdicts["able", "small/triple", 0] == ("model-written", Verdict.PASSED)
    assert verdicts["mender", "small/double", 0] == ("model-written", Verdict.TESTS_FAILED)
    assert verdicts["mender", "small/double", 1] == ("model-written", Verdict.PASSED)
    told = [m.content for c in found.completions.values() if c.model == "tester" for m in c.messages]
    assert any("return 2 * x" in text for text in told)


def load_mark(code):
    """The mark of a script, as the cleaner leaves it."""
    from evaluator.suites.subjects import code_sha256
    from repair.cleaning.clean import clean_reply

    return code_sha256(clean_reply(reply(code).content).code)[:12]
