"""One rate with its counts, its interval, and its bounds over what could not be scored."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from evaluator.statistics.intervals import UNKNOWN, Floats, Ints, cells, rate_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share between 0 and 1: the mean over tasks of each task's share.

    It equals n/N where every task has equally many scored samples.
    """

    value: float | None
    """None where nothing was scored."""
    n: int
    """Successes."""
    N: int
    """Scored samples."""
    low: float
    high: float
    """95 % interval."""
    method: str
    unscored: int = 0
    """Samples outside N, because a failure of ours hides what they are."""
    lower_bound: float | None = None
    upper_bound: float | None = None
    """The value if all unscored samples had failed, or passed; None where there are none."""


NOTHING = Rate(value=None, n=0, N=0, low=0.0, high=1.0, method="none: nothing scored")


def rate(rows: pl.DataFrame, hit: pl.Expr) -> Rate:
    """Estimate the rate of hits with its 95 % interval and bounds.

    `rows` have `cell` and `family_no`; `hit` is null for a row that is unscored.
    """
    counts = (
        rows.select("cell", "family_no", hit.alias("hit"))
        .group_by("cell", maintain_order=True)
        .agg(pl.col("family_no").first(), n=pl.col("hit").sum(), N=pl.col("hit").count(), all=pl.len())
    )
    hits, scored, drawn, family = (
        counts[name].to_numpy().astype(np.int64) for name in ("n", "N", "all", "family_no")
    )
    return rate_of(hits, scored, drawn, family)


def pooled(rows: pl.DataFrame, hit: pl.Expr) -> Rate:
    """Estimate a rate over calls, each of which weighs the same.

    A loop stops at its first success: samples that need more calls have more of them. The mean over tasks of
    each task's share would be too high, as the mean over families of the share of boys would be where
    families stop at the first. Interval as ever, clustered on families.
    """
    known = rows.select("family_no", hit.cast(pl.Int64).alias("hit")).drop_nulls("hit")
    one_each = np.ones(len(known), dtype=np.int64)
    hits, family = (known[name].to_numpy().astype(np.int64) for name in ("hit", "family_no"))
    return rate_of(hits, one_each, one_each, family)


def rate_of(hits: Ints, scored: Ints, drawn: Ints, family: Ints) -> Rate:
    """Estimate a rate from counts per cell."""
    if not drawn.size:
        return NOTHING
    unscored = int((drawn - scored).sum())
    lower, upper = (_mean(hits / drawn), _mean((hits + drawn - scored) / drawn)) if unscored else (None, None)
    known = scored > 0
    value, interval = None, UNKNOWN
    if known.any():
        sample = cells(hits[known], scored[known], family[known])
        value, interval = _rounded(sample.mean), rate_interval(sample)
    return Rate(
        value=value,
        n=int(hits.sum()),
        N=int(scored.sum()),
        low=interval.low,
        high=interval.high,
        method=interval.method if value is not None else NOTHING.method,
        unscored=unscored,
        lower_bound=lower,
        upper_bound=upper,
    )


def _mean(shares: Floats) -> float:
    return _rounded(float(np.mean(shares)))


def _rounded(value: float) -> float:
    # The order of adding must not show.
    return min(1.0, max(0.0, round(value, 12)))
