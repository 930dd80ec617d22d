"""Samples as rows: every planned draw of the repair arm, what became of it, and what it cost."""

from typing import Final

import polars as pl

from evaluator.runs.results import UNSCORED
from evaluator.statistics.ledger import Ledger, text
from repair.llm import Arm

DRAW: Final = ("model", "task_id", "template", "sample")
_PLANNED: Final = pl.Schema(
    {"model": pl.String, "task_id": pl.String, "template": pl.String, "sample": pl.Int64}
)
_TASKS: Final = pl.Schema(
    {
        "task_id": pl.String,
        "task_batch": pl.String,
        "task_family": pl.String,
        "task_basis": pl.String,
        "task_level": pl.String,
    }
)


def tables(ledger: Ledger) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give the draws and the attempts of the repair arm, the latter with `cell`, `family_no`, `scored`."""
    if "tables" not in ledger.derived:
        attempts = attempts_of(ledger)
        draws = draws_of(ledger, attempts)
        ledger.derived["tables"] = (draws, _placed(attempts, draws))
    found: tuple[pl.DataFrame, pl.DataFrame] = ledger.derived["tables"]
    return found


def _placed(attempts: pl.DataFrame, draws: pl.DataFrame) -> pl.DataFrame:
    """Give attempts what is known of their draw."""
    of_draws = draws.select("sid", "cell", "family_no", "scored", "batch").drop_nulls("sid").sort("sid")
    if len(of_draws) != attempts["first"].sum():  # a draw that is planned twice
        return attempts.join(of_draws, on="sid", maintain_order="left")
    # Both are sorted by trajectory: quicker than a join.
    rows = attempts.select(pl.col("first").cast(pl.UInt32).cum_sum() - 1).to_series()
    return attempts.hstack(of_draws.drop("sid")[rows])


def attempts_of(ledger: Ledger) -> pl.DataFrame:
    """Give the attempts of the repair arm with the state that each left behind.

    `held` is whether the script that holds after the attempt is a success: the last that was not taken back.
    `delta` is its change, `position` counts calls beyond the first, `rounds` repair rounds.
    """
    rows = ledger.attempts
    if len(rows) and (rows["arm"] != str(Arm.REPAIR)).any():
        rows = rows.filter(pl.col("arm") == str(Arm.REPAIR))
    rows = rows.with_columns(
        # Sums over the whole table, less what stood before the trajectory: quicker than sums per group.
        number=pl.int_range(pl.len()),
        all_rounds=pl.col("round").cast(pl.Int64).cum_sum(),
        all_tokens=pl.col("tokens").cum_sum(),
        before_tokens=pl.col("tokens").fill_null(0).cum_sum() - pl.col("tokens").fill_null(0),
    )
    held = pl.when("holds").then(pl.col("success")).when("first").then(pl.lit(value=False))
    return (
        rows.with_columns(
            held=held.forward_fill(),
            position=pl.col("number") - _at_first("number"),
            rounds=pl.col("all_rounds") - _at_first("all_rounds"),
            tokens_so_far=pl.col("all_tokens") - _at_first("before_tokens"),
        )
        .with_columns(before=pl.when(~pl.col("first")).then(pl.col("held").shift()).fill_null(value=False))
        .with_columns(delta=pl.col("held").cast(pl.Int64) - pl.col("before").cast(pl.Int64))
        .drop("number", "all_rounds", "all_tokens", "before_tokens")
    )


def _at_first(name: str) -> pl.Expr:
    return pl.when("first").then(pl.col(name)).forward_fill()


def draws_of(ledger: Ledger, attempts: pl.DataFrame) -> pl.DataFrame:
    """List every planned and every recorded draw, sorted; `cell` and `family_no` number their tasks."""
    recorded = attempts.group_by("sid", maintain_order=True).agg(
        *(pl.col(name).first() for name in (*DRAW, "basis", "level")),
        first_unscored=pl.col("unscored").first(),
        any_unscored=pl.col("unscored").any(),
        ended=pl.col("ended").last(),
        first_outcome=pl.col("outcome").first(),
        held_outcome=pl.col("outcome").filter("holds").last(),
        last_outcome=pl.col("outcome").last(),
        first_success=pl.col("success").first(),
        success=pl.col("held").last(),
        held_accepted=(pl.col("shown_passed") & pl.col("holdout_passed").is_not_null())
        .filter("holds")
        .last(),
        flaky=pl.col("flaky").filter("holds").last(),
        raw_compiles=pl.col("raw_compiles").first(),
        compiled=pl.col("compiled").first(),
        truncated=pl.col("truncated").first(),
        reply=pl.col("reply").first(),
        cold=pl.col("cold").first(),
        calls=pl.len(),
        tokens=pl.col("tokens").sum(),
        no_usage=pl.col("tokens").null_count(),
        repair_tokens=pl.col("tokens").slice(1).sum(),
        model_s=pl.col("model_s").sum(),
        sandbox_s=pl.col("sandbox_s").sum(),
        held_suspicious=(pl.col("suspicious").list.len() > 0).filter("holds").last(),
    )
    recorded = recorded.join(_suspicious(attempts), on="sid", how="left").with_columns(
        pl.col("suspicious").fill_null([])
    )
    known = _planned(ledger).join(recorded.select(DRAW), on=DRAW, how="full", coalesce=True)
    draws = known.join(recorded, on=DRAW, how="left").join(_tasks(ledger), on="task_id", how="left")
    return _numbered(draws.with_columns(_described()).sort(DRAW))


def _suspicious(attempts: pl.DataFrame) -> pl.DataFrame:
    """Give the flags of trajectories that have any: few rows among many."""
    flags = pl.col("suspicious").list.explode(keep_nulls=False, empty_as_null=False)
    return (
        attempts.lazy()
        .select("sid", "suspicious")
        .filter(pl.col("suspicious").list.len() > 0)
        .group_by("sid")
        .agg(flags.unique().sort())
        .collect()
    )


def _described() -> list[pl.Expr]:
    first_scored = pl.col("first_unscored").eq(other=False).fill_null(value=False)
    scored = pl.col("ended").fill_null(value=False) & ~pl.col("any_unscored").fill_null(value=True)
    final = pl.coalesce("held_outcome", "last_outcome")
    return [
        pl.coalesce("task_batch", pl.col("task_id").str.split("/").list.first()).alias("batch"),
        pl.coalesce("task_family", "task_id").alias("family"),
        pl.coalesce("basis", "task_basis", pl.lit("own")).alias("basis"),
        pl.coalesce("level", "task_level", pl.lit("")).alias("level"),
        first_scored.alias("first_scored"),
        scored.alias("scored"),
        pl.col("first_outcome").fill_null(UNSCORED),
        pl.when(scored).then(final).otherwise(pl.lit(UNSCORED)).alias("final"),
    ]


def _numbered(draws: pl.DataFrame) -> pl.DataFrame:
    cells = draws.select("task_id", "template").unique(maintain_order=True).with_row_index("cell")
    families = draws.select("family").unique(maintain_order=True).with_row_index("family_no")
    return draws.join(cells, on=["task_id", "template"]).join(families, on="family").sort(DRAW)


def _planned(ledger: Ledger) -> pl.DataFrame:
    manifest = ledger.manifest
    if manifest.draws:
        rows = [(text(d.model), text(d.task_id), text(d.template), d.sample) for d in manifest.draws]
        return pl.DataFrame(rows, schema=_PLANNED, orient="row")
    # What `Manifest.planned` yields, a column at a time: of a million draws none is ever an object.
    named = {
        "model": [text(model.label) for model in manifest.models],
        "task_id": [text(task.task_id) for task in manifest.tasks],
        "template": [text(template) for template in manifest.templates],
        "sample": list(range(manifest.samples)),
    }
    first, *others = (pl.DataFrame({name: values}, {name: _PLANNED[name]}) for name, values in named.items())
    for other in others:
        first = first.join(other, how="cross")
    return first


def _tasks(ledger: Ledger) -> pl.DataFrame:
    rows = [
        (
            text(task.task_id),
            text(task.batch),
            text(task.family) or None,
            str(task.basis),
            None if task.level is None else str(task.level),
        )
        for task in ledger.manifest.tasks
    ]
    return pl.DataFrame(rows, schema=_TASKS, orient="row")
