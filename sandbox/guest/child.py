"""What a child is, and how a fresh fork turns into one: another user, own session, limits, four fds."""

import fcntl
import io
import os
import resource
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import kernel

REPORT_FD = 3
SPEC_FD = 4
_FDS = 5
_ABOVE = 100
SITE = "/opt/mendbench/site"
# As the interpreter sets them when it starts.
_HANDLERS: Mapping[int, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGPIPE: signal.SIG_IGN,
    signal.SIGXFSZ: signal.SIG_IGN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a child is to be started."""

    role: str
    uid: int
    cwd: str
    cpu_s: int
    file_bytes: int
    hash_seed: int
    spec: bytes | None = b""
    """None: it comes later, by `Child.brief`, and the child waits for it."""
    stdin: bytes = b""
    last: bool = False
    """No further child is needed of its zygote: that one itself becomes the child, which saves the fork."""

    def facts(self) -> dict[str, Any]:
        """What the zygote must know; the rest travels as files."""
        names = ("role", "uid", "cwd", "cpu_s", "file_bytes", "hash_seed", "last")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A running child and the warden's ends of its pipes (not blocking)."""

    pid: int
    uid: int
    out: int
    err: int
    report: int
    spec: int = -1
    """Where the spec goes that comes later."""

    def brief(self, spec: bytes) -> None:
        """Hand a child that waits for it what it is to do.

        Raises:
            OSError: it has died.
        """
        with os.fdopen(self.spec, "wb") as file:
            file.write(spec)


def limit_files(size: int) -> None:
    """Limit the size of files that this process writes, in bytes."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = size if most == resource.RLIM_INFINITY else min(size, most)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def take_environment(cwd: str, hash_seed: int) -> None:
    """Give this process the environment of a child; nothing of the container's own stays."""
    os.environ.clear()
    os.environ |= {
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


def become(facts: dict[str, Any], fds: list[int]) -> None:
    """Turn this process into the child that the plan's `facts` describe, for good."""
    place(fds)
    os.setsid()
    _limit(facts["cpu_s"], facts["file_bytes"])
    _drop(facts["uid"])
    os.chdir(facts["cwd"])
    os.umask(0o022)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, _HANDLERS.get(number, signal.SIG_DFL))
    take_environment(facts["cwd"], facts["hash_seed"])
    _reopen_streams()


def place(fds: list[int]) -> None:
    """Move `fds` to 0, 1, 2 …; close everything else. High copies first: none may overwrite another."""
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for fd in fds]
    for number, fd in enumerate(high):
        os.dup2(fd, number)
    os.closerange(len(fds), 4096)


def _limit(cpu_s: int, file_bytes: int) -> None:
    # The first to go when memory is short: warden and zygotes must outlive their children.
    with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 -- pathlib adds nothing here
        file.write("1000")
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    limit_files(file_bytes)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _drop(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    # As after an exec: its own /proc folder belongs to the child.
    kernel.set_dumpable(True)


def _reopen_streams() -> None:
    """New text streams on 0, 1 and 2: those of the zygote remember what its own files were like."""
    for fd, name, mode in ((0, "stdin", "rb"), (1, "stdout", "wb"), (2, "stderr", "wb")):
        old = getattr(sys, f"__{name}__")
        # The interpreter opens its own streams like this, and ends them itself.
        buffer: Any = open(fd, mode, closefd=False)  # noqa: SIM115 -- a file by its number
        buffer.raw.name = f"<{name}>"
        stream: Any = io.TextIOWrapper(
            buffer,
            encoding=old.encoding,
            errors=old.errors,
            newline="\n",
            line_buffering=fd == 2,  # noqa: PLR2004
        )
        stream.mode = mode[0]
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
