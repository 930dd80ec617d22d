"""Wrong solutions that try to be scored as passed: none may at `process`, and at `shared` those known by name."""

from collections import Counter
from pathlib import Path

import pytest

from sandbox.verdict import RunVerdict, judge

DOCS = Path(__file__).resolve().parents[2] / "docs" / "forgery.md"
OURS = {"sandbox_error", "no_tests"}
"""No forgery may look like a failure of ours, or of the tests."""


def seen(result):
    """Return what helps to understand a verdict."""
    tests = [(test.id, test.outcome.value, test.exc_type, test.message[:200]) for test in result.tests]
    return result.exception, tests, result.evidence, result.stdout.text[-500:], result.stderr.text[-500:]


@pytest.mark.docker
@pytest.mark.slow
def test_forgery(judged, suspicions_of, case, level):
    """A wrong solution gets a verdict of its case; where it is `passed`, the source is flagged."""
    result = judged(case.script, case.tests, level)

    verdict = judge(result)

    assert verdict in case.verdicts(level), seen(result)
    if verdict is RunVerdict.PASSED and not case.unseen:
        assert suspicions_of(result)


@pytest.mark.docker
@pytest.mark.slow
def test_right_solution_passes(judged, suite, level):
    """The tests of the catalogue accept an honest solution."""
    result = judged(suite.right, suite.tests, level)

    assert judge(result) is RunVerdict.PASSED, seen(result)


@pytest.mark.docker
@pytest.mark.slow
def test_wrong_solution_fails(judged, suite, level):
    """The tests of the catalogue refuse a wrong solution that does not try to hide it."""
    result = judged(suite.wrong, suite.tests, level)

    assert judge(result) is RunVerdict.TESTS_FAILED, seen(result)


def test_catalogue_is_large(catalogue):
    """There are many forgeries, each under a name of its own."""
    names = Counter(case.name for case in catalogue)

    assert len(names) >= 90
    assert [name for name, count in names.items() if count > 1] == []


def test_every_case_says_what_is_false(case):
    """For each case one can say for which value of its tests the script is wrong."""
    assert case.wrong_for
    assert case.attacks


def test_no_case_may_pass_between_processes(case):
    """At level `process` no forgery is expected to pass, or to be taken for a failure of ours."""
    known = {verdict.value for verdict in RunVerdict} - OURS

    assert set(case.process) <= known - {"passed"}
    assert set(case.shared) <= known
    assert case.process
    assert case.shared


def test_every_suite_is_attacked(catalogue, suite):
    """Each of the test files stands for an attack that needs it."""
    assert any(case.tests == suite.tests for case in catalogue)


def test_docs_name_every_survivor(survivors_table):
    """docs/forgery.md shows exactly the cases that pass at level `shared`."""
    _, _, shown = DOCS.read_text(encoding="utf-8").partition("## What survives at `shared`")

    rows = [line for line in shown.splitlines() if line.startswith("|")]

    assert rows == survivors_table
