"""The child's side of the report: one JSON object per line on a private pipe."""

import json
import os
import resource
import threading
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from .wire import clean

MAX_NAME = 200
MAX_MESSAGE = 2000
MAX_VALUE = 500
MAX_FRAMES = 8


class Reporter:
    """Writes events. Holds its own references: patching os or json later does not reach it."""

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)  # noqa: FBT003 -- positional only
        self._fd = fd
        self._pid = os.getpid()
        self._getpid = os.getpid
        self._write = os.write
        self._encode = json.JSONEncoder(allow_nan=False).encode
        self._mark: dict[str, Any] = {}
        self._lock = threading.RLock()

    def mark(self, token: str) -> None:
        """Put a word into every event that only the warden knows."""
        self._mark = {"token": token}

    def send(self, event: str, **facts: Any) -> None:
        """Write one event; a forked copy of this process stays silent."""
        if self._getpid() != self._pid:
            return
        data = memoryview(self._encode({"event": event, **self._mark, **facts}).encode() + b"\n")
        with self._lock:
            while data:
                data = data[self._write(self._fd, data) :]

    def begin(self, cpu_s: int) -> None:
        """Limit the CPU time from here on, and start the warden's clock."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        used = usage.ru_utime + usage.ru_stime
        soft = int(used) + cpu_s + (used % 1 > 0)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, soft + 1))
        self.send("begin", cpu_s=used)


def text_of(value: object, limit: int) -> str:
    """Return str() of an untrusted object, cut; its failure is text too."""
    try:
        return clean(str(value), limit)
    except BaseException as exc:  # noqa: BLE001 -- the object decides what it raises
        return f"<str() raised {type(exc).__name__}>"


def frames_of(trace: TracebackType | None, files: Iterable[str]) -> list[dict[str, Any]]:
    """Return the innermost frames of a traceback that lie in `files`, by bare name."""
    wanted = set(files)
    walk = ((frame, line) for frame, line in traceback.walk_tb(trace) if frame.f_code.co_filename in wanted)
    frames = traceback.StackSummary.extract(_last(walk, MAX_FRAMES))
    return [
        {
            "file": os.path.basename(frame.filename),  # noqa: PTH119 -- a text, not a path to use
            "line": frame.lineno or 0,
            "function": clean(frame.name, MAX_NAME),
            "source": clean(frame.line or "", MAX_NAME),
        }
        for frame in frames
    ]


def _last(walk: Iterable[Any], count: int) -> Iterable[Any]:
    # The deepest recursion has a million frames: keep the end only.
    kept: list[Any] = []
    for item in walk:
        kept.append(item)
        del kept[:-count]
    return kept


def describe(exc: BaseException, files: Iterable[str]) -> dict[str, Any]:
    """Describe an exception: type, message, the frames that lie in `files`."""
    return {
        "exc_type": clean(type(exc).__name__, MAX_NAME),
        "message": text_of(exc, MAX_MESSAGE),
        "frames": frames_of(exc.__traceback__, files),
    }
