"""What repairs do: the funnel by round, the yield by class of failure, what they break, what they repeat."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from evaluator.statistics.failures import CLASSES
from evaluator.statistics.rates import Rate, pooled, rate

STAGES: Final = ("replied", "extracted", "compiled", "ran", "shown passed", "success")
_STAGE_COLUMNS: Final = ("replied", "has_code", "compiled", "ran", "shown_passed", "success")
_NEEDED: Final = (
    *_STAGE_COLUMNS,
    *("sid", "cell", "family_no", "position", "first", "last", "before", "held", "holds", "failure", "mark"),
    *("holdout_passed", "passed_tests"),
)
_MOST_CALLS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Of the calls with one number, how many came so far; stages in the order of STAGES."""

    call_no: int
    asked: int
    reached: dict[str, Rate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Yield:
    """What became of attempts that failed in one way and were followed by another call."""

    failure: str
    mended: Rate
    """Of the calls that followed: those whose script is a success."""
    mended_at_once: Rate
    """The same for failures of the first call alone."""
    no_script: int
    """Of the calls that followed: those whose reply held no script, which is no failure to repair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repairs:
    """Everything about calls beyond the first, over scored samples."""

    funnel: tuple[Stage, ...]
    yields: tuple[Yield, ...]
    """By class of failure, in the order of `failures.CLASSES`; only classes that occurred."""
    well_formed: Rate
    """Of all replies: those from which a script could be extracted."""
    regressions: Rate
    """Of scripts that came after another: those that fail a shown test which the one held then passes.

    They are taken back: the one before still stands. (Runs of before this was so let them stand.)
    """
    lost: Rate
    """Of calls after a success: those after which what held was none any more."""
    no_op: Rate
    """Of scripts that came after another: those that are the one held then, layout and comments aside."""
    cycles: Rate
    """Of scripts that came after another: those that were there before, at any call."""
    false_rejects: Rate
    """Of final scripts that fail what is shown: those that pass the holdout, where it was run at all."""


def repair_numbers(attempts: pl.DataFrame) -> Repairs:
    """Compute them from the attempts of scored samples (see `evaluator.statistics.draws.attempts_of`)."""
    attempts = attempts.select(_NEEDED)  # every filter copies what it keeps
    moves = _moves(attempts)
    replaced = moves.filter(pl.col("has_code") & pl.col("old_mark").is_not_null())
    final = attempts.filter(pl.col("last") & ~pl.col("shown_passed") & pl.col("holdout_passed").is_not_null())
    return Repairs(
        funnel=tuple(_funnel(attempts)),
        yields=tuple(_yields(moves)),
        well_formed=pooled(attempts.filter("replied"), pl.col("has_code")),
        regressions=pooled(replaced, pl.col("breaks") | ~pl.col("holds")),
        lost=pooled(moves.filter("before"), ~pl.col("held")),
        no_op=pooled(replaced, pl.col("mark") == pl.col("old_mark")),
        cycles=pooled(replaced, pl.col("seen")),
        false_rejects=rate(final, pl.col("holdout_passed")),
    )


def _moves(attempts: pl.DataFrame) -> pl.DataFrame:
    """Give calls beyond the first, each with what failed before it and which script held then."""
    number = pl.int_range(pl.len())
    rows = attempts.with_columns(
        # What a call is asked to mend: where a script was taken back, the failure of the one that stands.
        failed_before=pl.when(pl.col("holds") | ~pl.col("has_code"))
        .then(pl.col("failure"))
        .forward_fill()
        .shift(),
        # The row of the script that held before: of this trajectory, or of none.
        old=pl.when("holds").then(number).forward_fill().shift(),
        begin=pl.when("first").then(number).forward_fill(),
        # Scripts are compared among themselves; where there is none each row is its own.
        seen=pl.col("has_code") & ~pl.struct("sid", "mark", "has_code").is_first_distinct(),
    )
    moves = rows.filter(~pl.col("first"))
    old = moves.select(pl.when(pl.col("old") >= pl.col("begin")).then(pl.col("old"))).to_series()
    marks, passed = attempts["mark"].gather(old), attempts["passed_tests"].gather(old)
    moves = moves.with_columns(marks.alias("old_mark"), passed.alias("old_passed"))
    kept = pl.col("old_passed").list.set_difference("passed_tests")
    return moves.with_columns(breaks=kept.list.len() > 0)


def _funnel(attempts: pl.DataFrame) -> list[Stage]:
    stages = attempts.lazy().select(*_STAGE_COLUMNS, "family_no", "position")
    parts = stages.filter(pl.col("position") < _MOST_CALLS).collect().partition_by("position", as_dict=True)
    return [
        Stage(
            call_no=int(str(call_no)),
            asked=len(rows),
            reached={
                stage: pooled(rows, pl.col(column))
                for stage, column in zip(STAGES, _STAGE_COLUMNS, strict=True)
            },
        )
        for (call_no,), rows in sorted(parts.items(), key=lambda item: int(str(item[0][0])))
    ]


def _yields(moves: pl.DataFrame) -> list[Yield]:
    followed = moves.select("failed_before", "family_no", "success", "has_code", "position")
    parts = followed.partition_by("failed_before", as_dict=True)
    return [
        Yield(
            failure=failure,
            mended=pooled(rows, pl.col("success")),
            mended_at_once=pooled(rows.filter(pl.col("position") == 1), pl.col("success")),
            no_script=rows.filter(~pl.col("has_code")).height,
        )
        for failure in CLASSES
        if (rows := parts.get((failure,))) is not None
    ]
