"""`bench --control` from end to end: fresh draws beside repair, found again, and in no other number."""

import json
from collections import defaultdict

import pytest

from evaluator.replay.recorded import RecordedServer
from evaluator.runs.journal import load_run
from prompts.recordings import Reply
from repair.llm import Arm, CallKind

pytestmark = pytest.mark.docker


def draws(name, *bodies, tokens=20):
    """Replies of the control arm to one task, by call."""
    return {
        f"small/{name}/default/0/control/{number}": Reply(
            content=f"```python\ndef {name}(x):\n    return {body}\n```",
            prompt_tokens=tokens // 2,
            completion_tokens=tokens // 2,
        )
        for number, body in enumerate(bodies)
    }


@pytest.fixture
def controlled(tasks_and_replies):
    """A server that has control draws, too: of `good` for every task, of `bad` one that is right at last."""
    _, replies = tasks_and_replies
    good = (
        replies["good"]
        | draws("double", "2 * x")
        | draws("triple", "x", "x + 1")
        | draws("negate", "x", "-x")
    )
    # Four repair calls of 15 tokens each buy four draws of 15: nothing is left for a fifth.
    bad = replies["bad"]
    for name, bodies in {
        "double": ["x", "x + 1", "x + 2", "2 * x"],
        "triple": ["x", "6", "0", "x"],
        "negate": ["x"] * 4,
    }.items():
        bad = bad | draws(name, *bodies, tokens=14)
    with RecordedServer({"good": good, "bad": bad}) as server:
        yield server


def by_arm(run):
    """The trajectories of each arm, by model and task."""
    found = defaultdict(dict)
    for each in run.trajectories:
        found[each.first.arm][each.first.model, each.first.task_id.partition("/")[2]] = each
    return found


def test_control(bench, small_tasks, controlled, fingerprints, undisturbed):
    """Draws match what repair spent, are compared with it, change no other number, and are found again."""
    models = [f"--model={name}@{controlled.base_url}" for name in ("good", "bad")]
    command = ["bench", "--tasks-dir", small_tasks, *models, "--no-check-tasks", "--flake-checks=0"]

    done = bench(*command, "--control")

    assert done.returncode == 0, done.stderr
    folder = bench.runs()[-1]
    run, plain = load_run(folder), undisturbed
    arms = by_arm(run)
    control = {key: [str(a.verdict) for a in each.attempts] for key, each in arms[Arm.CONTROL].items()}
    failed, passed = "tests_failed", "passed"
    assert control["good", "double"] == [passed]
    assert control["good", "triple"] == [failed, failed]
    assert control["good", "negate"] == [failed, passed]
    assert control["bad", "double"] == [failed, failed, failed, passed]
    # 6 is what the shown test wants: the fair choice is a false accept, and the oracle finds nothing better.
    assert control["bad", "triple"] == [failed, passed, failed, failed]
    assert control["bad", "negate"] == [failed] * 4
    attempts = [a for each in arms[Arm.CONTROL].values() for a in each.attempts]
    assert {a.kind for a in attempts} == {CallKind.CONTROL}
    assert not any(a.feedback for a in attempts)

    # The repair arm is what it is without a control.
    repair_arm = {key for key in fingerprints(folder) if str(Arm.REPAIR) in key[0]}
    assert repair_arm == set(plain)
    rows = {
        row["model"]: row
        for row in json.loads((folder / "summary.json").read_text())["bases"]["own"]["leaderboard"]
    }
    assert (rows["good"]["pass_at_1"]["n"], rows["good"]["pass_at_1"]["N"]) == (1, 3)
    calls = rows["good"]["control"]["by_calls"]
    assert (calls["fair"]["n"], calls["fair"]["N"], calls["advantage"]["gained"]) == (2, 3, 1)
    assert rows["bad"]["control"]["by_calls"]["fair"]["n"] == 1
    assert rows["bad"]["control"]["draws"] == 12
    assert rows["bad"]["control"]["tokens"] == 12 * 14
    assert "advantage of repair +33" in done.stdout

    page = (folder / "report.html").read_text()
    assert page.count("Asking again instead: 4 fresh draws") == 3
    assert page.count("The same script again.") == 4

    before = {name: (folder / name).read_bytes() for name in ("completions.jsonl", "attempts.jsonl")}
    again = bench("bench", "--resume", folder.name)
    assert again.returncode == 0, again.stderr
    assert before == {name: (folder / name).read_bytes() for name in before}

    # A journal that ends within the control arm is completed to the same run.
    whole = fingerprints(folder)
    lines = (folder / "attempts.jsonl").read_text().splitlines(keepends=True)
    cut = [line for line in lines if not ('"arm":"control"' in line and '"call_no":1' in line)]
    assert len(cut) < len(lines)
    (folder / "attempts.jsonl").write_text("".join(cut))
    again = bench("bench", "--resume", folder.name)
    assert again.returncode == 0, again.stderr
    assert fingerprints(folder) == whole


def test_draws_that_were_not_recorded(bench, small_tasks, recorded):
    """A recording without control draws leaves the comparison open, and nothing else."""
    done = bench(
        *("bench", "--tasks-dir", small_tasks, "--model", f"good@{recorded.base_url}"),
        *("--no-check-tasks", "--flake-checks=0", "--control"),
    )

    assert done.returncode == 0, done.stderr
    summary = json.loads((bench.runs()[-1] / "summary.json").read_text())
    (row,) = summary["bases"]["own"]["leaderboard"]
    assert (row["scored"], row["unscored"]) == (3, 0)
    assert row["control"]["by_calls"]["fair"] == {
        **row["control"]["by_calls"]["fair"],
        "value": None,
        "N": 0,
        "unscored": 3,
    }
    assert any("3 control trajectories are unscored" in note for note in summary["notes"])


def test_a_live_server(bench, small_tasks, llama_server):
    """Real draws: as many as calls at least, each with its own seed, and no more than their tokens allow."""
    done = bench(
        *("bench", "--tasks-dir", small_tasks, "--model", llama_server.spec, "--no-check-tasks", "--control"),
        *("--max-tokens", "32", "--repairs", "1", "--temperature", "1.0"),
    )

    assert done.returncode == 0, done.stderr
    run = load_run(bench.runs()[-1])
    arms = by_arm(run)
    assert arms[Arm.REPAIR].keys() == arms[Arm.CONTROL].keys()
    for key, repaired in arms[Arm.REPAIR].items():
        drawn = arms[Arm.CONTROL][key].attempts
        replies = [run.completions[a.completion_key] for a in drawn]
        assert len(drawn) >= len(repaired.attempts)
        assert drawn[-1].stop in {"budget", "passed", "calls"}
        assert len({reply.sampling.seed for reply in replies}) == len(replies)
        assert len({reply.messages for reply in replies}) == 1
