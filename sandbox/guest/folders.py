"""The folders of an attempt: made with the right owner, and emptied before the next attempt."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

WORK = Path("/work")
CODE = WORK / "code"
SHARED = (Path("/tmp"), Path("/dev/shm"), Path("/dev/mqueue"))  # noqa: S108 -- the container's own
IPC = ("shm", "msg", "sem")
NET = Path("/proc/net")
SOCKETS = ("tcp", "tcp6", "udp", "udp6", "raw", "raw6")
"""A connection that is closed is there for another minute, and its ports with it."""
COUNTS = ("sockstat", "sockstat6")
"""The same, counted: reading the tables takes as long as the host's memory is large, whatever they hold."""


class NotEmpty(Exception):
    """Something of an attempt cannot be removed."""


def write(path: Path, content: bytes) -> None:
    """Write a new file that only we can change."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o444)
    with os.fdopen(fd, "wb") as file:
        file.write(content)


def own_folder(name: str, uid: int, files: Mapping[str, bytes] | None = None, mode: int = 0o700) -> str:
    """Make a folder in /work that belongs to `uid`; the warden lacks the capability to give one away."""
    path = WORK / name
    if path.exists():
        with _as_user(uid):
            path.chmod(mode)
        return str(path)
    with _as_user(uid):
        path.mkdir(mode=0o700)
        path.chmod(mode)
        for file, content in (files or {}).items():
            write(path / file, content)
    return str(path)


def put(path: Path, content: bytes, uid: int) -> None:
    """Write a new file that belongs to `uid`, in a folder of that user."""
    with _as_user(uid):
        write(path, content)


def write_private(path: Path, content: bytes, uid: int) -> None:
    """Write a new file that only `uid` can read."""
    with _as_user(uid, path.parent):
        write(path, content)
        path.chmod(0o400)


@contextlib.contextmanager
def _as_user(uid: int, folder: Path = WORK) -> Iterator[None]:
    """Act as `uid` on files, with a folder that anyone may change.

    Nothing untrusted lives at such a moment: the stage before has been killed to the last process.
    """
    folder.chmod(0o777)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        folder.chmod(0o755)


def empty(uids: tuple[int, ...]) -> None:
    """Remove what an attempt of these users has left.

    Raises:
        NotEmpty, OSError, RecursionError: not everything could be removed; the container is not fit for
            another attempt.
    """
    for path in CODE.iterdir():
        path.unlink()
    for uid in uids:
        with _as_user(uid):
            for folder in (WORK, *SHARED):
                _remove_of(uid, folder)
    left = [str(path) for folder in SHARED if folder.exists() for path in folder.iterdir()]
    left += [str(path) for path in WORK.iterdir() if path != CODE]
    objects = _lines(Path("/proc/sysvipc"), IPC) + _sockets(NET)
    if left or objects:
        raise NotEmpty(f"{len(left)} files and {objects} objects of the kernel are left")


def _remove_of(uid: int, folder: Path) -> None:
    if not folder.exists():
        return
    for path in folder.iterdir():
        if path.lstat().st_uid != uid:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _sockets(folder: Path) -> int:
    """Count the internet sockets of this container, with what the kernel remembers of closed ones."""
    counts = [folder / name for name in COUNTS]
    # Not everywhere (gVisor has the tables alone).
    if not counts[0].exists():
        return _lines(folder, SOCKETS)
    return sum(_in_use(line) for file in counts if file.exists() for line in file.read_text().splitlines())


def _in_use(line: str) -> int:
    """Add up what one line says of this container; its other numbers are the whole host's."""
    name, *words = line.split()
    if name.startswith(("sockets", "FRAG")):
        return 0
    return sum(
        int(number) for what, number in zip(words[::2], words[1::2], strict=True) if what in {"inuse", "tw"}
    )


def _lines(folder: Path, names: tuple[str, ...]) -> int:
    """Count the entries of the kernel's tables; each has one line of heading."""
    tables = (folder / name for name in names)
    return sum(len(table.read_text().splitlines()) - 1 for table in tables if table.exists())
