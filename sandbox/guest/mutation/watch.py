"""Notes what a suite does beside testing: network, processes, files outside of temporary folders, sleep.

Also how many assertions it makes. Both hold for one run of the tests, not for what happens at import.
"""

import mmap
import os
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from .. import suite
from . import tidy

_NETWORK = frozenset(
    {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"}
)
_PROCESSES = frozenset(
    {
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "pty.spawn",
    }
)
_CHANGES = frozenset(
    {
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.mkdir",
        "os.truncate",
        "shutil.rmtree",
        "os.link",
        "os.symlink",
    }
)
_PROGRAMS = _PROCESSES - {"os.fork", "os.forkpty"}
"""A fork still has the version of the script that is tried; a program that is started has not."""
_MAX_PLACES = 5
_LIBRARY = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120 -- a text
_OTHERS = (str(Path(pytest.__file__).parents[1]) + os.sep, str(Path(__file__).parents[1]) + os.sep)
"""Packages, and this engine."""


class Hermeticity:
    """An audit hook that counts; it forbids nothing, the container does."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.places: dict[str, list[str]] = {}
        self.slept_s = 0.0
        self._on = self._listening = False
        # Shared with what a test forks, which may go outside in its stead.
        self._outside = mmap.mmap(-1, 1)
        self._cache = "/tmp/"  # noqa: S108 -- none yet
        self._script: set[tuple[int, int]] = set()

    def install(self) -> None:
        """Listen, for as long as the process lives; nothing is counted before `begin`."""
        sys.addaudithook(self._hear)
        sleep = time.sleep

        def counted(seconds: Any, /) -> None:
            if self._on and isinstance(seconds, int | float):
                self.slept_s += max(float(seconds), 0.0)
            sleep(seconds)

        counted.__name__ = counted.__qualname__ = "sleep"
        time.sleep = counted

    def begin(self) -> None:
        """Count from here on."""
        # What hypothesis keeps for itself is none of the suite's doing.
        self._cache, self._on = f"{os.getcwd()}/{tidy.CACHE}/", True  # noqa: PTH109 -- a text

    def listen(self) -> None:
        """Hear from here on whether the suite turns to the script's own text."""
        self._script = {found for path in (suite.SOLUTION, "solution.py") if (found := _identity(path))}
        self._listening = True

    def went_outside(self) -> bool:
        """Say whether the suite, since this was asked last, read the script's file or started a program.

        What it met there is the unchanged script, whichever version is tried: to compare the two would
        catch every fault, without any knowledge of what is right.
        """
        before = self._outside[0] == 1
        self._outside[0] = 0
        return before

    def facts(self) -> dict[str, Any]:
        """Say what was counted."""
        self._on = False
        return {"counts": dict(self.counts), "places": self.places, "slept_s": round(self.slept_s, 3)}

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if self._listening and (event in _PROGRAMS or self._is_the_script(event, args)):
            self._outside[0] |= _is_of_the_suite(sys._getframe(1))  # noqa: SLF001 -- no other way
        if not self._on:
            return
        if event in _NETWORK:
            self._note("network", event)
        elif event in _PROCESSES:
            self._note("process", event)
        elif event == "open":
            if _writes(args):
                self._file(args[0])
        elif event in _CHANGES:
            self._file(args[0])

    def _is_the_script(self, event: str, args: tuple[Any, ...]) -> bool:
        return event == "open" and _identity(args[0]) in self._script

    def _file(self, path: Any) -> None:
        if isinstance(path, int):
            return
        try:
            full = os.path.realpath(os.fsdecode(path))
        except (TypeError, ValueError, OSError):
            return
        if not f"{full}/".startswith(("/tmp/", "/dev/", self._cache)):  # noqa: S108 -- the container's own
            self._note("file", full)

    def _note(self, kind: str, place: str) -> None:
        self.counts[kind] += 1
        places = self.places.setdefault(kind, [])
        if len(places) < _MAX_PLACES and place not in places:
            places.append(place[:200])


def _identity(path: Any) -> tuple[int, int] | None:
    try:
        facts = os.stat(path)  # noqa: PTH116 -- may be a descriptor
    except (TypeError, ValueError, OSError):
        return None
    return facts.st_dev, facts.st_ino


def _is_of_the_suite(frame: FrameType | None) -> bool:
    """Say whether it is the suite that called into the library, not the script, a package or this engine."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_OTHERS) or file == suite.SOLUTION:
            return False
        if not file.startswith((_LIBRARY, "<frozen ")):
            return True
        frame = frame.f_back
    return False


def _writes(args: tuple[Any, ...]) -> bool:
    mode, flags = (*args, None, None)[1:3]
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


class Assertions:
    """A plugin that counts assertions that held: statements, unittest's methods, expected exceptions."""

    def __init__(self) -> None:
        self.count = 0
        self.depth = 0

    def pytest_assertion_pass(self) -> None:
        """Count an assert statement."""
        self.count += 1

    def install(self) -> None:
        """Count the other kinds as well."""
        from _pytest.raises import RaisesExc  # noqa: PLC0415 -- only where tests are counted

        _count_calls(RaisesExc, "__exit__", self)
        case = getattr(sys.modules.get("unittest"), "TestCase", None)
        for name in dir(case) if case else ():
            if name.startswith("assert") and callable(getattr(case, name)):
                _count_calls(case, name, self)


def _count_calls(owner: Any, name: str, counter: Assertions) -> None:
    inner = getattr(owner, name)

    def counted(*args: Any, **kwargs: Any) -> Any:
        # They call each other: the outermost one counts.
        counter.count += counter.depth == 0
        counter.depth += 1
        try:
            return inner(*args, **kwargs)
        finally:
            counter.depth -= 1

    setattr(owner, name, counted)


def enable_assertion_hook(config: pytest.Config) -> None:
    """Have assert statements rewritten so that those which hold can be counted."""
    cache: dict[str, Any] = config._inicache  # noqa: SLF001 -- the option is read from a file or from here
    cache["enable_assertion_pass_hook"] = True
