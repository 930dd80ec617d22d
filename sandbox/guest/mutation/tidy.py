"""Removes what a run left for others: processes, files in the folders that all share, marks on what stays."""

import contextlib
import os
import shutil
import signal
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from .. import kernel

FOLDERS = ("/tmp", "/dev/shm", "/dev/mqueue")  # noqa: S108 -- the container's own
CACHE = ".hypothesis"
ROUNDS = 100
"""Processes that fork faster than they can be killed are left to the end of the container."""
MOST = 1 << 20
"""Larger files keep what a run made of their content."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A file or folder of this user that may stay, as it was."""

    mode: int
    times: tuple[int, int]
    content: bytes | None


class _Known:
    """What was there before the first run; the modules of a test file may have made something."""

    names: frozenset[str] = frozenset()
    children: frozenset[int] = frozenset()
    cpus: frozenset[int] = frozenset()
    places: ClassVar[dict[str, _Place]] = {}
    changed: ClassVar[dict[str, int]] = {}
    """When each place was changed last, its times and marks included."""


def remember() -> None:
    """Note what is there now, and may stay; from here on orphans come to this process."""
    kernel.adopt_orphans()
    found = _entries()
    _Known.names = frozenset(found)
    _Known.children = kernel.children()
    _Known.cpus = frozenset(os.sched_getaffinity(0))
    _Known.places, _Known.changed = {}, {}
    for path in (*_folders(), *found):
        with contextlib.suppress(OSError):
            _note(path)


def is_as_remembered() -> bool:
    """Say whether nothing has been added to the folders; what is a mere cache goes."""
    shutil.rmtree(CACHE, ignore_errors=True)
    return _Known.names.issuperset(_entries())


def sweep(spare: int = 0) -> None:
    """Remove all else, but for the process `spare`, and make what may stay what it was."""
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
    # Folders were noted first, and change with what is in them.
    for path, place in reversed(_Known.places.items()):
        with contextlib.suppress(OSError):
            _restore(path, place)
    if os.sched_getaffinity(0) != _Known.cpus:
        os.sched_setaffinity(0, _Known.cpus)


def _note(path: str) -> None:
    facts = os.lstat(path)
    plain, folder = stat.S_ISREG(facts.st_mode), stat.S_ISDIR(facts.st_mode)
    if facts.st_uid != os.getuid() or not (plain or folder):
        return
    content = Path(path).read_bytes() if plain and facts.st_size <= MOST else None
    _Known.places[path] = _Place(stat.S_IMODE(facts.st_mode), (facts.st_atime_ns, facts.st_mtime_ns), content)
    _Known.changed[path] = facts.st_ctime_ns


def _restore(path: str, place: _Place) -> None:
    file = Path(path)
    if file.exists() and file.lstat().st_ctime_ns == _Known.changed[path]:
        return
    if place.content is not None:
        # Another file of the same name: with it go marks, links and locks.
        file.unlink(missing_ok=True)
        file.write_bytes(place.content)
    for mark in os.listxattr(path):
        os.removexattr(path, mark)
    file.chmod(place.mode)
    os.utime(path, ns=place.times)
    _Known.changed[path] = file.lstat().st_ctime_ns


def _folders() -> tuple[str, ...]:
    return (*FOLDERS, os.getcwd())  # noqa: PTH109 -- a text


def _entries() -> list[str]:
    found = []
    for folder in _folders():
        with contextlib.suppress(OSError):
            found += [entry.path for entry in os.scandir(folder)]
    return found
