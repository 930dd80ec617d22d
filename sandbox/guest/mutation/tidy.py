"""Removes what a run left in the folders that all runs share, so that no run finds another one's files."""

import contextlib
import os
import shutil
from pathlib import Path

FOLDERS = ("/tmp", "/dev/shm")  # noqa: S108 -- the container's own


class _Known:
    """What was there before the first run; the modules of a test file may have made something."""

    names: frozenset[str] = frozenset()


def remember() -> None:
    """Note what is there now, and may stay."""
    _Known.names = frozenset(_entries())


def sweep() -> None:
    """Remove all else."""
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
