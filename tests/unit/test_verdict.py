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


def test_judge_is_total():
    """Every combination of facts has a verdict, and a pass needs all of them to be good."""
    choices = {
        "level": [Level.PROGRAM, Level.SHARED],
        "killed_by": [None, *KilledBy],
        "signal": [None, 11],
        "compiled": [CompileReport(ok=True), BROKEN],
        "tests_error": ["", "no"],
        "exception": [None, RAISED],
        "exit_code": [0, 1, None],
    }
    for values in itertools.product(*choices.values()):
        facts = dict(zip(choices, values, strict=True))
        verdict = judge(fake_result(SHARED, **facts))

        assert verdict in RunVerdict
        if verdict is RunVerdict.PASSED:
            assert facts["killed_by"] is None
            assert facts["signal"] is None
            assert facts["compiled"].ok
