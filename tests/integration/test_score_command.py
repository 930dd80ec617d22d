"""mendbench score, for real: verdicts against recorded ones, interrupted, killed and resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner

from evaluator.cli import group
from evaluator.errors import UsageProblem
from prompts.tasks import batch_root, load

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]
TESTS = "from solution import f\n\n\ndef test_one():\n    assert f(1) == 2\n"
GOOD, WRONG = "def f(x):\n    return x + 1\n", "def f(x):\n    return x\n"
EXPECTED = {
    "passed": {"passed"},
    "failed": {"tests_failed", "runtime_error"},
    "syntax_error": {"syntax_error"},
    "timeout": {"timed_out", "cpu_limit"},
}


def score(*args, stdin=None):
    """Run the command; gives its exit code, the lines it printed by id, and what it said beside them."""
    result = CliRunner().invoke(group, ["score", *map(str, args)], input=stdin, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, by_id(result.stdout), result.stderr


def by_id(text):
    lines = [json.loads(line) for line in text.splitlines()]
    assert len({line["index"] for line in lines}) == len(lines)
    return {line["id"]: line for line in lines}


def start(*args):
    return subprocess.Popen(
        [sys.executable, "-m", "evaluator.cli", "score", *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def lines_of(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for(path, count):
    deadline = time.monotonic() + 120
    while lines_of(path) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    assert lines_of(path) >= count


@pytest.fixture
def write(tmp_path):
    def put(name, *rows):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return put


def test_rows_of_every_kind(write):
    """Solutions, replies and completions get their verdicts; broken rows are named; the exit code tells."""
    samples = write(
        "s.jsonl",
        {"id": "good", "solution": GOOD, "tests": TESTS},
        {"id": "wrong", "solution": WRONG, "tests": TESTS},
        {"id": "reply", "reply": f"Here:\n```python\n{GOOD}```", "tests": TESTS},
        {"id": "words", "reply": "No.", "tests": TESTS},
        {"id": "completion", "task_id": "he/1", "completion": "    return x + 1\n"},
        {"id": "exit", "solution": "import os\ndef f(x): os._exit(0)\n", "tests": TESTS},
        {"id": "broken"},
        {"id": "good", "solution": WRONG, "tests": TESTS},
    )
    check = "def check(candidate):\n    assert candidate(1) == 2\n"
    tasks = write(
        "tasks.jsonl", {"task_id": "he/1", "prompt": "def f(x):\n", "test": check, "entry_point": "f"}
    )
    code, _, said = score(samples, "--tasks", tasks, "--out", samples.with_name("o.jsonl"))
    text = samples.with_name("o.jsonl").read_text()
    verdicts = sorted((line["id"], line["verdict"]) for line in map(json.loads, text.splitlines()))

    assert code == 2
    assert verdicts == [
        ("broken", "invalid_row"),
        ("completion", "passed"),
        ("exit", "crashed"),
        ("good", "invalid_row"),
        ("good", "passed"),
        ("reply", "passed"),
        ("words", "no_code"),
        ("wrong", "tests_failed"),
    ]
    assert "passed 3 of 6 judged rows (50.0%), n = 6" in said
    assert "2 rows cannot be judged" in said
    assert "o.jsonl" in said


def test_known_tasks_and_their_holdout(write):
    """A known task's reference passes both parts, and the line has the tests of both."""
    task = next(task for task in load(batch_root()) if task.holdout and task.references)
    script = task.references[0]
    samples = write("s.jsonl", {"id": 1, "task_id": task.task_id, "solution": script})
    code, lines, _ = score(samples)

    assert code == 0
    assert lines[1]["parts"] == {"shown": "passed", "holdout": "passed"}
    assert {test["part"] for test in lines[1]["tests"]} == {"shown", "holdout"}


def test_the_part_that_failed(write, tmp_path):
    """Shown tests that pass do not make up for a holdout that fails."""
    folder = tmp_path / "mine"
    folder.mkdir()
    holdout = TESTS.replace("f(1) == 2", "f(5) == 6")
    (folder / "inc.md").write_text(
        f"Write f.\n\n## Tests\n\n```python\n{TESTS}```\n\n## Holdout\n\n```python\n{holdout}```\n"
    )
    samples = write(
        "s.jsonl",
        {"id": "hard", "task_id": "mine/inc", "solution": "def f(x):\n    return 2\n"},
        {"id": "wrong", "task_id": "mine/inc", "solution": WRONG},
    )
    code, lines, _ = score(samples, "--tasks", folder)

    assert code == 0
    assert (lines["hard"]["verdict"], lines["hard"]["failed_part"]) == ("tests_failed", "holdout")
    assert (lines["wrong"]["verdict"], lines["wrong"]["failed_part"]) == ("tests_failed", "shown")


def test_folders_and_lists(write, tmp_path):
    """TASK/{n}.py and lists of samples take their tests from the file of tasks."""
    tasks = write("tasks.jsonl", {"task_id": "set/1", "tests": TESTS})
    folder = tmp_path / "samples" / "set_1"
    folder.mkdir(parents=True)
    (folder / "0.py").write_text(GOOD)
    (folder / "1.py").write_text(WRONG)
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps([{"question_id": "set/1", "code_list": [WRONG, GOOD]}]))
    _, from_folder, _ = score(folder.parent, "--tasks", tasks)
    _, from_list, _ = score(listed, "--tasks", tasks)

    assert {key: line["verdict"] for key, line in from_folder.items()} == {
        "set_1/0": "passed",
        "set_1/1": "tests_failed",
    }
    assert {key: line["verdict"] for key, line in from_list.items()} == {
        "set/1/0": "tests_failed",
        "set/1/1": "passed",
    }


def test_scripts_alone(write):
    """--grading program runs what there is without tests."""
    samples = write("s.jsonl", {"id": 1, "solution": "x = 1"}, {"id": 2, "solution": "raise SystemExit(3)"})
    code, lines, _ = score(samples, "--grading", "program")

    assert code == 0
    assert [lines[key]["verdict"] for key in (1, 2)] == ["passed", "runtime_error"]
    assert lines[2]["exit_code"] == 3


SKIPPING = (
    "import pytest\nfrom solution import f\n\n\ndef test_one():\n    assert f(1) == 2\n\n\n"
    "def test_large():\n    if f(10**6) is None:\n        pytest.skip('small numbers only')\n"
)


@pytest.mark.parametrize("level", ["process", "shared"])
def test_skips_of_the_reference(write, tmp_path, level):
    """What the reference of a task skips at the same level may be skipped by a row of it, and nothing else."""
    small = "def f(x):\n    return x + 1 if x < 99 else None\n"
    for name, reference in (("lenient", small), ("strict", GOOD)):
        text = (
            f"Write `f`.\n\n## Tests\n```python\n{SKIPPING}```\n\n## Reference\n```python\n{reference}```\n"
        )
        folder = tmp_path / "batch"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.md").write_text(text)
    samples = write(
        "s.jsonl",
        *({"id": name, "task_id": f"batch/{name}", "solution": small} for name in ("lenient", "strict")),
    )
    code, lines, said = score(samples, "--tasks", tmp_path / "batch", "--grading", level)

    assert code == 0
    assert {key: line["verdict"] for key, line in lines.items()} == {
        "lenient": "passed",
        "strict": "tests_failed",
    }
    assert {line["level"] for line in lines.values()} == {level}
    assert f"at level {level}: passed 1 of 2 judged rows" in said


def test_levels_and_flags_of_rows(write, tmp_path):
    """Each row has its level and the flags of its code; rows at different levels are counted apart."""
    folder = tmp_path / "batch"
    folder.mkdir()
    body = f"Write `f`.\n\n## Tests\n```python\n{TESTS}```\n"
    (folder / "own.md").write_text(f"---\ngrading: shared\n---\n{body}")
    sly = f"import sys\n{GOOD}\n\ndef g():\n    return sys._getframe(1).f_locals\n"
    samples = write(
        "s.jsonl",
        {"id": "own", "task_id": "batch/own", "solution": GOOD},
        {"id": "sly", "solution": sly, "tests": TESTS},
    )
    code, lines, said = score(samples, "--tasks", folder)

    assert code == 0
    assert {key: (line["verdict"], line["level"]) for key, line in lines.items()} == {
        "own": ("passed", "shared"),
        "sly": ("passed", "process"),
    }
    assert {key: line["suspicious"] for key, line in lines.items()} == {"own": [], "sly": ["frames"]}
    assert "at level process: passed 1 of 1" in said
    assert "at level shared: passed 1 of 1" in said


@pytest.mark.parametrize("text", ["", "[]"])
def test_nothing_to_judge(tmp_path, text):
    """A source without rows is a usage problem."""
    path = tmp_path / "s.jsonl"
    path.write_text(text)

    with pytest.raises(UsageProblem, match="holds no samples"):
        score(path)
    with pytest.raises(UsageProblem, match="no such file"):
        score(tmp_path / "missing")


def test_samples_are_not_written_over(write):
    """--out must not be the samples' own file."""
    samples = write("s.jsonl", {"id": 1, "solution": GOOD, "tests": TESTS})
    before = samples.read_bytes()

    with pytest.raises(UsageProblem, match="itself"):
        score(samples, "--out", samples)
    assert samples.read_bytes() == before


@pytest.mark.slow
def test_killed_and_resumed(write, tmp_path):
    """After kill -9 the same command goes on: every row once, with the verdict that it has alone."""
    rows = [
        {"id": number, "solution": GOOD if number % 3 else WRONG, "tests": TESTS + f"# {number}\n"}
        for number in range(12)
    ]
    samples, out = write("s.jsonl", *rows), tmp_path / "o.jsonl"
    for stop_at in (2, 6):
        process = start(samples, "--out", out)
        wait_for(out, stop_at)
        process.kill()
        process.communicate()
    done = lines_of(out)
    with out.open("ab") as stream:
        stream.write(b'{"format":1,"id":')
    process = start(samples, "--out", out)
    _, said = process.communicate(timeout=120)
    lines = [json.loads(line) for line in out.read_text().splitlines()]

    assert process.returncode == 0
    assert 6 <= done < 12
    assert f"{done} results were there already" in said
    assert {line["id"]: line["verdict"] for line in lines} == {
        row["id"]: "passed" if row["id"] % 3 else "tests_failed" for row in rows
    }
    assert len(lines) == 12


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_and_resumed(write, tmp_path, number):
    """A signal lets what runs finish, writes it, removes the containers and ends with 130."""
    rows = [{"id": i, "solution": GOOD, "tests": TESTS + f"# {i}\n"} for i in range(200)]
    samples, out = write("s.jsonl", *rows), tmp_path / "o.jsonl"
    process = start(samples, "--out", out, "--slots", 2)
    wait_for(out, 2)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)

    assert process.returncode == 130
    assert "the same command goes on" in said
    assert 2 <= lines_of(out) < 200
    assert all(json.loads(line)["verdict"] == "passed" for line in out.read_text().splitlines())


def test_a_line_comes_before_the_next_row(tmp_path):
    """Rows may come one by one, each after the answer to the one before it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "evaluator.cli", "score", "-"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    for number, script in enumerate((GOOD, WRONG)):
        process.stdin.write(json.dumps({"id": number, "solution": script, "tests": TESTS}) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == number
    rest, _ = process.communicate(timeout=60)

    assert (process.returncode, rest) == (0, "")


@pytest.mark.slow
def test_recorded_verdicts(data_folder, tmp_path):
    """Recorded samples of many models get the verdicts that two other runs agreed on."""
    samples = tmp_path / "s.jsonl"
    with (data_folder / "scored.jsonl").open() as source:
        text = "".join(islice(source, 40))
    samples.write_text(text)
    expected = {row["id"]: row["expected"] for row in map(json.loads, text.splitlines())}
    code, lines, _ = score(samples)

    assert code == 0
    assert {
        key: line["verdict"] for key, line in lines.items() if line["verdict"] not in EXPECTED[expected[key]]
    } == {}
    assert lines.keys() == expected.keys()
