"""The repair curve: the share of samples whose script that held is a success, by what was spent.

repair@c is the share after c further calls of any kind; the last state is carried on, so that a curve
may fall where a repair breaks what worked. All points of a curve have the same denominator.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from evaluator.intervals import curve_intervals, observe
from evaluator.rates import Rate
from evaluator.results import Sample

_TOKEN_POINTS: Final = 24

_Position: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of a curve: what was allowed to be spent, and the success rate by then."""

    x: int
    rate: Rate


def calls_curve(scored: Sequence[Sample]) -> tuple[Point, ...]:
    """Success after 0, 1, 2 … calls beyond the first."""
    positions = [tuple(range(len(sample.attempts))) for sample in scored]
    return _curve(scored, positions, _steps(positions))


def rounds_curve(scored: Sequence[Sample]) -> tuple[Point, ...]:
    """Success after 0, 1, 2 … repair rounds; calls for form or length belong to the round before."""
    positions = [sample.rounds for sample in scored]
    return _curve(scored, positions, _steps(positions))


def tokens_curve(scored: Sequence[Sample]) -> tuple[Point, ...] | None:
    """Success within so many tokens per sample (prompt and completion); None if usage is missing."""
    positions: list[_Position] = []
    for sample in scored:
        cumulative = sample.cumulative_tokens
        if cumulative is None:
            return None
        positions.append(cumulative)
    return _curve(scored, positions, _token_grid(positions))


def _steps(positions: Sequence[_Position]) -> list[int]:
    return list(range(max((position[-1] for position in positions), default=-1) + 1))


def _token_grid(positions: Sequence[_Position]) -> list[int]:
    if not positions:
        return []
    start = max(1, min(position[0] for position in positions))
    end = max(start, *(position[-1] for position in positions), 1)
    grid = np.geomspace(start, end, _TOKEN_POINTS)
    return sorted({math.ceil(round(float(x), 6)) for x in grid} | {end})


def _curve(
    scored: Sequence[Sample], positions: Sequence[_Position], limits: Sequence[int]
) -> tuple[Point, ...]:
    if not scored:
        return ()
    pairs = list(zip(scored, positions, strict=True))
    table = np.asarray(
        [[float(sample.success_within(at, limit)) for limit in limits] for sample, at in pairs]
    )
    observed = observe(table[:, -1].tolist(), [s.cell for s in scored], [s.family for s in scored])
    intervals = curve_intervals(observed, table)
    means = observed.weights @ table
    return tuple(
        Point(
            x=limit,
            rate=Rate(
                value=min(1.0, max(0.0, float(mean))),
                n=int(column.sum()),
                N=len(scored),
                low=interval.low,
                high=interval.high,
                method=interval.method,
            ),
        )
        for limit, mean, column, interval in zip(limits, means, table.T, intervals, strict=True)
    )
