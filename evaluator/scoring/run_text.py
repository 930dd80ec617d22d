"""What `run` shows to people: the verdict first, then why, then the facts. Everything made safe to print."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from evaluator.safe_text import clip, for_terminal, one_line
from repair.script import Script
from sandbox.types import CompileReport, ExceptionInfo, RunResult, Stream, TestOutcome, TestRecord

_LINES = 12
"""Lines shown of the head of a stream, and of its tail."""
_WIDTH = 200
_TESTS = 20
_MIB = 1024 * 1024


def show(line: Mapping[str, Any], run: RunResult | None, cleaned: Script | None) -> None:
    """Print a verdict and its facts to standard output."""
    console = Console(highlight=False)
    verdict = str(line["verdict"])
    style = "bold green" if verdict == "passed" else "bold red"
    console.print(Text.assemble((verdict, style), f"  (level {line['level']})"))
    for row in _rows(run, cleaned):
        console.print(Text(row), soft_wrap=True)


def _rows(run: RunResult | None, cleaned: Script | None) -> Iterator[str]:
    if cleaned is not None:
        yield from _cleaning(cleaned)
    if run is None:
        return
    yield from _compile(run.compiled)
    if run.tests_error:
        yield "the tests cannot be used:"
        yield from _indented(run.tests_error)
    if run.exception is not None:
        yield from _exception(run.exception)
    yield from _tests(run.tests)
    yield _facts(run)
    if run.flags:
        yield "flags: " + ", ".join(run.flags)
    if run.suspicious:
        yield f"suspicious code (no verdict depends on it): {one_line(', '.join(run.suspicious), _WIDTH)}"
    if run.contended is not None:
        yield "run again alone: it hit a time limit while it waited for a CPU"
    yield from _stream("stdout", run.stdout)
    yield from _stream("stderr", run.stderr)


def _cleaning(script: Script) -> Iterator[str]:
    rules = ", ".join(edit.rule for edit in script.edits)
    reason = f" ({one_line(script.reason)})" if script.reason else ""
    yield f"reply: {script.outcome}{reason}{': ' + one_line(rules) if rules else ''}"


def _compile(report: CompileReport) -> Iterator[str]:
    if report.ok:
        return
    where = "" if report.line is None else f", line {report.line}"
    yield f"{one_line(report.exc_type)}{where}: {one_line(report.message, _WIDTH)}"
    if report.source:
        yield f"    {one_line(report.source, _WIDTH)}"


def _exception(exception: ExceptionInfo) -> Iterator[str]:
    yield f"{one_line(exception.exc_type)}: {one_line(exception.message, _WIDTH)}"
    for frame in exception.frames:
        yield f"    {one_line(frame.file)}:{frame.line} {one_line(frame.function)}: {one_line(frame.source)}"


def _tests(tests: tuple[TestRecord, ...]) -> Iterator[str]:
    failed = [test for test in tests if test.outcome is not TestOutcome.PASSED]
    for test in failed[:_TESTS]:
        kind = f"{one_line(test.exc_type)}: " if test.exc_type else ""
        yield f"  {test.outcome:<8} {one_line(test.id)}  {kind}{one_line(test.message, _WIDTH)}".rstrip()
        if test.got or test.expected:
            yield f"           got       {one_line(test.got, _WIDTH)}"
            yield f"           expected  {one_line(test.expected, _WIDTH)}"
    if len(failed) > _TESTS:
        yield f"  … and {len(failed) - _TESTS} more that did not pass"
    if tests:
        yield f"{len(tests) - len(failed)} of {len(tests)} tests passed"


def _facts(run: RunResult) -> str:
    end = "not run" if run.exit_code is None else f"exit code {run.exit_code}"
    end = end if run.signal is None else f"signal {run.signal}"
    killed = f"killed at its limit ({run.killed_by})" if run.killed_by else end
    return (
        f"{killed}; wall {run.wall_s:.2f} s, CPU {run.cpu_s:.2f} s, "
        f"peak memory {run.max_rss_bytes / _MIB:.0f} MiB"
    )


def _stream(name: str, stream: Stream) -> Iterator[str]:
    if not stream.total_bytes:
        return
    yield f"{name} ({stream.total_bytes} bytes)"
    yield from _indented(stream.text)


def _indented(text: str) -> Iterator[str]:
    """Yield head and tail of a text, its terminal sequences gone."""
    lines = for_terminal(text).splitlines()
    cut = len(lines) - 2 * _LINES
    shown = lines if cut <= 1 else [*lines[:_LINES], f"[… {cut} lines not shown …]", *lines[-_LINES:]]
    yield from (f"  | {clip(line, _WIDTH)}" for line in shown)
