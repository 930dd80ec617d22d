"""`bench --repair-model`: another model repairs, on the same server in turns, on another one at any time."""

import json

import pytest

from evaluator.replay.recorded import RecordedServer
from evaluator.runs.journal import load_run
from prompts.recordings import Reply
from repair.llm import Arm, CallKind

pytestmark = pytest.mark.docker


def reply(name, body):
    """A reply with one function."""
    return Reply(
        content=f"```python\ndef {name}(x):\n    return {body}\n```", prompt_tokens=9, completion_tokens=9
    )


def recordings():
    """Two models that are wrong, each in its own way, one that repairs; control draws of the first."""
    bodies = {"double": "2 * x", "triple": "3 * x", "negate": "-x"}
    wrong, mender = {}, {}
    for name, body in bodies.items():
        place = f"small/{name}/default/0"
        wrong |= {f"{place}/repair/0": reply(name, "x"), f"{place}/control/0": reply(name, "x")}
        wrong |= {f"{place}/control/{number}": reply(name, f"x + {number}") for number in (1, 2, 3)}
        mender[f"{place}/repair/1"] = reply(name, body)
    # The repairing model says nothing at first, and is asked for the form itself; then it repeats the script
    # that failed, and the first model draws afresh.
    mender["small/negate/default/0/repair/1"] = Reply(content="No.", prompt_tokens=9, completion_tokens=9)
    mender["small/negate/default/0/repair/2"] = reply("negate", "x")
    wrong["small/negate/default/0/repair/3"] = reply("negate", "-x")
    return {"wrong": wrong, "worse": {**wrong}, "mender": mender}


def path(run, model, name):
    """Kinds of the calls of one repair arm, and who was asked."""
    (found,) = [
        each
        for each in run.trajectories
        if (each.first.model, each.first.task_id, each.first.arm) == (model, f"small/{name}", Arm.REPAIR)
    ]
    return [(str(a.kind), a.asked) for a in found.attempts], found.attempts[-1].success


def test_on_one_server(bench, small_tasks, fingerprints):
    """Repairs and the form of their replies are the other model's; the server is asked for one model at a time."""
    with RecordedServer(recordings()) as server:
        words = [f"--model={name}@{server.base_url}" for name in ("wrong", "worse")]
        words += [
            "--repair-model",
            f"mender@{server.base_url}",
            "--control",
            "--no-check-tasks",
            "--flake-checks=0",
        ]
        done = bench("bench", "--tasks-dir", small_tasks, *words)
        assert done.returncode == 0, done.stderr
        folder = bench.runs()[-1]
        before, whole = (folder / "completions.jsonl").read_bytes(), fingerprints(folder)
        again = bench("bench", "--resume", folder.name)
        assert again.returncode == 0, again.stderr
        assert (folder / "completions.jsonl").read_bytes() == before
        assert fingerprints(folder) == whole

    run = load_run(folder)
    for model in ("wrong", "worse"):
        assert path(run, model, "double") == ([("first", ""), ("repair", "mender")], True)
        calls = [("first", ""), ("repair", "mender"), ("format", "mender"), ("fresh", "")]
        assert path(run, model, "negate") == (calls, True)
    assert not any(a.asked for a in run.attempts if a.arm is Arm.CONTROL)
    # In the order in which they were asked: first calls, repairs, and what the first models have to do then.
    lines = [json.loads(line) for line in before.splitlines()]
    turns = [bool(line["asked"]) for line in lines]
    assert [turn for number, turn in enumerate(turns) if not number or turns[number - 1] != turn] == [0, 1, 0]
    assert {line["reply_model"] for line in lines if line["asked"]} == {"mender"}
    assert run.manifest.repair_model.label == "mender"
    notes = json.loads((folder / "summary.json").read_text())["notes"]
    assert any("Repairs were asked of mender" in note for note in notes)
    assert "repair by mender" in (folder / "report.html").read_text()

    with RecordedServer(recordings()) as server:
        other = bench("bench", "--resume", folder.name, "--repair-model", f"worse@{server.base_url}")
    assert other.returncode == 2
    assert "the repairing model" in other.stderr


def test_on_a_live_server(bench, small_tasks, llama_server):
    """First calls go to one server and repairs to another, which is a real one."""
    with RecordedServer(recordings()) as server:
        done = bench(
            *("bench", "--tasks-dir", small_tasks, "--model", f"wrong@{server.base_url}", "--no-check-tasks"),
            *("--repair-model", llama_server.spec, "--max-tokens", "32", "--repairs", "1"),
        )

    assert done.returncode == 0, done.stderr
    run = load_run(bench.runs()[-1])
    replies = [run.completions[a.completion_key] for a in run.attempts]
    assert {(a.kind, a.asked) for a in run.attempts} == {
        (CallKind.FIRST, ""),
        (CallKind.REPAIR, llama_server.model),
    }
    assert all(reply.prompt_tokens > 100 for reply in replies if reply.asked)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--repair-model", "nobody"), "is on no server of this machine"),
        (
            ("--repair-model", "m@http://127.0.0.1:9/v1", "--policy", "none"),
            "nothing for another model to repair",
        ),
    ],
)
def test_refused(bench, small_tasks, recorded, words, said):
    """A model that cannot be found, and one that would have nothing to do."""
    done = bench(
        "bench", "--tasks-dir", small_tasks, "--model", f"good@{recorded.base_url}", "--dry-run", *words
    )

    assert done.returncode == 2
    assert said in done.stderr


def test_the_demo_asks_nobody(bench):
    """Recorded replies answer no other model's repairs."""
    done = bench("bench", "--repair-model", "m@http://127.0.0.1:9/v1", "--dry-run")

    assert done.returncode == 2
    assert "recorded demo asks no model" in done.stderr
