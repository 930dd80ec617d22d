"""Whether an engine can hold containers to their limits, and whether they all fit into the machine."""

import contextlib
import platform
import re
from collections.abc import Iterator
from pathlib import Path

from evaluator.doctor.engine import Engine
from evaluator.doctor.finding import GIB, Finding, Wishes, bad, note, ok


def control_groups(engine: Engine) -> Iterator[Finding]:
    """Look whether the engine can hold containers to their limits."""
    info = engine.info
    driver = str(info.get("CgroupDriver") or "?")
    what = f"control groups v{info.get('CgroupVersion') or 1}, driver {driver}"
    needed = {"MemoryLimit": "memory", "PidsLimit": "processes", "CpuCfsQuota": "CPU time"}
    missing = [name for key, name in needed.items() if not info.get(key, True)]
    if driver == "none" or missing:
        unlimited = ", ".join(missing) or "anything"
        yield bad("cgroups", f"{what}: it cannot limit {unlimited}", _cgroup_mend(engine))
    else:
        yield ok("cgroups", what)


def _cgroup_mend(engine: Engine) -> str:
    if "rootless" in engine.options:
        return (
            "rootless Docker needs cgroup v2, and systemd has to delegate it:\n"
            "sudo mkdir -p /etc/systemd/system/user@.service.d\n"
            "printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | "
            "sudo tee /etc/systemd/system/user@.service.d/delegate.conf\n"
            "sudo systemctl daemon-reload; then log in again and restart Docker"
        )
    return "boot with the control groups on: cgroup_enable=memory swapaccount=1 on the kernel's command line"


def swap(engine: Engine) -> Iterator[Finding]:
    """Look whether swap counts into the limit of memory."""
    if engine.info.get("SwapLimit", True):
        yield ok("swap", "the limit of memory holds for swap, too")
        return
    what = "the kernel does not limit swap: a greedy program may use what there is before it is stopped"
    mend = "sudo swapoff -a, or boot with swapaccount=1 on the kernel's command line"
    if engine.local and _no_swap():
        yield ok("swap", "the kernel does not limit swap, and there is none")
    else:
        yield note("swap", what, mend)


def memory(engine: Engine, wishes: Wishes) -> Iterator[Finding]:
    """Look whether all slots fit into memory."""
    total, slots, profile = int(engine.info.get("MemTotal") or 0), engine.host.slots, wishes.profile
    if not total:
        return
    needed = slots * profile.memory_bytes
    free = _available() if engine.local else None
    now = "" if free is None else f", {free / GIB:.1f} of it free now"
    what = (
        f"{total / GIB:.1f} GiB of memory{now}; {slots} slots of profile {profile.name} "
        f"may take {needed / GIB:.1f} GiB"
    )
    fitting = max(min(total, total if free is None else free) // profile.memory_bytes, 1)
    if profile.memory_bytes > total:
        yield bad("memory", what, "use a smaller profile in [sandbox], or a machine with more memory")
    elif needed > min(total, total if free is None else free):
        mend = f"slots = {fitting} in [sandbox], or free some memory: else right scripts may be killed, too"
        yield note("memory", what, mend)
    else:
        yield ok("memory", what)


def cpus(engine: Engine, wishes: Wishes) -> Iterator[Finding]:
    """Look whether every slot has a CPU."""
    there, slots, profile = int(engine.info.get("NCPU") or 0), engine.host.slots, wishes.profile
    if not there:
        return
    what = f"{there} CPUs for {slots} slots"
    if profile.cpus > there:
        what += f", and profile {profile.name} asks for {profile.cpus:g} for one container"
        yield bad("cpus", what, "use a smaller profile in [sandbox]: the engine refuses such containers")
    elif slots > there:
        mend = f"slots = {there} in [sandbox]: else scripts wait for each other, and slow ones may time out"
        yield note("cpus", what, mend)
    else:
        yield ok("cpus", what)


def _no_swap() -> bool:
    with contextlib.suppress(OSError):
        # The first line holds the names of columns.
        return len(Path("/proc/swaps").read_text(encoding="ascii").splitlines()) <= 1
    return False


def _available() -> int | None:
    if platform.system() != "Linux":
        return None
    with contextlib.suppress(OSError):
        found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
        return int(found[1]) * 1024 if found else None
    return None
