"""Start a child: another user without capabilities, own session, limits, clean environment, four fds."""

import fcntl
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

REPORT_FD = 3
SPEC_FD = 4
_FDS = 5
_ABOVE = 100
GUEST = "/opt/mendbench/guest"
SITE = "/opt/mendbench/site"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a child is to be started: with a role of the guest (exec) or a function (fork only)."""

    uid: int
    cwd: str
    cpu_s: int
    file_bytes: int
    role: str = ""
    target: Callable[[int], None] | None = None
    """Called with the report's fd instead of an exec."""
    spec: bytes = b""
    stdin: bytes = b""
    hash_seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A running child and the warden's ends of its pipes (not blocking)."""

    pid: int
    out: int
    err: int
    report: int


class SpawnError(Exception):
    """A child could not be started: our failure, never the script's."""


def environment(cwd: str, hash_seed: int) -> dict[str, str]:
    """The whole environment of a child; nothing of the container's own gets through."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": cwd,
        "TMPDIR": "/tmp",  # noqa: S108 -- the container's own tmpfs, thrown away with it
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PYTHONPATH": SITE,
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        # One thread per library: as many as the host has cores would not fit the pids limit.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def memory_file(name: str, content: bytes) -> int:
    """Put `content` into an unlinked file in memory and return its fd, at the start."""
    fd = os.memfd_create(name)
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def spawn(plan: Plan) -> Child:
    """Start a child and return when it runs.

    Raises:
        SpawnError: it could not be set up.
    """
    out, err, report, failure = (os.pipe() for _ in range(4))
    stdin = memory_file("stdin", plan.stdin) if plan.stdin else os.open(os.devnull, os.O_RDONLY)
    spec = memory_file("spec", plan.spec)
    try:
        pid = os.fork()
    except OSError as exc:
        raise SpawnError(f"fork failed: {exc}") from exc
    if pid == 0:
        _become(plan, (stdin, out[1], err[1], report[1], spec), failure[1])
    for fd in (out[1], err[1], report[1], failure[1], stdin, spec):
        os.close(fd)
    complaint = os.read(failure[0], 4096)
    os.close(failure[0])
    if complaint:
        os.waitpid(pid, 0)
        raise SpawnError(complaint.decode(errors="replace"))
    for fd in (out[0], err[0], report[0]):
        os.set_blocking(fd, False)
    return Child(pid=pid, out=out[0], err=err[0], report=report[0])


def _become(plan: Plan, fds: tuple[int, ...], failure: int) -> NoReturn:
    """In the child: turn into what the plan says. Never returns."""
    try:
        failure = fcntl.fcntl(failure, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
        _place(fds, keep=failure)
        os.setsid()
        _limit(plan)
        _drop(plan.uid)
        os.chdir(plan.cwd)
        os.umask(0o022)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        if plan.target is None:
            argv = [sys.executable, "-P", "-S", "-s", GUEST, plan.role]
            os.execve(sys.executable, argv, environment(plan.cwd, plan.hash_seed))  # noqa: S606 -- no shell
        os.close(failure)
        plan.target(REPORT_FD)
        os._exit(0)
    except BaseException as exc:  # noqa: BLE001 -- whatever it is, the warden shall hear of it
        os.write(failure, f"{type(exc).__name__}: {exc}".encode()[:4000])
    finally:
        # A forked child must never run on into the warden's code.
        os._exit(127)


def _place(fds: tuple[int, ...], keep: int) -> None:
    """Move `fds` to 0, 1, 2 …; close everything else. High copies first: none may overwrite another."""
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for fd in fds]
    for number, fd in enumerate(high):
        os.dup2(fd, number)
    os.closerange(_FDS, keep)
    os.closerange(keep + 1, 4096)


def _limit(plan: Plan) -> None:
    # The first to go when memory is short: the warden must outlive its children.
    with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 -- pathlib adds nothing here
        file.write("1000")
    resource.setrlimit(resource.RLIMIT_CPU, (plan.cpu_s, plan.cpu_s + 1))
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    file_bytes = plan.file_bytes if most == resource.RLIM_INFINITY else min(plan.file_bytes, most)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _drop(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
