"""What the kernel says: counters of the container's cgroup (v1 and v2), scheduling, free space."""

import ctypes
import os
import signal
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_LIBC = ctypes.CDLL(None)
_CGROUP = Path("/sys/fs/cgroup")
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_NS = 1e-9
_US = 1e-6


def set_dumpable(on: bool) -> None:
    """Non-dumpable: other processes may neither trace this one nor look into its /proc folder."""
    _LIBC.prctl(_PR_SET_DUMPABLE, int(on), 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of every process below this one that loses its own: none escapes by losing it."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> frozenset[int]:
    """Name the children of this process's first thread, zombies too; none where the kernel does not tell."""
    pid = os.getpid()
    try:
        return frozenset(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return frozenset()


@cache
def _is_ours(file: Path) -> bool:
    """Say whether this file is there, in a cgroup that counts no processes from outside.

    Version 2 lists each of those as 0: in the host's own root, and in what an engine without cgroups of its
    own lives in.
    """
    try:
        return file.exists() and "0" not in (file.parent / "cgroup.procs").read_text().split()
    except OSError:
        return file.exists()


def _number(path: str, key: str | None = None) -> int | None:
    file = _CGROUP / path
    if not _is_ours(file):
        return None
    try:
        text = file.read_text()
    except OSError:
        return None
    for line in text.splitlines():
        words = line.split()
        if key is None and len(words) == 1 and words[0].isdigit():
            return int(words[0])
        if key is not None and words[:1] == [key] and words[-1].isdigit():
            return int(words[-1])
    return None


def _first(*numbers: int | None) -> int | None:
    return next((number for number in numbers if number is not None), None)


def cpu_s() -> float | None:
    """CPU seconds of the whole container; None where the kernel does not say."""
    usec = _number("cpu.stat", "usage_usec")
    if usec is not None:
        return usec * _US
    nsec = _first(_number("cpuacct/cpuacct.usage"), _number("cpu,cpuacct/cpuacct.usage"))
    return None if nsec is None else nsec * _NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Counters of the cgroup since the container's start; None where the kernel does not say."""

    oom_kills: int | None
    pids_denied: int | None
    cpu_s: float | None

    @classmethod
    def read(cls) -> "Counters":
        """Read them all now."""
        return cls(
            oom_kills=_first(
                _number("memory.events", "oom_kill"), _number("memory/memory.oom_control", "oom_kill")
            ),
            pids_denied=_first(_number("pids.events", "max"), _number("pids/pids.events", "max")),
            cpu_s=cpu_s(),
        )


def rose(before: int | None, after: int | None) -> bool:
    """Say whether a counter rose; an unknown counter did not."""
    return before is not None and after is not None and after > before


def memory_peak() -> int | None:
    """Peak memory of the whole container in bytes."""
    return _first(_number("memory.peak"), _number("memory/memory.max_usage_in_bytes"))


def run_delay_s(pid: int) -> float | None:
    """Seconds that the threads of a process waited for a CPU (a zombie's still count)."""
    total = 0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return total * _NS


def is_full(folder: str) -> bool:
    """Say whether the file system of `folder` has no block or no inode left."""
    try:
        facts = os.statvfs(folder)
    except OSError:
        return False
    # A file system that counts no inodes (gVisor's) is not full for that.
    return facts.f_bavail == 0 or (facts.f_files > 0 and facts.f_favail == 0)


def others(spare: frozenset[int]) -> list[int]:
    """Name the processes of this container that are not in `spare`; zombies are among them."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 -- names, not paths
    return [pid for pid in pids if pid not in spare]


def others_alive(spare: frozenset[int]) -> bool:
    """Say whether a process that is not in `spare` lives in this container; zombies do not."""
    return any(_is_alive(pid) for pid in others(spare))


def _is_alive(pid: int) -> bool:
    try:
        # The name in brackets may hold anything: the state follows the last bracket.
        facts = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    return bool(facts) and (facts[0] not in "ZX" or _has_threads(pid))


def _has_threads(pid: int) -> bool:
    """Say whether threads live on in a process whose first one has ended: it looks like a zombie."""
    try:
        return len(os.listdir(f"/proc/{pid}/task")) > 1  # noqa: PTH208 -- names, not paths
    except OSError:
        return False


def kill_all_of(uid: int) -> None:
    """Kill every process of a user, in one step that no fork escapes.

    As that user for a moment: as root the zygotes would be hit as well. Nobody can use the moment: the
    saved id stays root's, signals do not reach PID 1, and it is not dumpable again before it goes on.
    """
    os.setresuid(uid, uid, 0)
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.setresuid(0, 0, 0)
        set_dumpable(False)
