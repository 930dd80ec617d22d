"""Saved replies judged anew: nothing is asked, and only what changed is run."""

import json
import shutil
from collections import Counter

import pytest

from evaluator.journal import load_run
from evaluator.recorded import RecordedServer
from evaluator.regrade import CALLS
from evaluator.regrading import CENSORED

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, make_bench, tasks_and_replies):
    """A run of two models over the small tasks, whose server is gone: the bench and the run's folder."""
    write_tasks, replies = tasks_and_replies
    bench = make_bench(tmp_path_factory.mktemp("finished"))
    tasks = write_tasks(bench.folder)
    with RecordedServer(replies) as server:
        models = [f"--model={name}@{server.base_url}" for name in replies]
        done = bench("bench", "--tasks-dir", tasks, *models, "--no-check-tasks")
    assert done.returncode == 0, done.stderr
    return bench, bench.runs()[0]


@pytest.fixture
def regrade(finished, tmp_path, make_bench):
    """Regrades a copy of the run, with tasks that may be changed first; gives the new folder's calls."""
    bench, source = finished
    shutil.copytree(bench.folder / "batches", tmp_path / "batches")
    shutil.copytree(source, tmp_path / "runs" / source.name)
    own = make_bench(tmp_path)

    def run(*words, code=0):
        done = own("regrade", source.name, "--tasks-dir", own.folder / "batches", "--no-check-tasks", *words)
        assert done.returncode == code, done.stderr
        return done

    run.bench, run.source = own, own.folder / "runs" / source.name
    run.tasks = own.folder / "batches" / "small"
    return run


def calls(folder):
    """The lines about each saved attempt."""
    return [json.loads(line) for line in (folder / CALLS).read_text().splitlines()]


def new_run(regrade):
    """The folder that a regrade made."""
    (folder,) = [path for path in regrade.bench.runs() if path != regrade.source]
    return folder


def change(path, old, new):
    """Replace a text of a task's file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_nothing_changed(regrade, fingerprints):
    """Every verdict is looked up, the run is the same, and it says whose replies it judged."""
    before = {path.name: path.read_bytes() for path in regrade.source.glob("*.json*")}
    done = regrade()
    folder = new_run(regrade)
    run = load_run(folder)

    assert Counter(each["fate"] for each in calls(folder)) == {"same": len(run.attempts)}
    assert [each for each in calls(folder) if each["ran_again"]] == []
    assert fingerprints(folder) == fingerprints(regrade.source)
    assert run.manifest.regraded_from == regrade.source.name
    assert run.manifest.finished
    assert "no model was asked" in done.stdout
    for name in ("report.html", "report.md", "summary.json"):
        assert "no model was asked" in (folder / name).read_text(encoding="utf-8"), name
    # The run itself stays as it was.
    assert {path.name: path.read_bytes() for path in regrade.source.glob("*.json*")} == before


def test_another_test_is_run_again_alone(regrade):
    """Of three tasks one has a new test: its scripts alone run; what passed and fails now is censored."""
    change(regrade.tasks / "double.md", "assert double(4) == 8", "assert double(4) == 9")
    done = regrade()
    folder = new_run(regrade)
    again = [each for each in calls(folder) if each["ran_again"]]
    (good,) = [
        each
        for each in load_run(folder).trajectories
        if (each.first.model, each.first.task_id) == ("good", "small/double")
    ]

    assert {each["task_id"] for each in again} == {"small/double"}
    assert [each["call_no"] for each in again if each["model"] == "good"] == [0]
    assert [(str(a.verdict), a.stop, CENSORED in a.flags) for a in good.attempts] == [
        ("tests_failed", None, True)
    ]
    assert good.unscored
    assert "good small/double sample 0 call 0: passed → tests_failed" in done.stdout
    assert "1 samples are censored" in done.stderr


def test_a_call_after_one_that_passes_now_is_unused(regrade):
    """The test that failed first is another one: the repair after it is not counted, and is told."""
    change(regrade.tasks / "triple.md", "assert triple(2) == 6", "assert triple(2) in (5, 6)")
    change(regrade.tasks / "triple.md", "assert triple(0) == 0", "assert triple(0) in (0, 3)")
    regrade()
    folder = new_run(regrade)
    fates = {
        each["call_no"]: (each["fate"], each["after"] and each["after"]["verdict"])
        for each in calls(folder)
        if (each["model"], each["task_id"]) == ("good", "small/triple")
    }
    (good,) = [
        each
        for each in load_run(folder).trajectories
        if (each.first.model, each.first.task_id) == ("good", "small/triple")
    ]

    assert fates == {0: ("changed", "passed"), 1: ("unused", None)}
    assert [(attempt.call_no, attempt.stop) for attempt in good.attempts] == [(0, "passed")]
    assert good.first.success


def test_another_limit_runs_all_again(regrade):
    """A limit belongs to the key of every run that has no limit of its own; here all have, so none is run."""
    regrade("--limit-wall", 11)
    assert [each for each in calls(new_run(regrade)) if each["ran_again"]] == []


def test_another_level_runs_all_again(regrade):
    """At another level every script runs again, and the run says at which it was judged."""
    regrade("--grading", "shared", "--attempts-per-container", 20)
    folder = new_run(regrade)
    run = load_run(folder)

    assert {str(level) for level in run.manifest.levels} == {"shared"}
    assert {str(attempt.level) for attempt in run.attempts} == {"shared"}
    # Equal scripts are run once.
    scripts = {attempt.script.sha256 for attempt in run.attempts if attempt.shown}
    ran = [each for each in calls(folder) if "shown" in each["ran_again"]]
    assert len(ran) == len({(each["task_id"], each["after"]["script"]) for each in ran}) >= len(scripts) > 1


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda run: (run.tasks / "double.md").unlink(), "small/double: the task is not there any more"),
        (
            lambda run: change(run.tasks / "double.md", "Write `double(x)`.", "Write it."),
            "small/double: its replies answered another prompt",
        ),
        (
            lambda run: (run.source / "completions.jsonl").write_text(
                "".join(
                    line
                    for line in (run.source / "completions.jsonl").read_text().splitlines(keepends=True)
                    if json.loads(line)["task_id"] != "small/double"
                )
            ),
            "small/double: the reply to call 0 of",
        ),
    ],
)
def test_what_cannot_be_judged_anew_is_refused(regrade, spoil, why):
    """The refusal names the task and the reason, and nothing is made."""
    spoil(regrade)
    done = regrade(code=2)
    assert why in done.stderr
    assert "small/triple" not in done.stderr
    assert len(regrade.bench.runs()) == 1


def test_what_cannot_be_judged_anew_can_be_left_out(regrade):
    """The rest is judged, and the report names what is not there."""
    (regrade.tasks / "double.md").unlink()
    regrade("--leave-out")
    run = load_run(new_run(regrade))
    assert {attempt.task_id for attempt in run.attempts} == {"small/negate", "small/triple"}
    assert [entry.task_id for entry in run.manifest.tasks] == ["small/negate", "small/triple"]
    assert "small/double was left out of the regrade" in "".join(run.manifest.warnings)


def test_no_run_and_no_attempts(regrade):
    """A folder that is no run, and a run without attempts, are refused."""
    (regrade.source / "attempts.jsonl").write_text("")
    assert "no attempt to judge anew" in regrade(code=2).stderr
    missing = regrade.bench("regrade", "nowhere")
    assert (missing.returncode, "no run 'nowhere'" in missing.stderr) == (2, True)
