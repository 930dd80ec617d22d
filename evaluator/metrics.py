"""Every number of a report, as pure functions over a run.

Rates weigh each task (under each template) alike, carry their successes, denominator and 95 % interval,
and leave unscored samples out of the denominator but say what the rate would be if all of those had
failed or passed. What rests on different evidence (`basis`) is never put into one rate, and the
control arm enters none.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from evaluator.curves import Point, calls_curve, rounds_curve, tokens_curve
from evaluator.intervals import Observations, curve_intervals, difference_interval, observe
from evaluator.rates import Member, Rate, rate
from evaluator.records import AttemptRecord, Basis
from evaluator.results import HOLDOUT_FAILED, UNSCORED, Sample, accepted, outcome, samples, truncated
from evaluator.rundata import RunData

UNSCORED_LIMIT: Final = 0.02
"""Above this share of unscored samples models are not ranked."""
BASES: Final[tuple[Basis, ...]] = ("own", "model-written", "program")
_PASS_AT: Final = (2, 3, 5, 10, 20, 50, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """Success after repair minus success of the first call, in points (hundredths), same samples."""

    points: float | None
    low: float
    high: float
    n: int
    """Samples gained minus samples lost."""
    N: int
    gained: int
    lost: int
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the scored samples of a group cost. Times in seconds; None where a ratio has no meaning.

    Per solved task = total over all scored samples divided by the samples solved in the end.
    """

    samples: int
    solved: int
    calls: int
    tokens: int
    calls_without_usage: int
    """Calls whose tokens the server did not report: with any, `tokens` is a lower bound."""
    model_s: float
    sandbox_s: float

    def per_sample(self, amount: float) -> float | None:
        """Share an amount among the samples."""
        return amount / self.samples if self.samples else None

    def per_solved(self, amount: float) -> float | None:
        """Share an amount among the samples that were solved."""
        return amount / self.solved if self.solved else None


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


def groups(run: RunData, *, by: str | None = None) -> tuple[Group, ...]:
    """Compute all numbers per basis and model, and per `by` (batch, template or level) if given; sorted."""

    def key(sample: Sample) -> tuple[int, str, str]:
        return (BASES.index(sample.basis), sample.model, str(getattr(sample, by)) if by else "")

    # Batches and levels get no curves of their own: too few tasks for a band worth drawing.
    return tuple(
        group_numbers(run, tuple(members), by=by, curves=by in {None, "template"})
        for _, members in groupby(sorted(samples(run), key=key), key=key)
    )


def group_numbers(
    run: RunData, members: Sequence[Sample], *, by: str | None = None, curves: bool = True
) -> Group:
    """Compute all numbers of some samples of one model and one basis.

    Raises:
        ValueError: there are no samples, or they are of several models or bases.
    """
    if len({(member.model, member.basis) for member in members}) != 1:
        raise ValueError("a group holds samples of one model and one basis")
    scored = [member for member in members if member.scored]
    first = _first_rate(members)
    return Group(
        basis=members[0].basis,
        model=members[0].model,
        batch=members[0].batch if by == "batch" else None,
        template=members[0].template if by == "template" else None,
        levels=tuple(sorted({member.level for member in members if member.level})),
        tasks=len({member.task_id for member in members}),
        families=len({member.family for member in members}),
        planned=len(members),
        scored=len(scored),
        unscored=len(members) - len(scored),
        pass_at_1=first(lambda attempt: attempt.success),
        pass_at_k=_pass_at_ks(members),
        after_repair=rate([_member(m, hit=m.success if m.scored else None) for m in members]),
        lift=_lift(scored),
        raw_parse=first(lambda attempt: attempt.script.raw_compiles),
        clean_parse=first(_compiled),
        only_after_cleaning=first(lambda attempt: attempt.success and not attempt.script.raw_compiles),
        truncated=first(
            lambda attempt: truncated(attempt, run.completions.get(attempt.completion_key or ""))
        ),
        false_accepts=_false_accepts(scored),
        cost=_cost(scored),
        by_calls=calls_curve(scored) if curves else (),
        by_rounds=rounds_curve(scored) if curves else (),
        by_tokens=tokens_curve(scored) if curves else (),
        first_outcomes=_count(outcome(m.attempts[0]) if m.attempts else UNSCORED for m in members),
        final_outcomes=_count(member.final for member in members),
        suspicious=_count(flag for member in members for flag in member.suspicious),
        suspicious_samples=sum(bool(member.suspicious) for member in members),
        suspicious_successes=sum(_suspicious_success(member) for member in members),
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


def _compiled(attempt: AttemptRecord) -> bool:
    return attempt.shown is not None and attempt.shown.compiled.ok


def _member(sample: Sample, *, hit: bool | None) -> Member:
    return Member(hit=hit, cell=sample.cell, family=sample.family)


def _first_rate(members: Sequence[Sample]) -> Callable[[Callable[[AttemptRecord], bool]], Rate]:
    def of(holds: Callable[[AttemptRecord], bool]) -> Rate:
        return rate([_member(m, hit=holds(m.attempts[0]) if m.first_scored else None) for m in members])

    return of


def _false_accepts(scored: Sequence[Sample]) -> Rate:
    kept = [(sample, sample.held) for sample in scored]
    return rate(
        [
            _member(sample, hit=outcome(last) == HOLDOUT_FAILED)
            for sample, last in kept
            if last is not None and accepted(last)
        ]
    )


def _lift(scored: Sequence[Sample]) -> Lift:
    changes = [float(s.success) - float(s.attempts[0].success) for s in scored]
    gained, lost = changes.count(1.0), changes.count(-1.0)
    if not scored:
        return Lift(
            points=None, low=-100.0, high=100.0, n=0, N=0, gained=0, lost=0, method="none: no samples"
        )
    paired = _observed(scored, changes)
    interval = difference_interval(paired)
    return Lift(
        points=100 * paired.mean,
        low=100 * interval.low,
        high=100 * interval.high,
        n=gained - lost,
        N=len(scored),
        gained=gained,
        lost=lost,
        method=interval.method,
    )


def _observed(members: Sequence[Sample], values: Sequence[float]) -> Observations:
    return observe(values, [m.cell for m in members], [m.family for m in members])


def _cost(scored: Sequence[Sample]) -> Cost:
    spent = [one for sample in scored for one in sample.spent]
    return Cost(
        samples=len(scored),
        solved=sum(sample.success for sample in scored),
        calls=len(spent),
        tokens=sum(one.tokens or 0 for one in spent),
        calls_without_usage=sum(one.tokens is None for one in spent),
        model_s=sum(one.model_s for one in spent),
        sandbox_s=sum(one.sandbox_s for one in spent),
    )


def _suspicious_success(sample: Sample) -> bool:
    return sample.success and sample.held is not None and bool(sample.held.suspicious)


def _count(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def _pass_at_ks(members: Sequence[Sample]) -> dict[int, Rate]:
    known = [member for member in members if member.first_scored]
    draws = Counter(member.cell for member in known)
    smallest = min(draws.values()) if set(draws) == {member.cell for member in members} else 0
    return {k: _pass_at(known, k) for k in _PASS_AT if k <= smallest}


def _pass_at(known: Sequence[Sample], k: int) -> Rate:
    draws = Counter(sample.cell for sample in known)
    passes = Counter(sample.cell for sample in known if sample.attempts[0].success)
    family = {sample.cell: sample.family for sample in known}
    cells = sorted(draws)
    observed = observe(
        [pass_at_k(draws[cell], passes[cell], k) for cell in cells], cells, [family[cell] for cell in cells]
    )
    interval = curve_intervals(observed, observed.values[:, None])[0]
    return Rate(
        value=observed.mean,
        n=sum(passes.values()),
        N=len(known),
        low=interval.low,
        high=interval.high,
        method=f"unbiased pass@k, {interval.method}",
    )
