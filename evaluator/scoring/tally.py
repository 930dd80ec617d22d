"""What score says on standard error: how far it is, and what came of it."""

import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from evaluator.scoring.score import INVALID_ROW, OURS, Scored
from repair.outcome import Verdict

_QUIET_EVERY_S = 10.0


class Tally:
    """Counts rows by verdict; a moving line on a terminal, a plain one now and then elsewhere."""

    def __init__(self, console: Console, *, live: bool = True) -> None:
        self._console = console
        self._lock = threading.Lock()
        self.verdicts: Counter[str] = Counter()
        self.levels: dict[str, Counter[bool]] = defaultdict(Counter)
        """How many judged rows passed (True) and did not (False), by level of grading."""
        self.looked_up = 0
        self._said = self._started = time.monotonic()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[tally]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not (live and console.is_terminal),
            transient=True,
        )
        self._task = self._bar.add_task("rows", total=None, tally=Text("no row yet"))

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    @property
    def rows(self) -> int:
        """All rows so far."""
        return self.verdicts.total()

    @property
    def judged(self) -> int:
        """Rows that have a verdict on their script."""
        return self.rows - self.invalid - self.unscored

    @property
    def invalid(self) -> int:
        """Rows that could not be judged as they stand."""
        return self.verdicts[INVALID_ROW]

    @property
    def unscored(self) -> int:
        """Rows without a verdict by our fault."""
        return sum(self.verdicts[verdict] for verdict in OURS)

    def add(self, scored: Scored) -> None:
        """Count one row."""
        self.verdicts[scored.verdict] += 1
        if scored.level is not None and scored.verdict not in OURS:
            self.levels[str(scored.level)][scored.verdict == Verdict.PASSED] += 1
        self.looked_up += scored.line is None
        self._bar.update(self._task, tally=Text(self._state()))
        if not self._console.is_terminal and time.monotonic() - self._said >= _QUIET_EVERY_S:
            self._said = time.monotonic()
            self.say(self._state())

    def _state(self) -> str:
        passed = self.verdicts[str(Verdict.PASSED)]
        rate = (self.rows - self.looked_up) / max(time.monotonic() - self._started, 0.001)
        failed = self.judged - passed
        return (
            f"{self.rows} rows: {passed} passed, {failed} failed, {self.unscored} unscored, "
            f"{self.invalid} invalid; {rate:.1f}/s"
        )

    @staticmethod
    def _rate(passed: int, judged: int) -> str:
        rate = f"{passed / judged:.1%}" if judged else "no rate"
        return f"passed {passed} of {judged} judged rows ({rate}), n = {judged}"

    def say(self, text: str, *, style: str = "") -> None:
        """Print one line above the moving one."""
        self._console.print(Text(text, style=style), soft_wrap=True)

    def conclude(self, out: Path | None) -> None:
        """Print the summary."""
        for verdict, count in self.verdicts.most_common():
            self.say(f"{count:>8}  {verdict}")
        self.say(self._rate(self.verdicts[str(Verdict.PASSED)], self.judged))
        for level, rows in sorted(self.levels.items()):
            self.say(f"  at level {level}: {self._rate(rows[True], rows.total())}")
        if self.looked_up:
            self.say(f"{self.looked_up} results were there already")
        if self.unscored:
            self.say(
                f"{self.unscored} rows are unscored by our fault; the same command tries them again"
                if out
                else f"{self.unscored} rows are unscored by our fault",
                style="yellow",
            )
        if self.invalid:
            self.say(f"{self.invalid} rows cannot be judged; their `error` says why", style="yellow")
        if out is not None:
            self.say(f"results: {out}")
