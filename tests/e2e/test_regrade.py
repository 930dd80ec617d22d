"""Saved replies judged anew: nothing is asked, and only what changed is run."""

import json
import shutil
from collections import Counter

import pytest

from evaluator.config import overlay
from evaluator.errors import RunIncompatible, RunLocked, UsageProblem
from evaluator.replay.recorded import RecordedServer
from evaluator.replay.regradable import at_rest, plan_regrade
from evaluator.replay.regrade import CALLS
from evaluator.replay.regrading import CENSORED
from evaluator.runs.journal import Journal, load_run, read_manifest

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, make_bench, tasks_and_replies):
    """A run of two models over the small tasks, whose server is gone: the bench and the run's folder."""
    write_tasks, replies = tasks_and_replies
    bench = make_bench(tmp_path_factory.mktemp("finished"))
    tasks = write_tasks(bench.folder)
    with RecordedServer(replies) as server:
        models = [f"--model={name}@{server.base_url}" for name in replies]
        done = bench("bench", "--tasks-dir", tasks, *models, "--no-check-tasks", "--flake-checks=1")
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


def config_of(regrade):
    """The configuration of the run, with the copied tasks."""
    flags = {"bench": {"tasks_dir": regrade.tasks.parent}}
    return overlay(read_manifest(regrade.source).config, flags, "the run")


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


def test_what_has_other_tests_is_run_again_alone(regrade):
    """Of three tasks two have new tests: one passes no more and is censored, one passes a call earlier."""
    change(regrade.tasks / "double.md", "assert double(4) == 8", "assert double(4) == 9")
    change(regrade.tasks / "triple.md", "assert triple(2) == 6", "assert triple(2) in (5, 6)")
    change(regrade.tasks / "triple.md", "assert triple(0) == 0", "assert triple(0) in (0, 3)")
    done = regrade()
    folder = new_run(regrade)
    again = {each["task_id"] for each in calls(folder) if each["ran_again"]}
    fates = {
        (each["task_id"], each["call_no"]): (each["fate"], each["after"] and each["after"]["verdict"])
        for each in calls(folder)
        if each["model"] == "good"
    }
    good = {each.first.task_id: each for each in load_run(folder).trajectories if each.first.model == "good"}
    double, triple = good["small/double"], good["small/triple"]

    assert again == {"small/double", "small/triple"}
    assert fates[("small/double", 0)] == ("changed", "tests_failed")
    assert [(a.stop, CENSORED in a.flags) for a in double.attempts] == [(None, True)]
    assert double.unscored
    assert fates[("small/triple", 0)] == ("changed", "passed")
    # The repair that followed is not counted, and is told.
    assert fates[("small/triple", 1)] == ("unused", None)
    assert [(a.call_no, a.stop, a.success) for a in triple.attempts] == [(0, "passed", True)]
    assert "good small/double sample 0 call 0: passed → tests_failed" in done.stdout
    assert "1 samples are censored" in done.stderr


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
    """The refusal names the task and the reason, and none of the others."""
    spoil(regrade)
    with pytest.raises(RunIncompatible, match=why) as caught:
        plan_regrade(regrade.source, config_of(regrade))
    assert "small/triple" not in str(caught.value)


def test_what_cannot_be_judged_anew_can_be_left_out(regrade):
    """The rest is judged, and the report names what is not there."""
    (regrade.tasks / "double.md").unlink()
    regrade("--leave-out")
    run = load_run(new_run(regrade))
    assert {attempt.task_id for attempt in run.attempts} == {"small/negate", "small/triple"}
    assert [entry.task_id for entry in run.manifest.tasks] == ["small/negate", "small/triple"]
    assert "small/double was left out of the regrade" in "".join(run.manifest.warnings)


def test_a_run_without_attempts_is_refused(regrade):
    """There is nothing to judge."""
    (regrade.source / "attempts.jsonl").write_text("")
    with pytest.raises(UsageProblem, match="no attempt to judge anew"):
        plan_regrade(regrade.source, config_of(regrade))


def test_a_run_that_is_written_is_refused(regrade):
    """Nobody judges half a run by accident; afterwards it can be read."""
    with Journal(regrade.source), pytest.raises(RunLocked, match="is being written"), at_rest(regrade.source):
        pass
    with at_rest(regrade.source):
        assert load_run(regrade.source).trajectories
