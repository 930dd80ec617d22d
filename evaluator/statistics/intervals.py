"""95 % intervals over few tasks with several samples each.

Samples of one task, and tasks of one family, resemble each other: what counts is how much so, and the
number of families. A rate gets Wilson's interval with an effective sample size. The resemblance (the
intraclass correlation) is estimated by a beta-binomial likelihood averaged over a prior that favours
high values, because the usual design effect is far too noisy when few tasks disagree: with it, and with
a bootstrap over tasks, the intervals of high and low rates over 20 or 50 tasks held the truth in 86-91 %
of runs. `perf/coverage.py` measures what these hold.

Differences get Newcombe's paired interval: the two rates' own intervals, put together by how much the tasks
of both go with one another. `perf/differences.py` compares it with others.

Sources: E. B. Wilson, JASA 22 (1927) 209-212 (the interval); L. Kish, Survey Sampling (1965), 5.4 (the
effective sample size); C. Franco et al., J. Survey Statistics and Methodology 7 (2019) 334-364 (Wilson
with it does well); J. G. Skellam, J. R. Statist. Soc. B 10 (1948) 257-261 (the beta-binomial); R. G.
Newcombe, Statistics in Medicine 17 (1998) 2635-2650, method 10 (paired differences of single draws); G. Zou
and A. Donner, Statistics in Medicine 27 (2008) 1693-1702 (the same of any two intervals); E. Miller,
arXiv:2411.00640 (2024) (clustering in model evaluation); B. Efron and R. Tibshirani, An Introduction to the
Bootstrap (1993), chapter 13 (ratios).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, ndtri, stdtrit

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

UPPER_TAIL: Final = 0.975
QUANTILE: Final = float(ndtri(UPPER_TAIL))
BOOTSTRAP_SEED: Final = 20_211_107
_RESAMPLES: Final = 4_000
_DRAWS: Final = 4_000_000
_FEWEST_CLUSTERS: Final = 2
"""One cluster says nothing about the spread between clusters."""
FEW_CLUSTERS: Final = 20
NO_SPREAD: Final = 1e-12
"""p(1-p) below this is a rate of 0 or 1, within the rounding of the weights."""
CORRELATIONS: Final = np.linspace(0.01, 0.99, 25)
PRIOR: Final = (1 - CORRELATIONS) ** -0.5
"""Recorded runs (10 samples of 164 tasks) have about 0.8; a flat prior covers a little less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A two-sided 95 % interval and the name of the method that gave it."""

    low: float
    high: float
    method: str


UNKNOWN: Final = Interval(low=0.0, high=1.0, method="none: fewer than two tasks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """What was observed of each task under each template: hits among draws, and its family."""

    hits: Ints
    draws: Ints
    family: Ints
    """0 … families-1."""

    @property
    def families(self) -> int:
        """How many clusters there are."""
        return int(self.family.max()) + 1

    @property
    def mean(self) -> float:
        """The mean over cells of each cell's share."""
        return float(np.clip(np.mean(self.hits / self.draws), 0.0, 1.0))

    def by_family(self, values: Ints | Floats) -> Floats:
        """Add up per family."""
        sums = np.bincount(self.family, weights=values, minlength=self.families)
        return sums.astype(np.float64)


def cells(hits: npt.ArrayLike, draws: npt.ArrayLike, family: npt.ArrayLike) -> Cells:
    """Take counts per cell; families may have any numbers.

    Raises:
        ValueError: there are no cells, the lists differ in length, or a cell has no draws.
    """
    counted, drawn = np.asarray(hits, dtype=np.int64), np.asarray(draws, dtype=np.int64)
    names = np.asarray(family)
    if not counted.size or not counted.size == drawn.size == names.size or drawn.min() < 1:
        raise ValueError("cells() needs counts, draws and a family for each cell")
    numbers = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return Cells(hits=counted, draws=drawn, family=numbers)


def wilson(p: float, n: float, quantile: float = QUANTILE) -> tuple[float, float]:
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


def correlation(sample: Cells) -> float:
    """How alike draws of one family are: 0 not at all, 1 all the same.

    The mean of the correlation under a beta-binomial likelihood of the families' counts, at the observed
    rate, with the prior above.
    """
    drawn, hit = sample.by_family(sample.draws), sample.by_family(sample.hits)
    pairs, times = np.unique(np.column_stack([hit, drawn]), axis=0, return_counts=True)
    rate = (hit.sum() + 0.5) / (drawn.sum() + 1)
    strength = 1 / CORRELATIONS - 1
    a, b = (rate * strength)[:, None], ((1 - rate) * strength)[:, None]
    ones, all_of = pairs[:, 0], pairs[:, 1]
    likelihood = (betaln(ones + a, all_of - ones + b) - betaln(a, b)) @ times
    weight = np.exp(likelihood - likelihood.max()) * PRIOR
    return float(weight @ CORRELATIONS / weight.sum())


def effective_n(sample: Cells) -> float:
    """Size of the simple random sample that would know as much as this clustered one.

    Where all or none passed the correlation cannot be seen and 1 is taken: what counts is families.
    """
    number = len(sample.draws)
    alone = float(np.sum(1 / sample.draws)) / number**2
    together = float(np.sum(sample.by_family(np.ones(number)) ** 2)) / number**2
    p = sample.mean
    alike = correlation(sample) if p * (1 - p) > NO_SPREAD else 1.0
    return 1 / ((1 - alike) * alone + alike * together)


def rate_interval(sample: Cells) -> Interval:
    """Wilson's interval for a single rate, with the effective n of clustered draws."""
    if sample.families < _FEWEST_CLUSTERS:
        return UNKNOWN
    # With few families that hold several draws each, their correlation is little more than a guess.
    seen = sample.mean * (1 - sample.mean) > NO_SPREAD
    guessed = seen and sample.families < FEW_CLUSTERS and bool((sample.by_family(sample.draws) > 1).any())
    quantile = t_quantile(sample.families) if guessed else QUANTILE
    low, high = wilson(sample.mean, effective_n(sample), quantile)
    return Interval(low=low, high=high, method="wilson, clustered")


def share_interval(values: Floats, family: Ints) -> Interval:
    """Wilson's interval for a mean of shares within 0 … 1, one per cell (as pass@k has them).

    The effective n follows from the spread between families and is at least their number.
    """
    families = int(family.max()) + 1
    if families < _FEWEST_CLUSTERS:
        return UNKNOWN
    p = float(np.clip(values.mean(), 0.0, 1.0))
    sums = np.bincount(family, weights=(values - p) / len(values), minlength=families)
    variance = float(sums @ sums) * families / (families - 1)
    n = p * (1 - p) / variance if variance > NO_SPREAD else float(families)
    low, high = wilson(p, max(n, float(families) / 2), t_quantile(families))
    return Interval(low=low, high=high, method="wilson, clustered, t")


def difference_interval(before: Cells, after: Cells) -> tuple[Interval, float]:
    """Interval for the mean of `after` less the mean of `before`, cell by cell, and its standard error.

    Newcombe's method 10: where single draws of unrelated tasks are compared it is that of the paper. With
    several draws or families the two intervals are the clustered ones, and the correlation is that of the
    families' sums, less what half a family that changes as the changing ones do would make of it.
    """
    if before.families < _FEWEST_CLUSTERS:
        return Interval(low=-1.0, high=1.0, method=UNKNOWN.method), math.inf
    first, second = rate_interval(before), rate_interval(after)
    together, difference = together_of(before, after), after.mean - before.mean
    down, up = (
        math.sqrt(max(0.0, a * a - 2 * together * a * b + b * b))
        for a, b in (
            (after.mean - second.low, first.high - before.mean),
            (second.high - after.mean, before.mean - first.low),
        )
    )
    low, high = max(-1.0, difference - down), min(1.0, difference + up)
    single = before.families == len(before.draws) and int(max(before.draws.max(), after.draws.max())) == 1
    method = "Newcombe, paired" if single else "Newcombe, paired, clustered"
    return Interval(low=low, high=high, method=method), (high - low) / (2 * QUANTILE)


def change_interval(values: Floats, family: Ints) -> Interval:
    """Interval for a mean of paired differences within -1 … 1 that are no counts, one per cell.

    That of shares, on a scale from -1 to 1: it follows the spread of the differences and stays within.
    """
    found = share_interval((values + 1) / 2, family)
    return Interval(low=2 * found.low - 1, high=2 * found.high - 1, method=found.method)


def together_of(before: Cells, after: Cells) -> float:
    """How much two rates of the same families go together, -1 … 1, cautiously: a little nearer to 0.

    Families that changed as one say that they always do only when they are many.
    """
    sides = [each.by_family(each.hits / each.draws - each.mean) for each in (before, after)]
    product, spread = (
        float(sides[0] @ sides[1]),
        math.sqrt(float((sides[0] @ sides[0]) * (sides[1] @ sides[1]))),
    )
    if spread <= NO_SPREAD:
        return 0.0
    changes = np.abs(before.by_family(after.hits / after.draws - before.hits / before.draws))
    size = len(before.draws) / before.families
    least = size / float(np.mean(np.maximum(before.draws, after.draws)))
    typical = float(changes @ changes) / float(changes.sum()) if changes.any() else least
    if product > 0:
        product = max(0.0, product - typical * size / 2)
    return max(-1.0, min(1.0, product / spread))


def ratio_interval(above: Floats, below: Floats, family: Ints) -> tuple[float, float]:
    """Percentile bootstrap over families for sum(above) / sum(below); infinite where nothing is below."""
    families = int(family.max()) + 1
    if families < _FEWEST_CLUSTERS:
        return 0.0, math.inf
    counts = _resampled(families)
    top = counts @ np.bincount(family, weights=above, minlength=families)
    bottom = counts @ np.bincount(family, weights=below, minlength=families)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(bottom > 0, top / bottom, math.inf)
    low, high = np.quantile(ratios, [1 - UPPER_TAIL, UPPER_TAIL], method="closest_observation")
    return float(low), float(high)


@lru_cache(maxsize=8)
def _resampled(families: int) -> Floats:
    # Pure: the same seed for the same number of families, so that groups are compared on like draws.
    resamples = max(500, min(_RESAMPLES, _DRAWS // families))
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    counts = generator.multinomial(families, np.full(families, 1 / families), size=resamples)
    return counts.astype(np.float64)
