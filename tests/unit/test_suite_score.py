"""From facts to outcome and numbers: pure, by hand-made facts."""

from dataclasses import replace

import jsonschema
import pytest

from evaluator.suites.mutation_report import mutation_report
from evaluator.suites.outcome import SuiteOutcome, numbers, outcome_of
from evaluator.suites.score import Sibling, score, smallest_cover
from sandbox.suite import KillKind, Order, SuiteFacts, Version, VersionKind, VersionStatus
from sandbox.types import CompileReport, KilledBy, Level, RunResult, TestOutcome, TestRecord

KILLED, SURVIVED = VersionStatus.KILLED, VersionStatus.SURVIVED


def version(status=KILLED, kill=KillKind.ASSERTION, by="1", kind=VersionKind.MUTANT, **facts):
    base = {
        "operator": "AOR",
        "scope": "f",
        "text": "a - b",
        "line": 2,
        "column": 11,
        "end_line": 2,
        "end_column": 16,
    }
    kill = kill if status is KILLED else KillKind.NONE
    by = by if status is KILLED else "0"
    return Version(
        kind=kind, status=status, kill=kill, by=by, ran="3", wall_s=0.01, cold=False, **{**base, **facts}
    )


def result(outcomes=("passed", "passed"), **facts):
    tests = tuple(TestRecord(id=f"test_{n}", outcome=TestOutcome(o)) for n, o in enumerate(outcomes))
    suite = SuiteFacts(**{"binds": True, "complete": True, "asserts": (1,) * len(tests), **facts})
    return RunResult(
        job_id="x",
        level=Level.SHARED,
        python="3.11",
        guest_version="0",
        hash_seed=0,
        compiled=CompileReport(ok=True),
        tests=tests,
        suite=suite,
    )


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (result(), SuiteOutcome.SCORED),
        (replace(result(), compiled=CompileReport(ok=False)), SuiteOutcome.SCRIPT_BROKEN),
        (replace(result(), tests_error="no"), SuiteOutcome.SYNTAX_ERROR),
        (replace(result(), suite=None), SuiteOutcome.CRASHED),
        (replace(result(), suite=None, killed_by=KilledBy.MEMORY), SuiteOutcome.OUT_OF_MEMORY),
        (result(failed="ended"), SuiteOutcome.LEAVES),
        (result(failed="import_hangs"), SuiteOutcome.HANGS),
        (result(failed="something new"), SuiteOutcome.CRASHED),
        (result(plain_ended="wall"), SuiteOutcome.HANGS),
        (result(plain_ended="exit"), SuiteOutcome.LEAVES),
        (result(complete=False), SuiteOutcome.CRASHED),
        (replace(result(complete=False), killed_by=KilledBy.WALL), SuiteOutcome.UNFINISHED),
        (replace(result((), complete=False), killed_by=KilledBy.WALL), SuiteOutcome.HANGS),
        (result(()), SuiteOutcome.NO_TESTS),
        (result(("passed", "failed")), SuiteOutcome.FAILS),
        (result(("skipped", "skipped")), SuiteOutcome.FAILS),
        (result(("passed", "xfailed")), SuiteOutcome.SCORED),
        (result(alone_failed="2", alone_runs=2), SuiteOutcome.FLAKY),
        (result(orders=(Order(passed="1", ended=""),)), SuiteOutcome.FLAKY),
        (result(versions=(version(kind=VersionKind.NULL),)), SuiteOutcome.LOOKS_AT_CODE),
    ],
)
def test_outcomes(run, outcome):
    """Every way to fail has its name; only what is scored has a stable score."""
    assert outcome_of(run) is outcome
    scored = score(run)
    if outcome is not SuiteOutcome.SCORED:
        assert scored.mutation["stable_score"] in {None, 0.0}


def test_another_hash_seed_shows_a_flaky_test():
    """A test that fails under another hash seed is flaky, by name."""
    run, other = result(), result(("passed", "failed"))

    assert outcome_of(run, other_seeds=(other,)) is SuiteOutcome.FLAKY
    assert score(run, other_seeds=(other,)).stability["flaky"] == ["test_1"]


def test_mutation_scores():
    """Raw, at passing tests, and relative to a pool; what nobody judged counts as not caught."""
    made = (
        version(text="a"),
        version(text="b", kill=KillKind.LOOP),
        version(SURVIVED, text="c"),
        version(VersionStatus.UNJUDGED, text="d"),
        version(kind=VersionKind.COSMETIC, text="e"),
    )
    run = result(versions=made)

    found = score(run, pool={made[0].name, made[2].name}).mutation

    assert found["stable_score"] == found["score_at_pass"] == 0.5
    assert found["relative_to_pool"] == 0.5
    assert found["kills"] == {"assertion": 1, "loop": 1}
    assert found["cosmetic"] == {"mutants": 1, "killed": 1}
    failing = score(replace(run, tests=result(("passed", "failed")).tests)).mutation
    assert (failing["stable_score"], failing["score_at_pass"]) == (0.0, 0.5)


def test_scores_over_the_same_mutants_are_known_by_the_list():
    """The list's name depends on which mutants there are, not on their order or on what became of them."""
    one, two, other = version(text="a"), version(text="b"), version(text="c")
    survived = version(SURVIVED, text="b")

    name = score(result(versions=(one, two))).mutation["list"]

    assert name == score(result(versions=(survived, one))).mutation["list"]
    assert name != score(result(versions=(one, other))).mutation["list"]
    assert score(result(versions=())).mutation["list"] == ""


def test_a_suite_that_looks_at_code_has_no_score_at_all():
    """Nothing that it killed is believed."""
    run = result(versions=(version(), version(kind=VersionKind.NULL)))

    assert score(run).mutation["score_at_pass"] == 0.0


def test_vacuous_tests_survive_every_extreme():
    """A test that no extreme version fails tests nothing."""
    run = result(
        versions=(version(kind=VersionKind.EXTREME, by="1"), version(SURVIVED, kind=VersionKind.EXTREME))
    )

    found = score(run).vacuity

    assert found["vacuous"] == ["test_1"]
    assert (found["killed"], found["extremes"], found["vacuous_share"]) == (1, 2, 0.5)


def test_wrong_siblings_that_fail_alike_count_once():
    """One popular mistake does not decide."""
    bad, good = result(("failed", "passed")), result()
    siblings = [
        Sibling(name="a", right=False, result=bad, signature="s"),
        Sibling(name="b", right=False, result=bad, signature="s"),
        Sibling(name="c", right=False, result=good),
        Sibling(name="d", right=True, result=bad),
    ]

    found = score(result(), siblings=siblings)

    assert (found.discrimination["wrong"], found.discrimination["caught"]) == (2, ["a"])
    assert (found.discrimination["catch_rate"], found.discrimination["false_alarm_rate"]) == (0.5, 1.0)
    assert found.discrimination["youden_j"] == -0.5
    assert found.pinning["pins"] == ["test_0"]


def test_bugs_are_pinned_or_revealed():
    """On a wrong script, passing here and failing on a right one pins its bug; the other way reveals it."""
    here, right = result(("passed", "failed")), result(("failed", "passed"))

    found = score(here, siblings=[Sibling(name="r", right=True, result=right)], script_is_right=False).pinning

    assert (found["pins"], found["reveals"], found["reveals_bug"]) == (["test_0"], ["test_1"], True)


@pytest.mark.parametrize(
    ("kills", "tests", "chosen"),
    [([], 3, []), ([0b1, 0b10], 2, [0, 1]), ([0b11, 0b10, 0b110], 3, [1]), ([0], 1, [])],
)
def test_smallest_cover(kills, tests, chosen):
    """Few tests that show all."""
    assert smallest_cover(kills, tests) == chosen


def test_sets_travel_as_digits():
    """Bit n is test n."""
    assert numbers("0") == set()
    assert numbers("5") == {0, 2}


def test_the_mutation_report_is_of_the_standard_form():
    """Ids are texts, places count from 1 in characters, statuses are the standard ones, nulls are not shown."""
    script = "def f(a, b):\n    é = a; return a + b\n"
    made = (
        version(column=19, end_column=24),
        version(SURVIVED),
        version(kill=KillKind.LOOP),
        version(VersionStatus.UNREACHED),
        version(SURVIVED, kind=VersionKind.COSMETIC),
        version(kind=VersionKind.NULL),
    )

    report = mutation_report(result(versions=made), script, "def test_0():\n    pass\n")

    jsonschema.validate(report, SCHEMA)
    mutants = report["files"]["solution.py"]["mutants"]
    assert [each["status"] for each in mutants] == ["Killed", "Survived", "Timeout", "NoCoverage", "Ignored"]
    assert mutants[0]["location"]["start"] == {"line": 2, "column": 19}
    assert mutants[0]["killedBy"] == ["0"]
    assert mutants[0]["coveredBy"] == ["0", "1"]


POSITION = {
    "type": "object",
    "required": ["line", "column"],
    "properties": {"line": {"type": "integer", "minimum": 1}, "column": {"type": "integer", "minimum": 1}},
}
MUTANT = {
    "type": "object",
    "required": ["id", "location", "mutatorName", "status"],
    "properties": {
        "id": {"type": "string"},
        "location": {
            "type": "object",
            "required": ["start", "end"],
            "properties": {"start": POSITION, "end": POSITION},
        },
        "status": {
            "enum": [
                "Killed",
                "Survived",
                "NoCoverage",
                "CompileError",
                "RuntimeError",
                "Timeout",
                "Ignored",
                "Pending",
            ]
        },
        "coveredBy": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "killedBy": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "static": {"type": "boolean"},
        "duration": {"type": "number"},
        "replacement": {"type": "string"},
    },
}
# The parts of mutation-testing-elements' report schema, version 2, that reports of ours use.
SCHEMA = {
    "type": "object",
    "required": ["schemaVersion", "thresholds", "files"],
    "properties": {
        "schemaVersion": {"type": "string", "pattern": r"^[12](\.\d+)?$"},
        "thresholds": {"type": "object", "required": ["high", "low"]},
        "files": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["language", "mutants", "source"],
                "properties": {"mutants": {"type": "array", "items": MUTANT}},
            },
        },
    },
}
