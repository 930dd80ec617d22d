"""The table of attempts: the same from records in memory and from the files of a run."""

import json
import random
from collections.abc import Callable
from pathlib import Path
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
from evaluator.statistics.ledger_files import ATTEMPT_PARTS, BEGIN, REPLY_PARTS, read_ledger
from evaluator.statistics.lines import WHOLE, cut, lines_of
from evaluator.statistics.metrics import groups
from perf.million import write_run
from repair.llm import Arm, CallKind
from repair.outcome import Verdict
from sandbox.types import TestOutcome, TestRecord
from sandbox.verdict import RunVerdict

P, F = Verdict.PASSED, Verdict.TESTS_FAILED
PARTS = {ATTEMPTS: ATTEMPT_PARTS, COMPLETIONS: REPLY_PARTS}
BEHIND_THE_CODE = ("edits", "raw_compiles", "compiles", "reason", "flags")


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


@pytest.mark.parametrize("broken", ["{nonsense", "", " ", "\x1f", '{"schema_version":1,"model":"m"'])
@pytest.mark.parametrize("torn", ["", "{"])
def test_a_broken_line_is_named(builder: Any, tmp_path: Any, broken: str, torn: str) -> None:
    """A line in the middle that is no JSON is an error with its place, also where the end is torn off."""
    builder.sample("m", "b/t", [F, P])
    folder = written(builder.build(), tmp_path / "run")
    lines = (folder / ATTEMPTS).read_text().splitlines(keepends=True)
    (folder / ATTEMPTS).write_text(f"{lines[0]}{broken}\n{lines[1]}{torn}")

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


def rewritten(folder: Path, change: Callable[[Any], Any], *, ascii_only: bool = True) -> None:
    """Write every line of a run anew."""
    for name in PARTS:
        lines = [change(json.loads(line)) for line in (folder / name).read_text().splitlines()]
        texts = [json.dumps(line, ensure_ascii=ascii_only, separators=(",", ":")) for line in lines]
        (folder / name).write_text("".join(text + "\n" for text in texts), encoding="utf-8")


def whole(folder: Path, name: str) -> list[bool]:
    """Say for each line whether its parts hold everything."""
    lines = lines_of(folder / name)
    assert lines is not None
    found: list[bool] = cut(lines, PARTS[name], BEGIN).collect()[WHOLE].to_list()
    return found


def of_before(line: Any) -> Any:
    """Order a line as versions did that wrote long texts where they came up."""
    if line["type"] == "completion":
        late = ("sampling", "text", "reasoning", "finish_reason", "reply_model", "prompt_tokens")
        return {name: line[name] for name in sorted(line, key=lambda name: (name in late, late[-1] == name))}
    script = {"code": line["script"]["code"], **line["script"]}
    for name in BEHIND_THE_CODE:
        script[name] = script.pop(name)
    facts = ("verdict", "shown_key", "shown", "holdout_key", "holdout", "holdout_verdict", "has_holdout")
    rest = ("reused", "flags", "suspicious", "feedback", "stop", "rechecks", "asked", "taken_back", "error")
    late = {name: line.pop(name) for name in (*facts, *rest)}
    return {**line, "script": script, **late}


def shuffled(value: Any, chance: random.Random) -> Any:
    """Put the keys of every object in another order."""
    if isinstance(value, dict):
        names = list(value)
        chance.shuffle(names)
        return {name: shuffled(value[name], chance) for name in names}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


def test_lines_are_written_so_that_they_can_be_cut(builder: Any, tmp_path: Any) -> None:
    """Whatever an attempt came to, all that numbers are made of stands before its long texts."""
    folder = written(everything(builder), tmp_path / "run")

    for name, parts in PARTS.items():
        assert all(whole(folder, name))
        for part in parts:
            assert part.until in (folder / name).read_text()


def test_no_text_looks_like_the_place_of_a_cut(builder: Any, tmp_path: Any) -> None:
    """Code, replies and names with the very words at which lines are cut change nothing."""
    words = [text for parts in PARTS.values() for part in parts for text in (part.after, part.until)]
    bait = "".join(f'{word}null}}]{{"stop":1\\"{word}[{{\n' for word in words)
    tests = (TestRecord(id=bait, outcome=TestOutcome.FAILED, exc_type=bait, message=bait),)
    calls = [{"verdict": F, "code": bait, "reply": bait, "tests": tests, "suspicious": (bait,)}, P]
    builder.sample(bait, f"b/{bait}", calls, template=bait)
    run = builder.build()
    folder = written(run, tmp_path / "run")

    assert all(whole(folder, ATTEMPTS) + whole(folder, COMPLETIONS))
    assert_frame_equal(read_ledger(folder).attempts, ledger_of(run).attempts)


@pytest.mark.parametrize("late", [slice(None), slice(1, None), slice(0, 1)])
def test_journals_of_before_are_read(builder: Any, tmp_path: Any, late: slice) -> None:
    """Lines of another order give the same table, alone and among others."""
    run = everything(builder)
    folder = written(run, tmp_path / "run")
    count = {name: len((folder / name).read_text().splitlines()) for name in PARTS}
    old = {name: set(range(count[name])[late]) for name in PARTS}
    seen = dict.fromkeys(PARTS, -1)

    def change(line: Any) -> Any:
        name = COMPLETIONS if line["type"] == "completion" else ATTEMPTS
        seen[name] += 1
        return of_before(line) if seen[name] in old[name] else line

    rewritten(folder, change)

    for name in PARTS:
        assert [number for number, good in enumerate(whole(folder, name)) if not good] == sorted(old[name])
    assert_frame_equal(read_ledger(folder).attempts, ledger_of(run).attempts)


@pytest.mark.parametrize("seed", range(6))
def test_no_order_of_the_fields_loses_any(builder: Any, tmp_path: Any, seed: int) -> None:
    """Where a cut would lose a field that is wanted the line is read to its end: one line in any order."""
    chance = random.Random(seed)
    run = everything(builder)
    folder = written(run, tmp_path / "run")
    original = ledger_of(run).attempts

    # One at a time within a run is the hardest to notice.
    lines = (folder / ATTEMPTS).read_text().splitlines(keepends=True)
    for number in chance.sample(range(len(lines)), 6):
        changed = json.dumps(shuffled(json.loads(lines[number]), chance), separators=(",", ":")) + "\n"
        (folder / ATTEMPTS).write_text("".join([*lines[:number], changed, *lines[number + 1 :]]))
        assert_frame_equal(read_ledger(folder).attempts, original)
    rewritten(folder, lambda line: shuffled(line, chance))
    assert_frame_equal(read_ledger(folder).attempts, original)


@pytest.mark.parametrize(
    ("name", "place", "field"),
    [
        *((ATTEMPTS, None, field) for field in ("stop", "completion_key", "holdout_verdict")),
        (ATTEMPTS, "shown", "exception"),
        *((COMPLETIONS, None, field) for field in ("prompt_tokens", "completion_tokens")),
    ],
)
def test_a_null_behind_the_cut_is_no_null_before_it(
    builder: Any, tmp_path: Any, name: str, place: str | None, field: str
) -> None:
    """A field that may be null and stands behind the cut makes its line one that is read to its end."""
    run = everything(builder)
    folder = written(run, tmp_path / "run")

    def change(line: Any) -> Any:
        inner = line.get(place) if place else line
        if inner and field in inner:
            inner[field] = inner.pop(field)
        return line

    rewritten(folder, change)

    assert not all(whole(folder, name))
    assert_frame_equal(read_ledger(folder).attempts, ledger_of(run).attempts)


def test_texts_in_other_alphabets_are_cut_at_the_same_place(builder: Any, tmp_path: Any) -> None:
    """Lines that another program wrote without escapes are read alike."""
    builder.sample("\u6a21", "\u4efb/\u52a1", [{"verdict": F, "code": "x = '\u00e9'", "reply": "\u2603"}, P])
    run = builder.build()
    folder = written(run, tmp_path / "run")

    rewritten(folder, lambda line: line, ascii_only=False)

    assert all(whole(folder, ATTEMPTS))
    assert_frame_equal(read_ledger(folder).attempts, ledger_of(run).attempts)


def test_lone_surrogates_do_no_harm(builder: Any, tmp_path: Any) -> None:
    """Half a character in a text that is cut off, or in one that is not, gives the same table."""
    for place in ({"code": "x = '\ud800'"}, {"suspicious": ("\udfff",)}):
        builder.sample("m", f"b/{len(builder.attempts)}", [{"verdict": F, **place}, P])
        run = builder.build()
        folder = written(run, tmp_path / f"run{len(builder.attempts)}")

        assert_frame_equal(read_ledger(folder).attempts, ledger_of(run).attempts)


def test_settings_of_the_server_may_have_the_names_of_fields(builder: Any, tmp_path: Any) -> None:
    """`extra` holds whatever a server understands, also what lines are cut at."""
    builder.sample("m", "b/t", [F, P])
    run = builder.build()
    folder = written(run, tmp_path / "run")

    def change(line: Any) -> Any:
        if line["type"] == "completion":
            line["sampling"]["extra"] = {"a": 1, "messages": [], "prompt_tokens": 5, "text": {"seconds": 3}}
        return line

    rewritten(folder, change)

    assert_frame_equal(read_ledger(folder).attempts, ledger_of(run).attempts)
