"""What the script prints: read by the tests' side, and printed there in its place, in order."""

import contextlib
import os
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from .link import Link

CHUNK = 1 << 16


class Outlet:
    """Reads the script's two streams and writes them to this side's."""

    def __init__(self, most: int, when_too_much: Callable[[], None]) -> None:
        """Call `when_too_much` once more than `most` bytes have come."""
        self._most = most
        self._when_too_much = when_too_much
        self._total = 0
        self.files: dict[int, Any] = {}
        self._poller = select.poll()
        self.changes = 0
        """How often there have been other files to listen to."""
        # Tests read what is printed while a thread of ours prints it.
        self._lock = threading.RLock()

    def listen(self, out: int, err: int, out_now: int, err_now: int) -> None:
        """Listen to a new process; what the last one left is printed first.

        Args:
            out: what it prints to the stream that it started with.
            err: the same for errors.
            out_now: what it prints to whatever `sys.stdout` is on this side now.
            err_now: the same for errors.
        """
        self.drain()
        for fd in self.files:
            os.close(fd)
        self.files = {out: sys.stdout, err: sys.stderr, out_now: "stdout", err_now: "stderr"}
        for fd in self.files:
            os.set_blocking(fd, False)
        self._poller = poller_of(self.files)
        self.changes += 1

    def drain(self) -> None:
        """Print all that is there now."""
        with self._lock:
            for fd, _ in self._poller.poll(0):
                while self.take(fd):
                    pass

    def take(self, fd: int) -> bool:
        """Print a piece; say whether there was one."""
        with self._lock:
            return fd in self.files and self._take(fd)

    def _take(self, fd: int) -> bool:
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            os.close(fd)
            del self.files[fd]
            self._poller.unregister(fd)
            self.changes += 1
            return False
        self._total += len(data)
        if self._total > self._most:
            if self._total - len(data) <= self._most:
                self._when_too_much()
            return True
        stream = self.files[fd]
        # What tests have put in the place of a stream may do anything.
        with contextlib.suppress(Exception):
            _print(getattr(sys, stream) if isinstance(stream, str) else stream, data)
        return True


def _print(stream: Any, data: bytes) -> None:
    buffer = getattr(stream, "buffer", None)
    if buffer is None:
        stream.write(data.decode("utf-8", "replace"))
        return
    stream.flush()
    buffer.write(data)
    buffer.flush()


def poller_of(fds: Iterable[int]) -> select.poll:
    """Make an object that waits for input of any of these."""
    made = select.poll()
    for fd in fds:
        made.register(fd, select.POLLIN)
    return made


class ListeningLink(Link):
    """A link that prints what the script has printed before it takes what the script says."""

    def __init__(self, sock: socket.socket, outlet: Outlet) -> None:
        super().__init__(sock)
        self._outlet = outlet
        self._number = sock.fileno()
        self._kept: tuple[int, select.poll] | None = None

    def _receive(self, size: int) -> bytes:
        # A handler of a signal that does the same meanwhile gets another one.
        kept, self._kept = self._kept, None
        outlet, number = self._outlet, self._number
        while True:
            if kept is None or kept[0] != outlet.changes:
                kept = outlet.changes, poller_of((number, *outlet.files))
            ready = [fd for fd, _ in kept[1].poll()]
            if number in ready:
                outlet.drain()
                self._kept = kept
                return super()._receive(size)
            for fd in ready:
                outlet.take(fd)
