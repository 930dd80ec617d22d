"""The journal as a table: one row per attempt that counts, with only what numbers are made of.

A row is made in two ways that a test holds equal: of records in memory, and straight from the lines of a
run folder, where polars reads them without ever holding a whole record. The second way summarises a
million attempts in memory of a few hundred megabytes.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from evaluator.runs.records import AttemptRecord, CompletionRecord, Manifest
from evaluator.runs.results import outcome, spent, truncated
from evaluator.runs.rundata import RunData
from evaluator.statistics.failures import failure_class
from repair.llm import CallKind
from repair.outcome import Verdict
from sandbox.types import TestOutcome

KEY: Final = ("arm", "model", "task_id", "template", "sample")
"""What names a trajectory."""
_COLUMNS: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "arm": pl.String,
    "model": pl.String,
    "task_id": pl.String,
    "template": pl.String,
    "sample": pl.Int64,
    "call_no": pl.Int64,
    "kind": pl.String,
    "round": pl.Boolean,  # a repair or a fresh draw, not a call that only mends the form
    "basis": pl.String,
    "level": pl.String,
    "replied": pl.Boolean,
    "reply": pl.UInt64,  # equal for equal replies
    "cold": pl.Boolean,  # drawn at temperature 0
    "has_code": pl.Boolean,
    "holds": pl.Boolean,  # has code that was not taken back
    "mark": pl.UInt64,  # equal for scripts that differ in layout alone
    "cleaned": pl.String,  # what became of the reply
    "rules": pl.List(pl.String),  # of cleaning that fired
    "raw_compiles": pl.Boolean,
    "compiled": pl.Boolean,  # in the sandbox
    "verdict": pl.String,
    "outcome": pl.String,
    "failure": pl.String,
    "ran": pl.Boolean,  # the script could be imported, or ran as a program, to some end
    "shown_passed": pl.Boolean,
    "success": pl.Boolean,
    "unscored": pl.Boolean,
    "holdout_passed": pl.Boolean,  # null where the holdout had no say
    "flaky": pl.Boolean,  # null where an accepted script was not run again
    "passed_tests": pl.List(pl.UInt64),
    "suspicious": pl.List(pl.String),
    "ended": pl.Boolean,
    "truncated": pl.Boolean,
    "tokens": pl.Int64,
    "model_s": pl.Float64,
    "sandbox_s": pl.Float64,
}
ROWS: Final = pl.Schema(_COLUMNS)
_HASHED: Final = ("reply", "mark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The manifest of a run and the table of its attempts, sorted by trajectory and call number.

    Beside ROWS the table has `sid` (number of the trajectory), `first` and `last` (of it).
    """

    manifest: Manifest
    attempts: pl.DataFrame
    derived: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was worked out of the above once."""


def ledger_of(run: RunData | Ledger) -> Ledger:
    """Make the table of a run that is in memory, once."""
    if isinstance(run, Ledger):
        return run
    if "ledger" not in run.derived:
        rows = [_row(run, attempt) for attempt in run.attempts]
        run.derived["ledger"] = Ledger(manifest=run.manifest, attempts=standing(_frame(rows)))
    found: Ledger = run.derived["ledger"]
    return found


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    texts = _COLUMNS | dict.fromkeys(_HASHED, pl.String) | {"passed_tests": pl.List(pl.String)}
    frame = pl.DataFrame(rows, schema=texts)
    return frame.with_columns(
        *(pl.col(name).hash() for name in _HASHED), pl.col("passed_tests").list.eval(pl.element().hash())
    )


def standing(rows: pl.DataFrame) -> pl.DataFrame:
    """Keep the attempts that count, by trajectory and call; rows come in the order of the journal.

    Of two lines for one call the later counts, and lines of later calls that came before it do not
    (as in `evaluator.runs.rundata.trajectories`).
    """
    # One name for all: of a million rows no copy is kept for longer than it takes to make the next.
    rows = rows.with_row_index("line").sort([*KEY, "line"])
    rows = rows.with_columns(_new_trajectory().cum_sum().alias("sid"))
    out_of_order = rows.select(
        (pl.col("sid").eq(pl.col("sid").shift()) & (pl.col("call_no") <= pl.col("call_no").shift())).any()
    ).item()
    if out_of_order:
        overruled = pl.col("call_no").reverse().cum_min().shift().reverse().over("sid") <= pl.col("call_no")
        rows = rows.filter(~overruled.fill_null(value=False))
    begun = pl.col("call_no").first().over("sid") == 0
    if not rows.select(begun.all()).item():
        rows = rows.filter(begun)
    return rows.with_columns(
        first=pl.col("sid").ne(pl.col("sid").shift()).fill_null(value=True),
        last=pl.col("sid").ne(pl.col("sid").shift(-1)).fill_null(value=True),
    ).drop("line")


def _new_trajectory() -> pl.Expr:
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in KEY)


def text(value: object) -> str:
    """Make a text that a column can hold: lone surrogates become question marks."""
    return str(value).encode("utf-8", "replace").decode()


def _row(run: RunData, attempt: AttemptRecord) -> dict[str, Any]:
    completion = run.completions.get(attempt.completion_key or "")
    facts = {**_call(attempt), **_judgement(attempt), **_script(attempt)}
    return {**facts, **_spent(run, attempt, completion)}


def _call(attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "arm": str(attempt.arm),
        "model": text(attempt.model),
        "task_id": text(attempt.task_id),
        "template": text(attempt.template),
        "sample": attempt.sample,
        "call_no": attempt.call_no,
        "kind": str(attempt.kind),
        "round": attempt.kind in {CallKind.REPAIR, CallKind.FRESH},
        "basis": str(attempt.basis),
        "level": str(attempt.level),
        "replied": attempt.completion_key is not None,
        "reply": text(attempt.reply_sha256),
        "ended": attempt.stop is not None,
    }


def _script(attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "has_code": attempt.script.code is not None,
        "holds": attempt.script.code is not None and not attempt.taken_back,
        "mark": text(attempt.script.syntax_sha256 or attempt.script.sha256),
        "cleaned": str(attempt.script.outcome),
        "rules": [text(edit.rule) for edit in attempt.script.edits],
        "raw_compiles": attempt.script.raw_compiles,
        "compiled": attempt.shown is not None and attempt.shown.compiled.ok,
        "suspicious": [text(flag) for flag in attempt.suspicious],
    }


def _judgement(attempt: AttemptRecord) -> dict[str, Any]:
    verdict = attempt.verdict
    passed = verdict is Verdict.PASSED
    tests = attempt.shown.tests if attempt.shown else ()
    heard = attempt.has_holdout and outcome_known(attempt)
    return {
        "verdict": str(verdict),
        "outcome": outcome(attempt),
        "failure": failure_class(str(verdict), _exception(attempt)),
        "ran": attempt.shown is not None and str(verdict) in RAN,
        "shown_passed": passed,
        "success": attempt.success,
        "unscored": attempt.unscored,
        "holdout_passed": str(attempt.holdout_verdict) == "passed" if heard else None,
        "flaky": attempt.flaky,
        "passed_tests": [text(test.id) for test in tests if test.outcome is TestOutcome.PASSED],
    }


RAN: Final = ("passed", "tests_failed", "output_limit", "out_of_memory", "cpu_limit", "timed_out")
"""Verdicts of scripts that began to do their work."""


def outcome_known(attempt: AttemptRecord) -> bool:
    """Whether the holdout had its say."""
    return attempt.holdout_verdict is not None and not attempt.unscored


def _exception(attempt: AttemptRecord) -> str:
    if attempt.shown is None:
        return ""
    if attempt.shown.exception is not None:
        return attempt.shown.exception.exc_type
    failed = (test for test in attempt.shown.tests if test.outcome is not TestOutcome.PASSED)
    return next((test.exc_type for test in failed), "")


def _spent(run: RunData, attempt: AttemptRecord, completion: CompletionRecord | None) -> dict[str, Any]:
    cost = spent(run, attempt)
    return {
        "cold": completion is not None and completion.sampling.temperature == 0,
        "truncated": truncated(attempt, completion),
        "tokens": cost.tokens,
        "model_s": cost.model_s,
        "sandbox_s": cost.sandbox_s,
    }
