"""Honest tasks where tests and script share an interpreter: each does what its author says."""

import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from sandbox.engine import DockerSandbox
from sandbox.types import Level, RunResult, TestOutcome
from sandbox.verdict import RunVerdict, judge

LENIENT = {TestOutcome.SKIPPED, TestOutcome.XFAILED}
BROKEN = {RunVerdict.NO_TESTS, RunVerdict.SANDBOX_ERROR}
ROLES = {"reference-1", "wrong-1"}
ENOUGH = 160


@pytest.fixture
def sandbox():
    """One sandbox for all, as starting a container takes longer than most of the runs."""
    with DockerSandbox(f"honest-{uuid.uuid4().hex[:8]}", attempts_per_container=50) as made:
        yield made


@pytest.mark.docker
@pytest.mark.slow
def test_right_scripts_pass_and_wrong_ones_do_not(sandbox, read_honest_runs):
    """Every reference passes its tests, and every wrong script fails some test of a suite that can be run."""
    runs = list(read_honest_runs())
    with ThreadPoolExecutor(sandbox.slots) as pool:
        results = list(pool.map(lambda run: sandbox.run(run.job(Level.SHARED)), runs))
    faults = list(_faults(runs, results))
    assert not faults, "\n".join(faults)


def test_every_task_has_a_reference_and_a_wrong_script(read_honest_runs):
    """No task is there for show: each has something to pass and something to fail, and there are enough."""
    roles = {}
    for run in read_honest_runs():
        roles.setdefault(run.task_id, set()).add(run.role)
    assert len(roles) >= ENOUGH
    assert [task for task, its in roles.items() if not its >= ROLES] == []


def _faults(runs, results: Iterable[RunResult]):
    """Say what is not as it should be; skips count as passed where the task's reference skips, too."""
    may_skip = {}
    for run, result in zip(runs, results, strict=True):
        if run.right:
            may_skip.setdefault(run.task_id, [test.id for test in result.tests if test.outcome in LENIENT])
        verdict = judge(replace(result, may_skip=tuple(may_skip.get(run.task_id, ()))))
        if (verdict is not RunVerdict.PASSED) if run.right else (verdict in {RunVerdict.PASSED, *BROKEN}):
            yield f"{run.name}: {verdict} {_details(result)}"


def _details(result: RunResult):
    bad = [test for test in result.tests if test.outcome is not TestOutcome.PASSED]
    told = [f"{test.id} {test.outcome}: {test.exc_type} {test.message[:300]}" for test in bad[:5]]
    return "; ".join([result.tests_error, str(result.exception or ""), *told]).strip("; ")
