"""An accepted script is run again with other hash seeds: what comes out is counted, and changes nothing."""

import json
import os
import subprocess
import sys

import pytest

from evaluator.keys import derived_int
from evaluator.replay.recorded import RecordedServer
from evaluator.runs.journal import load_run
from prompts.recordings import Reply

pytestmark = pytest.mark.docker


def code(text):
    """A reply with one block."""
    return Reply(content=f"```python\n{text}\n```", prompt_tokens=1, completion_tokens=1)


def lucky():
    """What the hash of a word is under the hash seed of a run."""
    seed = derived_int(32, 0, "hash")
    done = subprocess.run(
        [sys.executable, "-c", "print(hash('mendbench') % 1000)"],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def test_flaky(bench, small_tasks):
    """Right under the hash seed of the run alone: accepted, scored as ever, and said to be flaky."""
    flaky = f"def double(x):\n    return 2 * x if hash('mendbench') % 1000 == {lucky()} else 0"
    replies = {
        "small/double/default/0/repair/0": code(flaky),
        "small/triple/default/0/repair/0": code("def triple(x):\n    return 3 * x"),
        "small/negate/default/0/repair/0": code("def negate(x):\n    return x"),
    }
    with RecordedServer({"m": replies}) as server:
        words = [
            "--model",
            f"m@{server.base_url}",
            "--no-check-tasks",
            "--repairs",
            "0",
            "--flake-checks",
            "2",
        ]
        done = bench("bench", "--tasks-dir", small_tasks, *words)
        assert done.returncode == 0, done.stderr
        folder = bench.runs()[-1]
        before = (folder / "attempts.jsonl").read_bytes()
        assert bench("bench", "--resume", folder.name).returncode == 0
        assert (folder / "attempts.jsonl").read_bytes() == before

    attempts = {a.task_id.partition("/")[2]: a for a in load_run(folder).attempts}
    seen = {
        name: [(each.part, each.repeat_no, str(each.verdict)) for each in attempt.rechecks]
        for name, attempt in attempts.items()
    }
    assert seen["double"] == [("shown", 1, "tests_failed"), ("shown", 2, "tests_failed")]
    assert seen["triple"] == [(part, n, "passed") for n in (1, 2) for part in ("shown", "holdout")]
    assert seen["negate"] == []
    assert [attempts[name].flaky for name in ("double", "triple", "negate")] == [True, False, None]
    seeds = {each.hash_seed for attempt in attempts.values() for each in attempt.rechecks}
    assert len(seeds | {attempts["double"].shown.hash_seed}) == 3
    (row,) = json.loads((folder / "summary.json").read_text())["bases"]["own"]["leaderboard"]
    assert (row["flaky"]["n"], row["flaky"]["N"]) == (1, 2)
    assert (row["pass_at_1"]["n"], row["cost"]["calls"]) == (2, 3)
    assert "1 of 2 accepted scripts failed when run again" in done.stdout
    assert "Run again" in (folder / "report.html").read_text()
