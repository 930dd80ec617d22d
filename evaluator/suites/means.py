"""Means over scripts, each weighed alike, with 95 % intervals clustered on families of tasks. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from evaluator.statistics.intervals import Floats, Interval, Ints, change_interval, share_interval
from evaluator.suites.written import Suite, Written

Value: TypeAlias = Callable[[Suite], float | None]
"""What a suite is worth in one respect; None where it does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean over scripts with its interval; `value` is None where there are none."""

    value: float | None = None
    low: float = 0.0
    high: float = 1.0
    scripts: int = 0
    suites: int = 0
    method: str = "none: nothing to have a share of"


def differences(values: Floats, families: Ints) -> Interval:
    """Give the interval of a mean of values within -1 … 1."""
    return change_interval(values, families)


def mean(
    theirs: Sequence[Written],
    value: Value,
    *,
    first: bool = False,
    within: Callable[[Floats, Ints], Interval] = share_interval,
) -> Mean:
    """Average over scripts.

    Args:
        theirs: suites.
        value: what each is worth.
        first: whether the first suite counts, and not the one that held.
        within: gives the interval; for shares within 0 … 1 unless it is said otherwise.
    """
    means, families, count = _cells(theirs, value, first=first)
    if not means:
        return Mean()
    names = sorted(means)
    shares = np.asarray([means[name] for name in names])
    interval = within(shares, _numbers([families[name] for name in names]))
    return Mean(
        value=round(float(shares.mean()), 12),
        low=interval.low,
        high=interval.high,
        scripts=len(names),
        suites=count,
        method=interval.method,
    )


def paired(
    theirs: Sequence[Written], others: Sequence[Written], value: Value
) -> tuple[float, Interval] | None:
    """Give the mean difference over the scripts that both have; None if there are none."""
    ours, families, _ = _cells(theirs, value)
    other, _, _ = _cells(others, value)
    names = sorted(ours.keys() & other.keys())
    if not names:
        return None
    values = np.asarray([ours[name] - other[name] for name in names])
    return float(values.mean()), change_interval(values, _numbers([families[name] for name in names]))


def _cells(
    theirs: Sequence[Written], value: Value, *, first: bool = False
) -> tuple[dict[str, float], dict[str, str], int]:
    """Give the mean of each script, its family, and how many suites they rest on."""
    values: dict[str, list[float]] = {}
    families = {each.subject.task_id: each.family for each in theirs}
    for each in theirs:
        found = value(each.first if first else each.final)
        if found is not None:
            values.setdefault(each.subject.task_id, []).append(found)
    means = {name: sum(listed) / len(listed) for name, listed in values.items()}
    return means, families, sum(map(len, values.values()))


def _numbers(names: Sequence[str]) -> Ints:
    return np.unique(np.asarray(names), return_inverse=True)[1].astype(np.int64)
