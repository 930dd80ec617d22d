"""What became of a suite, in one word, and how far through the funnel it came. Pure and total."""

from collections.abc import Iterator
from enum import StrEnum

from sandbox.suite import SuiteFacts, VersionKind, VersionStatus
from sandbox.types import KilledBy, RunResult, TestOutcome


class SuiteOutcome(StrEnum):
    """The first of these that holds. Only a suite that is `scored` has a stable mutation score above 0."""

    SCRIPT_BROKEN = "script_broken"
    """The script under test does not compile, or its import fails: nothing is said of the suite."""
    SYNTAX_ERROR = "syntax_error"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_LIMIT = "output_limit"
    HANGS = "hangs"
    """Its import, or one run of its tests, did not end within its limits."""
    LEAVES = "leaves"
    """It ended the interpreter, or a test did."""
    CRASHED = "crashed"
    """What conducts the runs was killed: no suite does that by testing."""
    UNCOLLECTABLE = "uncollectable"
    """An exception when the tests were collected."""
    TOO_MANY_TESTS = "too_many_tests"
    SAME_IDS = "same_ids"
    """Two tests cannot be told apart."""
    NO_TESTS = "no_tests"
    FAILS = "fails"
    """A test does not pass with the script."""
    FLAKY = "flaky"
    """A test has another outcome alone, in another order, or with another hash seed."""
    LOOKS_AT_CODE = "looks_at_code"
    """It fails on a version that behaves as the script does: unstable, or not looking at behaviour."""
    UNFINISHED = "unfinished"
    """The scoring was cut off by its own limits."""
    SCORED = "scored"


class Stage(StrEnum):
    """The funnel, in order."""

    RECEIVED = "received"
    COMPILES = "compiles"
    BINDS = "binds"
    COLLECTS = "collects"
    PASSES = "passes"
    STABLE = "stable"
    HERMETIC = "hermetic"
    NOT_VACUOUS = "not_vacuous"
    DISCRIMINATING = "discriminating"


LENIENT = frozenset({TestOutcome.PASSED, TestOutcome.SKIPPED, TestOutcome.XFAILED})
"""With at least one passed test, these do not make a suite fail."""
LONG_SLEEP_S = 1.0
_FAILED = {
    "import_failed": SuiteOutcome.SCRIPT_BROKEN,
    "collect_failed": SuiteOutcome.UNCOLLECTABLE,
    "ended": SuiteOutcome.LEAVES,
    "import_ends": SuiteOutcome.LEAVES,
    "import_hangs": SuiteOutcome.HANGS,
    "too_many": SuiteOutcome.TOO_MANY_TESTS,
    "same_ids": SuiteOutcome.SAME_IDS,
    "gave_up": SuiteOutcome.LEAVES,
}
_KILLED = {
    KilledBy.MEMORY: SuiteOutcome.OUT_OF_MEMORY,
    KilledBy.OUTPUT: SuiteOutcome.OUTPUT_LIMIT,
    KilledBy.CPU: SuiteOutcome.UNFINISHED,
    KilledBy.WALL: SuiteOutcome.UNFINISHED,
}


def outcome_of(result: RunResult, *, other_seeds: tuple[RunResult, ...] = ()) -> SuiteOutcome:
    """Say what became of a suite.

    Args:
        result: of the job that scored it.
        other_seeds: of jobs with other hash seeds that ran its tests.
    """
    return next(_outcomes(result, other_seeds))


def _outcomes(result: RunResult, others: tuple[RunResult, ...]) -> Iterator[SuiteOutcome]:  # noqa: C901 - a list
    facts = result.suite
    if not result.compiled.ok:
        yield SuiteOutcome.SCRIPT_BROKEN
    if result.tests_error:
        yield SuiteOutcome.SYNTAX_ERROR
    if facts is None:
        yield _KILLED[result.killed_by] if result.killed_by else SuiteOutcome.CRASHED
        return
    if facts.failed:
        yield _FAILED.get(facts.failed, SuiteOutcome.CRASHED)
    if facts.plain_ended:
        yield SuiteOutcome.HANGS if facts.plain_ended in {"cpu", "wall"} else SuiteOutcome.LEAVES
    if result.killed_by is not None:
        # Before the tests have passed once it is theirs, afterwards it is the scoring that took too long.
        yield _KILLED[result.killed_by] if result.tests else SuiteOutcome.HANGS
    if not facts.complete:
        yield SuiteOutcome.CRASHED
    if not result.tests:
        yield SuiteOutcome.NO_TESTS
    if not passes(result):
        yield SuiteOutcome.FAILS
    if flaky(result, others):
        yield SuiteOutcome.FLAKY
    if any(v.kind is VersionKind.NULL and v.status is VersionStatus.KILLED for v in facts.versions):
        yield SuiteOutcome.LOOKS_AT_CODE
    yield SuiteOutcome.SCORED


def passes(result: RunResult) -> bool:
    """Say whether the suite passes: at least one test does, and none fails."""
    outcomes = [test.outcome for test in result.tests]
    return TestOutcome.PASSED in outcomes and LENIENT.issuperset(outcomes)


def flaky(result: RunResult, others: tuple[RunResult, ...]) -> frozenset[str]:
    """Name the tests that pass when all are run in their order, and at another time do not."""
    facts = result.suite
    if facts is None:
        return frozenset()
    passed = {n for n, test in enumerate(result.tests) if test.outcome is TestOutcome.PASSED}
    ever_failed = numbers(facts.alone_failed) if facts.alone_runs else set()
    for order in facts.orders:
        ever_failed |= passed - numbers(order.passed)
    names = {result.tests[n].id for n in passed & ever_failed}
    stable = {test.id for test in result.tests if test.outcome is TestOutcome.PASSED}
    for other in others:
        names |= stable - {test.id for test in other.tests if test.outcome is TestOutcome.PASSED}
    return frozenset(names)


def numbers(mask: str) -> set[int]:
    """Return the tests in a set that travelled as hexadecimal digits."""
    bits = int(mask, 16)
    return {n for n in range(bits.bit_length()) if bits >> n & 1}


def hermetic(facts: SuiteFacts) -> bool:
    """Say whether the tests left the network, processes, other files, long sleep and the date alone."""
    touched = facts.network or facts.processes or facts.files or facts.slept_s > LONG_SLEEP_S
    return not touched and not numbers(facts.dated)
