"""The repair curve: the share of samples whose script that held is a success, by what was spent.

repair@c is the share after c further calls of any kind; what held last is carried on, and a script that
breaks a shown test is taken back. All points of a curve have the same denominator. Each point
is a rate with the interval that single rates have.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from evaluator.statistics.rates import Rate, rate_of

_TOKEN_POINTS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of a curve: what was allowed to be spent, and the success rate by then."""

    x: int
    rate: Rate


def calls_curve(attempts: pl.DataFrame) -> tuple[Point, ...]:
    """Success after 0, 1, 2 … calls beyond the first; `attempts` are those of scored samples."""
    return _curve(attempts, "position", _steps(attempts, "position"))


def rounds_curve(attempts: pl.DataFrame) -> tuple[Point, ...]:
    """Success after 0, 1, 2 … repair rounds; calls for form or length belong to the round before."""
    return _curve(attempts, "rounds", _steps(attempts, "rounds"))


def tokens_curve(attempts: pl.DataFrame) -> tuple[Point, ...] | None:
    """Success within so many tokens per sample (prompt and completion); None if usage is missing."""
    if attempts["tokens"].null_count():
        return None
    return _curve(attempts, "tokens_so_far", _token_grid(attempts))


def _steps(attempts: pl.DataFrame, position: str) -> list[int]:
    last = attempts[position].max()
    return list(range(int(str(last)) + 1)) if last is not None else []


def _token_grid(attempts: pl.DataFrame) -> list[int]:
    if not len(attempts):
        return []
    first = attempts.select(pl.col("tokens_so_far").filter("first").min()).item()
    start = max(1, int(str(first)))
    end = max(start, int(str(attempts["tokens_so_far"].max())))
    grid = np.geomspace(start, end, _TOKEN_POINTS)
    return sorted({math.ceil(round(float(x), 6)) for x in grid} | {end})


def _curve(attempts: pl.DataFrame, position: str, limits: Sequence[int]) -> tuple[Point, ...]:
    if not len(attempts):
        return ()
    rows = attempts.lazy()
    per_cell = (
        rows.filter("first")
        .group_by("cell", maintain_order=True)
        .agg(pl.col("family_no").first(), pl.len().alias("draws"))
        .collect()
    )
    draws, family = (per_cell[name].to_numpy().astype(np.int64) for name in ("draws", "family_no"))
    numbered = per_cell.lazy().with_row_index("row").select("cell", "row")
    changes = (
        rows.filter(pl.col("delta") != 0)
        .select("cell", position, "delta")
        .join(numbered, on="cell", maintain_order="left")
        .collect()
    )
    table = np.zeros((len(per_cell), len(limits)), dtype=np.int64)
    where = np.searchsorted(np.asarray(limits), changes[position].to_numpy())
    np.add.at(table, (changes["row"].to_numpy(), where), changes["delta"].to_numpy())
    held = table.cumsum(axis=1)
    return tuple(
        Point(x=limit, rate=rate_of(column, draws, draws, family))
        for limit, column in zip(limits, held.T, strict=True)
    )
