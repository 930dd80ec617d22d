"""How often the 95 % intervals hold the true rate: python -m perf.coverage [--runs N].

Rates are those of tasks whose chances of success follow a beta distribution: `alike` is the correlation
of draws of one task (0: all tasks are equally hard; recorded runs of code models have about 0.8). Tasks
may come in families that share one chance.
"""

import argparse
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy import stats

from evaluator.statistics.intervals import Ints, wilson
from perf.batches import rates

TRUTHS: Final = (0.05, 0.5, 0.9, 0.97)
TASKS: Final = (20, 50, 164, 1000)
UNLIKE: Final = 0.0
_AT_ONCE: Final = 2000
"""Runs that are simulated together."""


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


def draw(case: Case, generator: np.random.Generator, runs: int) -> Ints:
    """Draw runs: the hits of each family, a row for each run."""
    families = case.tasks // case.per_family
    chance = np.full((runs, families), case.truth)
    if case.alike > UNLIKE:
        strength = 1 / case.alike - 1
        chance = generator.beta(case.truth * strength, (1 - case.truth) * strength, (runs, families))
    return np.asarray(generator.binomial(case.samples * case.per_family, chance), dtype=np.int64)


def coverage(case: Case, *, runs: int, seed: int) -> float:
    """Share of simulated runs whose interval holds the truth."""
    generator, held = np.random.default_rng(seed), 0
    for begin in range(0, runs, _AT_ONCE):
        some = min(_AT_ONCE, runs - begin)
        low, high = rates(draw(case, generator, some), case.samples, case.per_family)
        held += int(((low <= case.truth) & (case.truth <= high)).sum())
    return held / runs


def main() -> None:
    """Print the tables of docs/metrics.md; `*` marks what is outside the bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=8_000)
    runs = parser.parse_args().runs
    truths = " | ".join(f"p = {truth}" for truth in TRUTHS)
    print(f"| tasks x samples | families of | correlation | {truths} |\n|---|---|---|{'---|' * len(TRUTHS)}")
    for tasks in TASKS:
        print(_row(f"{tasks} x 1", 1, "-", [_mark(tasks, exact_coverage(tasks, p)) for p in TRUTHS]))
    unlike = [Case(n, s, UNLIKE, TRUTHS[0]) for n in TASKS for s in (2, 5, 10)]
    for first in (*CASES[:: len(TRUTHS)], *unlike):
        found = [coverage(replace(first, truth=p), runs=runs, seed=1) for p in TRUTHS]
        cells = [_mark(first.tasks, share) for share in found]
        print(_row(f"{first.tasks} x {first.samples}", first.per_family, first.alike, cells), flush=True)


def _row(what: str, family: int, alike: object, cells: list[str]) -> str:
    return f"| {what} | {family} | {alike} | {' | '.join(cells)} |"


def _mark(tasks: int, share: float) -> str:
    low, high = bounds(tasks)
    return f"{100 * share:.1f}{'' if low <= round(share, 2) <= high else '*'}"


if __name__ == "__main__":
    main()
