"""CPU time by process, read from the kernel's own counters. All figures are seconds.

The total comes from the root control group (version 1 or 2), else from /proc/stat: processes that live too
short to be looked at (runc, the shims, hooks) are in it and nowhere else. What is subtracted from it:

own         this process, all threads
dockerd     the daemon, and its children that have ended
containerd  likewise; starting a shim is among its children
containers  the control group above all containers, which keeps what ended ones used (None where the engine
            has no such group: systemd's layout); the last part of runc's set-up runs in there too
rest        total less all of these: runc, shims, the kernel's own threads, and whatever else is going on

That is right on a machine that does nothing else. The total of an idle second is measured and taken off.
"""

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TOTAL = (
    (Path("/sys/fs/cgroup/cpuacct/cpuacct.usage"), Path("/sys/fs/cgroup/cpuacct/docker/cpuacct.usage")),
    (Path("/sys/fs/cgroup/cpu.stat"), Path("/sys/fs/cgroup/docker/cpu.stat")),
)
"""The control groups of everything and of all containers, by version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Counters at one moment."""

    at: float
    total: float
    own: float
    dockerd: Mapping[int, float]
    """By process: another engine may come or go meanwhile."""
    containerd: Mapping[int, float]
    containers: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """CPU time between two readings, or per attempt."""

    total: float
    own: float
    dockerd: float
    containerd: float
    containers: float | None
    rest: float


def read() -> Reading:
    """Read all counters now."""
    total, containers = _groups()
    return Reading(
        at=time.monotonic(),
        total=total,
        own=time.process_time(),
        dockerd=_named("dockerd"),
        containerd=_named("containerd"),
        containers=containers,
    )


def between(before: Reading, after: Reading, *, attempts: float, idle: float = 0.0) -> Spent:
    """CPU seconds per attempt; `idle` is what the machine uses per second when nothing is asked of it."""
    total = after.total - before.total - idle * (after.at - before.at)
    own = after.own - before.own
    dockerd = _growth(before.dockerd, after.dockerd)
    containerd = _growth(before.containerd, after.containerd)
    known = before.containers is not None and after.containers is not None
    containers = (after.containers or 0.0) - (before.containers or 0.0)
    return Spent(
        total=total / attempts,
        own=own / attempts,
        dockerd=dockerd / attempts,
        containerd=containerd / attempts,
        containers=containers / attempts if known else None,
        rest=(total - own - dockerd - containerd - (containers if known else 0.0)) / attempts,
    )


def idle_rate(seconds: float) -> float:
    """CPU seconds per second that go on while nothing is asked of the machine."""
    before = read()
    time.sleep(seconds)
    after = read()
    return (after.total - before.total) / (after.at - before.at)


def wait_until_quiet(patience_s: float = 3.0, calm: int = 3) -> None:
    """Wait until engine and containers rest for `calm` tenths of a second in a row, or patience ends."""
    deadline = time.monotonic() + patience_s
    last, quiet = _engine_work(), 0
    while quiet < calm and time.monotonic() < deadline:
        time.sleep(0.1)
        now = _engine_work()
        quiet = quiet + 1 if now - last < 0.01 else 0
        last = now


def _engine_work() -> float:
    containers = _groups()[1]
    return (containers or 0.0) + sum(_named("dockerd").values()) + sum(_named("containerd").values())


def _growth(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    return sum(after[pid] - before[pid] for pid in before.keys() & after.keys())


def _groups() -> tuple[float, float | None]:
    for everything, containers in TOTAL:
        total = _group(everything)
        if total is not None:
            return total, _group(containers)
    return _busy(), None


def _group(path: Path) -> float | None:
    """Read a counter: nanoseconds alone in a file (version 1), or microseconds after a name (version 2)."""
    try:
        words = path.read_text(encoding="ascii").split()
    except OSError:
        return None
    return int(words[0]) / 1e9 if len(words) == 1 else int(words[words.index("usage_usec") + 1]) / 1e6


def _busy() -> float:
    words = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()
    user, nice, system, _idle, _wait, irq, softirq = map(int, words[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _named(name: str) -> dict[int, float]:
    """CPU time of each process of that name, and of those children of it that have ended."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if (folder / "comm").read_text(encoding="utf-8").strip() == name:
                    found[int(folder.name)] = _used(folder)
    return found


def _used(folder: Path) -> float:
    # The name in brackets may hold anything: the fields follow the last bracket.
    fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
