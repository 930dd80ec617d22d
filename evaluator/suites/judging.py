"""From what became of a suite to the verdict of an attempt, by what the suite was to do. Pure and total."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from evaluator.suites.outcome import SuiteOutcome, outcome_of
from sandbox.types import RunResult
from sandbox.verdict import RunVerdict

Aim = Literal["passes", "collects", "fails"]
"""What a suite has to do where it is run: pass on the script; only collect there; fail on a stub, by which
a suite shows that it tests anything, where it is written from a text alone."""

VERDICTS: Final[Mapping[SuiteOutcome, RunVerdict]] = {
    # Nothing can be said of a suite for such a script: it is left unscored.
    SuiteOutcome.SCRIPT_BROKEN: RunVerdict.SANDBOX_ERROR,
    SuiteOutcome.SYNTAX_ERROR: RunVerdict.SYNTAX_ERROR,
    SuiteOutcome.OUT_OF_MEMORY: RunVerdict.OUT_OF_MEMORY,
    SuiteOutcome.OUTPUT_LIMIT: RunVerdict.OUTPUT_LIMIT,
    SuiteOutcome.HANGS: RunVerdict.TIMED_OUT,
    SuiteOutcome.LEAVES: RunVerdict.TAMPERED,
    SuiteOutcome.CRASHED: RunVerdict.CRASHED,
    SuiteOutcome.UNCOLLECTABLE: RunVerdict.RUNTIME_ERROR,
    SuiteOutcome.TOO_MANY_TESTS: RunVerdict.NO_TESTS,
    SuiteOutcome.SAME_IDS: RunVerdict.NO_TESTS,
    SuiteOutcome.NO_TESTS: RunVerdict.NO_TESTS,
    SuiteOutcome.FAILS: RunVerdict.TESTS_FAILED,
    SuiteOutcome.FLAKY: RunVerdict.TESTS_FAILED,
    SuiteOutcome.LOOKS_AT_CODE: RunVerdict.TESTS_FAILED,
    SuiteOutcome.UNFINISHED: RunVerdict.TIMED_OUT,
    SuiteOutcome.SCORED: RunVerdict.PASSED,
}
_COLLECTED = frozenset({RunVerdict.PASSED, RunVerdict.TESTS_FAILED})


def judge_suite(result: RunResult) -> RunVerdict:
    """Judge a suite by its run on the script under test."""
    return VERDICTS[outcome_of(result)]


def judge_for(aim: Aim) -> Callable[[RunResult], RunVerdict]:
    """Give what judges suites with this aim."""

    def judge(result: RunResult) -> RunVerdict:
        verdict = judge_suite(result)
        if aim == "passes" or verdict not in _COLLECTED:
            return verdict
        weak = aim == "fails" and verdict is RunVerdict.PASSED
        return RunVerdict.TESTS_FAILED if weak else RunVerdict.PASSED

    return judge
