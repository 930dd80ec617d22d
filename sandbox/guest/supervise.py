"""Watch one child until it is gone, hold it to its limits, and leave no process behind.

The clock, the counters and the signals are the kernel's and the warden's own: nothing that the child
says decides what happened to it. The one exception is `begin`, which our own code in the child says
before any untrusted code has run in it: the limits of the run count from there.
"""

import json
import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import kernel
from .child import Child
from .drain import HeadTail, Lines, read_now

TICK_S = 0.05
GRACE_S = 0.1
"""How long helpers of a child (a resource tracker) may take to notice that it has ended."""
DRAIN_S = 0.2
REAP_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Limits that the warden itself enforces."""

    startup_s: float
    """Until the child says `begin`."""
    wall_s: float
    cpu_s: float
    """CPU seconds of all processes together, above what RLIMIT_CPU allows a single one."""
    keep_bytes: int
    hard_bytes: int


@dataclass(slots=True, kw_only=True)
class Facts:
    """What became of a child."""

    exit_code: int | None = None
    signal: int | None = None
    killed_for: str = ""
    """Why the warden killed it: wall, cpu, output, memory, startup, report, compile or nothing."""
    settled: bool = False
    """It became what it was planned to be; before that every failure is ours."""
    began: bool = False
    wall_s: float = 0.0
    cpu_s: float = 0.0
    max_rss_bytes: int = 0
    run_delay_s: float | None = None
    oom: bool = False
    pids_denied: bool = False
    leftover: bool = False
    zygote_lost: bool = False
    """The kernel, short of memory that the child took, chose a zygote."""
    report_fault: str = ""
    out: HeadTail = field(default_factory=lambda: HeadTail(0))
    err: HeadTail = field(default_factory=lambda: HeadTail(0))

    @property
    def clean(self) -> bool:
        """It ended by itself, with nothing left behind and no limit touched."""
        touched = self.oom or self.pids_denied or self.leftover
        if self.killed_for == "compile":
            # Nothing of the script has run.
            return not (touched or self.report_fault)
        return not (self.killed_for or self.report_fault or touched) and self.signal is None


class ReapError(Exception):
    """The container is not as it must be after a run: our failure."""


def _refuse(name: str) -> None:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def parse_event(line: bytes) -> dict[str, Any] | None:
    """Parse one report line; None when it is not a plain JSON object."""
    try:
        value = _DECODER.decode(line.decode())
    except (ValueError, RecursionError, MemoryError):
        return None
    return value if isinstance(value, dict) and isinstance(value.get("event"), str) else None


class Supervisor:
    """One use: watch one child."""

    def __init__(
        self,
        child: Child,
        bounds: Bounds,
        sink: Callable[[dict[str, Any]], None],
        *,
        host: int | None,
        spare: frozenset[int],
    ) -> None:
        """Watch `child`; `host` is where the end of the host shows, `spare` are processes of ours."""
        self._child = child
        self._spare = spare | {os.getpid()}
        self._bounds = bounds
        self._sink = sink
        self._host = host
        self._lines = Lines(self._on_line)
        self._facts = Facts(out=HeadTail(bounds.keep_bytes), err=HeadTail(bounds.keep_bytes))
        self._before = kernel.Counters.read()
        self._zero = time.monotonic()
        self._zero_cpu = 0.0
        self._zero_delay = 0.0
        self._cgroup_zero = self._before.cpu_s
        self._next_look = 0.0
        self._ended = False

    def watch(self) -> Facts:
        """Return when the child and everything it started are gone."""
        poller = self._poller()
        try:
            while not self._ended:
                for fd, _ in poller.poll(TICK_S * 1000):
                    self._on_ready(fd, poller)
                self._check()
            self._finish()
        finally:
            for fd in (self._child.out, self._child.err, self._child.report, self._pidfd):
                if fd >= 0:
                    os.close(fd)
        return self._facts

    def _poller(self) -> "select.poll":
        poller = select.poll()
        for fd in (self._child.out, self._child.err, self._child.report):
            poller.register(fd, select.POLLIN)
        if self._host is not None:
            poller.register(self._host, select.POLLIN)
        try:
            self._pidfd = os.pidfd_open(self._child.pid)
            poller.register(self._pidfd, select.POLLIN)
        except OSError:
            # Not everywhere allowed; the tick notices the end as well.
            self._pidfd = -1
        return poller

    def _on_ready(self, fd: int, poller: "select.poll") -> None:
        if fd == self._host:
            # The host sends nothing now: either it has gone, or it is not our host any more.
            os._exit(1)
        feed = self._feeder(fd)
        if feed is not None and not read_now(fd, feed, 1 << 20):
            poller.unregister(fd)

    def _feeder(self, fd: int) -> Callable[[bytes], None] | None:
        return {
            self._child.out: self._facts.out.feed,
            self._child.err: self._facts.err.feed,
            self._child.report: self._lines.feed,
        }.get(fd)

    def _on_line(self, line: bytes) -> None:
        event = parse_event(line)
        if event is None:
            self._lines.broken = "a line of the report is not an event"
        elif not self._facts.settled:
            self._facts.settled = event["event"] == "settled"
        else:
            self._on_event(event)

    def _on_event(self, event: dict[str, Any]) -> None:
        if event["event"] == "begin":
            self._begin(event)
        else:
            self._sink(event)

    def _begin(self, event: dict[str, Any]) -> None:
        if self._facts.began:
            self._lines.broken = "the run began twice"
            return
        self._facts.began = True
        self._zero = time.monotonic()
        self._zero_delay = kernel.run_delay_s(self._child.pid) or 0.0
        self._cgroup_zero = kernel.Counters.read().cpu_s
        used = event.get("cpu_s")
        self._zero_cpu = used if isinstance(used, float) else 0.0

    def _check(self) -> None:
        """End the watch when the child has ended or must end."""
        if os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            self._ended = True
            return
        self._facts.killed_for = self._reason_to_kill()
        self._ended = bool(self._facts.killed_for)

    def _reason_to_kill(self) -> str:
        if self._facts.out.total + self._facts.err.total > self._bounds.hard_bytes:
            return "output"
        if self._lines.broken:
            return "report"
        limit = self._bounds.wall_s if self._facts.began else self._bounds.startup_s
        if time.monotonic() - self._zero > limit:
            return "wall" if self._facts.began else "startup"
        if self._facts.began and self._looks_again() and self._cgroup_cpu() > self._bounds.cpu_s:
            return "cpu"
        return ""

    def _looks_again(self) -> bool:
        """Say whether it is time to read the counters: a child that reports a lot wakes us often."""
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + TICK_S
        return True

    def _cgroup_cpu(self) -> float:
        now = kernel.cpu_s()
        return 0.0 if now is None or self._cgroup_zero is None else now - self._cgroup_zero

    def _finish(self) -> None:
        facts = self._facts
        facts.wall_s = time.monotonic() - self._zero
        delay = kernel.run_delay_s(self._child.pid)
        facts.run_delay_s = None if delay is None else max(delay - self._zero_delay, 0.0)
        if not facts.killed_for:
            # What the child itself has reported is in the pipe by now; what comes later is not its word.
            read_now(self._child.report, self._lines.feed, Lines.MAX_TOTAL)
            self._lines.end()
            facts.leftover = self._leftovers()
        facts.report_fault = self._lines.broken
        self._reap_all()
        self._drain_output()
        after = kernel.Counters.read()
        facts.oom = kernel.rose(self._before.oom_kills, after.oom_kills)
        if facts.zygote_lost and not facts.oom:
            raise ReapError("a zygote has died")
        facts.pids_denied = kernel.rose(self._before.pids_denied, after.pids_denied)
        facts.cpu_s = max(facts.cpu_s - self._zero_cpu, 0.0)

    def _leftovers(self) -> bool:
        deadline = time.monotonic() + GRACE_S
        while kernel.others_alive(self._spare):
            if time.monotonic() > deadline:
                return True
            time.sleep(0.005)
        return False

    def _reap_all(self) -> None:
        """Kill and reap every process of the child's user, which are all but the warden's own."""
        deadline = time.monotonic() + REAP_S
        while time.monotonic() < deadline:
            kernel.kill_all_of(self._child.uid)
            while self._reap_one():
                pass
            if not kernel.others(self._spare):
                return
            time.sleep(0.001)
        raise ReapError(f"processes of user {self._child.uid} cannot be killed")

    def _reap_one(self) -> bool:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            # One zygote was this child, and the other is lost.
            return False
        if pid == 0:
            return False
        if pid in self._spare:
            self._facts.zygote_lost = True
            self._spare -= {pid}
            return True
        self._facts.cpu_s += usage.ru_utime + usage.ru_stime
        self._facts.max_rss_bytes = max(self._facts.max_rss_bytes, usage.ru_maxrss * 1024)
        if pid == self._child.pid:
            self._note_status(status)
        return True

    def _note_status(self, status: int) -> None:
        if os.WIFSIGNALED(status):
            self._facts.signal = os.WTERMSIG(status)
        else:
            self._facts.exit_code = os.WEXITSTATUS(status)

    def _drain_output(self) -> None:
        deadline = time.monotonic() + DRAIN_S
        for fd, stream in ((self._child.out, self._facts.out), (self._child.err, self._facts.err)):
            while read_now(fd, stream.feed, 1 << 20) and time.monotonic() < deadline:
                time.sleep(0.001)
