"""summary.json and the table of a run whose models wrote test suites."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.report.figures import ABSENT, MINUS, number, percent
from evaluator.report.rounded import rounded
from evaluator.report.words import banners
from evaluator.runs.rundata import RunData
from evaluator.safe_text import one_line
from evaluator.suites.means import Mean
from evaluator.suites.standings import Writer, matrix, why_unranked, writers
from evaluator.suites.written import Suite, Written, written

SUMMARY_VERSION: Final = 1
_NAME_CHARS: Final = 48
_MOST_LISTED: Final = 5000


def summarise_writers(run: RunData) -> dict[str, Any]:
    """Make the whole summary: JSON-ready, sorted, the same for the same run."""
    facts = run.manifest.model_dump(
        mode="json", exclude={"tasks", "subjects", "warnings", "invalid", "type", "draws"}
    )
    listed = written(run)
    summary = {
        "type": "summary",
        "track": "suites",
        "schema_version": SUMMARY_VERSION,
        "run": {**facts, "scripts": len(run.manifest.subjects)},
        "recorded_demo": run.manifest.recorded_demo,
        "banners": [f"{banner}. {note}" for banner, note in banners(run.manifest)],
        "notes": suite_notes(run),
        "unranked": why_unranked(run),
        "writers": [asdict(writer) for writer in writers(run)],
        "matrix": [asdict(pair) for pair in matrix(run)],
        "suites": [_suite_line(each) for each in listed[:_MOST_LISTED]],
    }
    even: dict[str, Any] = rounded(summary)
    return even


def _suite_line(each: Written) -> dict[str, Any]:
    return {
        "writer": each.writer,
        "script": each.subject.task_id,
        "authors": list(each.subject.authors),
        "script_is_right": each.subject.right,
        "sample": each.sample,
        "calls": [str(attempt.kind) for attempt in each.attempts],
        "first": _score_line(each.first),
        "final": _score_line(each.final),
    }


def _score_line(suite: Suite) -> dict[str, Any]:
    line: dict[str, Any] = {
        "outcome": suite.outcome,
        "stable_score": suite.value,
        "reached": str(suite.reached),
        "call_no": suite.attempt.call_no if suite.attempt else None,
    }
    return line | ({"score": asdict(suite.score)} if suite.score else {})


def suite_notes(run: RunData) -> list[str]:
    """Say what limits the meaning of the numbers."""
    return list(_notes(run))


def _notes(run: RunData) -> Iterator[str]:
    manifest = run.manifest
    shown = manifest.config.get("suites", {}).get("show", "description")
    what = "the script and the text of its task" if shown == "description" else "the script alone"
    yield f"Writers were shown {what}."
    yield (
        "Level shared: tests and script share one interpreter, by nature; null versions of the script make "
        "deceiving the engine a gamble."
    )
    if why_unranked(run):
        yield why_unranked(run)
    wrong = sum(not subject.right for subject in manifest.subjects)
    if wrong:
        yield (
            f"{wrong} of {len(manifest.subjects)} scripts are wrong: suites for them are not in the headline "
            "but have numbers of their own, because a good suite fails there."
        )
    if any(writer.baseline for writer in writers(run)):
        yield "The baseline is no model: hypothesis' ghostwriter. It sees signatures alone, mends nothing."
    yield from manifest.warnings


def mean_text(mean: Mean) -> str:
    """Write a mean with its interval in percents: `47 % [23, 72]`."""
    if mean.value is None:
        return ABSENT
    return f"{percent(mean.value)} [{100 * mean.low:.0f}, {100 * mean.high:.0f}]"


def balance_text(mean: Mean) -> str:
    """Write catches minus false alarms with its interval: `0.90 [0.31, 1.00]`."""
    if mean.value is None:
        return ABSENT
    return f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]".replace("-", MINUS)


def points_text(value: float | None) -> str:
    """Write a difference in points, with its sign."""
    if value is None:
        return ABSENT
    whole = round(100 * value)
    return "0" if whole == 0 else f"{whole:+d}".replace("-", MINUS)


def behind_text(writer: Writer) -> str:
    """Write how far a writer is behind the first, with the interval."""
    if writer.behind is None:
        return ABSENT
    difference, interval = writer.behind
    return f"{points_text(difference)} [{points_text(interval.low)}, {points_text(interval.high)}]"


COLUMNS: Final = (
    "rank",
    "writer",
    "stable mutation score",
    "behind the first",
    "first suite",
    "catches",
    "false alarms",
    "J",
    "passes",
    "unscored",
    "calls",
    "tokens/kill",
)


def row_texts(writer: Writer) -> tuple[str, ...]:
    """Write the row of a writer; the name is as it is."""
    return (
        ABSENT if writer.rank is None else str(writer.rank),
        writer.name,
        mean_text(writer.stable),
        behind_text(writer),
        mean_text(writer.stable_first),
        mean_text(writer.catches),
        mean_text(writer.false_alarms),
        balance_text(writer.balance),
        mean_text(writer.passes),
        f"{writer.unscored}/{writer.planned}",
        str(sum(writer.calls.values())),
        number(writer.tokens_per_kill, digits=1),
    )


def print_writers(run: RunData, console: Console) -> None:
    """Print the leaderboard; tab-separated lines where standard output is no terminal."""
    _banners(run, console)
    rows = [_safe(row_texts(writer)) for writer in writers(run)]
    if console.is_terminal:
        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for name in COLUMNS:
            left = name in {"rank", "writer"}
            table.add_column(Text(name), justify="left" if left else "right", overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)
    else:
        for row in (COLUMNS, *rows):
            console.file.write("\t".join(row) + "\n")
    for pair in matrix(run):
        where = (
            f"scripts of {one_line(pair.author, _NAME_CHARS)}, suites of {one_line(pair.writer, _NAME_CHARS)}"
        )
        bugs = f"; {pair.bugs.reveal} of {pair.bugs.suites} bugs revealed" if pair.bugs else ""
        _line(console, f"{where}: {mean_text(pair.stable)}{bugs}", "")
    for note in suite_notes(run):
        _line(console, f"note: {note}", "yellow")
    _banners(run, console)


def _safe(row: tuple[str, ...]) -> tuple[str, ...]:
    return (row[0], one_line(row[1], _NAME_CHARS), *row[2:])


def _banners(run: RunData, console: Console) -> None:
    for banner, _ in banners(run.manifest):
        _line(console, banner, "bold black on yellow")


def _line(console: Console, text: str, style: str) -> None:
    safe = one_line(text, limit=1000)
    if console.is_terminal:
        console.print(Text(safe, style=style))
    else:
        console.file.write(f"# {safe}\n")
