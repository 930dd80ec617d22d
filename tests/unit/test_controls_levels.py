"""Controls at both levels of grading: which tests need `shared`, and what is said about it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from evaluator.cli import group
from evaluator.config import SandboxSection
from evaluator.controls.check import check_task
from evaluator.jobs import JobMaker
from prompts.tasks import parse
from sandbox.fake import FakeSandbox, fake_result
from sandbox.types import Job, Level, TestOutcome, TestRecord
from sandbox.verdict import RunVerdict, judge

REFERENCE = "def f(x):\n    return x + 1\n"
TESTS = "from solution import f\n\n\ndef test_a():\n    assert f(1) == 2\n"


def task(*, grading=None, references=(REFERENCE,), parts=("Tests",)):
    head = f"---\ngrading: {grading}\n---\n" if grading else ""
    sections = [(part, TESTS) for part in parts] + [("Reference", code) for code in references]
    text = "".join(f"## {name}\n\n```python\n{code}```\n\n" for name, code in sections)
    return parse(f"{head}Write `f`.\n\n{text}", Path("task.md"), "b")


def sandbox(process, shared, *, levels=frozenset(Level)):
    """References come to these outcomes (or what a function makes of the job); anything else fails."""

    def handler(job):
        if "return x" not in job.script:
            return fake_result(job, {"test_a": "failed"})
        wanted = process if job.level is Level.PROCESS else shared
        return wanted(job) if callable(wanted) else fake_result(job, wanted)

    made = FakeSandbox(handler)
    made.levels = lambda: levels
    return made


def crossing(job):
    """A run at level process in which one test got what cannot cross."""
    record = TestRecord(
        id="test_b", outcome=TestOutcome.FAILED, exc_type="CannotCross", message="a frame cannot cross"
    )
    good = fake_result(job, {"test_a": "passed", "test_b": "failed"})
    return fake_result(job, tests=(good.tests[0], record), evidence=good.evidence)


def refused(job):
    """A run at level process whose tests were refused while they were collected."""
    return fake_result(job, {}, tests_error="subclassing solution.A cannot cross: grading: shared")


BOTH = {"test_a": "passed", "test_b": "passed"}


@pytest.mark.parametrize("both_levels", [True, False])
def test_task_that_needs_shared(both_levels):
    """A task graded at level process whose tests need shared fails its controls; tests and mend are named."""
    report = check_task(task(), sandbox(crossing, BOTH), both_levels=both_levels)

    assert report.level is Level.PROCESS
    assert report.problems == (
        (
            "reference 1 passes the shown tests at level shared only; tests that need it: test_b (failed: "
            "CannotCross: a frame cannot cross); write `grading: shared` in its front matter"
        ),
    )
    assert report.needs_shared == {"shown": ("test_b",)}


def test_tests_that_are_refused_as_a_whole():
    """Where nothing can be collected at level process every test needs shared, for the reason given."""
    report = check_task(task(), sandbox(refused, BOTH))

    assert report.needs_shared == {"shown": ("test_a", "test_b")}
    assert "test_a (no_tests; subclassing solution.A cannot cross" in report.problems[0]
    assert "write `grading: shared`" in report.problems[0]


def test_task_that_says_it_needs_shared():
    """A task that is graded at level shared is fit; which tests need it is a note."""
    report = check_task(task(grading="shared"), sandbox(crossing, BOTH), both_levels=True)

    assert (report.ok, report.level) == (True, Level.SHARED)
    assert report.needs_shared == {"shown": ("test_b",)}
    assert any(
        note.startswith("shown: tests that need it: test_b (failed: CannotCross") for note in report.notes
    )


def test_task_that_asks_for_shared_without_need():
    """A weaker level than possible is pointed out, and is no fault."""
    report = check_task(task(grading="shared"), sandbox(BOTH, BOTH), both_levels=True)

    assert report.ok
    assert "`grading: shared` is not needed: the references pass at level process, too" in report.notes


def test_reference_that_passes_at_level_process_only():
    """A difference the other way round is noted."""
    report = check_task(task(), sandbox(BOTH, {"test_a": "passed", "test_b": "failed"}), both_levels=True)

    assert report.ok
    assert any("passes the shown tests at level process, but not at level shared" in n for n in report.notes)


def test_reference_that_fails_at_both():
    """A wrong reference is a wrong reference: nobody is told to change the level."""
    wrong = {"test_a": "passed", "test_b": "failed"}
    report = check_task(task(), sandbox(wrong, wrong))

    assert report.needs_shared == {"shown": ()}
    assert "does not pass the shown tests: tests_failed; test_b failed" in report.problems[0]
    assert "grading" not in report.problems[0]


def test_one_reference_of_two_needs_shared():
    """Each reference is tried, and each part; the tests of all of them are listed once."""
    other = "def f(x):\n    return x - -1\n"

    def process(job):
        return crossing(job) if job.script == other else fake_result(job, BOTH)

    report = check_task(
        task(references=(REFERENCE, other), parts=("Tests", "Holdout")),
        sandbox(process, BOTH),
        both_levels=True,
    )

    assert [problem.partition(" passes")[0] for problem in report.problems] == ["reference 2"] * 2
    assert report.needs_shared == {"shown": ("test_b",), "holdout": ("test_b",)}


def test_right_task_costs_no_second_run():
    """Without being asked for both levels, the other one is tried only where it may mend something."""
    made = sandbox(BOTH, BOTH)

    assert check_task(task(), made).ok
    assert {job.level for job in made.jobs} == {Level.PROCESS}


def test_both_levels_are_run():
    """Asked for both levels, every reference runs at both; empty solutions at the task's own."""
    made = sandbox(BOTH, BOTH)

    check_task(task(), made, both_levels=True)
    levels = [(job.script == REFERENCE, job.level) for job in made.jobs]

    assert levels.count((True, Level.SHARED)) == levels.count((True, Level.PROCESS)) == 1
    assert (False, Level.SHARED) not in levels


def test_sandbox_without_the_other_level():
    """A sandbox that has one level only is asked for no other."""
    made = sandbox(BOTH, BOTH, levels=frozenset({Level.SHARED, Level.PROGRAM}))

    report = check_task(
        task(), made, jobs=JobMaker(section=SandboxSection(grading=Level.SHARED)), both_levels=True
    )

    assert report.ok
    assert {job.level for job in made.jobs} == {Level.SHARED}


def test_skips_are_those_of_the_same_level():
    """What the reference skips at one level is no leave to skip at the other."""
    skips = {"test_a": "passed", "test_b": "skipped"}
    at_process = check_task(task(), sandbox(skips, BOTH), both_levels=True)
    at_shared = check_task(task(grading="shared"), sandbox(skips, BOTH), both_levels=True)

    assert at_process.may_skip == {"shown": ("test_b",)}
    assert at_shared.may_skip == {"shown": ()}
    assert at_process.ok
    assert at_shared.ok


def test_a_skip_is_not_mended_by_another_level():
    """A reference that skips what another one does not fails alike at both levels, and no level is blamed."""
    other = "def f(x):\n    return x - -1\n"

    def run(job):
        return fake_result(job, {**BOTH, "test_b": "skipped"} if job.script == other else BOTH)

    report = check_task(task(references=(REFERENCE, other)), sandbox(run, run))

    assert report.problems == (
        "reference 2 does not pass the shown tests: tests_failed; test_b skipped: no reason given",
    )


def test_command_says_levels(tmp_path, monkeypatch):
    """`tasks check` prints the level of each task and the tests that need shared, for people and programs."""
    folder = tmp_path / "batch"
    folder.mkdir()
    text = f"Write `f`.\n\n## Tests\n```python\n{TESTS}```\n\n## Reference\n```python\n{REFERENCE}```\n"
    (folder / "one.md").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("evaluator.commands.tasks.open_sandbox", lambda *_a, **_k: sandbox(crossing, BOTH))

    plain = CliRunner().invoke(group, ["tasks", "check", str(folder)], standalone_mode=False)
    data = CliRunner().invoke(group, ["tasks", "check", str(folder), "--json"], standalone_mode=False)
    (row,) = json.loads(data.stdout)

    assert plain.return_value == data.return_value == 1
    assert plain.stdout.startswith(
        "FAIL batch/one (level process)\n     reference 1 passes the shown tests at"
    )
    assert (row["level"], row["needs_shared"], row["ok"]) == ("process", {"shown": ["test_b"]}, False)
    assert "write `grading: shared`" in row["problems"][0]


def test_fake_verdicts_are_what_the_cases_mean():
    """The runs that these tests make up are judged as intended."""
    job = Job(id="1", script="", tests="T", level=Level.PROCESS)

    assert judge(crossing(job)) is RunVerdict.TESTS_FAILED
    assert judge(refused(job)) is RunVerdict.NO_TESTS
