"""The table of a run straight from its files: polars reads the lines, no record is ever made.

Falls back on the records where polars cannot read a line (a lone surrogate, a broken line): they say
what is wrong with it, and where.
"""

from pathlib import Path
from typing import Final

import polars as pl

from evaluator.runs.journal import ATTEMPTS, COMPLETIONS, load_run, read_manifest
from evaluator.runs.records import SCHEMA_VERSION
from evaluator.runs.results import HOLDOUT_FAILED, HOLDOUT_NOT_RUN, UNSCORED
from evaluator.statistics.failures import EXCEPTION, OF_EXCEPTION, OF_VERDICT
from evaluator.statistics.ledger import RAN, ROWS, Ledger, ledger_of, standing
from repair.llm import CallKind
from repair.outcome import Verdict
from repair.script import CleanOutcome
from sandbox.types import TestOutcome
from sandbox.verdict import RunVerdict

_TEST: Final = pl.Struct({"id": pl.String, "outcome": pl.String, "exc_type": pl.String})
_SHOWN: Final = pl.Struct(
    {
        "wall_s": pl.Float64,
        "compiled": pl.Struct({"ok": pl.Boolean}),
        "exception": pl.Struct({"exc_type": pl.String}),
        "tests": pl.List(_TEST),
    }
)
_ATTEMPT: Final = pl.Struct(
    {
        "schema_version": pl.Int64,
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
        "shown": _SHOWN,
        "holdout": pl.Struct({"wall_s": pl.Float64}),
        "has_holdout": pl.Boolean,
        "taken_back": pl.Boolean,
        "rechecks": pl.List(pl.Struct({"verdict": pl.String})),
        "flags": pl.List(pl.String),
        "suspicious": pl.List(pl.String),
    }
)
_COMPLETION: Final = pl.Struct(
    {
        "schema_version": pl.Int64,
        "key": pl.String,
        "finish_reason": pl.String,
        "capped": pl.Boolean,
        "prompt_tokens": pl.Int64,
        "completion_tokens": pl.Int64,
        "seconds": pl.Float64,
        "sampling": pl.Struct({"temperature": pl.Float64}),
    }
)
_OURS: Final = tuple(str(verdict) for verdict in Verdict if verdict.ours)


def read_ledger(folder: Path) -> Ledger:
    """Read the table of a run.

    Raises:
        JournalProblem: the folder is no run, or a line cannot be read.
        RunIncompatible: another schema version wrote it.
    """
    manifest = read_manifest(folder)
    try:
        return Ledger(manifest=manifest, attempts=standing(_attempts(folder)))
    except (_OtherVersion, pl.exceptions.PolarsError):
        return ledger_of(load_run(folder))


class _OtherVersion(Exception):
    """A line was not written by this schema: the records say which."""


def _attempts(folder: Path) -> pl.DataFrame:
    attempts, completions = _lines(folder / ATTEMPTS, _ATTEMPT), _lines(folder / COMPLETIONS, _COMPLETION)
    if attempts is None:
        return ROWS.to_frame()
    key = pl.col("completion_key")
    named = attempts.with_columns(completion=pl.when(key.is_not_null()).then(key.hash())).drop(
        "completion_key"
    )
    wanted = ["schema_version", "completion", *(name for name in ROWS if name not in _OF_REPLY)]
    rows = named.with_columns(_judged()).with_columns(_derived()).select(wanted).collect(engine="streaming")
    replies = _replies(completions) if completions is not None else _NO_REPLIES
    versions = {*rows["schema_version"].unique(), *replies["schema_version"].unique()}
    if versions - {SCHEMA_VERSION}:
        raise _OtherVersion
    return rows.join(replies, on="completion", how="left", maintain_order="left").select(_spent())


_OF_REPLY: Final = ("tokens", "model_s", "cold")


def _lines(path: Path, shape: pl.Struct) -> pl.LazyFrame | None:
    """Decode every whole line: what a crash tore off at the end never happened."""
    torn = _torn_tail(path)
    if torn is None:
        return None
    lines = pl.scan_lines(path, name="line")
    whole = lines.filter(pl.col("line") != torn) if torn else lines
    return whole.select(pl.col("line").str.json_decode(shape).alias("record")).unnest("record")


def _torn_tail(path: Path) -> str | None:
    """Give what follows the last line break; None where there are no whole lines."""
    if not path.exists():
        return None
    with path.open("rb") as stream:
        end = stream.seek(0, 2)
        tail, start = b"", end
        while start and b"\n" not in tail:
            start = max(0, start - (1 << 16))
            stream.seek(start)
            tail = stream.read(end - start)
    before, newline, after = tail.rpartition(b"\n")
    if not newline or (not start and not before.strip()):
        return None
    return after.decode("utf-8", "replace")


_NO_REPLIES: Final = pl.DataFrame(
    schema={
        "completion": pl.UInt64,
        "schema_version": pl.Int64,
        "cut": pl.Boolean,
        "cold": pl.Boolean,
        "tokens": pl.Int64,
        "seconds": pl.Float64,
    }
)


def _replies(completions: pl.LazyFrame) -> pl.DataFrame:
    cut = (pl.col("finish_reason") == "length").fill_null(value=False) | pl.col("capped").fill_null(
        value=False
    )
    return (
        completions.select(
            pl.col("key").hash().alias("completion"),
            "schema_version",
            cut.alias("cut"),
            (pl.col("sampling").struct.field("temperature") == 0).alias("cold"),
            (pl.col("prompt_tokens") + pl.col("completion_tokens")).alias("tokens"),
            pl.col("seconds").fill_null(0.0),
        )
        .collect(engine="streaming")
        .unique("completion", keep="last", maintain_order=True)
    )


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
