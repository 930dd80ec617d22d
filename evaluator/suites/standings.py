"""The numbers of each writer, as pure functions over a run.

Means weigh each script alike; intervals are 95 %, clustered on families of tasks.
The headline and all that stands beside it are about suites for right scripts. Suites for wrong ones have
their own numbers: there a good suite fails, and one that was mended until it passed pins the bug.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from evaluator.runs.rundata import RunData
from evaluator.statistics.intervals import Interval
from evaluator.statistics.metrics import UNSCORED_LIMIT, Group, groups
from evaluator.suites import values
from evaluator.suites.means import Mean, differences, mean, paired
from evaluator.suites.outcome import Stage
from evaluator.suites.written import Suite, Written, written

STAGES: Final = tuple(Stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bugs:
    """Suites for wrong scripts."""

    suites: int
    reveal_first: int
    """First suites with a test that fails here and passes on every right script."""
    reveal: int
    pin: int
    """Suites that held with a test that passes here and fails on a right script."""
    pass_: int
    """Suites that held and pass on the wrong script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """All numbers of one writer."""

    name: str
    baseline: bool
    rank: int | None
    planned: int
    unscored: int
    stable: Mean
    """Headline: stable mutation score of the suites that held."""
    stable_first: Mean
    at_pass: Mean
    relative: Mean
    behind: tuple[float, Interval] | None
    """Difference to the first in rank, over the same scripts; None for that one itself."""
    catches: Mean
    false_alarms: Mean
    balance: Mean
    """Catches minus false alarms (Youden's J), within -1 … 1, over scripts with wrong siblings."""
    passes: Mean
    statements: Mean
    branches: Mean
    assertion_share: float | None
    vacuous_share: float | None
    needed_share: float | None
    tests: int
    mutants: int
    killed: int
    kills: dict[str, int]
    funnel: dict[str, int]
    """Suites that came through each stage and all before it."""
    outcomes: dict[str, int]
    first_outcomes: dict[str, int]
    flaky: int
    unhermetic: int
    bugs: Bugs | None
    calls: dict[str, int]
    """By kind."""
    tokens: int | None
    tokens_per_kill: float | None
    model_s: float
    sandbox_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Suites of one writer for the scripts of one author."""

    author: str
    writer: str
    suites: int
    stable: Mean
    passes: int
    bugs: Bugs | None


def writers(run: RunData) -> tuple[Writer, ...]:
    """Compute everything; best first."""
    if "writers" not in run.derived:
        run.derived["writers"] = _ranked(run)
    known: tuple[Writer, ...] = run.derived["writers"]
    return known


def why_unranked(run: RunData) -> str:
    """Say why there are no ranks; empty if there are."""
    listed = writers(run)
    over = [each for each in listed if _over(each)]
    if over:
        names = ", ".join(f"{each.name} {each.unscored}/{each.planned}" for each in over)
        return f"Not ranked: more than {UNSCORED_LIMIT:.0%} of the suites are unscored ({names})."
    if any(each.stable.value is not None for each in listed):
        return ""
    if not any(subject.right for subject in run.manifest.subjects):
        return "Not ranked: none of the scripts is a right solution."
    return "Not ranked: nothing was scored."


def matrix(run: RunData) -> tuple[Pair, ...]:
    """Pair authors with writers; empty where all scripts have one author."""
    suites = written(run)
    authors = sorted({author for each in suites for author in each.subject.authors})
    if len(authors) < 2:  # noqa: PLR2004 - one author is no matrix
        return ()
    names = [each.name for each in writers(run)]
    return tuple(
        _pair(author, name, [w for w in suites if w.writer == name and author in w.subject.authors])
        for author in authors
        for name in names
    )


def _pair(author: str, writer: str, theirs: Sequence[Written]) -> Pair:
    right = [each for each in theirs if each.subject.right]
    return Pair(
        author=author,
        writer=writer,
        suites=len(theirs),
        stable=mean(right, values.stable),
        passes=sum(values.passes(each.final) == 1 for each in right),
        bugs=_bugs([each for each in theirs if not each.subject.right]),
    )


def _ranked(run: RunData) -> tuple[Writer, ...]:
    costs = {group.model: group for group in groups(run)}
    by_writer: dict[str, list[Written]] = {model.label: [] for model in run.manifest.models}
    for each in written(run):
        by_writer.setdefault(each.writer, []).append(each)
    order = sorted(
        by_writer, key=lambda name: (-_or(mean(_right(by_writer[name]), values.stable).value), name)
    )
    best = by_writer[order[0]] if order else []
    listed = [
        _writer(run, name, by_writer[name], costs.get(name), best if name != order[0] else None)
        for name in order
    ]
    if any(_over(each) for each in listed):
        return tuple(listed)
    scores = [_or(each.stable.value) for each in listed]
    return tuple(
        replace(each, rank=None if each.stable.value is None else scores.index(score) + 1)
        for each, score in zip(listed, scores, strict=True)
    )


def _over(writer: Writer) -> bool:
    return (
        bool(writer.planned)
        and 0 < writer.unscored < writer.planned
        and (writer.unscored / writer.planned > UNSCORED_LIMIT)
    )


def _or(value: float | None) -> float:
    return -1.0 if value is None else round(value, 9)


def _right(theirs: Sequence[Written]) -> list[Written]:
    return [each for each in theirs if each.subject.right]


def _writer(
    run: RunData, name: str, theirs: Sequence[Written], cost: Group | None, best: Sequence[Written] | None
) -> Writer:
    right = _right(theirs)
    finals = [each.final for each in right if each.final.scored]
    scores = [suite.score for suite in finals if suite.score]
    killed = sum(each.mutation["killed"] for each in scores)
    kills = sum((Counter(each.mutation["kills"]) for each in scores), Counter[str]())
    tests = sum(each.economy["tests"] for each in scores)
    calls = Counter(str(attempt.kind) for each in theirs for attempt in each.attempts)
    tokens = cost.cost.tokens if cost and cost.cost.calls_without_usage == 0 else None
    return Writer(
        name=name,
        baseline=name in run.manifest.baselines,
        rank=None,
        planned=len(theirs),
        unscored=sum(not each.final.scored for each in theirs),
        stable=mean(right, values.stable),
        stable_first=mean(right, values.stable, first=True),
        at_pass=mean(right, lambda suite: values.mutation(suite, "score_at_pass")),
        relative=mean(right, lambda suite: values.mutation(suite, "relative_to_pool")),
        behind=None if best is None else paired(right, _right(best), values.stable),
        catches=mean(right, values.catches),
        false_alarms=mean(right, values.alarms),
        balance=mean(right, values.balance, within=differences),
        passes=mean(right, values.passes),
        statements=mean(right, lambda suite: values.coverage(suite, "statement_rate")),
        branches=mean(right, lambda suite: values.coverage(suite, "branch_rate")),
        assertion_share=_share(kills["assertion"], killed),
        vacuous_share=_share(
            sum(len(each.vacuity["vacuous"]) for each in scores),
            sum(each.vacuity["tests"] for each in scores),
        ),
        needed_share=_share(sum(len(each.economy["needed"]) for each in scores), tests),
        tests=tests,
        mutants=sum(each.mutation["mutants"] for each in scores),
        killed=killed,
        kills=dict(sorted(kills.items())),
        funnel={
            str(stage): sum(STAGES.index(suite.reached) >= number for suite in finals)
            for number, stage in enumerate(STAGES)
        },
        outcomes=_counted(each.final for each in right),
        first_outcomes=_counted(each.first for each in right),
        flaky=sum(bool(each.stability["flaky"]) for each in scores),
        unhermetic=sum(not each.hermeticity["hermetic"] for each in scores),
        bugs=_bugs([each for each in theirs if not each.subject.right]),
        calls=dict(sorted(calls.items())),
        tokens=tokens,
        tokens_per_kill=None if tokens is None or not killed else tokens / killed,
        model_s=cost.cost.model_s if cost else 0.0,
        sandbox_s=_sandbox_s(theirs),
    )


def _counted(suites: Iterable[Suite]) -> dict[str, int]:
    return dict(sorted(Counter(suite.outcome for suite in suites).items()))


def _sandbox_s(theirs: Sequence[Written]) -> float:
    results = [attempt.shown for each in theirs for attempt in each.attempts if attempt.shown]
    for each in theirs:
        # Where the first suite held there is one record.
        for record in {id(s.record): s.record for s in (each.first, each.final) if s.record}.values():
            results += [record.main] if record.main else []
            results += [*record.other_seeds, *(sibling.result for sibling in record.siblings)]
    return round(sum(result.wall_s for result in results), 3)


def _bugs(theirs: Sequence[Written]) -> Bugs | None:
    known = [each for each in theirs if each.final.scored]
    if not known:
        return None
    return Bugs(
        suites=len(known),
        reveal_first=sum(each.first.reveals for each in known),
        reveal=sum(each.final.reveals for each in known),
        pin=sum(each.final.pins for each in known),
        pass_=sum(values.passes(each.final) == 1 for each in known),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
