"""The table of attempts: the same from records in memory and from the files of a run."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from polars.testing import assert_frame_equal

from evaluator.commands.report import command as report
from evaluator.errors import JournalProblem, RunIncompatible
from evaluator.runs.journal import ATTEMPTS, COMPLETIONS, Journal, load_run
from evaluator.runs.records import Recheck
from evaluator.runs.rundata import RunData
from evaluator.statistics.ledger import ledger_of
from evaluator.statistics.ledger_files import read_ledger
from evaluator.statistics.metrics import groups
from perf.million import write_run
from repair.llm import Arm, CallKind
from repair.outcome import Verdict
from sandbox.types import TestOutcome, TestRecord
from sandbox.verdict import RunVerdict

P, F = Verdict.PASSED, Verdict.TESTS_FAILED


def written(run: RunData, folder: Any) -> Any:
    """Write a run as the bench does."""
    with Journal(folder) as journal:
        journal.write_manifest(run.manifest)
        for completion in run.completions.values():
            journal.append(completion)
        for attempt in run.attempts:
            journal.append(attempt)
    return folder


def everything(builder: Any) -> RunData:
    """A run with every verdict, holdouts of all fates, both arms, missing usage and large texts."""
    for number, verdict in enumerate(Verdict):
        builder.sample("m", f"b/{verdict}", [verdict, "holdout_failed"])
        builder.sample("m", f"b/{verdict}", [{"verdict": verdict, "kind": CallKind.FIRST}], arm=Arm.CONTROL)
        builder.sample("k\u00e4se \u2603", f"c/{number}", [F, {"verdict": P, "tokens": (None, None)}])
    tests = tuple(
        TestRecord(id=f"test_{one}", outcome=one, exc_type=exc)
        for one, exc in zip(TestOutcome, ("", "NameError", "OSError", "", "", "", "", ""), strict=False)
    )
    builder.sample("m", "d/tests", [{"verdict": F, "tests": tests, "flags": ("reply_truncated",)}, P])
    back = {"verdict": P, "taken_back": True}
    builder.sample("m", "d/back", [F, back, {"verdict": F, "taken_back": True}, Verdict.NO_CODE])
    again = [Recheck(part="shown", repeat_no=1, verdict=verdict) for verdict in RunVerdict]
    for number, checks in enumerate((again[-1:], again[:1], again[2:4] + again[-1:], again)):
        builder.sample("m", "d/again", [{"verdict": P, "rechecks": tuple(checks)}], sample=number)
    builder.sample("m", "d/lost", [{"verdict": P, "holdout_verdict": RunVerdict.SANDBOX_ERROR}])
    builder.sample("m", "d/not-run", [{"verdict": P, "holdout_verdict": None, "holdout": None}])
    builder.sample("m", "d/large", [{"verdict": P, "code": "x = 1\n" * 20_000, "finish_reason": "length"}])
    builder.sample("m", "d/suspicious", [{"verdict": F, "suspicious": ("frames", "heap")}, F], complete=False)
    return builder.build()


def test_files_and_records_give_one_table(builder: Any, tmp_path: Any) -> None:
    """Every column of every attempt is the same in both ways, and so is every number."""
    run = everything(builder)
    folder = written(run, tmp_path / "run")

    read = read_ledger(folder)

    assert_frame_equal(read.attempts, ledger_of(run).attempts)
    assert groups(read) == groups(run)


def test_later_lines_count(builder: Any, tmp_path: Any) -> None:
    """A line for a call overrules earlier ones and makes what followed them obsolete."""
    first = builder.sample("m", "b/t", [F, F, P])
    again = builder.sample("m", "b/t", [F, {"verdict": P}])
    builder.sample("m", "b/u", [F, P])
    orphan = builder.sample("m", "b/v", [F, P])[1]
    builder.attempts[:] = [*first, *again[1:], *builder.attempts[5:7], orphan]
    run = builder.build()
    folder = tmp_path / "run"
    with Journal(folder) as journal:
        journal.write_manifest(run.manifest)
        for completion in builder.completions.values():
            journal.append(completion)
        for attempt in builder.attempts:
            journal.append(attempt)

    read = read_ledger(folder)

    assert [a.call_key for a in run.attempts] == [
        (row["model"], row["task_id"], row["template"], row["sample"], row["arm"], row["call_no"])
        for row in read.attempts.iter_rows(named=True)
    ]
    assert_frame_equal(read.attempts, ledger_of(run).attempts)


def test_a_torn_tail_never_happened(builder: Any, tmp_path: Any) -> None:
    """What a crash cut off is not read."""
    builder.sample("m", "b/t", [F, P])
    run = builder.build()
    folder = written(run, tmp_path / "run")
    for name in (ATTEMPTS, COMPLETIONS):
        with (folder / name).open("a") as stream:
            stream.write('{"schema_version": 1, "model": "m')

    assert_frame_equal(read_ledger(folder).attempts, ledger_of(run).attempts)


def test_a_broken_line_is_named(builder: Any, tmp_path: Any) -> None:
    """A line in the middle that is no JSON is an error with its place."""
    builder.sample("m", "b/t", [F, P])
    folder = written(builder.build(), tmp_path / "run")
    lines = (folder / ATTEMPTS).read_text().splitlines(keepends=True)
    (folder / ATTEMPTS).write_text(lines[0] + "{nonsense\n" + lines[1])

    with pytest.raises(JournalProblem, match=r"attempts.jsonl:2"):
        read_ledger(folder)


def test_another_schema_is_refused(builder: Any, tmp_path: Any) -> None:
    """Lines of another version are not guessed at."""
    builder.sample("m", "b/t", [P])
    folder = written(builder.build(), tmp_path / "run")
    path = folder / COMPLETIONS
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 2}) + "\n")

    with pytest.raises(RunIncompatible, match="schema 2"):
        read_ledger(folder)


def test_a_run_without_attempts_has_an_empty_table(builder: Any, tmp_path: Any) -> None:
    """Everything is planned, nothing was done."""
    builder.task("b/t")
    builder.models.append("m")
    builder.templates.append("default")
    run = builder.build(samples=1)
    folder = written(run, tmp_path / "run")

    (group,) = groups(read_ledger(folder))

    assert (group.planned, group.scored) == (1, 0)
    assert groups(run) == (group,)


def test_a_summary_alone_is_the_same_summary(builder: Any, tmp_path: Any) -> None:
    """`report --summary-only` reads no record and writes the same numbers."""
    folder = written(everything(builder), tmp_path / "run")
    call = CliRunner().invoke

    assert call(report, [str(folder)]).exit_code == 0
    whole = (folder / "summary.json").read_text()
    (folder / "summary.json").unlink()
    said = call(report, [str(folder), "--summary-only"])

    assert said.exit_code == 0
    assert "pass@1" in said.output
    assert (folder / "summary.json").read_text() == whole


def test_the_million_in_small(tmp_path: Any) -> None:
    """What `perf.million` writes is a run like any other, read alike in both ways."""
    folder = tmp_path / "run"
    write_run(folder, 400)

    read, records = read_ledger(folder), ledger_of(load_run(folder))

    assert len(read.attempts) >= 400
    assert read.attempts["last"].sum() == len(groups(read)) * 164
    assert_frame_equal(read.attempts, records.attempts)
    assert not any(group.unscored for group in groups(read))
