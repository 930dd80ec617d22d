"""Which interval for paired differences: python -m perf.differences [--runs N] [--tasks N …] [--all].

Simulated pairs, and how often the 95 % intervals of several methods hold the true difference, with their
mean width. The kinds of pairs: repair (each failure is mended with a chance that differs from task to task,
`alike` is how much; now and then a success is lost); two models whose tasks are hard for both (their chances
correlate by .7 or .9); two runs of one model. Chances of success of one task have a correlation of .7, about
what recorded runs of code models have.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from evaluator.statistics.intervals import QUANTILE, Floats, Ints, t_quantile
from perf.batches import Bounds, differences
from perf.coverage import bounds

TASKS: Final = (20, 50, 164, 1000)
SAMPLES: Final = (1, 5, 10)
_ALIKE: Final = 0.7
_RESAMPLES: Final = 999
_RESAMPLED: Final = 300
_MOST_RESAMPLED: Final = 164
"""Runs, and tasks, up to which the bootstrap is tried: it is slow."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """What is drawn: `repair` of a first rate, or `models` whose chances correlate."""

    lift: float
    first: float = 0.6
    mends_alike: float | None = None
    """Repair: correlation of the mends of one task."""
    loses: float = 0.0
    together: float = 1.0
    """Models: correlation of the tasks' chances (of their normal scores)."""

    def __str__(self) -> str:
        if self.mends_alike is not None:
            lost = f", {self.loses:.0%} lost" if self.loses else ""
            return f"repair of {self.first}, mends alike {self.mends_alike}{lost}, lift {self.lift}"
        if self.together < 1:
            return f"models, tasks alike {self.together}, lift {self.lift}"
        return "two runs of one model"


CASES: Final = (
    *(Pairs(lift, mends_alike=alike) for alike in (0.2, 0.7) for lift in (0.02, 0.05, 0.1, 0.3)),
    *(Pairs(lift, first=0.8, mends_alike=0.4) for lift in (0.02, 0.05, 0.1)),
    *(Pairs(lift, mends_alike=0.7, loses=0.02) for lift in (0.02, 0.05, 0.1, 0.3)),
    *(Pairs(lift, together=together) for together in (0.7, 0.9) for lift in (0.02, 0.05, 0.1, 0.3)),
    Pairs(0.0),
)


def draw(case: Pairs, shape: tuple[int, int], samples: int, *, seed: int) -> tuple[Ints, Ints]:
    """Draw runs of tasks: hits of each task before and after."""
    generator, second = np.random.default_rng(seed), case.first + case.lift
    if case.mends_alike is None:
        scores = generator.standard_normal(shape)
        noise = generator.standard_normal(shape)
        other = case.together * scores + np.sqrt(1 - case.together**2) * noise
        chances = _chances(case.first, scores), _chances(second, other)
        return generator.binomial(samples, chances[0]), generator.binomial(samples, chances[1])
    before = generator.binomial(samples, _beta(case.first, _ALIKE, generator, shape))
    mends = (case.lift + case.loses * case.first) / (1 - case.first)
    gained = generator.binomial(samples - before, _beta(mends, case.mends_alike, generator, shape))
    return before, before + gained - generator.binomial(before, case.loses)


def _beta(mean: float, alike: float, generator: np.random.Generator, shape: tuple[int, int]) -> Floats:
    strength = 1 / alike - 1
    return generator.beta(mean * strength, (1 - mean) * strength, shape)


def _chances(mean: float, scores: Floats) -> Floats:
    strength, grid = 1 / _ALIKE - 1, np.linspace(0, 1, 4001)[1:-1]
    table = stats.beta.ppf(grid, mean * strength, (1 - mean) * strength)
    return np.asarray(np.interp(stats.norm.cdf(scores), grid, table))


def student(before: Ints, after: Ints, samples: int) -> Bounds:
    """Student's t over the tasks' differences."""
    values = (after - before) / samples
    half = t_quantile(values.shape[1]) * values.std(1, ddof=1) / np.sqrt(values.shape[1])
    return values.mean(1) - half, values.mean(1) + half


def bonett_price(before: Ints, after: Ints, samples: int) -> Bounds:
    """The adjusted Wald interval: one task more that gains and one that loses, as much as any did."""
    values = (after - before) / samples
    tasks, mean = values.shape[1], values.mean(1)
    size = np.maximum(np.abs(values).max(1), np.sqrt(1 / samples))
    centre = mean * tasks / (tasks + 2)
    spread = (values**2).sum(1) + 2 * size**2 - (tasks + 2) * centre**2
    half = (QUANTILE if samples == 1 else t_quantile(tasks)) * np.sqrt(spread) / (tasks + 2)
    return np.minimum(centre - half, mean), np.maximum(centre + half, mean)


def tango(before: Ints, after: Ints, samples: int) -> Bounds:
    """Tango's score interval, Statistics in Medicine 17 (1998) 891-908: single draws only."""
    assert samples == 1
    n, gained, lost = before.shape[1], (after > before).sum(1), (after < before).sum(1)
    best = (gained - lost) / n

    def score(at: Floats) -> Floats:
        b, c = (2 * n - gained + lost) * at - gained - lost, -lost * at * (1 - at)
        losing = (np.sqrt(np.maximum(b * b - 8 * n * c, 0)) - b) / (4 * n)
        variance = n * (2 * losing + at * (1 - at))
        return np.asarray((gained - lost - n * at) / np.sqrt(np.maximum(variance, 1e-12)))

    def where(low: Floats, high: Floats, wanted: float) -> Floats:
        for _ in range(40):
            middle = (low + high) / 2
            above = score(middle) > wanted
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        return np.asarray((low + high) / 2)

    one = np.full_like(best, 1 - 1e-6)
    return where(-one, best, QUANTILE), where(best, one, -QUANTILE)


def bootstrap(before: Ints, after: Ints, samples: int) -> Bounds:
    """Paired bootstrap over tasks, BCa (scipy)."""
    found = []
    for values in (after - before)[:_RESAMPLED] / samples:
        if values.std() == 0:  # nothing to resample: the method has no answer but a point
            found.append((values[0], values[0]))
            continue
        done = stats.bootstrap((values,), np.mean, n_resamples=_RESAMPLES, vectorized=True, batch=200, rng=1)
        found.append((done.confidence_interval.low, done.confidence_interval.high))
    low, high = np.asarray(found).T
    return low, high


Method = Callable[[Ints, Ints, int], Bounds]
METHODS: Final[dict[str, Method]] = {
    "here": differences,
    "adjusted Wald": bonett_price,
    "t": student,
    "Tango": tango,
    "BCa": bootstrap,
}


def measured(method: Method, case: Pairs, tasks: int, samples: int, *, runs: int) -> tuple[float, float]:
    """Coverage and mean width of a method, both as shares."""
    before, after = draw(case, (runs, tasks), samples, seed=1)
    low, high = method(before, after, samples)
    held = (low <= case.lift + 1e-9) & (case.lift - 1e-9 <= high)
    return float(held.mean()), float((high - low).mean())


def main() -> None:
    """Print the two tables of docs/metrics.md (`--all`: every case on a line of its own)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--tasks", type=int, nargs="*", default=TASKS)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    sizes = [(tasks, samples) for tasks in options.tasks for samples in SAMPLES]
    found = {size: _measure(*size, runs=options.runs, aloud=options.all) for size in sizes}
    print(f"\n| tasks x samples | {' | '.join(METHODS)} |\n|---|{'---|' * len(METHODS)}")
    for (tasks, samples), measures in found.items():
        cells = [_summary(tasks, measures, name) for name in METHODS]
        print(f"| {tasks} x {samples} | {' | '.join(cells)} |")
    shown = [
        case for case in CASES if (case.mends_alike == _ALIKE and not case.loses) or case.together == _ALIKE
    ]
    print(f"\n| tasks x samples | {' | '.join(map(str, shown))} |\n|---|{'---|' * len(shown)}")
    for (tasks, samples), measures in found.items():
        cells = [_numbers(measures["here"][case]) for case in shown]
        print(f"| {tasks} x {samples} | {' | '.join(cells)} |")


Measures = dict[str, dict[Pairs, tuple[float, float]]]


def _measure(tasks: int, samples: int, *, runs: int, aloud: bool) -> Measures:
    found: Measures = {}
    for name, method in METHODS.items():
        if (method is tango and samples > 1) or (method is bootstrap and tasks > _MOST_RESAMPLED):
            continue
        found[name] = {case: measured(method, case, tasks, samples, runs=runs) for case in CASES}
        for case in CASES if aloud else ():
            print(f"{tasks} x {samples}, {case}, {name}: {_numbers(found[name][case])}", flush=True)
    return found


def _summary(tasks: int, measures: Measures, name: str) -> str:
    """Cases within the bounds, under and over them; least coverage; mean width as a multiple of ours."""
    if name not in measures:
        return "-"
    low, high = bounds(tasks)
    shares = [round(share, 2) for share, _ in measures[name].values()]
    under, over = sum(share < low for share in shares), sum(share > high for share in shares)
    wide = [measures[name][case][1] / measures["here"][case][1] for case in CASES]
    least = min(share for share, _ in measures[name].values())
    counts = f"{len(shares) - under - over}, {under}, {over}"
    return f"{counts}; {100 * least:.0f} %; {np.mean(wide):.2f}"


def _numbers(measure: tuple[float, float]) -> str:
    return f"{100 * measure[0]:.1f} / {100 * measure[1]:.1f}"


if __name__ == "__main__":
    main()
