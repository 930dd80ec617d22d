"""Repair against asking again: the control arm's fresh draws, cut off where the repair arm stopped.

For each sample of the repair arm there is a trajectory of the control arm with the same name, whose
attempts are independent draws in the order of their calls. It is cut at as many calls as the repair
took, and at as many tokens. The fair choice takes the first draw that passes the shown tests, which is
all that a user could know; the oracle choice knows the holdout and takes a success wherever there is one.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from evaluator.statistics.differences import Lift, lift
from evaluator.statistics.draws import DRAW
from evaluator.statistics.ledger import Ledger
from evaluator.statistics.rates import Rate, rate
from repair.llm import Arm

BUDGETS: Final = ("calls", "tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualBudget:
    """What fresh draws achieve for what repair spent on the same samples."""

    fair: Rate
    oracle: Rate
    advantage: Lift
    """Success after repair minus the fair choice."""
    advantage_over_oracle: Lift
    censored: int
    """Samples where the control arm has fewer draws than the budget would buy and none of them passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The control arm of one group."""

    samples: int
    """Scored samples of the repair arm that have a control."""
    draws: int
    """Calls of the control arm on them."""
    tokens: int
    """Prompt and completion of those; a lower bound where a server reported no usage."""
    by_calls: EqualBudget
    by_tokens: EqualBudget | None
    """None where a server reported no usage."""


def control_numbers(ledger: Ledger, scored: pl.DataFrame) -> Control | None:
    """Compare scored draws of the repair arm with their controls; None where there are none."""
    rows = ledger.attempts.filter(pl.col("arm") == str(Arm.CONTROL))
    draws = scored.select(*DRAW, "cell", "family_no", "success", "calls", "tokens", "no_usage")
    paired = rows.join(
        draws.rename({"calls": "budget_calls", "tokens": "budget_tokens", "success": "repaired"}),
        on=DRAW,
        how="inner",
        maintain_order="left",
    )
    if not len(paired):
        return None
    paired = paired.with_columns(
        position=pl.int_range(pl.len()).over("sid"), so_far=pl.col("tokens").cum_sum().over("sid")
    )
    with_usage = not paired["tokens"].null_count() and not paired["no_usage"].sum()
    return Control(
        samples=paired["sid"].n_unique(),
        draws=len(paired),
        tokens=int(paired["tokens"].sum()),
        by_calls=_equal(paired, pl.col("position") < pl.col("budget_calls"), _calls_left()),
        by_tokens=_equal(paired, _affordable(), _tokens_left()) if with_usage else None,
    )


def _affordable() -> pl.Expr:
    return (pl.col("so_far") <= pl.col("budget_tokens")) | (pl.col("position") == 0)


def _calls_left() -> pl.Expr:
    return pl.len() < pl.col("budget_calls").first()


def _tokens_left() -> pl.Expr:
    return pl.col("so_far").last() + pl.col("tokens").mean() <= pl.col("budget_tokens").first()


def _equal(paired: pl.DataFrame, within: pl.Expr, left: pl.Expr) -> EqualBudget:
    passing = pl.col("success").filter(within & pl.col("shown_passed"))
    # A draw that was never made, or that we failed to judge, leaves the comparison open.
    judged = pl.col("ended").last() & ~pl.col("unscored").filter(within).any()
    each = paired.group_by("sid", maintain_order=True).agg(
        pl.col("cell").first(),
        pl.col("family_no").first(),
        pl.col("repaired").first(),
        judged=judged,
        fair=passing.first().fill_null(value=False),
        oracle=passing.any(),
        censored=left & (passing.len() == 0),
    )
    each = each.with_columns(
        fair=pl.when("judged").then(pl.col("fair")), oracle=pl.when("judged").then(pl.col("oracle"))
    )
    return EqualBudget(
        fair=rate(each, pl.col("fair")),
        oracle=rate(each, pl.col("oracle")),
        advantage=lift(each, "fair", "repaired"),
        advantage_over_oracle=lift(each, "oracle", "repaired"),
        censored=each.filter(pl.col("judged") & pl.col("censored")).height,
    )
