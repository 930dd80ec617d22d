"""How often the 95 % intervals hold the true rate: python -m perf.coverage [--runs 20000].

Rates are those of tasks whose chances of success follow a beta distribution: `alike` is the correlation
of draws of one task (0: all tasks are equally hard; recorded runs of code models have about 0.8). Tasks
may come in families that share one chance.
"""

import argparse
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from evaluator.statistics.intervals import Cells, cells, difference_interval, rate_interval, wilson

TRUTHS: Final = (0.05, 0.5, 0.9, 0.97)
TASKS: Final = (20, 50, 164, 1000)
UNLIKE: Final = 0.0


@dataclass(frozen=True, slots=True)
class Case:
    """What is drawn."""

    tasks: int
    samples: int
    alike: float
    truth: float
    per_family: int = 1

    def __str__(self) -> str:
        family = f"-families{self.per_family}" if self.per_family > 1 else ""
        return f"{self.tasks}x{self.samples}-alike{self.alike}-p{self.truth}{family}"


CASES: Final = tuple(
    Case(tasks, samples, alike, truth, per_family)
    for tasks in TASKS
    for samples, alike, per_family in (
        *((samples, alike, 1) for samples in (2, 5, 10) for alike in (0.1, 0.3, 0.6, 0.8)),
        *((samples, alike, 2) for samples in (1, 5) for alike in (0.3, 0.6) if tasks > 20),
    )
    for truth in TRUTHS
)


def bounds(tasks: int) -> tuple[float, float]:
    """What coverage is asked for."""
    return (0.92, 0.98) if tasks <= 20 else (0.93, 0.97)


def exact_coverage(tasks: int, truth: float) -> float:
    """Coverage with one draw of each task: the chances of all numbers of successes whose interval holds."""
    chance = stats.binom.pmf(np.arange(tasks + 1), tasks, truth)
    held = [low <= truth <= high for low, high in (wilson(k / tasks, tasks) for k in range(tasks + 1))]
    return float(chance[held].sum())


def draw(case: Case, generator: np.random.Generator) -> Cells:
    """Draw one run."""
    families = math.ceil(case.tasks / case.per_family)
    chance = np.full(families, case.truth)
    if case.alike > UNLIKE:
        strength = 1 / case.alike - 1
        chance = generator.beta(case.truth * strength, (1 - case.truth) * strength, families)
    family = np.arange(case.tasks) // case.per_family
    hits = generator.binomial(case.samples, chance[family])
    return cells(hits, np.full(case.tasks, case.samples), family)


def coverage(case: Case, *, runs: int, seed: int) -> float:
    """Share of simulated runs whose interval holds the truth."""
    generator = np.random.default_rng(seed)
    held = 0
    for _ in range(runs):
        interval = rate_interval(draw(case, generator))
        held += interval.low <= case.truth <= interval.high
    return held / runs


def difference_coverage(case: Case, lift: float, *, runs: int, seed: int) -> float:
    """The same for a difference: each failure is mended with the chance that gives `lift` on average."""
    generator = np.random.default_rng(seed)
    mends, held = lift / (1 - case.truth), 0
    for _ in range(runs):
        first = draw(case, generator)
        gained = generator.binomial(case.samples - first.hits, mends)
        interval, _ = difference_interval(gained / case.samples, first.family, 1 / case.samples)
        held += interval.low <= lift <= interval.high
    return held / runs


def main() -> None:
    """Print the coverage of all cases; `*` marks what is outside the bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4000)
    runs = parser.parse_args().runs
    for tasks in TASKS:
        print(f"{tasks} tasks, one sample, exact:", *(_mark(tasks, exact_coverage(tasks, p)) for p in TRUTHS))
    extra = [Case(n, s, UNLIKE, p) for n in TASKS for s in (5, 10) for p in TRUTHS]
    for case in (*CASES, *extra):
        print(case, _mark(case.tasks, coverage(case, runs=runs, seed=1)), flush=True)
    for case in CASES:
        if case.truth in {0.5, 0.9} and case.per_family == 1:
            lift = 0.05
            shown = _mark(case.tasks, difference_coverage(case, lift, runs=runs, seed=2))
            print(case, f"lift {lift}", shown, flush=True)


def _mark(tasks: int, share: float) -> str:
    low, high = bounds(tasks)
    return f"{100 * share:.1f}{'' if low <= round(share, 2) <= high else '*'}"


if __name__ == "__main__":
    main()
