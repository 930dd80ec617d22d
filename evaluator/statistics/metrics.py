"""Every number of a report, as pure functions over a run.

Rates weigh each task (under each template) alike, carry their successes, denominator and 95 % interval,
and leave unscored samples out of the denominator but say what the rate would be if all of those had
failed or passed. What rests on different evidence (`basis`) is never put into one rate, and the
control arm enters none.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from evaluator.runs.records import Basis
from evaluator.runs.results import HOLDOUT_FAILED
from evaluator.runs.rundata import RunData
from evaluator.statistics.control import Control, control_numbers
from evaluator.statistics.curves import Point, calls_curve, rounds_curve, tokens_curve
from evaluator.statistics.differences import Lift, lift, numbered
from evaluator.statistics.draws import tables
from evaluator.statistics.intervals import share_interval
from evaluator.statistics.ledger import Ledger, ledger_of
from evaluator.statistics.rates import Rate, rate
from evaluator.statistics.repairs import Repairs, repair_numbers
from evaluator.statistics.spending import Cost, cost_of

UNSCORED_LIMIT: Final = 0.02
"""Above this share of unscored samples models are not ranked."""
BASES: Final[tuple[Basis, ...]] = ("own", "model-written", "program")
_PASS_AT: Final = (2, 3, 5, 10, 20, 50, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All numbers of one model, or of one model on one batch, template or level; of one basis."""

    basis: Basis
    model: str
    batch: str | None
    template: str | None
    levels: tuple[str, ...]
    """Every level of grading that the numbers hold."""
    tasks: int
    families: int
    planned: int
    scored: int
    unscored: int
    pass_at_1: Rate
    pass_at_k: dict[int, Rate]
    after_repair: Rate
    lift: Lift
    raw_parse: Rate
    """First replies that compile untouched (host)."""
    clean_parse: Rate
    """First scripts that compile in the sandbox, after cleaning."""
    only_after_cleaning: Rate
    """First calls that succeed although the untouched reply does not compile."""
    truncated: Rate
    false_accepts: Rate
    """Of the scripts that held and passed what was shown: those that fail the holdout."""
    flaky: Rate
    """Of the accepted scripts that were run again: those that failed."""
    cost: Cost
    by_calls: tuple[Point, ...]
    by_rounds: tuple[Point, ...]
    by_tokens: tuple[Point, ...] | None
    """None where a server reported no usage."""
    first_outcomes: dict[str, int]
    final_outcomes: dict[str, int]
    suspicious: dict[str, int]
    """Samples by flag of suspicious code, in any of their attempts. No other number depends on them."""
    suspicious_samples: int
    suspicious_successes: int
    """Of those samples, the ones whose script that held is a success and is flagged itself."""
    repairs: Repairs | None
    """What repairs do, by class of failure and by round; None for groups too small to ask."""
    control: Control | None
    """Repair against asking again; None where the run has no control arm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a leaderboard; `rank` is None where models cannot be ranked."""

    rank: int | None
    group: Group


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased estimate of the chance that at least one of `k` draws passes, from `c` passes in `n`.

    M. Chen et al., Evaluating Large Language Models Trained on Code, arXiv:2107.03374 (2021), section 2.1.

    Raises:
        ValueError: not 0 <= c <= n, or k is not within 1 … n (the estimate is undefined).
    """
    if not 0 <= c <= n or not 1 <= k <= n:
        raise ValueError(f"pass@{k} is not defined for {c} passes in {n} draws")
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def unscored_share(group: Group) -> float:
    """Share of the planned samples that a failure of ours (or an end of the run) left unscored."""
    return group.unscored / group.planned if group.planned else 0.0


def groups(run: RunData | Ledger, *, by: str | None = None) -> tuple[Group, ...]:
    """Compute all numbers per basis and model, and per `by` (batch, template or level) if given; sorted."""
    key = f"groups by {by}"
    if key not in run.derived:
        run.derived[key] = tuple(_groups(ledger_of(run), by))
    known: tuple[Group, ...] = run.derived[key]
    return known


def _groups(ledger: Ledger, by: str | None) -> Iterator[Group]:
    draws, attempts = tables(ledger)
    if by and draws[by].n_unique() == 1:
        # The same samples, and so the same numbers.
        yield from (_part_of_all(group, by, draws[by][0]) for group in groups(ledger))
        return
    keys = ["basis", "model", *([by] if by else [])]
    parts = draws.partition_by(keys, as_dict=True, maintain_order=True)
    whole = len(parts) == 1
    for key in sorted(parts, key=lambda key: (BASES.index(key[0]), *key[1:])):
        members = parts[key]
        yield group_numbers(ledger, members, attempts if whole else _theirs(attempts, members), by=by)


def _theirs(attempts: pl.DataFrame, draws: pl.DataFrame) -> pl.DataFrame:
    """Give the attempts of some draws."""
    sids = draws.select("sid").drop_nulls()
    if not len(sids):
        return attempts.clear()
    low, high = sids.select(low=pl.col("sid").min(), high=pl.col("sid").max()).row(0)
    if high - low + 1 > sids["sid"].n_unique():
        return attempts.join(sids, on="sid", how="semi")
    # All that lie between, as the draws of one model do, and attempts are sorted by them: nothing is copied.
    begin, end = (attempts["sid"].search_sorted(sid, side="left") for sid in (low, high + 1))
    return attempts.slice(begin, end - begin)


def _part_of_all(group: Group, by: str, value: str) -> Group:
    """Give what `group_numbers` says of the only part there is."""
    if by == "template":
        return replace(group, template=value)
    named = replace(group, batch=value) if by == "batch" else group
    return replace(named, by_calls=(), by_rounds=(), by_tokens=(), repairs=None, control=None)


def group_numbers(ledger: Ledger, draws: pl.DataFrame, attempts: pl.DataFrame, *, by: str | None) -> Group:
    """Compute all numbers of some draws of one model and one basis; `attempts` are theirs."""
    scored, known = draws.filter("scored"), attempts.filter("scored")
    first, whole = pl.col("first_scored"), by in {None, "template"}

    def first_rate(hit: pl.Expr) -> Rate:
        return rate(draws, pl.when(first).then(hit))

    fact = draws.row(0, named=True)
    levels = draws.filter(pl.col("level") != "")["level"].unique().sort().to_list()
    return Group(
        basis=fact["basis"],
        model=fact["model"],
        batch=fact["batch"] if by == "batch" else None,
        template=fact["template"] if by == "template" else None,
        levels=tuple(levels),
        tasks=draws["task_id"].n_unique(),
        families=draws["family_no"].n_unique(),
        planned=len(draws),
        scored=len(scored),
        unscored=len(draws) - len(scored),
        pass_at_1=first_rate(pl.col("first_success")),
        pass_at_k=_pass_at_ks(draws),
        after_repair=rate(draws, pl.when("scored").then(pl.col("success"))),
        lift=lift(scored, "first_success", "success"),
        raw_parse=first_rate(pl.col("raw_compiles")),
        clean_parse=first_rate(pl.col("compiled")),
        only_after_cleaning=first_rate(pl.col("first_success") & ~pl.col("raw_compiles")),
        truncated=first_rate(pl.col("truncated")),
        false_accepts=rate(scored.filter(pl.col("held_accepted")), pl.col("held_outcome") == HOLDOUT_FAILED),
        flaky=rate(scored.filter(pl.col("flaky").is_not_null()), pl.col("flaky")),
        cost=cost_of(scored, known),
        by_calls=calls_curve(known) if whole else (),
        by_rounds=rounds_curve(known) if whole else (),
        by_tokens=tokens_curve(known) if whole else (),
        first_outcomes=_counts(draws["first_outcome"]),
        final_outcomes=_counts(draws["final"]),
        suspicious=_counts(draws["suspicious"].list.explode(keep_nulls=False, empty_as_null=False)),
        suspicious_samples=int((draws["suspicious"].list.len() > 0).sum()),
        suspicious_successes=draws.filter(pl.col("success") & pl.col("held_suspicious")).height,
        repairs=repair_numbers(known) if whole else None,
        control=control_numbers(ledger, scored) if whole else None,
    )


def leaderboard(of_basis: Iterable[Group]) -> tuple[Row, ...]:
    """Rank the models of one basis by success after repair, then by pass@1.

    A model of which nothing was scored takes no rank. If any other has more than UNSCORED_LIMIT
    unscored, nobody is ranked: the order could be an accident of our own failures.
    """
    ordered = sorted(of_basis, key=_standing)
    ranked = [group for group in ordered if group.scored]
    if any(unscored_share(group) > UNSCORED_LIMIT for group in ranked):
        return tuple(Row(rank=None, group=group) for group in ordered)
    best = [_standing(group)[:2] for group in ranked]
    return tuple(
        Row(rank=best.index(_standing(group)[:2]) + 1 if group.scored else None, group=group)
        for group in ordered
    )


def why_unranked(rows: Sequence[Row]) -> str:
    """Say why a leaderboard has no ranks; empty if it has."""
    over = [row.group for row in rows if row.group.scored and unscored_share(row.group) > UNSCORED_LIMIT]
    if not over:
        return "" if any(row.group.scored for row in rows) else "Not ranked: nothing was scored."
    shares = ", ".join(f"{group.model} {unscored_share(group):.1%}" for group in over)
    return f"Not ranked: more than {UNSCORED_LIMIT:.0%} of the samples are unscored ({shares})."


def _standing(group: Group) -> tuple[float, float, str]:
    return (-_or(group.after_repair.value), -_or(group.pass_at_1.value), group.model)


def _or(value: float | None) -> float:
    return -1.0 if value is None else round(value, 9)


def _counts(words: pl.Series) -> dict[str, int]:
    counted = words.rename("word").value_counts().sort("word")
    return dict(zip(counted["word"].to_list(), counted["count"].to_list(), strict=True))


def _pass_at_ks(draws: pl.DataFrame) -> dict[int, Rate]:
    counts = draws.group_by("cell", maintain_order=True).agg(
        pl.col("family_no").first(),
        n=pl.col("first_scored").sum().cast(pl.Int64),
        c=(pl.col("first_scored") & pl.col("first_success")).sum().cast(pl.Int64),
    )
    smallest = int(str(counts["n"].min()))
    return {k: _pass_at(counts, k) for k in _PASS_AT if k <= smallest}


def _pass_at(counts: pl.DataFrame, k: int) -> Rate:
    values = np.asarray([pass_at_k(n, c, k) for n, c in counts.select("n", "c").iter_rows()])
    interval = share_interval(values, numbered(counts["family_no"]))
    return Rate(
        value=round(float(values.mean()), 12),
        n=int(counts["c"].sum()),
        N=int(counts["n"].sum()),
        low=interval.low,
        high=interval.high,
        method=f"unbiased pass@k, {interval.method}",
    )
