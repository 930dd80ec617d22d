"""Intervals against reference implementations and by simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from evaluator.intervals import (
    bootstrap,
    curve_intervals,
    difference_interval,
    effective_n,
    observe,
    rate_interval,
    t_quantile,
    wilson,
)


@pytest.mark.parametrize(("passed", "total"), [(0, 5), (1, 7), (7, 15), (80, 164), (164, 164)])
def test_wilson_equals_scipy(passed: int, total: int) -> None:
    """With the normal quantile the interval is scipy's."""
    expected = stats.binomtest(passed, total).proportion_ci(0.95, method="wilson")

    actual = wilson(passed / total, total, stats.norm.ppf(0.975))

    assert actual == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("passed", "total"), [(1, 7), (7, 15), (80, 164)])
def test_a_rate_without_clusters_is_wilson_with_a_t_quantile(passed: int, total: int) -> None:
    """One sample per task: the effective n is the number of tasks, only the quantile differs."""
    values = [1.0] * passed + [0.0] * (total - passed)
    sample = observe(values, range(total), range(total))

    interval = rate_interval(sample)

    assert effective_n(sample) == pytest.approx(total)
    assert (interval.low, interval.high) == pytest.approx(wilson(passed / total, total, t_quantile(total)))


def test_t_quantile_equals_scipy() -> None:
    """The quantile is Student's, with one degree of freedom less than there are tasks."""
    assert t_quantile(15) == pytest.approx(stats.t.ppf(0.975, 14))
    assert math.isinf(t_quantile(1))


def test_samples_that_always_agree_count_once() -> None:
    """Ten identical samples of each task know no more than one."""
    tasks = [task for task in range(12) for _ in range(10)]
    many = observe([float(task < 5) for task in tasks], tasks, tasks)
    single = observe([float(task < 5) for task in range(12)], range(12), range(12))

    assert rate_interval(many).low == pytest.approx(rate_interval(single).low, abs=0.01)
    assert effective_n(many) == pytest.approx(12, rel=0.1)


def test_families_widen_the_interval() -> None:
    """Tasks that go together are fewer independent facts than tasks that do not."""
    values = [float(task % 8 < 4) for task in range(16)]
    apart = observe(values, range(16), range(16))
    tied = observe(values, range(16), [task % 8 for task in range(16)])

    assert effective_n(tied) < effective_n(apart)
    assert rate_interval(tied).low < rate_interval(apart).low


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_or_none_counts_tasks(value: float) -> None:
    """Where all or none passed, ten samples per task do not narrow the interval."""
    tasks = [task for task in range(6) for _ in range(10)]
    many = rate_interval(observe([value] * 60, tasks, tasks))
    single = rate_interval(observe([value] * 6, range(6), range(6)))

    assert (many.low, many.high) == (single.low, single.high)


def test_one_task_says_nothing() -> None:
    """One task gives no interval, however many samples."""
    interval = rate_interval(observe([1.0, 0.0, 1.0], ["t"] * 3, ["t"] * 3))

    assert (interval.low, interval.high) == (0.0, 1.0)
    assert interval.method.startswith("none")


def test_cells_weigh_alike() -> None:
    """A task with three samples weighs no more than a task with one."""
    sample = observe([1.0, 1.0, 1.0, 0.0], ["a", "a", "a", "b"], ["a", "a", "a", "b"])

    assert sample.mean == pytest.approx(0.5)


@pytest.mark.parametrize("arguments", [([], [], []), ([1.0], [], ["a"])])
def test_observe_refuses_what_does_not_fit(arguments: tuple[list[float], list[str], list[str]]) -> None:
    """No values, or lists of different lengths, are an error and not a number."""
    with pytest.raises(ValueError, match="observe"):
        observe(*arguments)


@pytest.mark.parametrize(
    ("mean", "tasks", "samples", "tied"), [(0.5, 20, 1, 0.0), (0.3, 30, 5, 0.6), (0.85, 40, 3, 0.8)]
)
def test_coverage_of_clustered_rates(mean: float, tasks: int, samples: int, tied: float) -> None:
    """About 95 % of the intervals hold the true rate, also where samples of a task agree."""
    generator = np.random.default_rng(3)
    names = [task for task in range(tasks) for _ in range(samples)]
    strength = 1 / tied - 1 if tied else None
    hits = 0
    for _ in range(400):
        chance = (
            np.full(tasks, mean)
            if strength is None
            else generator.beta(mean * strength, (1 - mean) * strength, tasks)
        )
        drawn = generator.random((tasks, samples)) < chance[:, None]
        interval = rate_interval(observe(drawn.astype(float).ravel().tolist(), names, names))
        hits += interval.low <= mean <= interval.high

    assert hits / 400 > 0.93


def test_bootstrap_equals_scipy() -> None:
    """Percentiles of the mean are those of scipy's bootstrap, within its noise."""
    values = np.random.default_rng(1).random(40)
    sample = observe(values.tolist(), range(40), range(40))

    low, high = bootstrap(sample, sample.values[:, None])
    expected = stats.bootstrap(
        (values,), np.mean, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval

    assert low[0] == pytest.approx(expected.low, abs=0.01)
    assert high[0] == pytest.approx(expected.high, abs=0.01)


def test_bootstrap_draws_clusters_whole() -> None:
    """The spread over tied tasks is the spread of their families."""
    values = [1.0, 1.0, 0.0, 0.0] * 5
    apart = observe(values, range(20), range(20))
    tied = observe(values, range(20), [task // 2 for task in range(20)])

    widths = [
        float((high - low)[0]) for low, high in (bootstrap(s, s.values[:, None]) for s in (apart, tied))
    ]

    assert widths[1] > widths[0] * 1.2


def test_intervals_are_the_same_every_time() -> None:
    """The seed is fixed: a report made twice has the same numbers."""
    sample = observe([1.0, -1.0, 0.0, 1.0, 0.0], range(5), range(5))

    assert difference_interval(sample) == difference_interval(sample)


def test_no_difference_still_has_an_interval() -> None:
    """Where no task differs the interval is what so few tasks leave open, not a point."""
    interval = difference_interval(observe([0.0] * 15, range(15), range(15)))

    assert -0.3 < interval.low < 0 < interval.high < 0.3
    assert "nothing differs" in interval.method


def test_a_flat_point_of_a_curve_has_an_interval() -> None:
    """A point at 0 or 1 gets Wilson's interval, because a bootstrap has no width there."""
    sample = observe([1.0] * 10, range(10), range(10))

    first, last = curve_intervals(sample, np.column_stack([np.zeros(10), np.ones(10)]))

    assert first.low == 0.0
    assert 0.2 < first.high < 0.4
    assert last.high == 1.0
    assert 0.6 < last.low < 0.8
