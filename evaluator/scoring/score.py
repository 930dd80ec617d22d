"""One row of samples → one line of results: script, runs, verdict, under a key that finds it again."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from evaluator.controls.skips import ReferenceSkips
from evaluator.errors import UsageProblem
from evaluator.jobs import JobMaker, Part
from evaluator.keys import digest, text_sha256, verdict_key
from evaluator.running.sample import Cleaning
from evaluator.scoring.rows import BadRow, BrokenRow, Row
from evaluator.scoring.taskbook import Known, TaskBook
from evaluator.scoring.verdict_line import facts
from prompts.tasks import Task
from repair.errors import CleanerError
from repair.outcome import Verdict, attempt_verdict
from repair.script import CleanOutcome, Script
from sandbox.errors import SandboxError
from sandbox.types import ImageInfo, Job, Level, RunResult
from sandbox.verdict import RunVerdict, judge

FORMAT: Final = 1
"""Version of the lines; part of every key."""
INVALID_ROW: Final = "invalid_row"
"""Stands in place of a verdict where a row could not be judged."""
OURS: Final = frozenset({str(Verdict.SANDBOX_ERROR)})

Lookup = Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What became of a row."""

    key: str
    verdict: str
    """A Verdict, or INVALID_ROW."""
    line: dict[str, Any] | None
    """None where the result was there already."""
    level: Level | None = None
    """None where nothing could be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What all rows share."""

    run: Callable[[Job], RunResult]
    """Runs a job; a SandboxError costs the row its verdict, any other error ends the scoring."""
    image: ImageInfo
    jobs: JobMaker
    book: TaskBook
    cleaner: Cleaning
    skips: ReferenceSkips
    alone: bool = False
    """Run scripts as programs, whatever tests there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What is to be run for a row."""

    row: Row
    task: Task
    script: str | None
    cleaned: Script | None
    jobs: Mapping[Part, Job]
    level: Level
    key: str


def score_row(row: Row | BadRow, tools: Tools, known: Lookup = lambda _key: None) -> Scored:
    """Judge one row; `known` looks up the verdicts that are there already, by key.

    Raises:
        MendError: whatever `tools.run` raises that is no SandboxError.
    """
    if isinstance(row, BadRow):
        return _invalid(row, known)
    try:
        plan = _plan(row, tools)
    except (BrokenRow, UsageProblem) as exc:
        return _invalid(BadRow(spot=row.spot, id=row.id, why=f"{row.spot.place}: {exc}"), known)
    except CleanerError as exc:
        # Without a script there is no key; a key that is never found will do.
        return _failed(row, digest(["unclean", row.id]), str(exc))
    there = known(plan.key)
    if there is not None:
        return Scored(key=plan.key, verdict=there, line=None, level=plan.level)
    try:
        runs = dict(_runs(plan, tools))
    except SandboxError as exc:
        return _failed(row, plan.key, str(exc))
    return _judged(plan, runs)


def _plan(row: Row, tools: Tools) -> _Plan:
    known = tools.book.find(row.task_id) if row.task_id else None
    task = _task(row, known, alone=tools.alone)
    script, cleaned = _script(row, task, known, tools.cleaner)
    parts: tuple[Part, ...] = ("shown", "holdout") if task.holdout else ("shown",)
    jobs = {part: tools.jobs.job(task, script or "", part) for part in parts}
    return _Plan(
        row=row,
        task=task,
        script=script,
        cleaned=cleaned,
        jobs=jobs,
        level=tools.jobs.deciding_level(task),
        key=_key(row, script, jobs, tools.image, task.references),
    )


def _task(row: Row, known: Known | None, *, alone: bool) -> Task:
    if row.tests is not None:
        task = _own_task(row, row.tests)
    elif known is not None:
        task = known.task
    elif alone:
        task = _own_task(row, None)
    elif row.task_id:
        raise BrokenRow(f"no tests, and no task {row.task_id!r} is known; name a file of tasks with --tasks")
    else:
        raise BrokenRow("no tests: give `tests`, or the `task_id` of a task that has some")
    return replace(task, tests=None, holdout=None, grading=str(Level.PROGRAM)) if alone else task


def _own_task(row: Row, tests: str | None) -> Task:
    names = row.entry_point or None
    path = Path(row.spot.place)
    return Task(batch="", name="", path=path, prompt="", tests=tests, family="", entry_point=names)


def _script(row: Row, task: Task, known: Known | None, cleaner: Cleaning) -> tuple[str | None, Script | None]:
    if row.solution is not None:
        return row.solution, None
    if row.completion is not None:
        prompt = row.prompt if row.prompt is not None else known.prompt if known else None
        if prompt is None:
            raise BrokenRow("a `completion` goes on from a `prompt` of code, and there is none")
        return prompt + row.completion, None
    required = row.entry_point or task.entry_point or ()
    prompt = row.prompt or (known.prompt or known.task.prompt if known else "")
    cleaned = cleaner.clean(row.reply or "", reasoning=row.reasoning, required=required, prompt=prompt)
    return cleaned.code, cleaned


def _key(
    row: Row, script: str | None, jobs: Mapping[Part, Job], image: ImageInfo, references: tuple[str, ...]
) -> str:
    """Key of a line: the row's id, and all that decides about its runs."""
    if script is None:
        runs = {"none": text_sha256(row.reply or "")}
    else:
        runs = {str(part): verdict_key(job, image) for part, job in jobs.items()}
    # What a reference skips, a script may skip.
    sources = [text_sha256(source) for source in references]
    parts = {"id": row.id, "truncated": row.truncated, "runs": runs, "references": sources}
    return digest({"format": FORMAT, **parts})


def _runs(plan: _Plan, tools: Tools) -> Iterator[tuple[str, RunResult]]:
    """Run part after part until one does not pass."""
    if plan.script is None:
        return
    for part, job in plan.jobs.items():
        result = tools.skips.allow(plan.task, part, tools.run(job))
        yield part, result
        if judge(result) is not RunVerdict.PASSED:
            return


def _judged(plan: _Plan, runs: dict[str, RunResult]) -> Scored:
    row = plan.row
    part = next(reversed(runs)) if runs else None
    last = judge(runs[part]) if part else None
    script = plan.cleaned or Script(code=plan.script, outcome=CleanOutcome.RAW)
    verdict = attempt_verdict(script, last, truncated=row.truncated)
    body = facts(runs, str(verdict), level=plan.level, script=plan.cleaned)
    failed_part = None if verdict is Verdict.PASSED else part
    return replace(_scored(row, plan.key, body, failed_part=failed_part), level=plan.level)


def _failed(row: Row, key: str, why: str) -> Scored:
    """Say that a row stays without a verdict by our fault."""
    return _scored(row, key, facts({}, str(Verdict.SANDBOX_ERROR), level=None), error=why)


def _invalid(row: BadRow, known: Lookup) -> Scored:
    key = digest([FORMAT, INVALID_ROW, row.spot.index, row.id, row.why])
    if known(key) is not None:
        return Scored(key=key, verdict=INVALID_ROW, line=None)
    return _scored(row, key, facts({}, INVALID_ROW, level=None), error=row.why)


def _scored(
    row: Row | BadRow, key: str, body: dict[str, Any], *, failed_part: str | None = None, error: str = ""
) -> Scored:
    head = {
        "format": FORMAT,
        "id": row.id,
        "index": row.spot.index,
        "line": row.spot.line,
        "task_id": (row.task_id if isinstance(row, Row) else "") or None,
    }
    line = {**head, **body, "failed_part": failed_part, "error": error, "key": key}
    return Scored(key=key, verdict=body["verdict"], line=line)
