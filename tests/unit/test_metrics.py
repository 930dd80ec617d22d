"""Numbers of synthetic runs whose right values are known."""

import math
from itertools import combinations, product
from typing import Any

import polars as pl
import pytest

from evaluator.runs.records import Recheck
from evaluator.runs.results import outcome, samples, succeeded
from evaluator.statistics.draws import tables
from evaluator.statistics.ledger import ledger_of
from evaluator.statistics.metrics import (
    Group,
    group_numbers,
    groups,
    leaderboard,
    pass_at_k,
    why_unranked,
)
from repair.llm import Arm, CallKind
from repair.outcome import Verdict
from sandbox.types import Level, TestOutcome, TestRecord
from sandbox.verdict import RunVerdict

P, F, S = Verdict.PASSED, Verdict.TESTS_FAILED, Verdict.SYNTAX_ERROR
NO_CODE, LLM = Verdict.NO_CODE, Verdict.LLM_ERROR


def only_group(builder: Any, **manifest: Any) -> Group:
    """Return the numbers of a run with one model."""
    (group,) = groups(builder.build(**manifest))
    return group


@pytest.mark.parametrize(("n", "c"), [(n, c) for n in (1, 3, 5, 8) for c in range(n + 1)])
def test_pass_at_k_equals_counting_all_choices(n: int, c: int) -> None:
    """The estimator is the share of all choices of k draws that hold a pass."""
    draws = [1] * c + [0] * (n - c)
    for k in range(1, n + 1):
        chosen = list(combinations(draws, k))
        assert pass_at_k(n, c, k) == pytest.approx(sum(any(one) for one in chosen) / len(chosen))


def test_pass_at_k_is_exact_for_many_draws() -> None:
    """Large counts neither overflow nor lose the small probability of missing."""
    assert pass_at_k(10_000, 1, 100) == pytest.approx(0.01)
    assert math.isclose(pass_at_k(200, 30, 100), 1.0, abs_tol=1e-9)


@pytest.mark.parametrize(("n", "c", "k"), [(3, 1, 4), (3, 4, 1), (3, -1, 1), (3, 1, 0), (0, 0, 1)])
def test_pass_at_k_is_undefined_without_enough_draws(n: int, c: int, k: int) -> None:
    """Fewer draws than k, or impossible counts, are an error and not a number."""
    with pytest.raises(ValueError, match="not defined"):
        pass_at_k(n, c, k)


def test_pass_at_1_is_about_the_first_call_alone(builder: Any) -> None:
    """What a repair achieves is in `after_repair` and in the lift, never in pass@1."""
    for number, calls in enumerate([[P], [F, P], [F, F, P], [F, F, F]]):
        builder.sample("m", f"b/t{number}", calls)

    group = only_group(builder)

    assert (group.pass_at_1.value, group.pass_at_1.n, group.pass_at_1.N) == (0.25, 1, 4)
    assert (group.after_repair.value, group.after_repair.n) == (0.75, 3)
    assert (group.lift.points, group.lift.gained, group.lift.lost) == (50.0, 2, 0)


def test_the_curve_carries_the_last_state_on(builder: Any) -> None:
    """After c calls every sample counts with what it held by then."""
    for number, calls in enumerate([[P], [F, P], [F, F, P], [F, F, F, F]]):
        builder.sample("m", f"b/t{number}", calls)

    curve = only_group(builder).by_calls

    assert [point.x for point in curve] == [0, 1, 2, 3]
    assert [point.rate.value for point in curve] == [0.25, 0.5, 0.75, 0.75]
    assert all(point.rate.N == 4 for point in curve)


def test_a_repair_that_breaks_what_worked_counts_against(builder: Any) -> None:
    """The curve falls when the script that holds gets worse; it is not "passed at some point"."""
    builder.sample("m", "b/a", [P, F])
    builder.sample("m", "b/b", [P])

    group = only_group(builder)

    assert [point.rate.value for point in group.by_calls] == [1.0, 0.5]
    assert group.lift.points == -50.0


def test_a_reply_without_code_keeps_what_held(builder: Any) -> None:
    """The script that held is the last one there is: prose does not take it away."""
    attempts = builder.sample("m", "b/a", [P, NO_CODE])

    assert succeeded(tuple(attempts))
    assert only_group(builder).after_repair.value == 1.0


def test_no_script_at_all_is_a_failure(builder: Any) -> None:
    """A sample that never had a script failed; it is not left out."""
    builder.sample("m", "b/a", [NO_CODE, NO_CODE])

    group = only_group(builder)

    assert (group.after_repair.value, group.after_repair.N) == (0.0, 1)
    assert group.final_outcomes == {"no_code": 1}


def test_rounds_leave_out_calls_that_mend_the_form(builder: Any) -> None:
    """A length or format call belongs to the round before it."""
    builder.sample(
        "m",
        "b/a",
        [
            {"verdict": Verdict.TRUNCATED},
            {"verdict": F, "kind": CallKind.LENGTH},
            {"verdict": NO_CODE, "kind": CallKind.REPAIR},
            {"verdict": P, "kind": CallKind.FORMAT},
        ],
    )

    group = only_group(builder)

    assert [point.rate.value for point in group.by_rounds] == [0.0, 1.0]
    assert [point.rate.value for point in group.by_calls] == [0.0, 0.0, 0.0, 1.0]


def test_tokens_count_prompt_and_reply_of_every_call(builder: Any) -> None:
    """A sample succeeds within the tokens of all its calls up to the one that mended it."""
    builder.sample("m", "b/a", [{"verdict": F, "tokens": (100, 50)}, {"verdict": P, "tokens": (200, 50)}])
    builder.sample("m", "b/b", [{"verdict": P, "tokens": (100, 60)}])

    curve = only_group(builder).by_tokens

    at = {point.x: point.rate.value or 0.0 for point in curve or ()}
    assert at[150] == 0.0
    assert at[400] == 1.0
    assert all((value == 0.5) == (160 <= x < 400) for x, value in at.items())


def test_missing_usage_is_said_and_not_guessed(builder: Any) -> None:
    """Without usage there is no curve by tokens, and the total is known to be too small."""
    builder.sample("m", "b/a", [{"verdict": F, "tokens": (None, None)}, {"verdict": P, "tokens": (10, 5)}])

    group = only_group(builder)

    assert group.by_tokens is None
    assert (group.cost.tokens, group.cost.calls_without_usage) == (15, 1)


def test_cost_per_solved_task_counts_the_unsolved_too(builder: Any) -> None:
    """What failures cost is shared among the solved."""
    builder.sample("m", "b/a", [{"verdict": P, "tokens": (60, 40), "seconds": 1.0}])
    builder.sample("m", "b/b", [{"verdict": F, "tokens": (200, 100), "seconds": 3.0}])

    cost = only_group(builder).cost

    assert cost.per_solved(cost.tokens) == 400
    assert cost.per_sample(cost.tokens) == 200
    assert cost.per_sample(cost.model_s) == 2.0
    assert cost.per_solved(cost.calls) == 2


def test_holdout_decides_success(builder: Any) -> None:
    """Passing what was shown and failing the holdout is a failure, and a false accept."""
    builder.sample("m", "b/a", ["holdout_failed"])
    builder.sample("m", "b/b", [P])
    builder.sample("m", "b/c", [F])

    group = only_group(builder)

    assert group.pass_at_1.n == 1
    assert (group.false_accepts.n, group.false_accepts.N) == (1, 2)
    assert group.final_outcomes == {"holdout_failed": 1, "passed": 1, "tests_failed": 1}


def test_unscored_samples_are_outside_the_rate_with_bounds(builder: Any) -> None:
    """A failure of ours is neither a pass nor a fail; the bounds say what it could have been."""
    builder.sample("m", "b/a", [P])
    builder.sample("m", "b/b", [F])
    builder.sample("m", "b/c", [LLM])
    builder.sample("m", "b/d", [F, LLM])

    group = only_group(builder)

    assert (group.pass_at_1.n, group.pass_at_1.N, group.pass_at_1.unscored) == (1, 3, 1)
    assert (group.pass_at_1.lower_bound, group.pass_at_1.upper_bound) == (0.25, 0.5)
    assert (group.after_repair.n, group.after_repair.N, group.after_repair.unscored) == (1, 2, 2)
    assert (group.after_repair.lower_bound, group.after_repair.upper_bound) == (0.25, 0.75)
    assert (group.planned, group.scored, group.unscored) == (4, 2, 2)


def test_a_first_call_that_failed_by_itself_counts_even_if_the_repair_was_lost(builder: Any) -> None:
    """Leaving it out would drop failures only, and make pass@1 too good."""
    builder.sample("m", "b/a", [P])
    builder.sample("m", "b/b", [F, LLM])

    assert only_group(builder).pass_at_1.value == 0.5


def test_what_was_never_run_is_unscored(builder: Any) -> None:
    """A run that was cut off does not shrink its denominator in silence."""
    builder.task("b/never")
    builder.sample("m", "b/a", [P])
    builder.sample("m", "b/b", [F], complete=False)

    group = only_group(builder)

    assert (group.planned, group.scored, group.unscored) == (3, 1, 2)
    assert group.final_outcomes == {"passed": 1, "unscored": 2}
    assert [sample.final for sample in samples(builder.build())] == ["passed", "unscored", "unscored"]


def test_over_two_percent_unscored_nobody_is_ranked(builder: Any) -> None:
    """An order that our own failures could turn round is not printed."""
    for number in range(10):
        builder.sample("good", f"b/t{number}", [P])
        builder.sample("bad", f"b/t{number}", [LLM if number == 0 else F])

    rows = leaderboard(groups(builder.build()))

    assert [(row.rank, row.group.model) for row in rows] == [(None, "good"), (None, "bad")]
    assert "bad 10.0%" in why_unranked(rows)


def test_a_model_that_was_never_reached_does_not_spoil_the_ranking(builder: Any) -> None:
    """Where nothing was scored there is nothing to rank, and the others stand."""
    for number in range(4):
        builder.sample("good", f"b/t{number}", [P])
        builder.sample("gone", f"b/t{number}", [LLM])

    rows = leaderboard(groups(builder.build()))

    assert [(row.rank, row.group.model) for row in rows] == [(1, "good"), (None, "gone")]
    assert rows[1].group.pass_at_1.value is None


def test_equal_models_share_a_rank(builder: Any) -> None:
    """A tie is shown as a tie."""
    for model, verdict in (("a", P), ("b", P), ("c", F)):
        builder.sample(model, "x/t", [verdict])

    rows = leaderboard(groups(builder.build()))

    assert [(row.rank, row.group.model) for row in rows] == [(1, "a"), (1, "b"), (3, "c")]


def test_bases_are_never_pooled(builder: Any) -> None:
    """A pass as a program and a pass of tests are different evidence."""
    builder.task("b/program", basis="program", has_holdout=False)
    builder.sample("m", "b/program", [P])
    builder.sample("m", "b/tested", [F])

    found = {group.basis: group.pass_at_1 for group in groups(builder.build())}

    assert {basis: (rate.n, rate.N) for basis, rate in found.items()} == {"own": (0, 1), "program": (1, 1)}


def test_levels_are_told_apart(builder: Any) -> None:
    """A rate over several levels says so, and each level has rates of its own; what was never run counts, too."""
    builder.task("b/never")
    builder.tasks["b/never"] = builder.tasks["b/never"].model_copy(update={"level": Level.PROCESS})
    builder.sample("m", "b/one", [{"verdict": Verdict.PASSED, "level": Level.PROCESS}])
    builder.sample("m", "b/two", [{"verdict": Verdict.TESTS_FAILED, "level": Level.SHARED}])

    (pooled,) = groups(builder.build())
    by_level = groups(builder.build(), by="level")

    assert pooled.levels == ("process", "shared")
    assert [(g.levels, g.planned, g.pass_at_1.n, g.pass_at_1.N) for g in by_level] == [
        (("process",), 2, 1, 1),
        (("shared",), 1, 0, 1),
    ]


def test_suspicious_code_is_counted_and_changes_no_rate(builder: Any) -> None:
    """Samples with a flag in any attempt are counted; those that succeed with flagged code are said apart."""
    flagged = {"verdict": Verdict.PASSED, "suspicious": ("frames", "heap")}
    builder.sample("m", "b/one", [flagged])
    builder.sample("m", "b/two", [{"verdict": Verdict.TESTS_FAILED, "suspicious": ("heap",)}, Verdict.PASSED])
    builder.sample("m", "b/three", [Verdict.PASSED])

    (group,) = groups(builder.build())

    assert group.suspicious == {"frames": 1, "heap": 2}
    assert (group.suspicious_samples, group.suspicious_successes) == (2, 1)
    assert (group.after_repair.n, group.after_repair.N) == (3, 3)


def test_the_control_arm_enters_nothing(builder: Any) -> None:
    """Draws of the control arm are not samples of the repair arm."""
    builder.sample("m", "b/a", [F])
    builder.sample("m", "b/a", [P, P], arm=Arm.CONTROL)

    group = only_group(builder)

    assert (group.pass_at_1.n, group.pass_at_1.N, group.cost.calls) == (0, 1, 1)


def test_groups_by_batch_and_template(builder: Any) -> None:
    """The same numbers exist for each batch and each template."""
    for template in ("plain", "terse"):
        builder.sample("m", "one/t", [P if template == "plain" else F], template=template)
        builder.sample("m", "two/t", [F], template=template)
    run = builder.build()

    by_batch = {group.batch: group.pass_at_1.value for group in groups(run, by="batch")}
    by_template = {group.template: group.pass_at_1.value for group in groups(run, by="template")}

    assert by_batch == {"one": 0.5, "two": 0.0}
    assert by_template == {"plain": 0.5, "terse": 0.0}


def test_pass_at_k_over_samples(builder: Any) -> None:
    """pass@k is the mean of the estimator over tasks, and only where every task has k draws."""
    for number, verdict in enumerate([P, F, F]):
        builder.sample("m", "b/a", [verdict], sample=number)
        builder.sample("m", "b/b", [F], sample=number)

    rates = only_group(builder).pass_at_k

    assert set(rates) == {2, 3}
    assert rates[2].value == pytest.approx(pass_at_k(3, 1, 2) / 2)


def test_tasks_weigh_alike_whatever_was_scored(builder: Any) -> None:
    """A task that lost samples to our failures keeps its weight."""
    for number in range(3):
        builder.sample("m", "b/a", [P], sample=number)
        builder.sample("m", "b/b", [F if number == 0 else LLM], sample=number)

    rate = only_group(builder).pass_at_1

    assert rate.value == pytest.approx(0.5)
    assert (rate.n, rate.N) == (3, 4)
    assert (rate.lower_bound or 0.0) <= 0.5 <= (rate.upper_bound or 0.0)


def test_families_are_the_clusters(builder: Any) -> None:
    """Paraphrases of one task do not make an interval narrower."""
    for number in range(8):
        builder.task(f"b/t{number}", family=f"f{number % 2}")
        builder.sample("m", f"b/t{number}", [P if number % 2 else F])

    group = only_group(builder)

    assert (group.tasks, group.families) == (8, 2)
    assert group.pass_at_1.high - group.pass_at_1.low > 0.9


def test_form_of_first_replies(builder: Any) -> None:
    """Raw parse is the host's word on the untouched reply, clean parse the sandbox's on the script."""
    builder.sample("m", "b/raw", [{"verdict": P, "raw_compiles": True}])
    builder.sample("m", "b/cleaned", [{"verdict": P}])
    builder.sample("m", "b/broken", [S, P])
    builder.sample("m", "b/cut", [{"verdict": Verdict.TRUNCATED, "finish_reason": "length"}])

    group = only_group(builder)

    assert (group.raw_parse.n, group.raw_parse.N) == (1, 4)
    assert (group.clean_parse.n, group.clean_parse.N) == (2, 4)
    assert group.only_after_cleaning.n == 1
    assert group.truncated.n == 1


def test_a_reply_cut_at_its_end_is_truncated_though_its_code_runs(builder: Any) -> None:
    """Truncation is a rate of replies, whatever the verdict."""
    builder.sample("m", "b/a", [{"verdict": P, "finish_reason": "length"}])
    builder.sample("m", "b/b", [{"verdict": P, "flags": ("reply_truncated",)}])

    assert only_group(builder).truncated.n == 2


def test_an_outcome_is_one_word(builder: Any) -> None:
    """Verdicts, failed holdouts and failures of ours each have their word."""
    (attempt,) = builder.sample("m", "b/a", ["holdout_failed"])
    (missing,) = builder.sample("m", "b/b", [{"verdict": P, "holdout_verdict": None}])
    (ours,) = builder.sample("m", "b/c", [LLM])

    assert [outcome(one) for one in (attempt, missing, ours)] == [
        "holdout_failed",
        "holdout_not_run",
        "unscored",
    ]


def test_an_empty_run_has_no_numbers(builder: Any) -> None:
    """A run without tasks or models gives no groups and does not fail."""
    assert groups(builder.build()) == ()


def test_a_planned_run_without_any_reply_is_all_unscored(builder: Any) -> None:
    """Nothing scored is said as such: no rate, no lift, no rank."""
    builder.task("b/a")
    builder.models.append("m")
    builder.templates.append("default")

    (row,) = leaderboard(groups(builder.build()))

    assert row.rank is None
    assert row.group.after_repair.value is None
    assert row.group.lift.points is None
    assert row.group.by_calls == ()
    assert why_unranked([row]) == "Not ranked: nothing was scored."


def repairs_of(builder: Any) -> Any:
    """What repairs did in a run with one model."""
    found = only_group(builder).repairs
    assert found is not None
    return found


def test_the_funnel_says_where_replies_die(builder: Any) -> None:
    """Of the calls with one number: replied, extracted, compiled, ran, passed what was shown, succeeded."""
    builder.sample("m", "b/a", [NO_CODE, S, P])
    builder.sample("m", "b/b", ["holdout_failed"])
    builder.sample("m", "b/c", [Verdict.RUNTIME_ERROR, F, F])

    first, second, third = repairs_of(builder).funnel

    assert (first.call_no, first.asked, third.asked) == (0, 3, 2)
    assert [rate.n for rate in first.reached.values()] == [3, 2, 2, 1, 1, 0]
    assert [rate.n for rate in second.reached.values()] == [2, 2, 1, 1, 0, 0]
    assert [rate.n for rate in third.reached.values()] == [2, 2, 2, 2, 1, 1]
    assert all(rate.N == 3 for rate in first.reached.values())


def test_yields_are_by_what_failed_before(builder: Any) -> None:
    """A failure that is followed by a call counts in its class; the last one has no call to count."""
    named = TestRecord(id="t", outcome=TestOutcome.ERROR, exc_type="NameError")
    builder.sample("m", "b/a", [S, P])
    builder.sample("m", "b/b", [S, NO_CODE, F])
    builder.sample("m", "b/c", [{"verdict": F, "tests": (named,)}, "holdout_failed"])
    builder.sample("m", "b/d", [S, LLM])

    found = {one.failure: one for one in repairs_of(builder).yields}

    assert list(found) == ["no code", "syntax", "name"]
    assert (found["syntax"].mended.n, found["syntax"].mended.N, found["syntax"].no_script) == (1, 2, 1)
    assert (found["no code"].mended.n, found["no code"].mended.N) == (0, 1)
    assert found["no code"].mended_at_once.N == 0
    assert (found["name"].mended.n, found["name"].mended.N) == (0, 1)


def three_tests(verdict: Verdict, *passed: str) -> dict[str, Any]:
    """A call whose tests a, b and c passed or failed."""
    outcomes = {name: TestOutcome.PASSED if name in passed else TestOutcome.FAILED for name in "abc"}
    return {"verdict": verdict, "tests": tuple(TestRecord(id=k, outcome=v) for k, v in outcomes.items())}


def test_regressions_are_tests_that_passed_before(builder: Any) -> None:
    """Against the script that held, whatever came in between; a script that does not compile breaks all."""
    builder.sample("m", "b/a", [three_tests(F, "a"), three_tests(F, "a", "b"), three_tests(F, "b")])
    builder.sample("m", "b/b", [three_tests(F, "a"), NO_CODE, three_tests(F, "c")])
    builder.sample("m", "b/c", [three_tests(F, "a"), {**three_tests(S), "tests": ()}])
    builder.sample("m", "b/d", [three_tests(F), three_tests(F)])

    rate = repairs_of(builder).regressions

    assert (rate.n, rate.N) == (3, 5)


def taken_back(call: dict[str, Any]) -> dict[str, Any]:
    """The same call, whose script does not replace the one held."""
    return {**call, "taken_back": True}


def test_a_script_that_was_taken_back_is_not_held(builder: Any) -> None:
    """The one before stands, also in the curve, over further replies; what broke is counted all the same."""
    half, other = three_tests(F, "a"), three_tests(F, "b")
    builder.sample("m", "b/a", [{**half, "verdict": P}, taken_back(other), NO_CODE])
    builder.sample("m", "b/b", [half, taken_back({**other, "verdict": P})])
    builder.sample("m", "b/c", [half, taken_back(other), three_tests(P, "a", "b", "c")])

    group = only_group(builder)

    assert [point.rate.n for point in group.by_calls] == [1, 1, 2]
    assert group.final_outcomes == {"passed": 2, "tests_failed": 1}
    assert (group.repairs.regressions.n, group.repairs.regressions.N) == (3, 4)
    assert (group.repairs.lost.n, group.repairs.lost.N) == (0, 2)


def test_the_yield_is_that_of_the_script_that_stands(builder: Any) -> None:
    """After a change was taken back, it is the failure of the script before that is to be mended."""
    name = {
        **three_tests(F, "a"),
        "tests": (TestRecord(id="a", outcome=TestOutcome.FAILED, exc_type="NameError"),),
    }
    builder.sample("m", "b/a", [name, taken_back({"verdict": S, "tests": ()}), P])

    found = {one.failure: one.mended for one in repairs_of(builder).yields}

    assert list(found) == ["name"]
    assert (found["name"].n, found["name"].N) == (1, 2)


def test_flaky_scripts_are_counted_and_nothing_else(builder: Any) -> None:
    """Of accepted scripts that were run again; a failure of ours in such a run is no flake, and no run."""

    def again(*verdicts: RunVerdict) -> dict[str, Any]:
        checks = [Recheck(part="shown", repeat_no=n, verdict=v) for n, v in enumerate(verdicts, 1)]
        return {"verdict": P, "rechecks": tuple(checks)}

    good, bad, ours = RunVerdict.PASSED, RunVerdict.TESTS_FAILED, RunVerdict.SANDBOX_ERROR
    builder.sample("m", "b/a", [F, again(good, good)])
    builder.sample("m", "b/b", [again(good, bad)])
    builder.sample("m", "b/c", [again(ours)])
    builder.sample("m", "b/d", [again(ours, good)])
    builder.sample("m", "b/e", [P])

    group = only_group(builder)

    assert (group.flaky.n, group.flaky.N) == (1, 3)
    assert (group.after_repair.n, group.after_repair.N) == (5, 5)


def test_each_call_weighs_the_same(builder: Any) -> None:
    """A task that is mended at once has one call, one that is hard has many: the mean over tasks would be 2/3."""
    builder.sample("m", "b/a", [F, P])
    builder.sample("m", "b/b", [F, F, F, P])

    (found,) = repairs_of(builder).yields

    assert (found.mended.value, found.mended.n, found.mended.N) == (0.5, 2, 4)


def test_a_success_that_is_lost(builder: Any) -> None:
    """Only calls after a success can lose it."""
    builder.sample("m", "b/a", [P, F, F])
    builder.sample("m", "b/b", [P, NO_CODE])
    builder.sample("m", "b/c", [F, F])

    rate = repairs_of(builder).lost

    assert (rate.n, rate.N) == (1, 2)


def test_scripts_that_repeat(builder: Any) -> None:
    """The same as the one before is a no-op; the same as any before is a cycle; no script is neither."""
    one, two = {"verdict": F, "code": "x = 1\n"}, {"verdict": F, "code": "x = 2\n"}
    builder.sample("m", "b/a", [one, one, two, one])
    builder.sample("m", "b/b", [NO_CODE, NO_CODE])
    builder.sample("m", "b/c", [one, NO_CODE, one])
    builder.sample("m", "b/d", [one])

    found = repairs_of(builder)

    assert (found.no_op.n, found.no_op.N) == (2, 4)
    assert (found.cycles.n, found.cycles.N) == (3, 4)
    assert (found.well_formed.n, found.well_formed.N) == (7, 10)


def test_layout_alone_is_no_change(builder: Any) -> None:
    """Scripts with one syntax tree are the same script."""
    attempts = builder.sample(
        "m", "b/a", [{"verdict": F, "code": "x=1\n"}, {"verdict": F, "code": "x = 1\n"}]
    )
    builder.attempts[:] = [
        attempt.model_copy(update={"script": attempt.script.model_copy(update={"syntax_sha256": "tree"})})
        for attempt in attempts
    ]

    assert repairs_of(builder).no_op.n == 1


def test_false_rejects_need_a_holdout_that_was_run(builder: Any) -> None:
    """With the holdout run always, a script may fail what is shown and pass the rest."""
    passing = {"verdict": F, "holdout_verdict": RunVerdict.PASSED}
    builder.sample("m", "b/a", [passing])
    builder.sample("m", "b/b", [{"verdict": F, "holdout_verdict": RunVerdict.TESTS_FAILED}])
    builder.sample("m", "b/c", [F])

    rate = repairs_of(builder).false_rejects

    assert (rate.n, rate.N) == (1, 2)


def test_costs_of_repair(builder: Any) -> None:
    """Tokens beyond the first call are shared among the samples that they solved."""
    builder.sample("m", "b/a", [{"verdict": F, "tokens": (100, 50)}, {"verdict": P, "tokens": (200, 100)}])
    builder.sample("m", "b/b", [{"verdict": F, "tokens": (100, 50)}, {"verdict": F, "tokens": (250, 50)}])
    builder.sample("m", "b/c", [{"verdict": P, "tokens": (100, 50)}])

    cost = only_group(builder).cost

    assert (cost.repair_tokens, cost.solved_by_repair, cost.repair_tokens_per_solved) == (600, 1, 600)
    assert cost.tokens_per_solved_low is not None
    assert cost.tokens_per_solved_low < cost.tokens / cost.solved
    assert cost.latency["model_p50"] == 2.0


CONTROL: list[tuple[list[Any], list[Any]]] = [
    # repair arm, control arm
    ([F, P], [F, P]),
    ([F, F, P], [F, "holdout_failed"]),
    ([P], [F, P]),
    ([F, P], [F]),
]


def test_the_control_arm_is_cut_at_equal_calls(builder: Any) -> None:
    """Fair takes the first draw that passes what is shown, within as many calls as the repair took."""
    for number, (repair, fresh) in enumerate(CONTROL):
        builder.sample("m", f"b/t{number}", repair)
        builder.sample("m", f"b/t{number}", fresh, arm=Arm.CONTROL)

    control = only_group(builder).control

    assert control is not None
    assert control.samples == 4
    assert (control.by_calls.fair.n, control.by_calls.fair.N) == (1, 4)
    assert control.by_calls.advantage.points == pytest.approx(75.0)
    assert (control.by_calls.advantage.gained, control.by_calls.advantage.lost) == (3, 0)
    assert control.by_calls.censored == 1


def test_the_oracle_knows_the_holdout(builder: Any) -> None:
    """Where a later draw is a success, the oracle takes it and the fair choice does not."""
    builder.sample("m", "b/a", [F, F, F])
    builder.sample("m", "b/a", ["holdout_failed", P, F], arm=Arm.CONTROL)
    builder.sample("m", "b/b", [F, F, F])
    builder.sample("m", "b/b", [F, F, P], arm=Arm.CONTROL)

    control = only_group(builder).control

    assert control is not None
    assert (control.by_calls.fair.n, control.by_calls.oracle.n) == (1, 2)
    assert control.by_calls.advantage_over_oracle.points == -100.0


def test_the_control_arm_is_cut_at_equal_tokens(builder: Any) -> None:
    """Draws are made while the tokens last; the first one is always made."""

    def call(verdict: Verdict, tokens: int) -> dict[str, Any]:
        return {"verdict": verdict, "tokens": (tokens, 0)}

    builder.sample("m", "b/a", [call(F, 100), call(F, 300)])
    builder.sample("m", "b/a", [call(F, 100), call(F, 100), call(P, 100)], arm=Arm.CONTROL)
    builder.sample("m", "b/b", [call(F, 100)])
    builder.sample("m", "b/b", [call(P, 150)], arm=Arm.CONTROL)
    builder.sample("m", "b/c", [call(F, 100), call(F, 100)])
    builder.sample("m", "b/c", [call(F, 150), call(P, 100)], arm=Arm.CONTROL)

    control = only_group(builder).control

    assert control is not None
    assert control.by_tokens is not None
    assert (control.by_tokens.fair.n, control.by_tokens.fair.N) == (2, 3)
    assert control.by_tokens.censored == 0
    assert control.by_calls.fair.n == 2


def test_an_unscored_control_is_left_out_with_bounds(builder: Any) -> None:
    """A control that we failed to judge is neither a pass nor a fail."""
    builder.sample("m", "b/a", [F, P])
    builder.sample("m", "b/a", [F, LLM], arm=Arm.CONTROL)
    builder.sample("m", "b/b", [F, P])
    builder.sample("m", "b/b", [P], arm=Arm.CONTROL)

    control = only_group(builder).control

    assert control is not None
    assert (control.by_calls.fair.n, control.by_calls.fair.N, control.by_calls.fair.unscored) == (1, 1, 1)
    assert control.by_calls.advantage.N == 1


def test_no_control_arm_is_no_control(builder: Any) -> None:
    """Without control records there is nothing to say."""
    builder.sample("m", "b/a", [F, P])

    assert only_group(builder).control is None


@pytest.mark.parametrize("by", ["batch", "template", "level"])
def test_the_only_part_is_computed_as_any_other(builder: Any, by: str) -> None:
    """Where a run has one batch, template or level the numbers are taken over, and are those of that part."""
    for model, task in product("mn", "tuv"):
        builder.sample(model, f"b/{task}", [F, P] if task == "t" else [P])
    ledger = ledger_of(builder.build())
    draws, attempts = tables(ledger)
    of_model = {
        model: (draws.filter(pl.col("model") == model), attempts.filter(pl.col("model") == model))
        for model in "mn"
    }

    assert groups(ledger, by=by) == tuple(group_numbers(ledger, *of_model[model], by=by) for model in "mn")
