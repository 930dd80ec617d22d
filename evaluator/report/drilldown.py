"""What the page shows of each sample: attempts with bounded texts and the differences between them."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from evaluator.runs.records import AttemptRecord, CompletionRecord
from evaluator.runs.results import Sample, held, outcome, spent
from evaluator.runs.rundata import RunData
from repair.llm import Arm
from sandbox.types import RunResult, TestOutcome, TestRecord

MAX_SAMPLES: Final = 600
"""Samples with a drill-down; the others are in the export."""
_ALL_CHARS: Final = 1_600_000
"""Characters of texts in the whole page, shared among the attempts."""
_LEAST, _MOST = 1_500, 16_000
_MAX_ITEMS: Final = 30
"""Tests, edits or frames listed one by one."""
_DIFF_LINES: Final = 600
_LINE_CHARS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Most characters of each text of one attempt."""

    reply: int
    code: int
    diff: int
    feedback: int
    output: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One attempt, ready to show; texts are bounded but not yet escaped."""

    number: int
    record: AttemptRecord
    outcome: str
    holds: bool
    tokens: int | None
    model_s: float
    sandbox_s: float
    reply: str
    reasoning: str
    finish_reason: str
    code: str
    same_script: bool
    diff: tuple[tuple[str, str], ...]
    feedback: str
    failed: tuple[TestRecord, ...]
    tests_passed: int
    tests_total: int
    holdout: str
    again: str
    facts: tuple[tuple[str, str], ...]
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleView:
    """One sample: where it is on the page, and its attempts."""

    anchor: str
    sample: Sample
    steps: tuple[str, ...]
    attempts: tuple[AttemptView, ...]
    control: tuple[AttemptView, ...]
    """Fresh draws for what repair spent on it, where there are any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """All samples of one task."""

    anchor: str
    task_id: str
    samples: tuple[SampleView, ...]


def task_views(run: RunData, listed: Sequence[Sample]) -> tuple[TaskView, ...]:
    """Make the drill-down, task by task; anchors are numbers, so that no name gets into a link."""
    ordered = sorted(listed, key=lambda s: (s.task_id, s.model, s.template, s.number))[:MAX_SAMPLES]
    drawn = {
        each.first.sample_key[:4]: each.attempts for each in run.trajectories if each.first.arm is Arm.CONTROL
    }
    controls = [drawn.get((s.model, s.task_id, s.template, s.number), ()) for s in ordered]
    budget = _budget(sum(len(s.attempts) + len(again) for s, again in zip(ordered, controls, strict=True)))
    return tuple(
        TaskView(
            anchor=f"task-{index}",
            task_id=task_id,
            samples=tuple(
                _sample_view(run, sample, again, f"sample-{index}-{number}", budget)
                for number, (sample, again) in enumerate(members)
            ),
        )
        for index, (task_id, members) in enumerate(
            groupby(zip(ordered, controls, strict=True), key=lambda pair: pair[0].task_id)
        )
    )


def _budget(attempts: int) -> Budget:
    share = min(_MOST, max(_LEAST, _ALL_CHARS // max(attempts, 1)))
    return Budget(
        reply=share * 30 // 100,
        code=share * 30 // 100,
        diff=share * 20 // 100,
        feedback=share * 10 // 100,
        output=share * 5 // 100,
    )


def _sample_view(
    run: RunData, sample: Sample, again: tuple[AttemptRecord, ...], anchor: str, budget: Budget
) -> SampleView:
    kept = held(sample.attempts)
    views = [
        _attempt_view(run, record, number, held(sample.attempts[:number]), budget, holds=record is kept)
        for number, record in enumerate(sample.attempts)
    ]
    draws = [
        _attempt_view(run, record, number, _twin(again[:number], record), budget, holds=False)
        for number, record in enumerate(again)
    ]
    return SampleView(
        anchor=anchor,
        sample=sample,
        steps=tuple(view.outcome for view in views),
        attempts=tuple(views),
        control=tuple(draws),
    )


def _twin(before: Sequence[AttemptRecord], draw: AttemptRecord) -> AttemptRecord | None:
    """Give an earlier draw with the same script; draws stand alone, and no other is worth a diff."""
    return next((each for each in before if each.script.code == draw.script.code), None)


def _attempt_view(
    run: RunData,
    record: AttemptRecord,
    number: int,
    before: AttemptRecord | None,
    budget: Budget,
    *,
    holds: bool,
) -> AttemptView:
    completion = run.completions.get(record.completion_key or "")
    tests = record.shown.tests if record.shown else ()
    failed = [test for test in tests if test.outcome is not TestOutcome.PASSED]
    cost = spent(run, record)
    return AttemptView(
        number=number,
        record=record,
        outcome=outcome(record),
        holds=holds,
        tokens=cost.tokens,
        model_s=cost.model_s,
        sandbox_s=cost.sandbox_s,
        reply=_reply(record, completion, budget),
        reasoning=bounded(completion.reasoning, budget.output) if completion else "",
        finish_reason=completion.finish_reason if completion else "",
        code=bounded(record.script.code or "", budget.code),
        same_script=before is not None and before.script.code == record.script.code,
        diff=tuple(_diff(before, record, budget.diff)),
        feedback=bounded(record.feedback, budget.feedback),
        failed=tuple(failed[:_MAX_ITEMS]),
        tests_passed=len(tests) - len(failed),
        tests_total=len(tests),
        holdout=_holdout(record),
        again=_again(record),
        facts=tuple(_facts(record.shown)) if record.shown else (),
        stdout=bounded(record.shown.stdout.text, budget.output) if record.shown else "",
        stderr=bounded(record.shown.stderr.text, budget.output) if record.shown else "",
    )


def _reply(record: AttemptRecord, completion: CompletionRecord | None, budget: Budget) -> str:
    """Leave out a reply that is the script, character by character."""
    if completion is None or completion.text == record.script.code:
        return ""
    return bounded(completion.text, budget.reply)


def _holdout(record: AttemptRecord) -> str:
    if not record.has_holdout:
        return "none"
    if record.holdout is None or record.holdout_verdict is None:
        return "not run"
    passed = sum(test.outcome is TestOutcome.PASSED for test in record.holdout.tests)
    return f"{record.holdout_verdict}, {passed} of {len(record.holdout.tests)} tests passed"


def _again(record: AttemptRecord) -> str:
    times = len({each.repeat_no for each in record.rechecks})
    bad = [each for each in record.rechecks if each.verdict != "passed"]
    if not bad:
        return f"{times} times with other hash seeds: passed each time"
    what = "; ".join(
        f"{each.part}, hash seed {each.hash_seed}: {each.verdict}"
        + (f" ({', '.join(each.failed)})" if each.failed else "")
        for each in bad
    )
    return f"{times} times with other hash seeds: {what}"


def _facts(result: RunResult) -> Iterator[tuple[str, str]]:
    if not result.compiled.ok:
        where = f" (line {result.compiled.line})" if result.compiled.line else ""
        yield (
            "refused",
            f"{result.compiled.exc_type}: {result.compiled.message}{where}\n{result.compiled.source}",
        )
    if result.tests_error:
        yield "tests", result.tests_error
    if result.exception:
        frames = "\n".join(
            f"{f.file}:{f.line} {f.function}: {f.source}" for f in result.exception.frames[-5:]
        )
        yield "exception", f"{result.exception.exc_type}: {result.exception.message}\n{frames}".rstrip()
    if result.killed_by:
        yield "killed for", str(result.killed_by)
    if result.signal:
        yield "signal", str(result.signal)


def _diff(before: AttemptRecord | None, record: AttemptRecord, limit: int) -> Iterator[tuple[str, str]]:
    """Yield (class, line) of the unified diff from the script that held before."""
    if before is None or record.script.code is None or before.script.code == record.script.code:
        return
    left, right = (_lines(code or "") for code in (before.script.code, record.script.code))
    spent = 0
    for line in difflib.unified_diff(left, right, n=3, lineterm=""):
        if line.startswith(("---", "+++")) and not spent:
            continue
        spent += len(line) + 1
        if spent > limit:
            yield "hunk", "… the rest of the changes is in the export"
            return
        yield _DIFF_CLASSES.get(line[:1], "same"), line


_DIFF_CLASSES: Final = {"+": "add", "-": "del", "@": "hunk"}


def _lines(code: str) -> list[str]:
    return [line[:_LINE_CHARS] for line in code[: _DIFF_LINES * _LINE_CHARS].split("\n", _DIFF_LINES)]


def bounded(text: str, limit: int) -> str:
    """Cut the middle out of a long text and say how much is missing."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    return f"{text[:head]}\n[… {len(text) - head - tail} characters cut …]\n{text[len(text) - tail :]}"
