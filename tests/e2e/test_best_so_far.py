"""A repair that breaks what worked, in real containers: it is taken back, said so, and counted."""

import json

import pytest

from evaluator.replay.recorded import RecordedServer
from evaluator.runs.journal import load_run
from prompts.recordings import Reply

pytestmark = pytest.mark.docker

TASK = """\
---
entry_point: sign
limits: {wall_s: 20, cpu_s: 5}
---
Write `sign(x)`: -1, 0 or 1.

## Tests

```python
from solution import sign

def test_plus():
    assert sign(5) == 1

def test_minus():
    assert sign(-5) == -1

def test_zero():
    assert sign(0) == 0
```

## Holdout

```python
from solution import sign

def test_large():
    assert sign(7 ** 40) == 1
```
"""
BODIES = {
    "mends": ("1 if x > 0 else 0", "-1 if x <= 0 else 1", "(x > 0) - (x < 0)"),
    # Two of three tests pass, and never all: what is handed back is the best of them.
    "breaks": ("1 if x > 0 else 0", "-1", "0", "1"),
}


def test_taken_back(bench, tmp_path):
    """The next prompt holds the script that stands, the end is the best one, and the report counts what broke."""
    batch = tmp_path / "batches" / "small"
    batch.mkdir(parents=True)
    (batch / "sign.md").write_text(TASK)
    replies = {
        model: {
            f"small/sign/default/0/repair/{number}": Reply(
                content=f"```python\ndef sign(x):\n    return {body}\n```",
                prompt_tokens=1,
                completion_tokens=1,
            )
            for number, body in enumerate(bodies)
        }
        for model, bodies in BODIES.items()
    }
    with RecordedServer(replies) as server:
        models = [f"--model={name}@{server.base_url}" for name in replies]
        done = bench("bench", "--tasks-dir", batch.parent, *models, "--no-check-tasks", "--flake-checks=0")

    assert done.returncode == 0, done.stderr
    folder = bench.runs()[-1]
    run = load_run(folder)
    (breaks, mends) = (each.attempts for each in run.trajectories)
    assert [attempt.taken_back for attempt in mends] == [False, True, False]
    assert [attempt.taken_back for attempt in breaks] == [False, True, True, True]
    sent = run.completions[mends[2].completion_key].messages
    assert "1 if x > 0 else 0" in sent[-2].content
    assert "Your last change was taken back" in sent[-1].content
    assert "broken by the change: test_zero." in sent[-1].content
    assert not any("-1 if x <= 0" in message.content for message in sent)
    rows = {
        row["model"]: row
        for row in json.loads((folder / "summary.json").read_text())["bases"]["own"]["leaderboard"]
    }
    assert (rows["mends"]["repairs"]["regressions"]["n"], rows["mends"]["after_repair"]["n"]) == (1, 1)
    assert rows["breaks"]["repairs"]["regressions"]["n"] == 3
    assert rows["breaks"]["final_outcomes"] == {"tests_failed": 1}
    page = (folder / "report.html").read_text()
    assert page.count("taken back</span>") == 4
