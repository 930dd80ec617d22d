"""Watch two children at once: the tests' process, and the script's, which may be started anew."""

import contextlib
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import kernel
from .ahead import ForScript
from .child import Child
from .drain import Lines, read_now
from .supervise import GRACE_S, REAP_S, Facts, ReapError, Supervisor, parse_event
from .zygote import SpawnError

SHARE = 0.75
"""Of what is left of its limits, a test may use this much before the script's process is ended for it."""
MESSAGE = 4096
CPU_SLACK_S = 1.6
"""The warden's own limit is 1.5 s later than the kernel's, whose account is not read in the same moment."""
MOST_CPU_S = 1000.0
LAST_WORDS = frozenset({"finish", "import_failed", "refused", "end"})
"""After these the tests' process leaves, and that of the script goes with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a process of the script ended, of which the tests still needed something."""

    reason: str
    """wall, cpu, memory, output, signal, exit or closed."""
    signal: int | None
    exit_code: int | None

    @property
    def message(self) -> str:
        """Say it in words."""
        if self.reason in {"wall", "cpu"}:
            return f"the script's process was ended: its share of the {self.reason} time was used up"
        if self.reason == "closed":
            return "the script's process closed its connection to the tests"
        if self.signal is not None:
            return f"the script's process died of signal {self.signal}"
        return f"the script's process ended with exit status {self.exit_code}"


class Candidate:
    """A process of the script, while it lives."""

    def __init__(self, child: Child, sink: Callable[[dict[str, Any]], None]) -> None:
        self.child = child
        self.lines = Lines(self._on_line)
        self.settled = False
        self.begun_cpu: float | None = None
        """CPU seconds that it had used when the script began in it."""
        self.reason = ""
        """Why the warden kills it, if it does."""
        self.pidfd = -1
        self._sink = sink

    def _on_line(self, line: bytes) -> None:
        event = parse_event(line)
        if event is None:
            self.lines.broken = "a line of the report is not an event"
        elif not self.settled:
            self.settled = event["event"] == "settled"
        else:
            self._sink(event)


class Duo(Supervisor):
    """One use: watch the tests' process and, beside it, the script's."""

    def __init__(
        self,
        *args: Any,
        control: socket.socket,
        token: str,
        start: Callable[[], ForScript],
        uid: int,
        compiled: Callable[[dict[str, Any]], dict[str, Any] | None],
        **kwargs: Any,
    ) -> None:
        """Watch.

        Args:
            *args: of `Supervisor`, for the tests' process.
            control: the socket to the tests' process.
            token: what its events must say.
            start: gives a process that runs the script.
            uid: its user.
            compiled: told what it reports; returns what the tests are to know once it has compiled.
            **kwargs: of `Supervisor`, too.
        """
        super().__init__(*args, **kwargs)
        self._control, self._token = control, token
        self._start, self._uid, self._compiled = start, uid, compiled
        self.ends: list[End] = []
        self.refused_to_compile = False
        self._has_compiled = False
        self._candidate: Candidate | None = None
        self._gifts: list[int] = []
        self._tests_left = 0
        self._test_since: tuple[float, float] | None = None
        self._begun_cpu = 0.0
        self._is_leaving = False
        self._poll = select.poll()
        self._oom_before = self._before.oom_kills

    def watch(self) -> Facts:
        """Return when both and everything they started are gone."""
        try:
            return super().watch()
        finally:
            self._control.close()

    def expect(self, count: int) -> None:
        """Learn how many tests will run."""
        self._tests_left = count

    # Two sets of files

    def _poller(self) -> "select.poll":
        poller = super()._poller()
        poller.register(self._control, select.POLLIN)
        self._poll = poller
        self._launch()
        return poller

    def _launch(self) -> None:
        started = self._start()
        self._gifts = list(started.gifts)
        self._candidate = Candidate(started.child, self._on_candidate)
        self._poll.register(started.child.report, select.POLLIN)
        try:
            self._candidate.pidfd = os.pidfd_open(started.child.pid)
            self._poll.register(self._candidate.pidfd, select.POLLIN)
        except OSError:
            self._candidate.pidfd = -1

    def _launch_again(self) -> bool:
        """Start the next; False where the script has left no memory for it."""
        try:
            self._launch()
        except (SpawnError, BrokenPipeError):
            if not kernel.rose(self._before.oom_kills, kernel.Counters.read().oom_kills):
                raise
            self._facts.killed_for = "memory"
            return False
        return True

    def _on_ready(self, fd: int, poller: "select.poll") -> None:
        candidate = self._candidate
        if fd == self._control.fileno():
            self._hear(poller)
        elif candidate is not None and fd == candidate.child.report:
            if not read_now(fd, candidate.lines.feed, 1 << 20):
                poller.unregister(fd)
        elif candidate is None or fd != candidate.pidfd:
            super()._on_ready(fd, poller)

    # What the two say

    def _on_event(self, event: dict[str, Any]) -> None:
        if event.pop("token", None) != self._token:
            self._lines.broken = "somebody else wrote into the report"
            return
        kind = event["event"]
        if kind == "begin":
            self._begin(event)
        elif kind == "flood":
            self._facts.killed_for = "output"
        else:
            self._is_leaving |= kind in LAST_WORDS
            if kind == "finish" and self._candidate is not None:
                # Both give their memory back at the same time, then.
                os.kill(self._candidate.child.pid, signal.SIGKILL)
            if kind == "start":
                self._test_since = time.monotonic(), kernel.cpu_s() or 0.0
            elif kind == "test":
                self._test_since = None
                self._tests_left -= 1
            self._sink(event)

    def _on_candidate(self, event: dict[str, Any]) -> None:
        if event["event"] == "begin":
            self._note_beginning(event.get("cpu_s"))
            return
        told = self._compiled(event)
        if told is not None and self._gifts:
            self._has_compiled = True
            self._tell(told, with_link=True)

    def _note_beginning(self, used: object) -> None:
        # The first one is our own word; the script's pipe is the same.
        candidate = self._candidate
        if candidate is None:
            return
        if candidate.begun_cpu is not None:
            candidate.lines.broken = "the run began twice"
            return
        candidate.begun_cpu = used if isinstance(used, float) and 0 <= used < MOST_CPU_S else 0.0
        self._begun_cpu += candidate.begun_cpu

    def _hear(self, poller: "select.poll") -> None:
        try:
            data = self._control.recv(MESSAGE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            poller.unregister(self._control)
            return
        what = json.loads(data).get("ask")
        if what == "why":
            self._bury("" if self._has_ended() else "closed")
            end = self.ends[-1]
            self._tell({"reason": end.reason, "message": end.message})
        elif what == "new":
            self._bury("closed")
            if not self._launch_again():
                return
            # What the next test needs before it can begin is the next test's.
            self._test_since = time.monotonic(), kernel.cpu_s() or 0.0
            self._tell({}, with_link=True)

    def _has_ended(self) -> bool:
        """Say whether the script's process has ended by itself: its files close a moment before it does."""
        candidate = self._candidate
        if candidate is None or candidate.pidfd < 0:
            return candidate is None
        return bool(select.select([candidate.pidfd], [], [], GRACE_S)[0])

    def _tell(self, what: dict[str, Any], *, with_link: bool = False) -> None:
        fds = self._gifts if with_link else []
        # Where it has gone, the next look at it says so.
        with contextlib.suppress(OSError):
            socket.send_fds(self._control, [json.dumps(what).encode()], fds)
        for fd in fds:
            os.close(fd)
        if with_link:
            self._gifts = []

    # Ends

    def _check(self) -> None:
        super()._check()
        candidate = self._candidate
        if self._ended or self._is_leaving or candidate is None:
            return
        if os.waitid(os.P_PID, candidate.child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            self._bury("")
            # Its compiler has died: the tests' process would wait for its word.
            self.refused_to_compile |= not self._has_compiled
        elif self._test_since is not None and self._test_took_too_long(*self._test_since):
            self._bury(candidate.reason)

    def _reason_to_kill(self) -> str:
        if self._facts.killed_for:
            return self._facts.killed_for
        if self.refused_to_compile and self._facts.settled:
            return "compile"
        if self._candidate is not None and self._candidate.lines.broken:
            self._lines.broken = self._candidate.lines.broken
        return super()._reason_to_kill()

    def _test_took_too_long(self, since: float, cpu_since: float) -> bool:
        """Whether one test has used up its share; the last one has all that is left."""
        assert self._candidate is not None
        if self._tests_left <= 1 or not self._facts.began:
            return False
        left = self._bounds.wall_s - (since - self._zero)
        if time.monotonic() - since > SHARE * left:
            self._candidate.reason = "wall"
            return True
        now = kernel.cpu_s()
        if now is None or self._cgroup_zero is None:
            return False
        cpu_left = self._bounds.cpu_s - (cpu_since - self._cgroup_zero)
        self._candidate.reason = "cpu"
        return now - cpu_since > SHARE * cpu_left

    def _bury(self, reason: str) -> None:
        """End the script's process for good, and note how it ended."""
        candidate, self._candidate = self._candidate, None
        if candidate is None:
            return
        # What it has said until now is in the pipe.
        read_now(candidate.child.report, candidate.lines.feed, 1 << 20)
        self._let_go_of(candidate)
        status, used = self._kill_and_wait(candidate.child.pid)
        died_of = os.WTERMSIG(status) if os.WIFSIGNALED(status) and not reason else None
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        reason = reason or self._reason_of(died_of, used - (candidate.begun_cpu or 0.0))
        self.ends.append(End(reason=reason, signal=died_of, exit_code=code))
        if not candidate.settled and reason != "memory":
            raise RuntimeError("the script's process ended before it was one")

    def _let_go_of(self, candidate: Candidate) -> None:
        """Close what is the warden's of a process of the script."""
        # The last are still here where the tests' process never got them.
        fds = [candidate.child.report, candidate.pidfd, *self._gifts]
        self._gifts = []
        for fd in fds:
            if fd >= 0:
                with contextlib.suppress(KeyError):
                    self._poll.unregister(fd)
                os.close(fd)

    def _reason_of(self, died_of: int | None, used: float) -> str:
        oom_now = kernel.Counters.read().oom_kills
        if died_of == signal.SIGKILL and kernel.rose(self._oom_before, oom_now):
            self._oom_before = oom_now
            return "memory"
        # Anybody may send these signals: the kernel does when the time is used up.
        if died_of in {signal.SIGXCPU, signal.SIGKILL} and used >= self._bounds.cpu_s - CPU_SLACK_S:
            return "cpu"
        return "exit" if died_of is None else "signal"

    def _kill_and_wait(self, pid: int) -> tuple[int, float]:
        """Kill and reap all of the script's user; return how `pid` ended and its CPU seconds."""
        kernel.kill_all_of(self._uid)
        status, used = self._wait_for(pid, 0) or (0, 0.0)
        deadline = time.monotonic() + REAP_S
        # Each of them takes a place that the next process may need.
        while others := kernel.others(self._spare | {self._child.pid}):
            if time.monotonic() > deadline:
                raise ReapError(f"processes of user {self._uid} cannot be killed")
            for each in others:
                self._wait_for(each, os.WNOHANG)
            time.sleep(0.001)
        return status, used

    def _wait_for(self, pid: int, how: int) -> tuple[int, float] | None:
        """Reap a process if it has ended and is this one's child."""
        try:
            found, status, usage = os.wait4(pid, how)
        except ChildProcessError:
            return None
        if not found:
            return None
        used = usage.ru_utime + usage.ru_stime
        self._facts.cpu_s += used
        self._facts.max_rss_bytes = max(self._facts.max_rss_bytes, usage.ru_maxrss * 1024)
        return status, used

    def _finish(self) -> None:
        candidate = self._candidate
        if candidate is not None:
            delay = kernel.run_delay_s(candidate.child.pid) or 0.0
            os.kill(candidate.child.pid, signal.SIGKILL)
            if candidate.pidfd >= 0:
                # Giving much memory back takes a while.
                select.select([candidate.pidfd], [], [], REAP_S)
            self._let_go_of(candidate)
        else:
            delay = 0.0
        super()._finish()
        facts = self._facts
        facts.cpu_s = max(facts.cpu_s - self._begun_cpu, 0.0)
        if facts.run_delay_s is not None:
            facts.run_delay_s += delay

    def _reap_all(self) -> None:
        kernel.kill_all_of(self._uid)
        super()._reap_all()
