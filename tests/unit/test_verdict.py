"""The judge: pure, total, and deaf to what a script could have chosen."""

import itertools
from dataclasses import replace

import pytest

from sandbox.fake import fake_result
from sandbox.types import (
    CompileReport,
    Evidence,
    ExceptionInfo,
    Flag,
    Job,
    KilledBy,
    Level,
    TestOutcome,
    TestRecord,
)
from sandbox.verdict import RunVerdict, judge

SHARED = Job(id="1", script="", tests="")
PROCESS = Job(id="1", script="", tests="", level=Level.PROCESS)
PROGRAM = Job(id="1", script="", level=Level.PROGRAM)
BROKEN = CompileReport(ok=False, exc_type="SyntaxError")
RAISED = ExceptionInfo(exc_type="ValueError", message="no")


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({}, RunVerdict.PASSED),
        ({"outcomes": {"test_a": "failed"}}, RunVerdict.TESTS_FAILED),
        ({"outcomes": {"test_a": "passed", "test_b": "missing"}}, RunVerdict.TESTS_FAILED),
        ({"outcomes": {"test_a": "skipped"}}, RunVerdict.TESTS_FAILED),
        ({"outcomes": {"test_a": "xfailed"}}, RunVerdict.TESTS_FAILED),
        ({"outcomes": {"test_a": "xpassed"}}, RunVerdict.TESTS_FAILED),
        ({"outcomes": {"test_a": "skipped"}, "may_skip": ("test_a",)}, RunVerdict.PASSED),
        ({"outcomes": {"test_a": "xfailed"}, "may_skip": ("test_a",)}, RunVerdict.PASSED),
        ({"outcomes": {"test_a": "failed"}, "may_skip": ("test_a",)}, RunVerdict.TESTS_FAILED),
        ({"outcomes": {}}, RunVerdict.NO_TESTS),
        ({"tests_error": "no"}, RunVerdict.NO_TESTS),
        ({"compiled": BROKEN}, RunVerdict.SYNTAX_ERROR),
        ({"exception": RAISED}, RunVerdict.RUNTIME_ERROR),
        ({"signal": 11}, RunVerdict.CRASHED),
        ({"signal": 9}, RunVerdict.CRASHED),
        ({"signal": 24}, RunVerdict.CRASHED),
        ({"killed_by": KilledBy.CPU, "signal": 24}, RunVerdict.CPU_LIMIT),
        ({"killed_by": KilledBy.WALL, "signal": 9}, RunVerdict.TIMED_OUT),
        ({"killed_by": KilledBy.CPU}, RunVerdict.CPU_LIMIT),
        ({"killed_by": KilledBy.MEMORY, "signal": 9}, RunVerdict.OUT_OF_MEMORY),
        ({"killed_by": KilledBy.OUTPUT}, RunVerdict.OUTPUT_LIMIT),
        ({"exit_code": 137}, RunVerdict.PASSED),
    ],
)
def test_verdict_of_a_test_run(facts, verdict):
    """Facts of a run with tests lead to the verdict that the precedence demands."""
    facts = {"outcomes": {"test_a": "passed"}, **facts}

    assert judge(fake_result(SHARED, **facts)) is verdict


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({}, RunVerdict.PASSED),
        ({"exit_code": 1}, RunVerdict.RUNTIME_ERROR),
        ({"exit_code": 137}, RunVerdict.RUNTIME_ERROR),
        ({"exit_code": None, "signal": 11}, RunVerdict.CRASHED),
        ({"exit_code": None, "signal": 9, "killed_by": KilledBy.MEMORY}, RunVerdict.OUT_OF_MEMORY),
        ({"compiled": BROKEN}, RunVerdict.SYNTAX_ERROR),
    ],
)
def test_verdict_of_a_program(facts, verdict):
    """A program is judged by its exit status alone, and by what killed it."""
    assert judge(fake_result(PROGRAM, **facts)) is verdict


@pytest.mark.parametrize(
    "doubt",
    [
        {"finished": False},
        {"canaries_right": False},
        {"exit_consistent": False},
        {"collected": ()},
        {"collected": ("test_a", "test_b")},
        {"protocol_broken": "a second report"},
    ],
)
def test_any_doubt_outweighs_passed_tests(doubt):
    """Tests that are all reported as passed count for nothing where one piece of evidence is wrong."""
    result = fake_result(SHARED)

    doubted = replace(result, evidence=replace(result.evidence, **doubt))

    assert judge(doubted) is RunVerdict.TAMPERED


def test_no_evidence_is_no_pass():
    """Passed tests without any evidence are not believed."""
    assert judge(fake_result(SHARED, evidence=None)) is RunVerdict.NO_TESTS


def test_missing_name_is_a_failure_and_no_forgery():
    """Tests that cannot import what they want from the script fail; nobody cheated."""
    record = TestRecord(id="test_a", outcome=TestOutcome.ERROR, phase="collect", exc_type="ImportError")
    evidence = Evidence(expected=("test_a",), canaries_right=True, finished=True, exit_consistent=True)

    assert judge(fake_result(SHARED, tests=(record,), evidence=evidence)) is RunVerdict.TESTS_FAILED


def test_flags_never_change_a_verdict():
    """Flags stand beside the verdict."""
    assert judge(fake_result(SHARED, flags=tuple(Flag))) is RunVerdict.PASSED


@pytest.mark.parametrize(
    ("outcomes", "facts", "verdict"),
    [
        (("passed", "timed_out", "passed"), {}, RunVerdict.TIMED_OUT),
        (("passed", "crashed", "passed"), {}, RunVerdict.CRASHED),
        (("crashed", "timed_out", "failed"), {}, RunVerdict.TIMED_OUT),
        (("timed_out", "failed"), {"killed_by": KilledBy.CPU}, RunVerdict.CPU_LIMIT),
        (("timed_out", "crashed"), {"killed_by": KilledBy.MEMORY}, RunVerdict.OUT_OF_MEMORY),
        (("crashed", "passed"), {"exception": RAISED}, RunVerdict.CRASHED),
        (("crashed", "passed"), {"killed_by": KilledBy.WALL}, RunVerdict.TIMED_OUT),
        # A signal that the script sent to itself is no proof of used time.
        (("timed_out", "missing"), {"signal": 24}, RunVerdict.CRASHED),
    ],
)
def test_tests_that_were_ended_alone(outcomes, facts, verdict):
    """One test that was ended decides by the same precedence as the end of the whole run."""
    named = {f"test_{number}": outcome for number, outcome in enumerate(outcomes)}

    assert judge(fake_result(PROCESS, named, **facts)) is verdict


@pytest.mark.parametrize("may_skip", [(), ("test_a",)])
@pytest.mark.parametrize("outcome", ["timed_out", "crashed"])
def test_leave_to_skip_is_no_leave_to_end(outcome, may_skip):
    """A test that the reference skips and the script crashes or hangs in is not passed."""
    result = fake_result(PROCESS, {"test_a": outcome}, may_skip=may_skip)

    assert judge(result) is RunVerdict(outcome)


def test_doubt_outweighs_a_crashed_test():
    """A report that cannot be believed is tampered with, whatever it says of single tests."""
    result = fake_result(PROCESS, {"test_a": "crashed"})

    doubted = replace(result, evidence=replace(result.evidence, canaries_right=False))

    assert judge(doubted) is RunVerdict.TAMPERED


CHOICES = {
    "level": list(Level),
    "killed_by": [None, *KilledBy],
    "signal": [None, 11],
    "compiled": [CompileReport(ok=True), BROKEN],
    "tests_error": ["", "no"],
    "exception": [None, RAISED],
    "exit_code": [0, 1, None],
    "outcome": [None, *TestOutcome],
    "canaries_right": [True, False],
    "protocol_broken": ["", "no"],
}


def _facts_of(values):
    """One combination as a result, and the combination by name."""
    facts = dict(zip(CHOICES, values, strict=True))
    outcomes = {"test_a": "passed"} | ({} if facts["outcome"] is None else {"test_b": facts["outcome"]})
    job = replace(PROCESS, level=facts["level"])
    plain = {
        key: facts[key]
        for key in ("killed_by", "signal", "compiled", "tests_error", "exception", "exit_code")
    }
    result = fake_result(job, outcomes, **plain)
    if result.evidence is not None:
        doubts = {key: facts[key] for key in ("canaries_right", "protocol_broken")}
        result = replace(result, evidence=replace(result.evidence, **doubts))
    return facts, result


def _evidence_for(facts):
    """What speaks for each verdict but passed, as the table of verdicts has it: an oracle of its own."""
    compiles, graded = facts["compiled"].ok, facts["level"] is not Level.PROGRAM
    tried = compiles and graded and not facts["tests_error"]
    crashed = facts["signal"] is not None or (tried and facts["outcome"] == "crashed")
    timed_out = tried and facts["outcome"] == "timed_out" and facts["signal"] is None
    # A run that a signal or an exception at import cut short cannot have its canaries right.
    explained = facts["signal"] is not None or facts["exception"] is not None
    doubted = tried and (facts["protocol_broken"] or not (facts["canaries_right"] or explained))
    failed = tried and facts["outcome"] not in {None, "passed"}
    return {
        RunVerdict.OUTPUT_LIMIT: facts["killed_by"] is KilledBy.OUTPUT,
        RunVerdict.OUT_OF_MEMORY: facts["killed_by"] is KilledBy.MEMORY,
        RunVerdict.CPU_LIMIT: facts["killed_by"] is KilledBy.CPU,
        RunVerdict.TIMED_OUT: facts["killed_by"] is KilledBy.WALL or timed_out,
        RunVerdict.TAMPERED: bool(doubted),
        RunVerdict.CRASHED: compiles and crashed and not (graded and facts["tests_error"]),
        RunVerdict.SYNTAX_ERROR: not compiles,
        RunVerdict.RUNTIME_ERROR: (tried and facts["exception"] is not None)
        or (compiles and not graded and facts["exit_code"] != 0),
        RunVerdict.NO_TESTS: compiles and graded and bool(facts["tests_error"]),
        RunVerdict.TESTS_FAILED: failed,
    }


def test_judge_is_total_and_follows_the_table():
    """Every combination of facts has the first verdict of the table that something speaks for; else it passed."""
    for values in itertools.product(*CHOICES.values()):
        facts, result = _facts_of(values)
        spoken_for = _evidence_for(facts)

        expected = next((verdict for verdict in RunVerdict if spoken_for.get(verdict)), RunVerdict.PASSED)

        assert judge(result) is expected, facts
