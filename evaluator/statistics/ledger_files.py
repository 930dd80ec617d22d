"""The table of a run straight from its files: polars reads the lines, no record is ever made.

Falls back on the records where polars cannot read a line (a lone surrogate, a broken line): they say
what is wrong with it, and where.
"""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import polars as pl

from evaluator.runs.journal import ATTEMPTS, COMPLETIONS, load_run, read_manifest
from evaluator.runs.records import SCHEMA_VERSION
from evaluator.runs.results import HOLDOUT_FAILED, HOLDOUT_NOT_RUN, UNSCORED
from evaluator.statistics.failures import EXCEPTION, OF_EXCEPTION, OF_VERDICT
from evaluator.statistics.ledger import RAN, ROWS, Ledger, ledger_of, standing
from evaluator.statistics.lines import WHOLE, Part, cut, decoded, lines_of
from repair.llm import CallKind
from repair.outcome import Verdict
from repair.script import CleanOutcome
from sandbox.types import TestOutcome
from sandbox.verdict import RunVerdict

_FIRST: Final = pl.Struct(
    {
        **dict.fromkeys(("arm", "model", "task_id", "template", "kind", "basis", "level"), pl.String),
        **dict.fromkeys(("sample", "call_no"), pl.Int64),
        **dict.fromkeys(("completion_key", "reply_sha256", "verdict", "holdout_verdict", "stop"), pl.String),
        "script": pl.Struct(
            {
                "sha256": pl.String,
                "syntax_sha256": pl.String,
                "outcome": pl.String,
                "raw_compiles": pl.Boolean,
                "edits": pl.List(pl.Struct({"rule": pl.String})),
            }
        ),
        "has_holdout": pl.Boolean,
        "taken_back": pl.Boolean,
        "rechecks": pl.List(pl.Struct({"verdict": pl.String})),
        "flags": pl.List(pl.String),
        "suspicious": pl.List(pl.String),
    }
)
_SHOWN: Final = pl.Struct(
    {
        "wall_s": pl.Float64,
        "compiled": pl.Struct({"ok": pl.Boolean}),
        "exception": pl.Struct({"exc_type": pl.String}),
        "tests": pl.List(pl.Struct({"id": pl.String, "outcome": pl.String, "exc_type": pl.String})),
    }
)
_REPLY: Final = pl.Struct(
    {
        "key": pl.String,
        "finish_reason": pl.String,
        "capped": pl.Boolean,
        "prompt_tokens": pl.Int64,
        "completion_tokens": pl.Int64,
        "seconds": pl.Float64,
        "sampling": pl.Struct({"temperature": pl.Float64}),
    }
)
_MAY_BE_NULL: Final = (
    "completion_key",
    "holdout_verdict",
    "stop",
    "prompt_tokens",
    "completion_tokens",
    "exception",
)


def _part(shape: pl.Struct, **where: Any) -> Part:
    names = [field.name for field in shape.fields]
    return Part(
        shape=shape,
        written=tuple(name for name in names if name not in _MAY_BE_NULL),
        nullable=tuple(name for name in names if name in _MAY_BE_NULL),
        **where,
    )


BEGIN: Final = f'{{"schema_version":{SCHEMA_VERSION},'
ATTEMPT_PARTS: Final = (
    _part(
        _FIRST,
        name="first",
        after=',"model":',
        opening='{"model":',
        until=',"compiles":',
        closing="}}",
        within="script",
    ),
    _part(_SHOWN, name="shown", after=',"shown":', until=',"job_id":', closing="}", optional=True),
    _part(
        pl.Struct({"wall_s": pl.Float64}),
        name="holdout",
        after=',"holdout":',
        until=',"compiled":',
        closing="}",
        optional=True,
    ),
)
REPLY_PARTS: Final = (
    _part(_REPLY, name="reply", after=',"key":', opening='{"key":', until=',"first_token_s":', closing="}"),
)
_OURS: Final = tuple(str(verdict) for verdict in Verdict if verdict.ours)


def read_ledger(folder: Path) -> Ledger:
    """Read the table of a run.

    Raises:
        JournalProblem: the folder is no run, or a line cannot be read.
        RunIncompatible: another schema version wrote it.
    """
    manifest = read_manifest(folder)
    for read in (_parts_of_lines, _whole_lines):
        with contextlib.suppress(_NotThisWay, pl.exceptions.PolarsError):
            return Ledger(manifest=manifest, attempts=standing(_table(folder, read)))
    return ledger_of(load_run(folder))


class _NotThisWay(Exception):
    """Lines of another order, or of another schema version: the next way, and in the end the records."""


_Read: TypeAlias = Callable[[Path, Sequence[Part]], pl.LazyFrame | None]


def _parts_of_lines(path: Path, parts: Sequence[Part]) -> pl.LazyFrame | None:
    """Read only what stands before the long texts of each line."""
    lines = lines_of(path)
    if lines is None:
        return None
    # Neither shall a million lines be read to see that they are of before, nor the torn file into memory.
    if not cut(lines.head(1), parts, BEGIN).collect(engine="streaming")[WHOLE].all():
        raise _NotThisWay
    return cut(lines, parts, BEGIN).unnest(parts[0].name).with_columns(schema_version=SCHEMA_VERSION)


def _whole_lines(path: Path, parts: Sequence[Part]) -> pl.LazyFrame | None:
    """Read lines whose fields stand in any order."""
    lines, (first, *others) = lines_of(path), parts
    version = pl.Field("schema_version", pl.Int64)
    shape = pl.Struct([version, *first.shape.fields, *(pl.Field(part.name, part.shape) for part in others)])
    return None if lines is None else decoded(lines, shape).with_columns(pl.lit(value=True).alias(WHOLE))


def _table(folder: Path, read: _Read) -> pl.DataFrame:
    attempts, completions = read(folder / ATTEMPTS, ATTEMPT_PARTS), read(folder / COMPLETIONS, REPLY_PARTS)
    if attempts is None:
        return ROWS.to_frame()
    key = pl.col("completion_key")
    named = attempts.with_columns(completion=pl.when(key.is_not_null()).then(key.hash())).drop(
        "completion_key"
    )
    wanted = ["schema_version", WHOLE, "completion", *(name for name in ROWS if name not in _OF_REPLY)]
    rows = named.with_columns(_judged()).with_columns(_derived()).select(wanted).collect(engine="streaming")
    replies = _replies(completions) if completions is not None else _NO_REPLIES
    for frame in (rows, replies):
        if {*frame["schema_version"].unique()} - {SCHEMA_VERSION} or not frame[WHOLE].all():
            raise _NotThisWay
    replies = replies.drop("schema_version", WHOLE).unique("completion", keep="last", maintain_order=True)
    return rows.join(replies, on="completion", how="left", maintain_order="left").select(_spent())


_OF_REPLY: Final = ("tokens", "model_s", "cold")


_NO_REPLIES: Final = pl.DataFrame(
    schema={
        "completion": pl.UInt64,
        "schema_version": pl.Int64,
        WHOLE: pl.Boolean,
        "cut": pl.Boolean,
        "cold": pl.Boolean,
        "tokens": pl.Int64,
        "seconds": pl.Float64,
    }
)


def _replies(completions: pl.LazyFrame) -> pl.DataFrame:
    short = (pl.col("finish_reason") == "length").fill_null(value=False) | pl.col("capped").fill_null(
        value=False
    )
    return completions.select(
        pl.col("key").hash().alias("completion"),
        "schema_version",
        WHOLE,
        short.alias("cut"),
        (pl.col("sampling").struct.field("temperature") == 0).alias("cold"),
        (pl.col("prompt_tokens") + pl.col("completion_tokens")).alias("tokens"),
        pl.col("seconds").fill_null(0.0),
    ).collect(engine="streaming")


def _judged() -> list[pl.Expr]:
    holdout, verdict = pl.col("holdout_verdict"), pl.col("verdict")
    ours = verdict.is_in(_OURS) | (holdout == str(RunVerdict.SANDBOX_ERROR)).fill_null(value=False)
    passed = verdict == str(Verdict.PASSED)
    held_out = (holdout == str(RunVerdict.PASSED)).fill_null(value=False)
    tests = pl.col("shown").struct.field("tests")
    good = pl.element().struct.field("outcome") == str(TestOutcome.PASSED)
    failed = tests.list.eval(pl.element().filter(~good).struct.field("exc_type"))
    return [
        ours.alias("unscored"),
        passed.alias("shown_passed"),
        (passed & (held_out | ~pl.col("has_holdout").fill_null(value=False))).alias("success"),
        pl.coalesce(
            pl.col("shown").struct.field("exception").struct.field("exc_type"), failed.list.first()
        ).alias("exc_type"),
        tests.list.eval(pl.element().filter(good).struct.field("id").hash())
        .fill_null(pl.lit([], dtype=pl.List(pl.UInt64)))
        .alias("passed_tests"),
        (
            pl.col("shown").struct.field("wall_s").fill_null(0.0)
            + pl.col("holdout").struct.field("wall_s").fill_null(0.0)
        ).alias("sandbox_s"),
    ]


def _derived() -> list[pl.Expr]:
    holdout, verdict, script = pl.col("holdout_verdict"), pl.col("verdict"), pl.col("script").struct
    only_shown = pl.col("shown_passed") & ~pl.col("success")
    words = (
        pl.when("unscored")
        .then(pl.lit(UNSCORED))
        .when(only_shown & holdout.is_null())
        .then(pl.lit(HOLDOUT_NOT_RUN))
        .when(only_shown)
        .then(pl.lit(HOLDOUT_FAILED))
        .otherwise(verdict)
    )
    by_exception = pl.col("exc_type").replace_strict(OF_EXCEPTION, default=EXCEPTION)
    heard = pl.col("has_holdout").fill_null(value=False) & holdout.is_not_null() & ~pl.col("unscored")
    syntax = script.field("syntax_sha256").fill_null("")
    outcome = pl.element().struct.field("verdict")
    again = pl.col("rechecks").list.eval(
        (outcome == str(RunVerdict.PASSED)).filter(outcome != str(RunVerdict.SANDBOX_ERROR))
    )
    other = pl.lit(value=False)
    return [
        pl.col("reply_sha256").hash().alias("reply"),
        words.alias("outcome"),
        verdict.replace_strict(OF_VERDICT, default=by_exception).alias("failure"),
        (pl.col("shown").struct.field("compiled").is_not_null() & verdict.is_in(RAN)).alias("ran"),
        pl.when(again.list.len() > 0).then(again.list.contains(other)).alias("flaky"),
        pl.when(heard).then(holdout == str(RunVerdict.PASSED)).alias("holdout_passed"),
        pl.col("kind").is_in([str(CallKind.REPAIR), str(CallKind.FRESH)]).alias("round"),
        pl.col("completion").is_not_null().alias("replied"),
        (script.field("outcome") != str(CleanOutcome.NO_CODE)).alias("has_code"),
        (
            (script.field("outcome") != str(CleanOutcome.NO_CODE))
            & ~pl.col("taken_back").fill_null(value=False)
        ).alias("holds"),
        pl.when(syntax == "").then(script.field("sha256")).otherwise(syntax).hash().alias("mark"),
        script.field("outcome").alias("cleaned"),
        script.field("edits")
        .list.eval(pl.element().struct.field("rule"))
        .fill_null(pl.lit([], dtype=pl.List(pl.String)))
        .alias("rules"),
        script.field("raw_compiles").fill_null(value=False).alias("raw_compiles"),
        pl.col("shown").struct.field("compiled").struct.field("ok").fill_null(value=False).alias("compiled"),
        pl.col("stop").is_not_null().alias("ended"),
        (
            pl.col("flags").list.contains("reply_truncated").fill_null(value=False)
            | (verdict == str(Verdict.TRUNCATED))
        ).alias("truncated"),
        pl.col("suspicious").fill_null(pl.lit([], dtype=pl.List(pl.String))),
    ]


def _spent() -> list[pl.Expr]:
    extra = {
        "truncated": pl.col("truncated") | pl.col("cut").fill_null(value=False),
        "model_s": pl.col("seconds").fill_null(0.0),
        "cold": pl.col("cold").fill_null(value=False),
    }
    return [extra.get(name, pl.col(name)).cast(kind).alias(name) for name, kind in ROWS.items()]
