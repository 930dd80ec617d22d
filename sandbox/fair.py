"""Limits that are fair on a busy machine: a run that waited too long for a CPU is run again, alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from sandbox.backend import Sandbox
from sandbox.types import ImageInfo, Job, Level, RunResult
from sandbox.verdict import RunVerdict, judge

WAITED_SHARE: Final = 0.2
"""Share of the wall time that a run may wait for a CPU before its time limits are unfair."""

_TIME_LIMITS = frozenset({RunVerdict.TIMED_OUT, RunVerdict.CPU_LIMIT})


class FairSandbox:
    """Runs jobs side by side; whoever hits a time limit while it waited for a CPU gets the machine alone.

    The second run stands, whatever it shows, and brings the first one along as `contended`. It is made
    at once and not at the end of all runs, because in a repair loop the next call depends on its verdict.
    Only runs of this sandbox keep away from it: other load on the machine does not.
    """

    def __init__(self, inner: Sandbox) -> None:
        self._inner = inner
        self._gate = _Gate()

    def run(self, job: Job) -> RunResult:
        """Run `job`, twice at most; see `Sandbox.run`."""
        with self._gate.shared():
            first = self._inner.run(job)
        if not waited_too_long(first):
            return first
        with self._gate.alone():
            second = self._inner.run(job)
        return replace(second, contended=first)

    def image(self) -> ImageInfo:
        """Say which image runs the jobs; see `Sandbox.image`."""
        return self._inner.image()

    def levels(self) -> frozenset[Level]:
        """Name the levels on offer."""
        return self._inner.levels()

    def close(self) -> None:
        """Close the sandbox inside. Safe to call twice."""
        self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def waited_too_long(result: RunResult) -> bool:
    """Whether a time limit ended the run, and it had waited for a CPU for a good part of its time."""
    delay = result.run_delay_s
    if delay is None or result.wall_s <= 0 or judge(result) not in _TIME_LIMITS:
        return False
    return delay >= WAITED_SHARE * result.wall_s


class _Gate:
    """Many may be inside together, or one alone; who wants to be alone goes before all newcomers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._alone = 0
        """How many are alone inside, or wait to be."""

    @contextmanager
    def shared(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            self._alone += 1
            try:
                self._changed.wait_for(lambda: not self._inside)
            except BaseException:
                self._leave()
                raise
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._leave()

    def _leave(self) -> None:
        self._alone -= 1
        self._changed.notify_all()
