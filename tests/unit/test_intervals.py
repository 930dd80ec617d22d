"""Intervals against reference implementations and by simulation."""

import math
import os

import numpy as np
import pytest
from scipy import stats

from evaluator.statistics.intervals import (
    cells,
    change_interval,
    correlation,
    difference_interval,
    effective_n,
    rate_interval,
    ratio_interval,
    share_interval,
    t_quantile,
    together_of,
    wilson,
)
from perf.batches import differences, rates
from perf.coverage import CASES, Case, bounds, coverage, exact_coverage
from perf.differences import CASES as CASES_OF_PAIRS
from perf.differences import Pairs, bonett_price, measured

FULL = os.environ.get("MENDBENCH_COVERAGE") == "full"


def single(passed: int, total: int):
    """One draw of each of so many tasks."""
    return cells([1] * passed + [0] * (total - passed), [1] * total, range(total))


@pytest.mark.parametrize(("passed", "total"), [(0, 5), (1, 7), (7, 15), (80, 164), (164, 164)])
def test_wilson_equals_scipy(passed: int, total: int) -> None:
    """With the normal quantile the interval is scipy's."""
    expected = stats.binomtest(passed, total).proportion_ci(0.95, method="wilson")

    assert wilson(passed / total, total) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("passed", "total"), [(1, 7), (7, 15), (80, 164)])
def test_a_rate_without_clusters_is_wilson(passed: int, total: int) -> None:
    """One sample per task: the effective n is the number of tasks."""
    sample = single(passed, total)
    interval = rate_interval(sample)

    assert effective_n(sample) == pytest.approx(total)
    assert (interval.low, interval.high) == pytest.approx(wilson(passed / total, total))


def test_t_quantile_equals_scipy() -> None:
    """The quantile is Student's, with one degree of freedom less than there are tasks."""
    assert t_quantile(15) == pytest.approx(stats.t.ppf(0.975, 14))
    assert math.isinf(t_quantile(1))


@pytest.mark.parametrize("truth", [0.1, 0.5, 0.8])
def test_the_correlation_of_many_tasks_is_found(truth: float) -> None:
    """With many tasks the prior does not matter."""
    generator = np.random.default_rng(4)
    strength = 1 / truth - 1
    hits = generator.binomial(8, generator.beta(0.6 * strength, 0.4 * strength, 2000))

    assert correlation(cells(hits, [8] * 2000, range(2000))) == pytest.approx(truth, abs=0.04)


def test_samples_that_always_agree_count_once() -> None:
    """Ten identical samples of each task know hardly more than one."""
    many = cells([10] * 20 + [0] * 28, [10] * 48, range(48))

    assert 48 <= effective_n(many) < 52
    assert rate_interval(many).low == pytest.approx(rate_interval(single(20, 48)).low, abs=0.01)


def test_families_widen_the_interval() -> None:
    """Tasks that go together are fewer independent facts than tasks that do not."""
    hits = [int(task % 8 < 4) for task in range(16)]
    apart = cells(hits, [1] * 16, range(16))
    tied = cells(hits, [1] * 16, [task % 8 for task in range(16)])

    assert effective_n(tied) < effective_n(apart)
    assert rate_interval(tied).low < rate_interval(apart).low


@pytest.mark.parametrize("all_passed", [False, True])
def test_all_or_none_counts_tasks(all_passed: bool) -> None:
    """Where all or none passed, ten samples per task do not make more of the tasks."""
    many = cells([10 * all_passed] * 30, [10] * 30, range(30))

    assert effective_n(many) == pytest.approx(30)
    assert rate_interval(many) == rate_interval(single(30 * all_passed, 30))


def test_one_task_says_nothing() -> None:
    """One task gives no interval, however many samples."""
    interval = rate_interval(cells([2], [3], ["t"]))

    assert (interval.low, interval.high) == (0.0, 1.0)
    assert interval.method.startswith("none")


def test_cells_weigh_alike() -> None:
    """A task with three samples weighs no more than a task with one."""
    assert cells([3, 0], [3, 1], ["a", "b"]).mean == pytest.approx(0.5)


@pytest.mark.parametrize("arguments", [([], [], []), ([1], [], ["a"]), ([0], [0], ["a"])])
def test_cells_refuse_what_does_not_fit(arguments: tuple[list[int], list[int], list[str]]) -> None:
    """No cells, lists of different lengths or a task without draws are an error and not a number."""
    with pytest.raises(ValueError, match="cells"):
        cells(*arguments)


@pytest.mark.parametrize("tasks", [20, 50, 164, 1000])
@pytest.mark.parametrize("truth", [0.05, 0.5, 0.9, 0.97])
def test_exact_coverage_of_single_draws(tasks: int, truth: float) -> None:
    """One sample per task: added up over all outcomes, to whole percents, no simulation."""
    low, high = bounds(tasks)

    assert low <= round(exact_coverage(tasks, truth), 2) <= high


@pytest.mark.parametrize("case", CASES if FULL else CASES[::13], ids=str)
def test_simulated_coverage(case: Case) -> None:
    """Several samples per task and tasks in families (all cases with MENDBENCH_COVERAGE=full)."""
    runs = 8000 if FULL else 2000
    low, high = bounds(case.tasks)
    noise = 3 * math.sqrt(0.05 * 0.95 / runs)

    assert low - noise <= coverage(case, runs=runs, seed=1) <= high + noise


def pairs(both: int, first: int, second: int, neither: int):
    """A table of single pairs, as two sides with the same tasks."""
    total = both + first + second + neither
    before = [1] * (both + first) + [0] * (second + neither)
    after = [1] * both + [0] * first + [1] * second + [0] * neither
    return cells(before, [1] * total, range(total)), cells(after, [1] * total, range(total))


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [((14, 0, 5, 22), 0.011, 0.226), ((1, 7, 1, 12), -0.507, -0.026)],
    ids=["Altman et al. 2000, table 6.2", "Bentur et al. 2009, in Fagerland et al. 2014"],
)
def test_difference_interval_equals_worked_examples(table: tuple[int, ...], low: float, high: float) -> None:
    """Newcombe's method 10, as textbooks work it out."""
    interval, _ = difference_interval(*pairs(*table))

    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.0006)
    assert interval.method == "Newcombe, paired"


@pytest.mark.parametrize("table", [(131, 1, 16, 16), (3, 9, 8, 0), (5, 0, 0, 6), (0, 4, 5, 2), (20, 0, 0, 0)])
def test_difference_interval_of_single_pairs_is_newcombes(table: tuple[int, int, int, int]) -> None:
    """The formula of the paper, written for the four counts of a table."""
    both, lost, gained, neither = table
    n, (p, q) = sum(table), ((both + lost) / sum(table), (both + gained) / sum(table))
    (l1, u1), (l2, u2) = (stats.binomtest(round(x * n), n).proportion_ci(0.95, "wilson") for x in (p, q))
    margins = (both + lost) * (gained + neither) * (both + gained) * (lost + neither)
    above = both * neither - lost * gained
    phi = (max(above - n / 2, 0) if above > 0 else above) / math.sqrt(margins) if margins else 0.0
    low = q - p - math.sqrt((q - l2) ** 2 - 2 * phi * (q - l2) * (u1 - p) + (u1 - p) ** 2)
    high = q - p + math.sqrt((u2 - q) ** 2 - 2 * phi * (u2 - q) * (p - l1) + (p - l1) ** 2)

    interval, _ = difference_interval(*pairs(*table))

    assert (interval.low, interval.high) == pytest.approx((max(-1, low), min(1, high)), abs=1e-6)


def test_no_difference_still_has_an_interval() -> None:
    """Where no task differs the interval is what so few tasks leave open, not a point."""
    interval, _ = difference_interval(*pairs(8, 0, 0, 7))

    assert -0.2 < interval.low < -0.05
    assert 0.05 < interval.high < 0.2


def test_several_draws_narrow_a_difference() -> None:
    """Where each task was drawn ten times, and none changed, less is left open."""
    many = cells([10] * 8 + [0] * 7, [10] * 15, range(15))
    narrow, _ = difference_interval(many, many)
    wide, _ = difference_interval(*pairs(8, 0, 0, 7))

    assert 0 < narrow.high < wide.high
    assert narrow.method == "Newcombe, paired, clustered"


def test_tasks_that_are_hard_for_both_narrow_a_difference() -> None:
    """Two sides that find the same tasks hard are told apart better than two that do not."""
    hits = np.asarray([5, 5, 4, 4, 1, 1, 0, 0] * 5)
    first, same, other = (
        cells(each, [5] * 40, range(40)) for each in (hits, np.clip(hits + 1, 0, 5), hits[::-1])
    )

    assert together_of(first, same) > 0.9 > -0.9 > together_of(first, other)
    narrow, wide = (difference_interval(first, each)[1] for each in (same, other))
    assert narrow < wide / 2


def test_families_widen_a_difference() -> None:
    """Tasks that change together are fewer facts than tasks that change alone."""
    before, after = [int(task % 8 < 3) for task in range(32)], [int(task % 8 < 5) for task in range(32)]
    apart, tied = (
        difference_interval(cells(before, [1] * 32, names), cells(after, [1] * 32, names))[1]
        for names in (range(32), [task % 8 for task in range(32)])
    )

    assert tied > 1.5 * apart


def test_twins_count_once_in_a_difference() -> None:
    """Two tasks of a family that always do the same are worth one."""
    table = pairs(9, 2, 7, 12)
    once = difference_interval(*table)[0]
    twice = difference_interval(
        *(
            cells(np.repeat(side.hits, 2), np.repeat(side.draws, 2), np.repeat(side.family, 2))
            for side in table
        )
    )[0]

    assert (twice.low, twice.high) == pytest.approx((once.low, once.high), abs=0.015)


@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("tasks", [12, 30])
def test_many_runs_at_once_are_as_one_by_one(samples: int, tasks: int) -> None:
    """What the simulations measure are the intervals that reports show."""
    generator = np.random.default_rng(8)
    before = generator.binomial(samples, generator.beta(0.5, 0.5, (40, tasks)))
    after = np.maximum(before, generator.binomial(samples, 0.2, (40, tasks)))
    before[0], after[0], after[1] = 0, 0, before[1]
    drawn = [samples] * tasks
    family = np.arange(tasks) // 2

    rate, found = rates(before, samples, 1), differences(before, after, samples)
    tied = rates(before[:, ::2] + before[:, 1::2], samples, 2)
    for run in range(40):
        first, second = (cells(each[run], drawn, range(tasks)) for each in (before, after))
        one = rate_interval(first), difference_interval(first, second)[0]
        assert (rate[0][run], rate[1][run]) == pytest.approx((one[0].low, one[0].high), abs=1e-9)
        assert (found[0][run], found[1][run]) == pytest.approx((one[1].low, one[1].high), abs=1e-9)
        pair = rate_interval(cells(before[run], drawn, family))
        assert (tied[0][run], tied[1][run]) == pytest.approx((pair.low, pair.high), abs=1e-9)


@pytest.mark.parametrize("case", [CASES_OF_PAIRS[2], CASES_OF_PAIRS[3], CASES_OF_PAIRS[17]], ids=str)
@pytest.mark.parametrize("tasks", [20, 50, 164])
@pytest.mark.parametrize("samples", [1, 5])
def test_simulated_coverage_of_differences(case: Pairs, tasks: int, samples: int) -> None:
    """Repair and pairs of models with lifts of 10 and 30 points (`python -m perf.differences`: all cases)."""
    low, high = bounds(tasks)
    held, width = measured(differences, case, tasks, samples, runs=1500)

    assert low - 0.017 <= held <= high + 0.017
    assert width < measured(bonett_price, case, tasks, samples, runs=1500)[1]


def test_the_interval_of_shares_has_the_spread_of_the_tasks() -> None:
    """pass@k that is alike in all tasks is known better than one that is all or nothing."""
    family = np.arange(40)
    alike = share_interval(np.full(40, 0.5), family)
    torn = share_interval(np.asarray([0.0, 1.0] * 20), family)

    assert alike.high - alike.low < torn.high - torn.low
    assert torn.low == pytest.approx(wilson(0.5, 39, t_quantile(40))[0], abs=0.005)


def test_ratio_interval_equals_scipy() -> None:
    """Percentiles of a ratio of sums are those of scipy's bootstrap, within its noise."""
    generator = np.random.default_rng(1)
    tokens, solved = generator.random(60) * 1000, (generator.random(60) < 0.6).astype(float)
    low, high = ratio_interval(tokens, solved, np.arange(60))
    expected = stats.bootstrap(
        (tokens, solved),
        lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval

    assert low == pytest.approx(expected.low, rel=0.03)
    assert high == pytest.approx(expected.high, rel=0.03)


def test_a_ratio_that_may_have_no_denominator_is_not_bounded() -> None:
    """One solved task of many: the cost per solved task may be anything above."""
    low, high = ratio_interval(np.full(30, 100.0), np.asarray([1.0] + [0.0] * 29), np.arange(30))

    assert 0 < low < 3000
    assert math.isinf(high)


def test_intervals_are_the_same_every_time() -> None:
    """The seed is fixed: a report made twice has the same numbers."""
    arguments = np.arange(1.0, 6.0), np.ones(5), np.arange(5)

    assert ratio_interval(*arguments) == ratio_interval(*arguments)


def test_interval_of_changes_that_are_no_counts() -> None:
    """It holds the mean, is never without width, and narrows with more scripts."""
    few, many = (change_interval(np.zeros(count), np.arange(count)) for count in (5, 50))

    assert few.low < many.low < 0 < many.high < few.high
    assert change_interval(np.asarray([0.5]), np.asarray([0])).low == -1.0
    lifted = change_interval(np.full(20, 0.9), np.arange(20))
    assert lifted.low < 0.9 <= lifted.high <= 1.0


@pytest.mark.parametrize("count", [10, 20, 50])
@pytest.mark.parametrize("kind", ["half of them nil", "all by some", "a few by all"])
def test_interval_of_changes_covers(count: int, kind: str) -> None:
    """Paired differences of mutation scores: the true mean is within it about as often as it says."""
    rng = np.random.default_rng(count)
    size, truth = (1_000, count), 0.1
    changes = {
        "half of them nil": np.where(rng.random(size) < 0.5, 0.0, rng.normal(2 * truth, 0.2, size)),
        "all by some": rng.normal(truth, 0.15, size),
        "a few by all": np.where(rng.random(size) < truth, 1.0, 0.0),
    }[kind]
    found = [change_interval(np.clip(row, -1, 1), np.arange(count)) for row in changes]

    assert np.mean([each.low <= truth <= each.high for each in found]) >= 0.89
