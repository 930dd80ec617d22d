"""What the script prints: read by the tests' side, and printed there in its place, in order."""

import contextlib
import os
import select
import socket
import sys
import threading
from collections.abc import Callable
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

    def drain(self) -> None:
        """Print all that is there now."""
        with self._lock:
            for fd in list(self.files):
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


class ListeningLink(Link):
    """A link that prints what the script has printed before it takes what the script says."""

    def __init__(self, sock: socket.socket, outlet: Outlet) -> None:
        super().__init__(sock)
        self._outlet = outlet
        self._number = sock.fileno()

    def _receive(self, size: int) -> bytes:
        poller = select.poll()
        poller.register(self._number, select.POLLIN)
        for fd in list(self._outlet.files):
            poller.register(fd, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poller.poll()]
            for fd in ready:
                if fd != self._number and not self._outlet.take(fd) and fd not in self._outlet.files:
                    poller.unregister(fd)
            if self._number in ready:
                self._outlet.drain()
                return super()._receive(size)
