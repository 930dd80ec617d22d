"""Bounded reading of what children write: output (head and tail kept) and report lines."""

import os
from collections.abc import Callable
from typing import Any

from .wire import clean

CHUNK = 65536


class HeadTail:
    """Keeps the first and the last bytes of a stream and counts the rest."""

    def __init__(self, keep: int) -> None:
        self._room = max(keep, 2) // 2
        self.head = bytearray()
        self.tail = bytearray()
        self.total = 0

    @property
    def kept(self) -> int:
        """How many bytes are here."""
        return len(self.head) + len(self.tail)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self.total += len(data)
        room = self._room - len(self.head)
        if room > 0:
            self.head += data[:room]
            data = data[room:]
        self.tail += data
        if len(self.tail) > self._room:
            del self.tail[: len(self.tail) - self._room]

    def summary(self, keep: int) -> dict[str, Any]:
        """Return the stream for the result frame, with at most `keep` bytes."""
        room = min(self._room, keep // 2)
        head, tail = self.head[:room], self.tail[max(len(self.tail) - room, 0) :]
        truncated = self.total > len(head) + len(tail)
        if not truncated:
            # As one text: the seam may lie within a character.
            head, tail = head + tail, bytearray()
        return {
            "head": clean(head.decode("utf-8", "replace"), len(head) + 1),
            "tail": clean(tail.decode("utf-8", "replace"), len(tail) + 1),
            "total_bytes": self.total,
            "truncated": truncated,
        }


class Lines:
    """Cuts what comes through the report pipe into lines; says what is wrong with it."""

    MAX_LINE = 64 * 1024
    MAX_TOTAL = 16 * 1024 * 1024
    MAX_COUNT = 20_000

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self._sink = sink
        self._rest = bytearray()
        self._total = 0
        self._count = 0
        self.broken = ""

    def feed(self, data: bytes) -> None:
        """Take the next bytes; after the first fault everything is ignored."""
        if self.broken:
            return
        self._total += len(data)
        if self._total > self.MAX_TOTAL:
            self.broken = "the report is too long"
            return
        self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            self._count += 1
            if self._count > self.MAX_COUNT:
                self.broken = "the report has too many lines"
            if self.broken:
                return
            # What came before the fault counts: it may all have come at once.
            self._sink(bytes(line))
        if len(self._rest) > self.MAX_LINE:
            self.broken = "a line of the report is too long"

    def end(self) -> None:
        """Nothing more comes."""
        if self._rest and not self.broken:
            self.broken = "the report ends within a line"


def read_now(fd: int, feed: Callable[[bytes], None], limit: int) -> bool:
    """Feed what a non-blocking pipe holds now, about `limit` bytes at most; False at its end."""
    while limit > 0:
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return True
        if not data:
            return False
        feed(data)
        limit -= len(data)
    return True
