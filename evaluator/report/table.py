"""The final table on a terminal; tab-separated lines where standard output is not one."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.report.figures import (
    ABSENT,
    THIN_SPACE,
    equal_budgets,
    lift_text,
    number,
    percent,
    rate_text,
    tokens_text,
    unscored_text,
    yields_of,
)
from evaluator.report.notes import levels_of, notes
from evaluator.report.words import BASIS_TITLES, LEVEL_NOTES, banners
from evaluator.runs.rundata import RunData
from evaluator.safe_text import one_line
from evaluator.statistics.ledger import Ledger
from evaluator.statistics.metrics import BASES, Group, Row, groups, leaderboard, why_unranked

_COLUMNS: Final = (
    "rank",
    "model",
    "pass@1",
    "after repair",
    "lift",
    "raw → clean parse",
    "truncated",
    "unscored",
    "tokens/solved",
    "s/sample",
)
_WIDE: Final = 120
"""Columns from which all fits into one table."""
_NARROW_COLUMNS: Final = ((0, 1, 2, 3, 4), (1, 5, 6, 7, 8, 9))
_MODEL_CHARS: Final = 48


def final_table(run: RunData | Ledger, console: Console) -> None:
    """Print the leaderboard of every basis, with the level of grading and all that limits its meaning."""
    by_model, by_level = groups(run), groups(run, by="level")
    _banner(run, console)
    for reason in run.manifest.invalid:
        _line(console, f"INVALID: {reason}", "bold red")
    for basis in BASES:
        rows = leaderboard(group for group in by_model if group.basis == basis)
        if rows:
            graded = levels_of(run, basis)
            _line(console, f"{BASIS_TITLES[basis]}; grading level: {', '.join(graded) or 'none'}", "bold")
            _leaderboard(console, rows)
            if len(graded) > 1:
                _by_level(console, [group for group in by_level if group.basis == basis])
            _repairs(console, [row.group for row in rows])
            for level in graded:
                _line(console, LEVEL_NOTES[level], "dim")
            _line(console, why_unranked(rows), "yellow")
    for note in notes(run, by_model):
        _line(console, f"note: {note}", "yellow")
    _banner(run, console)


def _by_level(console: Console, of_basis: Sequence[Group]) -> None:
    for group in of_basis:
        rates = f"pass@1 {rate_text(group.pass_at_1)}, after repair {rate_text(group.after_repair)}"
        where = f"{group.model} at level {', '.join(group.levels) or 'none'}"
        _line(console, f"{where}: {rates} ({group.tasks} tasks)", "")


def _repairs(console: Console, listed: Sequence[Group]) -> None:
    for group in listed:
        best = [
            f"{failure} {percent(one.mended.value)} of {one.mended.N}"
            for failure, one in yields_of(group).items()
        ]
        if best:
            _line(console, f"{group.model}: calls that mend, by what failed before: {', '.join(best)}", "")
        for budget, equal in equal_budgets(group):
            again = f"asking again {rate_text(equal.fair)}, with an oracle {rate_text(equal.oracle)}"
            gain = f"advantage of repair {lift_text(equal.advantage)} points"
            _line(console, f"{group.model}: at equal {budget} {again}; {gain}", "")


def _banner(run: RunData | Ledger, console: Console) -> None:
    for banner, _ in banners(run.manifest):
        _line(console, banner, "bold black on yellow")


def _line(console: Console, text: str, style: str) -> None:
    if not text:
        return
    safe = one_line(text, limit=1000)
    if console.is_terminal:
        console.print(Text(safe, style=style))
    else:
        console.file.write(f"# {safe}\n")


def _leaderboard(console: Console, rows: Sequence[Row]) -> None:
    cells = [_cells(row) for row in rows]
    if not console.is_terminal:
        # Straight to the stream: rich would turn tabs into spaces and wrap at 80 columns.
        for line in (_COLUMNS, *cells):
            console.file.write("\t".join(line).replace(THIN_SPACE, "") + "\n")
        return
    for columns in [range(len(_COLUMNS))] if console.width >= _WIDE else _NARROW_COLUMNS:
        console.print(_table([[line[column] for column in columns] for line in (_COLUMNS, *cells)]))


def _table(lines: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in lines[0]:
        left = name in {"rank", "model"}
        table.add_column(Text(name), justify="left" if left else "right", overflow="fold")
    for line in lines[1:]:
        table.add_row(*(Text(cell) for cell in line))
    return table


def _cells(row: Row) -> tuple[str, ...]:
    group = row.group
    return (
        ABSENT if row.rank is None else str(row.rank),
        one_line(group.model, _MODEL_CHARS),
        rate_text(group.pass_at_1),
        rate_text(group.after_repair),
        lift_text(group.lift),
        f"{percent(group.raw_parse.value)} → {percent(group.clean_parse.value)}",
        percent(group.truncated.value),
        unscored_text(group),
        tokens_text(group),
        number(group.cost.per_sample(group.cost.model_s), digits=1),
    )
