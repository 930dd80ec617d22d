"""Live progress on standard error: tallies, rates, what is left. Quiet where there is no terminal."""

import threading
import time
from collections import Counter
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from evaluator.runs.records import AttemptRecord

_QUIET_EVERY_S = 10.0


class Named(Protocol):
    """A sample, as far as progress cares."""

    @property
    def name(self) -> str: ...


class Watcher(Protocol):
    """Is told what happens in a run. Called from many threads."""

    def attempt(self, record: AttemptRecord) -> None:
        """One attempt has its verdict."""
        ...

    def sample(self, spec: Named, last: AttemptRecord, seconds: float) -> None:
        """One sample is done."""
        ...

    def interrupted(self) -> None:
        """The run was asked to end; what is under way is finished."""
        ...


class LiveProgress:
    """A bar with tallies on a terminal, a plain line now and then elsewhere."""

    def __init__(
        self, console: Console, total: int, *, note: str = "", unit: str = "samples", good: str = "solved"
    ) -> None:
        self._console, self._total, self._note = console, total, note
        self._unit, self._good = unit, good
        self._lock = threading.Lock()
        self._tally: Counter[str] = Counter()
        self._verdicts: Counter[str] = Counter()
        self._done = 0
        self._slowest: tuple[float, str] = (0.0, "")
        self._said = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[tally]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task(unit, total=total, tally=Text())

    def __enter__(self) -> Self:
        if self._note:
            self._console.print(Text(self._note, style="bold yellow"))
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def attempt(self, record: AttemptRecord) -> None:
        """Count an attempt by its verdict."""
        with self._lock:
            self._verdicts[record.verdict] += 1
            self._show(advance=0)

    def sample(self, spec: Named, last: AttemptRecord, seconds: float) -> None:
        """Count a finished sample by its last verdict."""
        with self._lock:
            self._done += 1
            self._tally[self._good if last.success else "unscored" if last.unscored else "failed"] += 1
            self._slowest = max(self._slowest, (seconds, spec.name))
            self._show(advance=1)
            self._plain_line()

    def interrupted(self) -> None:
        """Answer the first Ctrl-C at once."""
        self._console.print(Text("finishing what runs; Ctrl-C again ends at once", style="bold yellow"))

    def _show(self, *, advance: int) -> None:
        self._bar.update(self._task, advance=advance, tally=Text(self._tallies()))

    def _tallies(self) -> str:
        counts = ", ".join(f"{self._tally[name]} {name}" for name in (self._good, "failed", "unscored"))
        slowest = f", slowest {self._slowest[1]} {self._slowest[0]:.0f} s" if self._slowest[1] else ""
        return f"{counts}, {self._verdicts.total()} attempts{slowest}"

    def _plain_line(self) -> None:
        due = time.monotonic() - self._said >= _QUIET_EVERY_S
        if not self._console.is_terminal and (due or self._done == self._total):
            self._said = time.monotonic()
            line = f"{self._done}/{self._total} {self._unit}: {self._tallies()}"
            self._console.print(Text(line), soft_wrap=True)
