"""How a suite is judged in the loop: every outcome has a verdict, and each aim asks for something else."""

import pytest

from evaluator.suites.judging import VERDICTS, judge_for, judge_suite
from evaluator.suites.outcome import SuiteOutcome
from sandbox.suite import SuiteFacts
from sandbox.types import CompileReport, Level, RunResult, TestOutcome, TestRecord
from sandbox.verdict import RunVerdict


def result(*outcomes, **facts):
    base = {"compiled": CompileReport(ok=True), "suite": SuiteFacts(binds=True, complete=True)}
    return RunResult(
        job_id="x",
        level=Level.SHARED,
        python="3.11",
        guest_version="0",
        hash_seed=0,
        tests=tuple(TestRecord(id=f"t{n}", outcome=outcome) for n, outcome in enumerate(outcomes)),
        **{**base, **facts},
    )


PASSES, FAILS = result(TestOutcome.PASSED), result(TestOutcome.PASSED, TestOutcome.FAILED)


def test_every_outcome_has_a_verdict():
    """None is forgotten, and only a suite that passes counts as passed."""
    assert set(VERDICTS) == set(SuiteOutcome)
    assert [outcome for outcome, verdict in VERDICTS.items() if verdict is RunVerdict.PASSED] == ["scored"]


@pytest.mark.parametrize(
    ("run", "verdict"),
    [
        (PASSES, RunVerdict.PASSED),
        (FAILS, RunVerdict.TESTS_FAILED),
        (result(), RunVerdict.NO_TESTS),
        (result(tests_error="no"), RunVerdict.SYNTAX_ERROR),
        (result(suite=SuiteFacts(failed="collect_failed")), RunVerdict.RUNTIME_ERROR),
        (result(suite=SuiteFacts(failed="ended")), RunVerdict.TAMPERED),
        (result(suite=SuiteFacts(failed="import_hangs")), RunVerdict.TIMED_OUT),
        (result(suite=SuiteFacts(failed="import_failed")), RunVerdict.SANDBOX_ERROR),
    ],
)
def test_judging_by_the_script(run, verdict):
    """A script that cannot be imported is nobody's failure; everything else is the suite's."""
    assert judge_suite(run) is verdict


@pytest.mark.parametrize(
    ("aim", "on_passes", "on_fails"),
    [
        ("passes", RunVerdict.PASSED, RunVerdict.TESTS_FAILED),
        ("collects", RunVerdict.PASSED, RunVerdict.PASSED),
        ("fails", RunVerdict.TESTS_FAILED, RunVerdict.PASSED),
    ],
)
def test_aims(aim, on_passes, on_fails):
    """To pass, only to run, or to fail on a stub; what does not even run never will do."""
    judge = judge_for(aim)

    assert judge(PASSES) is on_passes
    assert judge(FAILS) is on_fails
    assert judge(result()) is RunVerdict.NO_TESTS
