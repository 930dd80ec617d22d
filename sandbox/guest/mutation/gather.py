"""Forks a process for one run, listens to what it says, and ends it when it takes too long."""

import json
import mmap
import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

MAX_BYTES = 8 * 1024 * 1024
_CHUNK = 1 << 16
_POLL_MS = 50
_HEADER = 8


@dataclass(slots=True)
class Run:
    """What came of a forked process."""

    events: list[dict[str, Any]] = field(default_factory=list)
    ended: str = ""
    """Empty when it said that it was done; else cpu, wall, signal, exit or talk (it said too much)."""
    status: int = 0
    """Its exit status, negative for a signal."""
    wall_s: float = 0.0

    def first(self, name: str) -> dict[str, Any] | None:
        """Return the first event of this name."""
        return next((event for event in self.events if event.get("event") == name), None)

    def all(self, name: str) -> list[dict[str, Any]]:
        """Return the events of this name."""
        return [event for event in self.events if event.get("event") == name]


class Sheet:
    """Shared memory on which a forked process writes what it has to say.

    Nobody is woken by it: on a busy machine that would take longer than the tests. What was written is there
    even when the writer has died.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _HEADER + MAX_BYTES)
        self._end = _HEADER

    def write(self, data: bytes) -> None:
        """Append; what does not fit ends the process, which the reader will see."""
        end = self._end + len(data)
        self._memory[self._end : end] = data
        self._end = end
        self._memory[:_HEADER] = end.to_bytes(_HEADER, "big")

    def read(self) -> bytes:
        """Return all that was written."""
        end = int.from_bytes(self._memory[:_HEADER], "big")
        return self._memory[_HEADER : min(max(end, _HEADER), _HEADER + MAX_BYTES)]

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()


class Talker:
    """The forked side: writes events. Holds its own references, as `Reporter` does."""

    def __init__(self, write: Callable[[bytes], object], fd: int = -1) -> None:
        self._write = write
        self.fd = fd
        """The pipe behind it, if there is one."""
        self._encode = json.JSONEncoder().encode
        self._getpid, self.pid = os.getpid, os.getpid()
        self._exit = os._exit

    def say(self, event: str, **facts: Any) -> None:
        """Write one event; a fork of this process stays silent."""
        if self._getpid() != self.pid:
            return
        self._write(self._encode({"event": event, **facts}).encode() + b"\n")

    def leave(self, event: str = "done", **facts: Any) -> Any:
        """Say a last word, and end the process without anything that the suite has prepared."""
        self.say(event, **facts)
        self._exit(0)


def write_all(fd: int, data: bytes) -> None:
    """Write all of it, however small the pieces are that the pipe takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def run(child: Callable[[Talker], None], wall_s: float) -> Run | None:
    """Fork for one run, and wait for its end; None in the fork, once `child` has returned there."""
    sheet, start = Sheet(), time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        child(Talker(sheet.write))
        return None
    status = _wait(pid, wall_s)
    found = Run(status=status or 0, wall_s=time.monotonic() - start)
    _take(bytearray(sheet.read()), found)
    sheet.close()
    found.ended = "wall" if status is None else _how(status, found)
    _kill_group(pid)
    return found


def _wait(pid: int, wall_s: float) -> int | None:
    """Wait for the end of a process, and reap it; None if it had to be killed."""
    until = time.monotonic() + wall_s
    poller = select.poll()
    try:
        pidfd = os.pidfd_open(pid)
        poller.register(pidfd, select.POLLIN)
    except OSError:
        # Not everywhere allowed: look often.
        pidfd = -1
    try:
        while (status := _status(pid)) is None and time.monotonic() < until:
            poller.poll(_POLL_MS if pidfd >= 0 else 1)
    finally:
        if pidfd >= 0:
            os.close(pidfd)
    if status is None:
        end(pid)
    return status


def fork(child: Callable[[Talker], None]) -> tuple[int, int] | None:
    """Fork; None in the child, once `child` has returned there. In the parent: its pid, and its pipe."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        os.setpgid(0, 0)
        child(Talker(partial(write_all, theirs), theirs))
        return None
    os.close(theirs)
    os.set_blocking(ours, False)
    return pid, ours


def gather(pid: int, pipe: int, wall_s: float, until: str = "") -> Run:
    """Take what a forked process says until it ends, or says `until`, or takes longer than `wall_s`."""
    run, start = Run(), time.monotonic()
    with _Ear(pid, pipe, run) as ear:
        while not run.ended and not (until and run.first(until) is not None):
            if ear.listen() and ear.status is not None:
                run.ended = _how(ear.status, run)
                break
            if time.monotonic() - start > wall_s:
                run.ended = "wall"
    run.wall_s = time.monotonic() - start
    if ear.status is not None:
        run.status = ear.status
        _kill_group(pid)
    elif run.ended or not until:
        end(pid)
    return run


class _Ear:
    """Listens to one process."""

    def __init__(self, pid: int, pipe: int, run: Run) -> None:
        self._pid, self._pipe, self._run = pid, pipe, run
        self._rest, self._total = bytearray(), 0
        self.status: int | None = None
        """How it ended; None while it lives."""
        self._poller = select.poll()
        self._poller.register(pipe, select.POLLIN)
        self._open = True
        try:
            self._pidfd = os.pidfd_open(pid)
            self._poller.register(self._pidfd, select.POLLIN)
        except OSError:
            # Not everywhere allowed: look often.
            self._pidfd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)

    def listen(self) -> bool:
        """Wait a moment for something to come, and take it; True when nothing more can come."""
        self._poller.poll(_POLL_MS if self._pidfd >= 0 else 1)
        if self.status is None:
            self.status = _status(self._pid)
        data = self._read() if self._open else b""
        if data:
            self._total += len(data)
            self._rest += data
            _take(self._rest, self._run)
            if self._total > MAX_BYTES:
                self._run.ended = "talk"
            return False
        if data == b"" and self._open:
            # The end of the pipe would be heard again and again.
            self._open = False
            self._poller.unregister(self._pipe)
        return self.status is not None

    def _read(self) -> bytes | None:
        try:
            return os.read(self._pipe, _CHUNK)
        except BlockingIOError:
            return None


def end(pid: int) -> None:
    """Kill a forked process and its group, and reap it."""
    _kill_group(pid)
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _status(pid: int) -> int | None:
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return os.waitstatus_to_exitcode(status) if found else None


def _take(rest: bytearray, run: Run) -> None:
    *lines, last = rest.split(b"\n")
    for line in lines:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            run.events.append(event)
    rest[:] = last


def _how(status: int, run: Run) -> str:
    if run.first("done") is not None:
        return ""
    if -status in {signal.SIGPROF, signal.SIGXCPU}:
        return "cpu"
    return "signal" if status < 0 else "exit"
