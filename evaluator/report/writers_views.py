"""What the page shows of each script under test: its mutants as diffs, and the suites that met them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from evaluator.report.drilldown import bounded
from evaluator.runs.records import AttemptRecord, SubjectEntry
from evaluator.runs.rundata import RunData
from evaluator.suites.advice import Advice, advice
from evaluator.suites.outcome import LENIENT
from evaluator.suites.standings import writers
from evaluator.suites.written import Suite, Written, written
from sandbox.suite import Version, VersionKind, VersionStatus
from sandbox.types import TestRecord

MAX_SCRIPTS: Final = 60
"""Scripts with a drill-down; the others are in summary.json and in the journal."""
_ALL_CHARS: Final = 2_400_000
_LEAST, _MOST = 1_000, 12_000
_MAX_MUTANTS: Final = 160
_DIFF_LINES: Final = 6
_LINE_CHARS: Final = 200
_STUB: Final = "XST"
_HINTS: Final = 12
_SHOWN: Final = (VersionKind.MUTANT, VersionKind.EXTREME, VersionKind.COSMETIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class MutantView:
    """One changed version of a script, and what each writer's suite made of it."""

    number: int
    kind: str
    operator: str
    scope: str
    line: int
    diff: tuple[tuple[str, str], ...]
    """(class, line)."""
    fates: tuple[tuple[str, str], ...]
    """For each column: status, and how it was killed; empty where no suite met it."""

    @property
    def killed(self) -> int:
        """How many suites killed it."""
        return sum(status == str(VersionStatus.KILLED) for status, _ in self.fates)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One attempt at a suite; texts are bounded but not yet escaped."""

    record: AttemptRecord
    reply: str
    code: str
    feedback: str
    failed: tuple[TestRecord, ...]
    tests: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteView:
    """One suite and its way."""

    anchor: str
    written: Written
    attempts: tuple[AttemptView, ...]
    first: Suite
    final: Suite
    hints: tuple[Advice, ...]
    """What weakens the text of the suite that held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptView:
    """One script under test."""

    anchor: str
    subject: SubjectEntry
    code: str
    columns: tuple[SuiteView, ...]
    """Suites that were scored: the columns of the table of mutants."""
    mutants: tuple[MutantView, ...]
    left_out: int
    suites: tuple[SuiteView, ...]


def script_views(run: RunData) -> tuple[ScriptView, ...]:
    """Make the drill-down, script by script; anchors are numbers, so that no name gets into a link."""
    order = {writer.name: number for number, writer in enumerate(writers(run))}
    listed = written(run)
    kept = sorted({each.subject.task_id for each in listed})[:MAX_SCRIPTS]
    shown = [each for each in listed if each.subject.task_id in set(kept)]
    limit = min(_MOST, max(_LEAST, _ALL_CHARS // max(1, sum(len(each.attempts) for each in shown))))
    return tuple(
        _script_view(run, index, sorted(members, key=lambda each: (order[each.writer], each.sample)), limit)
        for index, (_, members) in enumerate(groupby(shown, key=lambda each: each.subject.task_id))
    )


def _script_view(run: RunData, index: int, members: Sequence[Written], limit: int) -> ScriptView:
    subject = members[0].subject
    views = [_suite_view(run, f"suite-{index}-{number}", each, limit) for number, each in enumerate(members)]
    columns = [view for view in views if _versions(view)]
    mutants = _mutants(subject.code, columns)
    return ScriptView(
        anchor=f"script-{index}",
        subject=subject,
        code=bounded(subject.code, 4 * limit),
        columns=tuple(columns),
        mutants=tuple(mutants[:_MAX_MUTANTS]),
        left_out=max(0, len(mutants) - _MAX_MUTANTS),
        suites=tuple(views),
    )


def _versions(view: SuiteView) -> tuple[Version, ...]:
    record = view.final.record
    facts = record.main.suite if record and record.main else None
    return facts.versions if facts else ()


def _mutants(code: str, columns: Sequence[SuiteView]) -> list[MutantView]:
    lines = code.split("\n")
    versions: dict[str, Version] = {}
    fates: dict[tuple[int, str], Version] = {}
    for column, view in enumerate(columns):
        for version in _versions(view):
            if version.kind in _SHOWN:
                versions.setdefault(f"{version.kind}:{version.name}", version)
                fates[column, f"{version.kind}:{version.name}"] = version
    order = sorted(versions, key=lambda name: (_SHOWN.index(versions[name].kind), versions[name].line, name))
    return [
        _mutant(number, versions[name], lines, [fates.get((column, name)) for column in range(len(columns))])
        for number, name in enumerate(order, 1)
    ]


def _mutant(
    number: int, version: Version, lines: Sequence[str], fates: Sequence[Version | None]
) -> MutantView:
    return MutantView(
        number=number,
        kind=str(version.kind),
        operator=version.operator,
        scope=version.scope,
        line=version.line,
        diff=tuple(mutant_diff(version, lines)),
        fates=tuple((str(fate.status), str(fate.kill)) if fate else ("", "") for fate in fates),
    )


def mutant_diff(version: Version, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (class, line) of what a version changes; columns count UTF-8 bytes, as Python's parser does."""
    if version.operator == _STUB:
        yield "hunk", "no function does anything"
        return
    first, last = version.line - 1, version.end_line - 1
    if not 0 <= first <= last < len(lines):
        yield "add", version.text
        return
    before = lines[first : last + 1]
    head = _bytes(before[0])[: version.column].decode("utf-8", "ignore")
    tail = _bytes(before[-1])[version.end_column :].decode("utf-8", "ignore")
    after = f"{head}{version.text}{tail}".split("\n")
    yield from (("del", f"-{line[:_LINE_CHARS]}") for line in before[:_DIFF_LINES])
    if len(before) > _DIFF_LINES:
        yield "hunk", f"… {len(before) - _DIFF_LINES} more lines"
    yield from (("add", f"+{line[:_LINE_CHARS]}") for line in after[:_DIFF_LINES] if line.strip())


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _suite_view(run: RunData, anchor: str, each: Written, limit: int) -> SuiteView:
    return SuiteView(
        anchor=anchor,
        written=each,
        attempts=tuple(_attempt_view(run, attempt, limit) for attempt in each.attempts),
        first=each.first,
        final=each.final,
        hints=_hints(each.final),
    )


def _hints(suite: Suite) -> tuple[Advice, ...]:
    code = suite.attempt.script.code if suite.attempt else None
    main = suite.record.main if suite.record else None
    return advice(code, main.suite if main else None)[:_HINTS] if code else ()


def _attempt_view(run: RunData, record: AttemptRecord, limit: int) -> AttemptView:
    shown, completion = record.shown, run.completions.get(record.completion_key or "")
    tests = shown.tests if shown else ()
    reason = (shown.tests_error or (shown.suite.reason if shown.suite else "")) if shown else ""
    return AttemptView(
        record=record,
        # Where there is a suite, it is what matters; the reply around it is in the journal.
        reply=bounded(completion.text, limit) if completion and record.script.code is None else "",
        code=bounded(record.script.code or "", limit),
        feedback=bounded(record.feedback, limit // 4),
        failed=tuple(test for test in tests if test.outcome not in LENIENT)[:20],
        tests=len(tests),
        reason=reason or record.script.reason or record.error,
    )
