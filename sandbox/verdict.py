"""From facts to a verdict: pure, total, by precedence (the first rule that holds decides)."""

from enum import StrEnum

from sandbox.types import Evidence, KilledBy, Level, RunResult, TestOutcome, TestRecord


class RunVerdict(StrEnum):
    """The judgement of one run, in order of precedence."""

    SANDBOX_ERROR = "sandbox_error"
    OUTPUT_LIMIT = "output_limit"
    OUT_OF_MEMORY = "out_of_memory"
    CPU_LIMIT = "cpu_limit"
    TIMED_OUT = "timed_out"
    TAMPERED = "tampered"
    CRASHED = "crashed"
    SYNTAX_ERROR = "syntax_error"
    RUNTIME_ERROR = "runtime_error"
    NO_TESTS = "no_tests"
    TESTS_FAILED = "tests_failed"
    PASSED = "passed"


_KILLS = {
    KilledBy.OUTPUT: RunVerdict.OUTPUT_LIMIT,
    KilledBy.MEMORY: RunVerdict.OUT_OF_MEMORY,
    KilledBy.CPU: RunVerdict.CPU_LIMIT,
    KilledBy.WALL: RunVerdict.TIMED_OUT,
}


def judge(result: RunResult) -> RunVerdict:
    """Judge one run from its facts alone; never from a number that the script could have chosen."""
    if result.killed_by is not None:
        return _KILLS[result.killed_by]
    if not result.compiled.ok:
        return RunVerdict.SYNTAX_ERROR
    if result.level is Level.PROGRAM:
        return _judge_program(result)
    if result.tests_error:
        return RunVerdict.NO_TESTS
    return _judge_tests(result)


def _judge_program(result: RunResult) -> RunVerdict:
    if result.signal is not None:
        return RunVerdict.CRASHED
    return RunVerdict.PASSED if result.exit_code == 0 else RunVerdict.RUNTIME_ERROR


def _judge_tests(result: RunResult) -> RunVerdict:
    evidence = result.evidence or Evidence()
    ended = {test.outcome for test in result.tests}
    # At level process a test may be ended alone, and the run goes on. Where a signal ended the run, it is
    # the signal that counts: anybody may send the one that the kernel sends when the time is used up.
    if TestOutcome.TIMED_OUT in ended and result.signal is None:
        return RunVerdict.TIMED_OUT
    if evidence.protocol_broken:
        return RunVerdict.TAMPERED
    if result.signal is not None:
        return RunVerdict.CRASHED
    if result.exception is None and evidence.expected and not _believable(evidence, result.tests):
        return RunVerdict.TAMPERED
    if TestOutcome.CRASHED in ended:
        return RunVerdict.CRASHED
    if result.exception is not None:
        return RunVerdict.RUNTIME_ERROR
    if not evidence.expected:
        return RunVerdict.NO_TESTS
    return RunVerdict.PASSED if _all_passed(result) else RunVerdict.TESTS_FAILED


def _believable(evidence: Evidence, tests: tuple[TestRecord, ...]) -> bool:
    # Tests that import what the script lacks are collected without it and fail to be with it.
    explained = any(test.phase == "collect" for test in tests)
    return (
        evidence.finished
        and evidence.canaries_right
        and evidence.exit_consistent
        and (evidence.collected == evidence.expected or explained)
    )


def _all_passed(result: RunResult) -> bool:
    lenient = {TestOutcome.SKIPPED, TestOutcome.XFAILED}
    return all(
        test.outcome is TestOutcome.PASSED or (test.outcome in lenient and test.id in result.may_skip)
        for test in result.tests
    )
