"""Medians, percentiles and ratios: the only arithmetic behind the tables."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is said of a series; all in the unit of the series."""

    n: int
    p50: float
    p95: float
    low: float
    high: float


def summarize(values: Sequence[float]) -> Summary:
    """Sum a series up. At least one value."""
    return Summary(
        n=len(values),
        p50=statistics.median(values),
        p95=percentile(values, 95),
        low=min(values),
        high=max(values),
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """Interpolate between the two nearest of the sorted values, the extremes being 0 and 100."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def done_within(spans: Iterable[tuple[float, float]], begin: float, end: float) -> float:
    """How many attempts were done from `begin` to `end`, from when each began and ended.

    One that reaches over an edge counts by the share of it that lies inside. Without that, a window in which
    few ends fall would say too much or too little by a whole attempt per worker.
    """
    return sum(max(0.0, min(end, last) - max(begin, first)) / (last - first) for first, last in spans)
