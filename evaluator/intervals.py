"""95 % intervals for rates over few tasks with several samples each.

Samples of one task, and tasks of one family, resemble each other: what counts is the number of
clusters (families), not of samples. Single rates get Wilson's interval with an effective sample size
and a t quantile; differences and curves get a percentile bootstrap over clusters.

Sources: E. B. Wilson, JASA 22 (1927) 209-212 (the interval); E. L. Korn and B. I. Graubard, Survey
Methodology 24 (1998) 193-201 (effective sample size and t quantile for clustered samples); C. Franco
et al., J. Survey Statistics and Methodology 7 (2019) 334-364 (Wilson with effective sample size does
well); E. Miller, arXiv:2411.00640 (2024) (clustering in model evaluation); B. Efron and
R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13 (percentile interval).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

UPPER_TAIL: Final = 0.975
BOOTSTRAP_SEED: Final = 20_211_107
_RESAMPLES: Final = 10_000
_FEWEST_RESAMPLES: Final = 2_000
_DRAWS: Final = 4_000_000
_FEWEST_CLUSTERS: Final = 2
"""One cluster says nothing about the spread between clusters."""
_NO_SPREAD: Final = 1e-12
"""p(1-p) below this is a rate of 0 or 1, within the rounding of the weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A two-sided 95 % interval and the name of the method that gave it."""

    low: float
    high: float
    method: str


UNKNOWN: Final = Interval(low=0.0, high=1.0, method="none: fewer than two tasks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Values with weights that add up to 1, and the cluster (0 … clusters-1) of each."""

    values: Floats
    weights: Floats
    cluster: Ints
    clusters: int

    @property
    def mean(self) -> float:
        """The weighted mean: the estimate whose interval is asked for."""
        return round(float(self.weights @ self.values), 12)


def observe(values: Sequence[float], cells: Sequence[object], families: Sequence[object]) -> Observations:
    """Weigh every cell (task under one template) alike, however many samples it has; cluster by family.

    Raises:
        ValueError: there are no values, or the sequences differ in length.
    """
    if not values or not len(values) == len(cells) == len(families):
        raise ValueError("observe() needs values, and a cell and a family for each")
    cell, sizes = _numbered(cells)
    cluster, cluster_sizes = _numbered(families)
    return Observations(
        values=np.asarray(values, dtype=np.float64),
        weights=1.0 / (len(sizes) * sizes[cell]),
        cluster=cluster,
        clusters=len(cluster_sizes),
    )


def _numbered(names: Sequence[object]) -> tuple[Ints, Ints]:
    numbers: dict[object, int] = {}
    index = np.asarray([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)
    return index, np.bincount(index).astype(np.int64)


def wilson(p: float, n: float, quantile: float) -> tuple[float, float]:
    """Wilson's score interval for the proportion `p` of `n` (which need not be whole)."""
    if n <= 0 or not math.isfinite(quantile):
        return 0.0, 1.0
    square = quantile**2
    centre = (p + square / (2 * n)) / (1 + square / n)
    half = quantile / (1 + square / n) * math.sqrt(p * (1 - p) / n + square / (4 * n * n))
    return max(0.0, min(centre - half, p)), min(1.0, max(centre + half, p))


def t_quantile(clusters: int) -> float:
    """Upper 2.5 % point of Student's t with one degree of freedom less than there are clusters."""
    return float(stdtrit(clusters - 1, UPPER_TAIL)) if clusters > 1 else math.inf


def effective_n(sample: Observations) -> float:
    """Size of the simple random sample that would know as much as this clustered one.

    The number of samples (after Kish, for unequal weights) divided by the design effect; never more
    than the number of samples. Where all or none passed, the design effect cannot be seen and the
    number of clusters is taken.
    """
    p, count = sample.mean, len(sample.values)
    spread = p * (1 - p)
    if spread < _NO_SPREAD:
        return float(sample.clusters)
    squares = float(sample.weights @ sample.weights)
    variance = _clustered_variance(sample)
    if variance <= 0:
        return float(count)
    unclustered = spread * squares * count / (count - 1)
    return min(float(count), unclustered / (variance * squares))


def _clustered_variance(sample: Observations) -> float:
    residuals = sample.weights * (sample.values - sample.mean)
    sums = np.bincount(sample.cluster, weights=residuals, minlength=sample.clusters)
    return float(sums @ sums) * sample.clusters / (sample.clusters - 1)


def rate_interval(sample: Observations) -> Interval:
    """Wilson's interval for a single rate, with the clustered effective n and a t quantile."""
    if sample.clusters < _FEWEST_CLUSTERS:
        return UNKNOWN
    p = min(1.0, max(0.0, sample.mean))
    low, high = wilson(p, effective_n(sample), t_quantile(sample.clusters))
    return Interval(low=low, high=high, method="wilson, clustered, t")


def difference_interval(sample: Observations) -> Interval:
    """Percentile bootstrap over clusters for a mean of paired differences, each within -1 … 1.

    Where nothing differs a bootstrap has no width; then the bound is what Wilson's interval leaves
    open for "none of so many clusters".
    """
    if sample.clusters < _FEWEST_CLUSTERS:
        return Interval(low=-1.0, high=1.0, method=UNKNOWN.method)
    if not sample.values.any():
        _, high = wilson(0.0, sample.clusters, t_quantile(sample.clusters))
        return Interval(low=-high, high=high, method="wilson bound: nothing differs")
    lows, highs = bootstrap(sample, sample.values[:, None])
    return Interval(low=float(lows[0]), high=float(highs[0]), method="bootstrap over tasks, paired")


def curve_intervals(sample: Observations, columns: Floats) -> list[Interval]:
    """Percentile bootstrap over clusters for every column of `columns` (one row per observation).

    All columns share their resamples. Points where a bootstrap has no width (0, 1) get Wilson's.
    """
    if sample.clusters < _FEWEST_CLUSTERS:
        return [UNKNOWN] * columns.shape[1]
    means = np.clip(sample.weights @ columns, 0.0, 1.0)
    lows, highs = bootstrap(sample, columns)
    return [
        _without_width(mean, sample.clusters)
        if high - low < _NO_SPREAD
        else Interval(low=low, high=high, method="bootstrap over tasks")
        for mean, low, high in zip(means.tolist(), lows.tolist(), highs.tolist(), strict=True)
    ]


def _without_width(mean: float, clusters: int) -> Interval:
    low, high = wilson(mean, clusters, t_quantile(clusters))
    return Interval(low=low, high=high, method="wilson, n = tasks")


def bootstrap(sample: Observations, columns: Floats) -> tuple[Floats, Floats]:
    """Lower and upper 95 % percentiles of every column's weighted mean when clusters are redrawn."""
    weights = np.bincount(sample.cluster, weights=sample.weights, minlength=sample.clusters)
    sums = np.zeros((sample.clusters, columns.shape[1]))
    np.add.at(sums, sample.cluster, sample.weights[:, None] * columns)
    counts = _resampled_counts(sample.clusters)
    means = (counts @ sums) / (counts @ weights)[:, None]
    low, high = np.quantile(means, [1 - UPPER_TAIL, UPPER_TAIL], axis=0)
    return low, high


@lru_cache(maxsize=8)
def _resampled_counts(clusters: int) -> Floats:
    # Pure: the same seed for the same number of clusters, so that groups are compared on like draws.
    resamples = max(_FEWEST_RESAMPLES, min(_RESAMPLES, _DRAWS // clusters))
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    counts = generator.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)
    return counts.astype(np.float64)
