"""Forks parts: one warm one, started anew where it ends, and a cold one for each run that needs it."""

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from .. import kernel
from ..child import REPORT_FD
from . import gather, tidy
from .gather import Run, Talker
from .part import Part
from .sane import checked
from .ticks import limit_for

START_S = 60.0
RESTARTS = 4
"""A suite that ends its server more often has no score."""
CPU_S, WALL_S = 1.0, 5.0
"""Backstops of a run, beside what the unchanged script needs."""


class GaveUp(Exception):
    """The suite does not let itself be run."""


class Runs:
    """Does one run after another."""

    def __init__(self, base: Sequence[str] | None, seed: int, load_cpu_s: float) -> None:
        """Prepare; `base` is the unchanged script, `load_cpu_s` what an import may take."""
        self._base, self._seed, self._load_cpu_s = base, seed, load_cpu_s
        self._warm: tuple[int, int, int] | None = None
        self._restarts = 0
        self.part: Part | None = None
        """Set in forks only: what this process is."""
        self.fit = True
        """Whether runs may be forks of the warm part."""
        self.ids: list[str] = []
        self.import_ticks = 0

    def _become(self, talker: Talker, request: dict[str, Any] | None, fd: int = -1) -> None:
        os.close(REPORT_FD)
        kernel.set_dumpable(True)
        if self._warm is not None:
            for number in self._warm[1:]:
                os.close(number)
        self.part = Part(talker, self._base, self._seed, request, fd, self._load_cpu_s)

    def start_warm(self) -> Run | None:
        """Fork the warm part, and wait until it has collected the tests. None in the part itself."""
        theirs, ours = os.pipe()
        made = gather.fork(lambda talker: self._become(talker, None, theirs))
        if made is None:
            os.close(ours)
            return None
        os.close(theirs)
        pid, pipe = made
        run = gather.gather(pid, pipe, START_S, until="ready")
        if run.first("ready") is None:
            os.close(ours)
            os.close(pipe)
        else:
            self._warm = (pid, pipe, ours)
        return run

    def stop_warm(self) -> None:
        if self._warm is not None:
            pid, *fds = self._warm
            self._warm = None
            gather.end(pid)
            for fd in fds:
                os.close(fd)

    def run(self, request: dict[str, Any], *, cold: bool = False) -> Run | None:
        """Do one run; None in the fork that it is, if that is a part of its own."""
        request = {"seed": self._seed, "wall_s": WALL_S, "cpu_s": CPU_S, **request}
        if cold or not self.fit:
            return self._run_cold(request)
        run = Run(ended="signal")
        for _ in range(2):
            if self._warm is None and self._restart() is None:
                return None
            assert self._warm is not None
            pid, pipe, ours = self._warm
            try:
                gather.write_all(ours, json.dumps(request).encode() + b"\n")
                run = gather.gather(pid, pipe, request["wall_s"] + WALL_S, until="answer")
            except BrokenPipeError:
                run = Run(ended="signal")
            answer = run.first("answer")
            if answer is not None:
                said = answer.get("said")
                events = self._checked(said if isinstance(said, list) else [])
                return Run(events, *_answer(answer), run.wall_s)
            # It is the server itself that has ended, by whatever a run did to it.
            self.stop_warm()
        return Run(ended=run.ended or "signal")

    def _restart(self) -> Run | None:
        self._restarts += 1
        if self._restarts > RESTARTS:
            raise GaveUp("its tests end the process that runs them, again and again")
        run = self.start_warm()
        if run is not None and self._warm is None:
            raise GaveUp("it cannot be collected a second time")
        return run

    def _run_cold(self, request: dict[str, Any]) -> Run | None:
        request["ids"] = {str(number): self.ids[number] for number in request["tests"]}
        request["import_ticks"] = limit_for(self.import_ticks)
        run = gather.run(lambda talker: self._become(talker, request), request["wall_s"] + START_S)
        if run is None:
            return None
        tidy.sweep(spare=self._warm[0] if self._warm else 0)
        return Run(self._checked(run.events), run.ended, run.status, run.wall_s)

    def _checked(self, events: Iterable[object]) -> list[dict[str, Any]]:
        found = (checked(event, len(self.ids)) for event in events)
        return [event for event in found if event is not None]


def _answer(event: dict[str, Any]) -> tuple[str, int]:
    ended, status = event.get("ended"), event.get("status")
    return (ended if isinstance(ended, str) else "exit"), (status if type(status) is int else 0)
