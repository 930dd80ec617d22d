"""What a model is told about a test suite that it wrote: total, bounded, from the run on the script alone."""

from collections.abc import Mapping

from repair.feedback import FRAME_CHARS, MAX_CHARS, Feedback, Policy, around, cut, fenced, scrub
from repair.outcome import Verdict
from repair.script import Script
from sandbox.types import RunResult, TestOutcome, TestRecord

TEST_FILE = "test_solution.py"
_WEAK = "The tests pass even with a module whose functions do nothing: assert exact results."
_REQUEST = "Reply with the complete corrected test file in one fenced ```python block."
_VALUE_CHARS = 200
_SHOWN_TESTS = 3
_FINE = frozenset({TestOutcome.PASSED, TestOutcome.SKIPPED, TestOutcome.XFAILED})

_HEADLINES: Mapping[Verdict, str] = {
    Verdict.SANDBOX_ERROR: "The tests could not be run.",
    Verdict.LLM_ERROR: "No reply was received.",
    Verdict.OUTPUT_LIMIT: "The tests printed far too much and were stopped.",
    Verdict.OUT_OF_MEMORY: "The tests used more memory than they may and were stopped.",
    Verdict.CPU_LIMIT: "The tests used more CPU time than they may and were stopped.",
    Verdict.TIMED_OUT: "The tests did not end in time and were stopped: they may loop or wait without end.",
    Verdict.TAMPERED: "The tests ended or disturbed the process that ran them.",
    Verdict.CRASHED: "The tests crashed the interpreter.",
    Verdict.SYNTAX_ERROR: "The test file is not valid Python 3.11.",
    Verdict.RUNTIME_ERROR: "The test file raised an exception before any test could run.",
    Verdict.NO_TESTS: "pytest found no tests that it could run: write some functions called `test_…`, "
    "each with a name of its own.",
    Verdict.TESTS_FAILED: "Some tests do not pass with the module as it is.",
    Verdict.PASSED: "The tests pass.",
    Verdict.NO_CODE: "No Python code was found in the reply.",
    Verdict.TRUNCATED: "The reply was cut off before the code was complete. Be brief: code only.",
}


def render_suite_feedback(
    verdict: Verdict, script: Script, shown: RunResult | None, policy: Policy, *, limit: int = MAX_CHARS
) -> Feedback:
    """Say what was wrong with a suite, as far as `policy` allows; see `repair.feedback.render`.

    `script` is the suite, as it came out of the reply; `shown` is its run on the script under test.
    """
    detail = _detail(verdict, script, shown) if shown is not None and _may_detail(verdict, policy) else ""
    headline = _HEADLINES[verdict]
    quoted = fenced(detail, limit - len(headline) - len(_REQUEST) - FRAME_CHARS)
    return Feedback(verdict=verdict, text="\n\n".join(part for part in (headline, quoted, _REQUEST) if part))


def render_weak_feedback(
    verdict: Verdict, script: Script, shown: RunResult | None, policy: Policy, *, limit: int = MAX_CHARS
) -> Feedback:
    """Say what was wrong with a suite that was run on a module that does nothing; it should fail there."""
    if verdict is not Verdict.TESTS_FAILED:
        return render_suite_feedback(verdict, script, shown, policy, limit=limit)
    return Feedback(verdict=verdict, text=f"{_WEAK}\n\n{_REQUEST}")


def _may_detail(verdict: Verdict, policy: Policy) -> bool:
    match policy:
        case Policy.NONE | Policy.VERDICT:
            return False
        case Policy.SYNTAX:
            return verdict is Verdict.SYNTAX_ERROR
        case Policy.TRACEBACK:
            return True


def _detail(verdict: Verdict, script: Script, shown: RunResult) -> str:
    if verdict is Verdict.SYNTAX_ERROR:
        return scrub(shown.tests_error)
    if verdict is Verdict.TESTS_FAILED:
        return _failing(script, shown)
    return scrub(shown.suite.reason) if shown.suite else ""


def _failing(script: Script, shown: RunResult) -> str:
    failing = [test for test in shown.tests if test.outcome not in _FINE]
    if not failing:
        # All of them are skipped: a suite that tests nothing does not pass.
        return f"None of the {len(shown.tests)} tests was run to its end: all are skipped."
    head = f"{len(failing)} of {len(shown.tests)} tests do not pass."
    parts = [_one(test, script) for test in failing[:_SHOWN_TESTS]]
    names = ", ".join(cut(test.id, 80) for test in failing[_SHOWN_TESTS:])
    more = [f"The others: {cut(names, _VALUE_CHARS)}"] if names else []
    return "\n\n".join([head, *parts, *more])


def _one(test: TestRecord, script: Script) -> str:
    lines = [f"{cut(test.id, 120)}: {test.outcome}"]
    if test.got or test.expected:
        lines.append(f"left:  {cut(test.got, _VALUE_CHARS)}\nright: {cut(test.expected, _VALUE_CHARS)}")
    else:
        lines.append(": ".join(filter(None, (test.exc_type, cut(scrub(test.message), _VALUE_CHARS)))))
    own = [frame for frame in test.frames if frame.file == TEST_FILE]
    if own and script.code:
        lines.append(around(script.code, own[-1].line, reach=1))
    return "\n".join(lines)
