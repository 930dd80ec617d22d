"""Removes what a run left for others: files in the folders that all runs share, and processes."""

import contextlib
import os
import shutil
import signal
from pathlib import Path

from .. import kernel

FOLDERS = ("/tmp", "/dev/shm")  # noqa: S108 -- the container's own


class _Known:
    """What was there before the first run; the modules of a test file may have made something."""

    names: frozenset[str] = frozenset()
    children: frozenset[int] = frozenset()


CACHE = ".hypothesis"
ROUNDS = 100
"""Processes that fork faster than they can be killed are left to the end of the container."""


def remember() -> None:
    """Note what is there now, and may stay; from here on orphans come to this process."""
    kernel.adopt_orphans()
    _Known.names = frozenset(_entries())
    _Known.children = kernel.children()


def is_as_remembered() -> bool:
    """Say whether nothing has been added to the folders; what is a mere cache goes."""
    shutil.rmtree(CACHE, ignore_errors=True)
    return _Known.names.issuperset(_entries())


def sweep(spare: int = 0) -> None:
    """Remove all else, but for the process `spare`."""
    for _ in range(ROUNDS):
        strangers = kernel.children() - _Known.children - {spare}
        if not strangers:
            break
        for pid in strangers:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
    for path in _entries():
        if path in _Known.names:
            continue
        with contextlib.suppress(OSError):
            if Path(path).is_dir() and not Path(path).is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                Path(path).unlink()


def _entries() -> list[str]:
    found = []
    for folder in (*FOLDERS, os.getcwd()):  # noqa: PTH109 -- a text
        with contextlib.suppress(OSError):
            found += [entry.path for entry in os.scandir(folder)]
    return found
