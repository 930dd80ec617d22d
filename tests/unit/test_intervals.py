"""Intervals against reference implementations and by simulation."""

import math
import os

import numpy as np
import pytest
from scipy import stats

from evaluator.statistics.intervals import (
    cells,
    correlation,
    difference_interval,
    effective_n,
    rate_interval,
    ratio_interval,
    share_interval,
    t_quantile,
    wilson,
)
from perf.coverage import CASES, Case, bounds, coverage, exact_coverage

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


@pytest.mark.parametrize("case", CASES if FULL else CASES[:132:13], ids=str)
def test_simulated_coverage(case: Case) -> None:
    """Several samples per task and tasks in families (all cases with MENDBENCH_COVERAGE=full)."""
    runs = 8000 if FULL else 600
    low, high = bounds(case.tasks)
    noise = 3 * math.sqrt(0.05 * 0.95 / runs)

    assert low - noise <= coverage(case, runs=runs, seed=1) <= high + noise


def test_difference_interval_of_single_pairs_is_bonett_and_price() -> None:
    """Paired binary outcomes: the adjusted Wald interval of the paper."""
    gained, lost, total = 16, 1, 164
    values = np.asarray([1.0] * gained + [-1.0] * lost + [0.0] * (total - gained - lost))
    interval, error = difference_interval(values, np.arange(total))
    up, down = (gained + 1) / (total + 2), (lost + 1) / (total + 2)

    assert error == pytest.approx(math.sqrt((up + down - (up - down) ** 2) / (total + 2)))
    assert interval.low == pytest.approx(up - down - stats.norm.ppf(0.975) * error)
    assert 100 * interval.low == pytest.approx(4.2, abs=0.3)
    assert 100 * interval.high == pytest.approx(13.8, abs=0.3)


def test_no_difference_still_has_an_interval() -> None:
    """Where no task differs the interval is what so few tasks leave open, not a point."""
    interval, _ = difference_interval(np.zeros(15), np.arange(15))

    assert -0.3 < interval.low < 0 < interval.high < 0.3


def test_several_draws_narrow_a_difference() -> None:
    """Where each task was drawn ten times, one more gain and one more loss weigh less."""
    narrow, _ = difference_interval(np.zeros(15), np.arange(15), least=0.1)
    wide, _ = difference_interval(np.zeros(15), np.arange(15))

    assert narrow.high < wide.high / 2.5


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
