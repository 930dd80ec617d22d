"""Recorded histories through the real client, loop and sandbox."""

import json

import pytest

from evaluator.commands.bench import command as bench_command
from evaluator.commands.regrade import command as regrade_command
from evaluator.commands.replay import command
from evaluator.errors import RunIncompatible, UsageProblem
from evaluator.replay.histories import read_histories
from evaluator.replay.recorded import RecordedServer
from evaluator.replay.replay import make_replay
from evaluator.running.calls import RECORDING_ENDED
from evaluator.runs.journal import load_run
from evaluator.servers.find import list_models
from repair.errors import NotRecorded
from repair.llm import CallId, CallKind, Message, Request, Sampling
from repair.openai_client import OpenAIClient
from repair.outcome import Verdict

pytestmark = [pytest.mark.docker, pytest.mark.slow]

CHECK = "def check(candidate):\n    assert candidate(4) == 8\n"
RIGHT, WRONG, BROKEN = "def double(x):\n    return 2 * x", "def double(x):\n    return x", "def double(x:"


def row(*rounds, **fields):
    """One history of the task `double`."""
    values = {
        "model": "small",
        "task_key": "Suite/double",
        "prompt": "Write `double(x)`.",
        "entry_point": "double",
        "tests": CHECK,
        "tests_kind": "humaneval_check",
    }
    return {**values, "rounds": list(rounds), **fields}


FENCED = {"reply": f"I see.\n```python\n{RIGHT}\n```\n", "prompt_tokens": 5, "completion_tokens": 7}
ROWS = (
    row({"code": BROKEN}, {"code": WRONG}, FENCED, {"reply": "never asked for"}),
    row({"code": WRONG}),
    row({"reply": "No."}, {"code": RIGHT}, model="large"),
    row({"code": "print(1)"}, tests=None, tests_kind="stdio", task_key="Other/print", model="large"),
)


def write(folder, rows=ROWS):
    """Write a file of histories."""
    path = folder / "histories.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in rows))
    return path


def test_rounds_are_served_by_their_number(tmp_path):
    """The real client gets the n-th round for the n-th call; after the last the server names the row."""
    replayed = make_replay(read_histories(str(write(tmp_path))).rows, "default", tmp_path)
    with RecordedServer(replayed.recordings, replayed.why_missing) as server:
        assert list_models(server.base_url).recorded
        client = OpenAIClient(base_url=server.base_url, model="small", send_call_id=True)

        def ask(number):
            call = CallId(task_id="suite/double", template="default", sample=0, call_no=number)
            message = Message(role="user", content="anything")
            request = Request(call=call, kind=CallKind.REPAIR, messages=(message,), sampling=Sampling())
            return client.complete(request)

        said = [ask(number) for number in (2, 0, 1, 3)]
        with pytest.raises(NotRecorded, match="line 1 ends after round 3; call 4 asks for more"):
            ask(4)
        client.close()
    assert [each.text for each in said] == [FENCED["reply"], BROKEN, WRONG, "never asked for"]
    assert (said[0].prompt_tokens, said[0].completion_tokens) == (5, 7)


@pytest.fixture(scope="module")
def replay(tmp_path_factory, make_bench):
    """One whole replay: the bench, its folder, its data and what it printed."""
    bench = make_bench(tmp_path_factory.mktemp("replay"))
    write(bench.folder)
    done = bench("replay", "histories.jsonl", "--attempts-per-container", 20, "--slots", 1)
    assert done.returncode == 0, done.stderr
    (folder,) = bench.runs()
    return bench, folder, load_run(folder), done


def by_sample(run):
    """What each trajectory came to: verdicts and the reason to stop."""
    return {
        (t.first.model, t.first.task_id, t.first.sample): (
            [str(attempt.verdict) for attempt in t.attempts],
            t.attempts[-1].stop,
        )
        for t in run.trajectories
    }


def test_the_loop_goes_over_the_rounds(replay):
    """It stops where a round passes, and ends unscored, under a name, where the recording does."""
    _, _, run, _ = replay
    ended = [str(Verdict.TESTS_FAILED), str(Verdict.LLM_ERROR)]

    assert by_sample(run) == {
        ("small", "suite/double", 0): (["syntax_error", "tests_failed", "passed"], "passed"),
        ("small", "suite/double", 1): (ended, RECORDING_ENDED),
        ("large", "suite/double", 0): (["no_code", "passed"], "passed"),
        ("large", "other/print", 0): (["passed"], "passed"),
    }
    (last,) = [t.attempts[-1] for t in run.trajectories if t.attempts[-1].stop == RECORDING_ENDED]
    assert last.unscored
    assert "line 2 ends after round 0; call 1 asks for more" in last.error
    assert {t.first.task_id: t.first.basis for t in run.trajectories}["other/print"] == "program"


def test_what_was_not_recorded_is_not_missed(replay):
    """Reports count the recorded draws alone, not every model on every task."""
    _, folder, run, _ = replay
    summary = json.loads((folder / "summary.json").read_text())
    planned = {
        (row["model"], basis): row["planned"]
        for basis, group in summary["bases"].items()
        for row in group["leaderboard"]
    }

    assert len(list(run.manifest.planned())) == len(ROWS)
    assert planned == {("small", "own"): 2, ("large", "own"): 1, ("large", "program"): 1}


def test_everything_says_what_the_replies_answered(replay):
    """Screen, page, tables and data say that the replies were given to other prompts."""
    _, folder, run, done = replay

    assert run.manifest.replayed.endswith("histories.jsonl")
    for text in (done.stdout, done.stderr):
        assert "answered other prompts" in text
    for name in ("report.html", "report.md", "junit.xml", "summary.json"):
        assert "other prompts" in (folder / name).read_text(encoding="utf-8"), name
    assert "stdio" in (folder / "report.md").read_text(encoding="utf-8")


def test_it_goes_on_as_it_was(replay, fingerprints):
    """A replay that is resumed with the same file adds nothing; with another file, or as a bench, it is refused."""
    bench, folder, _, _ = replay
    before, lines = fingerprints(folder), (folder / "attempts.jsonl").read_text().count("\n")
    # What a failure of ours hides is tried anew: the recording ends once more.
    done = bench("replay", "histories.jsonl", "--resume", folder, "--slots", 1)
    assert done.returncode == 0, done.stderr
    assert fingerprints(folder) == before
    assert (folder / "attempts.jsonl").read_text().count("\n") == lines + 1

    (bench.folder / "other.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
    other = [str(bench.folder / "other.jsonl"), "--resume", str(folder)]
    with pytest.raises(RunIncompatible, match="it replayed other histories"):
        command.main(other, standalone_mode=False)
    with pytest.raises(UsageProblem, match="mendbench replay"):
        bench_command.main(["--resume", str(folder)], standalone_mode=False)


def test_a_replay_can_be_judged_anew(replay, fingerprints):
    """Its tasks come from the file again, every run is looked up, and both things are said of the result."""
    bench, folder, _, _ = replay
    done = bench("regrade", folder)
    assert done.returncode == 0, done.stderr
    new = max(bench.runs())
    assert fingerprints(new) == fingerprints(folder)
    assert "0 runs were done again" in done.stderr
    for words in ("answered other prompts", "no model was asked"):
        assert words in done.stdout

    (bench.folder / "histories.jsonl").rename(bench.folder / "moved.jsonl")
    with pytest.raises(UsageProblem, match=r"histories\.jsonl"):
        regrade_command.main([str(folder)], standalone_mode=False)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("missing.jsonl",), "no such file"),
        (("-",), "needs a file"),
        (("bad.jsonl",), "line 2: round 0 has neither"),
        (("bad.jsonl", "--skip-bad", "--model", "nobody"), "no history is of model 'nobody'"),
        (("empty.jsonl",), "holds no samples"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, monkeypatch, words, why):
    """Each refusal says why, before anything is run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.jsonl").write_text(f'{json.dumps(ROWS[0])}\n{{"prompt": "p", "rounds": [{{}}]}}\n')
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(UsageProblem, match=why):
        command.main(words, standalone_mode=False)
    assert not (tmp_path / "runs").exists()
