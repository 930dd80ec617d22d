"""Differences over the same samples, in points, with clustered intervals."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from evaluator.statistics.intervals import Ints, cells, difference_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """Success in one way minus success in another, in points (hundredths), over the same samples."""

    points: float | None
    low: float
    high: float
    n: int
    """Samples gained minus samples lost."""
    N: int
    gained: int
    lost: int
    method: str


NO_LIFT = Lift(points=None, low=-100.0, high=100.0, n=0, N=0, gained=0, lost=0, method="none: no samples")


def lift(rows: pl.DataFrame, before: str, after: str) -> Lift:
    """Compare two columns of successes, task by task; rows where either is null are left out."""
    rows = rows.filter(pl.col(before).is_not_null() & pl.col(after).is_not_null())
    if not len(rows):
        return NO_LIFT
    paired = rows.group_by("cell", maintain_order=True).agg(
        pl.col("family_no").first(), pl.col(before).sum(), pl.col(after).sum(), draws=pl.len()
    )
    first, second = (cells(paired[name], paired["draws"], paired["family_no"]) for name in (before, after))
    interval, _ = difference_interval(first, second)
    gained = rows.filter(pl.col(after) & ~pl.col(before)).height
    lost = rows.filter(~pl.col(after) & pl.col(before)).height
    return Lift(
        points=100 * round(second.mean - first.mean, 12),
        low=100 * interval.low,
        high=100 * interval.high,
        n=gained - lost,
        N=len(rows),
        gained=gained,
        lost=lost,
        method=interval.method,
    )


def numbered(names: pl.Series) -> Ints:
    """Number families from 0."""
    return np.unique(names.to_numpy(), return_inverse=True)[1].astype(np.int64)
