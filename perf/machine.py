"""On what a benchmark ran: enough to compare two runs, nothing that names the machine."""

import contextlib
import os
import platform
from pathlib import Path

from sandbox import image
from sandbox.connect import connect


def facts() -> dict[str, str]:
    """Say what hardware, kernel, engine and image there are."""
    with contextlib.closing(connect()) as client:
        version, info = client.version(), client.info()
        sandbox = image.find(client)
    parts = {each["Name"]: each["Version"] for each in version.get("Components", [])}
    return {
        "cpu": f"{os.cpu_count()} x {_cpu_model()}",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB",
        "kernel": platform.release(),
        "engine": ", ".join(f"{name} {number}" for name, number in parts.items()),
        "cgroups": f"version {info.get('CgroupVersion', '1')}, {info.get('CgroupDriver')}",
        "image": sandbox.identity[:16],
        "python": f"{platform.python_version()} here, {sandbox.python} in the image",
        "pytest": f"{_pytest()} here, {_of(sandbox.packages, 'pytest')} in the image",
    }


def steal_ticks() -> tuple[int, int]:
    """Return clock ticks that another guest of the hypervisor took, and all ticks."""
    words = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
    ticks = [int(word) for word in words]
    return ticks[7], sum(ticks)


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _pytest() -> str:
    import pytest  # noqa: PLC0415  (only to ask its version)

    return pytest.__version__


def _of(packages: tuple[str, ...], wanted: str) -> str:
    found = (each.rpartition("==")[2] for each in packages if each.startswith(f"{wanted}=="))
    return next(found, "?")
