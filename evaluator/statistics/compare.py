"""Two models, templates or runs on the same tasks: paired differences, which tasks flipped, and doubts.

Sources: Q. McNemar, Psychometrika 12 (1947) 153-157 (exact form; statsmodels); S. Holm, Scandinavian
Journal of Statistics 6 (1979) 65-70 (statsmodels); the least difference that a run could have seen is
2.8 standard errors: 80 % power at the two-sided level of 5 % (E. Miller, arXiv:2411.00640, section 5).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Final

import numpy as np
import polars as pl
from scipy.special import stdtr

from evaluator.runs.records import Basis
from evaluator.statistics.differences import numbered
from evaluator.statistics.draws import tables
from evaluator.statistics.intervals import Floats, Ints, cells, difference_interval
from evaluator.statistics.ledger import Ledger
from evaluator.statistics.metrics import BASES

MEASURES: Final = ("pass@1", "after repair")
_COLUMNS: Final = {"pass@1": ("first_success", "first_scored"), "after repair": ("success", "scored")}
_DETECTABLE: Final = 2.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One half of a comparison."""

    name: str
    draws: pl.DataFrame
    scripts: pl.DataFrame
    """`task_id`, `mark`, `verdict` of every script that was run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Success of the second minus the first, in points, over the tasks that both were scored on."""

    first: str
    second: str
    basis: Basis
    measure: str
    tasks: int
    families: int
    first_rate: float
    second_rate: float
    points: float
    low: float
    high: float
    method: str
    p: float
    """Of no difference at all: exact McNemar for single samples, else a clustered t-test."""
    p_method: str
    p_holm: float
    """The same, adjusted for all pairs of this measure and basis."""
    detectable: float
    """The least true difference, in points, that these tasks would have shown in 4 of 5 such runs."""
    gained: tuple[str, ...]
    """Tasks on which the second is better, by how much it is."""
    lost: tuple[str, ...]
    unpaired: int
    """Tasks of both on which one of them has nothing scored."""
    same_scripts: int
    """Scripts that both runs of a task hold, alike but for their layout."""
    other_verdicts: int
    """Of those, the ones that were judged otherwise the second time: flakes of tests or sandbox."""


def sides(ledger: Ledger, *, by_template: bool = False, label: str = "") -> list[Side]:
    """Give the models of a run (each under each template if asked), named with the run where needed."""
    draws, attempts = tables(ledger)
    keys = ["model", "template"] if by_template else ["model"]
    found = []
    for key, members in sorted(draws.partition_by(keys, as_dict=True).items()):
        name = " / ".join(str(part) for part in key)
        theirs = attempts.join(members.select("sid"), on="sid", how="semi").filter(
            "has_code", ~pl.col("unscored")
        )
        scripts = theirs.select("task_id", "mark", "verdict").unique(["task_id", "mark"], maintain_order=True)
        found.append(Side(name=f"{name}{label}", draws=members, scripts=scripts))
    return found


def within(ledger: Ledger) -> list[Difference]:
    """Compare all models of one run with each other, and the templates of each model."""
    pairs = list(combinations(sides(ledger), 2))
    found = compare(pairs, on=("task_id", "template"))
    if len(ledger.manifest.templates) > 1:
        each = sides(ledger, by_template=True)
        same = [(a, b) for a, b in combinations(each, 2) if a.draws["model"][0] == b.draws["model"][0]]
        found += compare(same, on=("task_id",))
    return found


def between(a: Ledger, b: Ledger) -> list[Difference]:
    """Compare two runs: each model with itself, or every model with every other where none is in both."""
    on = (
        ("task_id", "template") if a.manifest.templates.keys() & b.manifest.templates.keys() else ("task_id",)
    )
    first, second = sides(a, label=f" [{a.manifest.run_id}]"), sides(b, label=f" [{b.manifest.run_id}]")
    pairs = [(x, y) for x, y in product(first, second) if x.draws["model"][0] == y.draws["model"][0]]
    return compare(pairs or list(product(first, second)), on=on)


def compare(pairs: Sequence[tuple[Side, Side]], *, on: Sequence[str]) -> list[Difference]:
    """Compare pairs, every measure and basis for itself, with Holm's correction over the pairs."""
    found: list[Difference] = []
    for basis, measure in product(BASES, MEASURES):
        some = [one for a, b in pairs for one in _difference(a, b, basis, measure, on)]
        found += _holm(some)
    return found


def _holm(found: list[Difference]) -> list[Difference]:
    if not found:
        return []
    from statsmodels.stats.multitest import multipletests  # noqa: PLC0415 - loads pandas

    adjusted = multipletests([one.p for one in found], method="holm")[1]
    return [replace(one, p_holm=float(p)) for one, p in zip(found, adjusted, strict=True)]


def _difference(a: Side, b: Side, basis: Basis, measure: str, on: Sequence[str]) -> Iterator[Difference]:
    common = _paired(a, b, basis, measure, on)
    paired = common.filter(pl.col("n").gt(0) & pl.col("n_b").gt(0)).sort(on)
    if not len(paired):
        return
    values = (paired["share_b"] - paired["share"]).to_numpy()
    family = numbered(paired["family"])
    first, second = (cells(paired[f"hits{side}"], paired[f"n{side}"], family) for side in ("", "_b"))
    interval, error = difference_interval(first, second)
    single = bool((paired["n"] == 1).all() and (paired["n_b"] == 1).all())
    independent = len(set(family.tolist())) == len(paired)
    p, method = _mcnemar(values) if single and independent else _t_test(values, family)
    same = a.scripts.join(b.scripts, on=["task_id", "mark"], how="inner")
    yield Difference(
        first=a.name,
        second=b.name,
        basis=basis,
        measure=measure,
        tasks=len(paired),
        families=int(family.max()) + 1,
        first_rate=_mean(paired["share"]),
        second_rate=_mean(paired["share_b"]),
        points=100 * round(float(values.mean()), 12),
        low=100 * interval.low,
        high=100 * interval.high,
        method=interval.method,
        p=p,
        p_method=method,
        p_holm=p,
        detectable=min(100.0, 100 * _DETECTABLE * error),
        gained=_flipped(paired, values, 1),
        lost=_flipped(paired, values, -1),
        unpaired=len(common) - len(paired),
        same_scripts=len(same),
        other_verdicts=same.filter(pl.col("verdict") != pl.col("verdict_right")).height,
    )


def _paired(a: Side, b: Side, basis: Basis, measure: str, on: Sequence[str]) -> pl.DataFrame:
    success, scored = _COLUMNS[measure]

    def shares(side: Side) -> pl.DataFrame:
        return (
            side.draws.filter(pl.col("basis") == basis)
            .group_by(on)
            .agg(
                pl.col("family").first(),
                n=pl.col(scored).sum().cast(pl.Int64),
                hits=pl.col(success).filter(scored).sum().cast(pl.Int64),
                share=pl.col(success).filter(scored).cast(pl.Float64).mean(),
            )
        )

    return shares(a).join(shares(b), on=on, how="inner", suffix="_b")


def _mean(values: pl.Series) -> float:
    return round(float(values.to_numpy().mean()), 12)


def _flipped(paired: pl.DataFrame, values: Floats, sign: int) -> tuple[str, ...]:
    names = paired["task_id"].to_list()
    order = sorted(range(len(names)), key=lambda row: (-sign * values[row], names[row]))
    return tuple(names[row] for row in order if sign * values[row] > 0)


def _mcnemar(values: Floats) -> tuple[float, str]:
    from statsmodels.stats.contingency_tables import mcnemar  # noqa: PLC0415 - loads pandas

    gained, lost = int((values > 0).sum()), int((values < 0).sum())
    p = mcnemar([[0, gained], [lost, 0]], exact=True).pvalue if gained + lost else 1.0
    return float(p), "exact McNemar"


def _t_test(
    values: Floats,
    family: Ints,
) -> tuple[float, str]:
    families = int(family.max()) + 1
    sums = np.bincount(family, weights=values - values.mean(), minlength=families)
    error = math.sqrt(float(sums @ sums) * families / max(families - 1, 1)) / len(values)
    if families < 2 or error == 0:  # noqa: PLR2004 - one family has no spread
        return 1.0, "clustered t-test"
    return float(2 * stdtr(families - 1, -abs(float(values.mean())) / error)), "clustered t-test"
