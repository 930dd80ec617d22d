"""Classes of failure, finer than verdicts: what a repair has to mend.

After the classes of T. X. Olausson et al. (self-repair) and arXiv:2604.10508, which find that assertion
failures are mended least: verdicts say how a run ended, exceptions say what was wrong with the code.
"""

from typing import Final

from repair.outcome import Verdict

ASSERTION, NAME, TYPE_VALUE, IMPORT, EXCEPTION = "assertion", "name", "type or value", "import", "exception"
PASSED: Final = "passed"

OF_VERDICT: Final[dict[str, str]] = {
    Verdict.PASSED: PASSED,
    Verdict.NO_CODE: "no code",
    Verdict.TRUNCATED: "truncated",
    Verdict.SYNTAX_ERROR: "syntax",
    Verdict.TIMED_OUT: "time",
    Verdict.CPU_LIMIT: "time",
    Verdict.OUT_OF_MEMORY: "memory",
    Verdict.OUTPUT_LIMIT: "output",
    Verdict.CRASHED: "crash",
    Verdict.TAMPERED: "tampered",
    Verdict.NO_TESTS: "no tests",
}
"""What the verdict alone says; `runtime_error` and `tests_failed` are told apart by their exception."""
OF_EXCEPTION: Final[dict[str, str]] = {
    "AssertionError": ASSERTION,
    "Failed": ASSERTION,  # pytest.raises and pytest.fail
    "NameError": NAME,
    "UnboundLocalError": NAME,
    "AttributeError": NAME,
    "ImportError": IMPORT,
    "ModuleNotFoundError": IMPORT,
    "TypeError": TYPE_VALUE,
    "ValueError": TYPE_VALUE,
    "KeyError": TYPE_VALUE,
    "IndexError": TYPE_VALUE,
}
"""The first failing test's exception, or the one that ended the import; all others are `exception`."""
CLASSES: Final = (
    "no code",
    "truncated",
    "syntax",
    IMPORT,
    NAME,
    TYPE_VALUE,
    EXCEPTION,
    ASSERTION,
    "time",
    "memory",
    "output",
    "crash",
    "tampered",
    "no tests",
)
"""In the order in which reports list them."""


def failure_class(verdict: str, exc_type: str) -> str:
    """Name the class of an attempt that failed what it was shown; `passed` if it did not."""
    return OF_VERDICT.get(verdict) or OF_EXCEPTION.get(exc_type, EXCEPTION)
