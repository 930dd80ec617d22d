"""Many simulated runs at once: the intervals of `evaluator.statistics.intervals`, a row for each run.

For runs of equally many draws of each task and equally large families alone. A test holds every row equal to
what the real functions say.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import betaln

from evaluator.statistics.intervals import (
    CORRELATIONS,
    FEW_CLUSTERS,
    NO_SPREAD,
    PRIOR,
    QUANTILE,
    t_quantile,
)

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bounds: TypeAlias = tuple[Floats, Floats]


def correlations(sums: Ints, most: int) -> Floats:
    """Give `correlation` of each run from the hits of its families, of which each has `most` draws."""
    families = sums.shape[1]
    rate = (sums.sum(1) + 0.5) / (families * most + 1)
    strength = 1 / CORRELATIONS - 1
    a, b = rate[:, None] * strength, (1 - rate)[:, None] * strength
    likelihood = -families * betaln(a, b)
    for hits in range(most + 1):
        likelihood += (sums == hits).sum(1)[:, None] * betaln(hits + a, most - hits + b)
    weight = np.exp(likelihood - likelihood.max(1, keepdims=True)) * PRIOR
    return np.asarray(weight @ CORRELATIONS / weight.sum(1))


def wilsons(p: Floats, n: Floats | float, quantile: float) -> Bounds:
    """Give `wilson` of each."""
    square = quantile**2
    centre = (p + square / (2 * n)) / (1 + square / n)
    half = quantile / (1 + square / n) * np.sqrt(p * (1 - p) / n + square / (4 * n * n))
    return np.maximum(0, np.minimum(centre - half, p)), np.minimum(1, np.maximum(centre + half, p))


def rates(sums: Ints, samples: int, per_family: int) -> Bounds:
    """Give `rate_interval` of each run."""
    families, most = sums.shape[1], samples * per_family
    p = sums.sum(1) / (families * most)
    seen = p * (1 - p) > NO_SPREAD
    alike = np.where(seen, correlations(sums, most), 1.0)
    n = families / ((1 - alike) / most + alike)
    plain = wilsons(p, n, QUANTILE)
    if families >= FEW_CLUSTERS or most == 1:
        return plain
    low, high = wilsons(p, n, t_quantile(families))
    return np.where(seen, low, plain[0]), np.where(seen, high, plain[1])


def differences(before: Ints, after: Ints, samples: int) -> Bounds:
    """Give `difference_interval` of each run, of tasks without families."""
    first, second = before.sum(1) / (before.shape[1] * samples), after.sum(1) / (after.shape[1] * samples)
    (low_1, high_1), (low_2, high_2) = rates(before, samples, 1), rates(after, samples, 1)
    sides = before / samples - first[:, None], after / samples - second[:, None]
    product, spread = (sides[0] * sides[1]).sum(1), np.sqrt((sides[0] ** 2).sum(1) * (sides[1] ** 2).sum(1))
    changes = np.abs(after - before) / samples
    sizes = changes.sum(1)
    typical = np.where(sizes > 0, (changes**2).sum(1) / np.where(sizes > 0, sizes, 1), 1 / samples)
    product = np.where(product > 0, np.maximum(0, product - typical / 2), product)
    together = np.clip(np.where(spread > NO_SPREAD, product / np.maximum(spread, NO_SPREAD), 0), -1, 1)

    def half(a: Floats, b: Floats) -> Floats:
        return np.asarray(np.sqrt(np.maximum(0, a * a - 2 * together * a * b + b * b)))

    down, up = half(second - low_2, high_1 - first), half(high_2 - second, first - low_1)
    return np.maximum(-1, second - first - down), np.minimum(1, second - first + up)
