"""Honest tasks at both levels: each does what its author says, and does the same in two processes as in one."""

import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from sandbox.engine import DockerSandbox
from sandbox.types import Level, RunResult, TestOutcome
from sandbox.verdict import RunVerdict, judge

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs" / "grading.md"
LENIENT = {TestOutcome.SKIPPED, TestOutcome.XFAILED}
BROKEN = {RunVerdict.NO_TESTS, RunVerdict.SANDBOX_ERROR}
ROLES = {"reference-1", "wrong-1"}
HARD = "hard/"
"""Tasks that need one interpreter, and say why."""
HINT = "grading: shared"
ENOUGH = 150
MOST_REFUSED = 0.03
THREADS = 2
SLOW_TO_FAIL = {"property/stateful", "property/intervals"}
"""Their wrong scripts took half a minute to be found out, one question after the other."""


@dataclass(frozen=True)
class Pair:
    """One script of a task, judged at both levels."""

    run: object
    shared: RunResult
    process: RunResult
    may_skip: tuple[str, ...] = ()

    @property
    def hard(self):
        """Whether the task is one of those that need one interpreter."""
        return self.run.task_id.startswith(HARD)

    @property
    def refused(self):
        """Whether the tests were refused by name at level `process`."""
        return HINT in self.process.tests_error

    def verdicts(self):
        """The verdicts at the two levels; what the reference skips may be skipped."""
        return [judge(replace(each, may_skip=self.may_skip)) for each in (self.shared, self.process)]

    def differences(self):
        """The tests whose outcomes differ, and what became of them."""
        here, there = ({test.id: test for test in each.tests} for each in (self.shared, self.process))
        return {
            name: _told(here.get(name), there.get(name))
            for name in here | there
            if name not in here or name not in there or here[name].outcome is not there[name].outcome
        }


def _told(here, there):
    why = f": {there.exc_type} {there.message[:300]}" if there is not None and there.exc_type else ""
    return f"{here and str(here.outcome)} → {there and str(there.outcome)}{why}"


@pytest.fixture(scope="module")
def pairs(read_honest_runs):
    """Every script of every task at both levels: nothing of this file runs it again."""
    runs = _chosen(list(read_honest_runs()))
    with DockerSandbox(f"honest-{uuid.uuid4().hex[:8]}", attempts_per_container=50) as sandbox:

        def one(run):
            return Pair(run, sandbox.run(run.job(Level.SHARED)), sandbox.run(run.job(Level.PROCESS)))

        with ThreadPoolExecutor(THREADS) as pool:
            made = list(pool.map(one, runs))
        # Tasks with threads and loops depend on the moment, at either level: what differs, differs again.
        made = [one(pair.run) if not pair.hard and pair.differences() else pair for pair in made]
    may_skip = {}
    for pair in made:
        if pair.run.right:
            skipped = tuple(test.id for test in pair.shared.tests if test.outcome in LENIENT)
            may_skip.setdefault(pair.run.task_id, skipped)
    return [replace(pair, may_skip=may_skip[pair.run.task_id]) for pair in made]


def _chosen(runs):
    """Every right script, and every third wrong one; all of them where MENDBENCH_HONEST says `all`."""
    wrong = [run for run in runs if not run.right and not run.task_id.startswith(HARD)]
    left_out = (
        set()
        if os.environ.get("MENDBENCH_HONEST") == "all"
        else {id(r) for r in wrong} - {id(run) for run in wrong[::3]}
    )
    return [run for run in runs if id(run) not in left_out]


@pytest.fixture(scope="module")
def listed():
    """What is known to differ: construct → task → tests."""
    return yaml.safe_load((HERE / "needs_shared.yaml").read_text())


@pytest.mark.docker
@pytest.mark.slow
def test_right_scripts_pass_and_wrong_ones_do_not(pairs):
    """In one interpreter every reference passes, and every wrong script fails some test of a suite that runs."""
    faults = []
    for pair in pairs:
        verdict = pair.verdicts()[0]
        wrong = (
            (verdict is not RunVerdict.PASSED)
            if pair.run.right
            else (verdict in {RunVerdict.PASSED, *BROKEN})
        )
        if wrong:
            faults.append(f"{pair.run.name}: {verdict} {_details(pair.shared)}")
    assert not faults, "\n".join(faults)


@pytest.mark.docker
@pytest.mark.slow
def test_two_processes_give_the_outcomes_of_one(pairs):
    """Verdict and outcome of every test are the same at both levels, but for the few files refused by name."""
    compared = [pair for pair in pairs if not pair.hard and not pair.refused]
    faults = []
    for pair in compared:
        shared, process = pair.verdicts()
        if shared is not process or pair.differences():
            lines = [f"    {name}: {told}" for name, told in pair.differences().items()]
            said = pair.process.tests_error or pair.process.exception or ""
            faults += [f"{pair.run.name}: {shared} → {process} {said}", *lines]
    assert not faults, "\n".join(faults)
    files = {pair.run.task_id for pair in compared}
    refused = {pair.run.task_id for pair in pairs if not pair.hard and pair.refused}
    assert len(files) >= ENOUGH
    assert len(refused) < MOST_REFUSED * len(files | refused), sorted(refused)


@pytest.mark.docker
@pytest.mark.slow
def test_what_needs_one_interpreter_never_passes_falsely(pairs, listed):
    """Tasks of the theme `hard` differ as listed and in nothing else; no wrong script of theirs passes."""
    known = {
        (task, name) for tasks in listed.values() for task, names in tasks.items() for name in names or ()
    }
    whole = {task for tasks in listed.values() for task, names in tasks.items() if names is None}
    faults, met = [], set()
    for pair in (pair for pair in pairs if pair.hard):
        task, process = pair.run.task_id, pair.verdicts()[1]
        if process is RunVerdict.PASSED and not pair.run.right:
            faults.append(f"{pair.run.name} passes, and is wrong")
        if process in BROKEN and not (pair.refused and task in whole):
            faults.append(f"{pair.run.name}: {process} {_details(pair.process)}")
        if pair.refused:
            met.add((task, None))
            continue
        met |= {(task, name) for name in pair.differences()}
        faults += [
            f"{pair.run.name} {name}: {told}"
            for name, told in pair.differences().items()
            if (task, name) not in known
        ]
    gone = (known | {(task, None) for task in whole}) - met
    faults += [
        f"{task} {name or ''} is listed, and does not differ any more" for task, name in sorted(gone, key=str)
    ]
    assert not faults, "\n".join(faults)


def test_the_docs_name_what_needs_one_interpreter(listed):
    """Each construct of the list stands in docs/grading.md."""
    text = DOCS.read_text()
    assert [construct for construct in listed if construct not in text] == []


def test_every_task_has_a_reference_and_a_wrong_script(read_honest_runs):
    """No task is there for show: each has something to pass and something to fail, and there are enough."""
    roles = {}
    for run in read_honest_runs():
        roles.setdefault(run.task_id, set()).add(run.role)
    assert len([task for task in roles if not task.startswith(HARD)]) >= ENOUGH
    assert [task for task, its in roles.items() if not its >= ROLES and task not in SLOW_TO_FAIL] == []


def _details(result: RunResult):
    bad = [test for test in result.tests if test.outcome is not TestOutcome.PASSED]
    told = [f"{test.id} {test.outcome}: {test.exc_type} {test.message[:300]}" for test in bad[:5]]
    return "; ".join([result.tests_error, str(result.exception or ""), *told]).strip("; ")
