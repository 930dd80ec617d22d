"""Medians, percentiles and ratios: the only arithmetic behind the tables."""

import statistics
from collections.abc import Sequence
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


def rate(moments: Sequence[float]) -> float | None:
    """Completions per second from their times; None for fewer than two.

    Taken between the first and the last completion, so that where a window begins and ends does not matter.
    """
    if len(moments) < 2:
        return None
    return (len(moments) - 1) / (max(moments) - min(moments))
