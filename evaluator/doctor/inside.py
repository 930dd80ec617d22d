"""What a container looks like from inside: a program of our own reports on the walls around it."""

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from evaluator.doctor.finding import GIB, Finding, bad, note, ok
from sandbox.backend import Sandbox
from sandbox.errors import SandboxError
from sandbox.types import Job, Level, Limits

NEEDED_BYTES = 2 * GIB
_REPORTER = """
import ctypes, json, os

status = dict(line.split(":", 1) for line in open("/proc/self/status"))
disk = os.statvfs("/")
libc = ctypes.CDLL(None, use_errno=True)
IO_URING_SETUP = 425
ring = libc.syscall(IO_URING_SETUP, 0, None)
facts = {
    "uid": os.getuid(),
    "capabilities": int(status.get("CapEff", "0"), 16),
    "no_new_privs": status.get("NoNewPrivs", "").strip(),
    "seccomp": status.get("Seccomp", "").strip(),
    "io_uring": ring >= 0 or os.strerror(ctypes.get_errno()) == os.strerror(14),
    "interfaces": sorted(os.listdir("/sys/class/net")) if os.path.isdir("/sys/class/net") else [],
    "free_bytes": disk.f_bavail * disk.f_frsize,
    "kernel": os.uname().release,
}
print(json.dumps(facts))
"""
_FILTERED = "2"
"""Mode of a filter, in /proc/self/status."""


def look_inside(sandbox: Sandbox, kernel: str) -> Iterator[Finding]:
    """Have a program report from inside a container.

    Args:
        sandbox: where to run it.
        kernel: the release of the engine's own kernel; another one inside is a wall of its own.

    Raises:
        SandboxError: it could not be run, or said nothing that makes sense.
    """
    result = sandbox.run(
        Job(id=secrets.token_hex(16), script=_REPORTER, level=Level.PROGRAM, limits=Limits(wall_s=20.0))
    )
    try:
        facts = json.loads(result.stdout.text)
        free = int(facts["free_bytes"])
    except (ValueError, KeyError, TypeError) as exc:
        raise SandboxError(
            f"a program that looks round in its container failed: {result.stderr.text[-300:]}"
        ) from exc
    yield _disk(free)
    yield _walls(facts, kernel)


def _disk(free: int) -> Finding:
    what = f"{free / GIB:.1f} GiB free on the engine's own disk"
    if free < NEEDED_BYTES:
        return bad("disk", what, "docker system prune, or move the engine's data-root to a larger disk")
    return ok("disk", what)


def _walls(facts: Mapping[str, Any], kernel: str) -> Finding:
    open_walls = [
        name
        for name, is_open in {
            "it runs as root": facts["uid"] == 0,
            f"it has capabilities ({facts['capabilities']:#x})": facts["capabilities"] != 0,
            "it may gain privileges": facts["no_new_privs"] == "0",
            f"it has a network ({', '.join(facts['interfaces'])})": bool({*facts["interfaces"]} - {"lo"}),
        }.items()
        if is_open
    ]
    if open_walls:
        what = f"the container of a program is not closed: {'; '.join(open_walls)}"
        return bad("walls", what, "do not run untrusted code on this engine; please report this")
    return _filter(facts, kernel)


def _filter(facts: Mapping[str, Any], kernel: str) -> Finding:
    if kernel and facts["kernel"] != kernel:
        return ok("walls", "inside a container: no root, no capabilities, no network, a kernel of its own")
    if facts["seccomp"] != _FILTERED:
        mend = "do not start dockerd with --seccomp-profile unconfined"
        return bad("walls", "the system calls of a program are not filtered", mend)
    if facts["io_uring"]:
        what = "inside a container: system calls are filtered, but io_uring is left open"
        return note("walls", what, "a newer engine closes it (Docker 25 and later)")
    return ok("walls", "inside a container: no root, no capabilities, no network, system calls are filtered")
