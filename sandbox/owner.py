"""Whose container is this: the identity of a process, and whether that process still lives."""

import os
import platform
import socket
import time
from dataclasses import dataclass
from pathlib import Path

FALLBACK_AGE_S = 24 * 3600.0
"""Past this age a container is an orphan where its owner cannot be looked at from here."""
UNKNOWN = "-"


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip() or UNKNOWN
    except (OSError, ValueError):
        return UNKNOWN


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return UNKNOWN


def _start_time(pid: int) -> str:
    """Clock ticks since boot at which a process started; UNKNOWN when there is none (or a zombie)."""
    # The name in brackets may hold anything: the fields follow the last bracket.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in "ZX" else UNKNOWN  # noqa: PLR2004


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process, told apart from every other on any machine; fields are `-` where unknown."""

    host: str
    boot: str
    namespace: str
    pid: int
    start: str

    @classmethod
    def me(cls) -> "Owner":
        """Return this process."""
        machine = _read("/etc/machine-id")
        return cls(
            host=f"{socket.gethostname()}:{machine[:8]}".replace("/", "_"),
            boot=_read("/proc/sys/kernel/random/boot_id"),
            namespace=_pid_namespace(),
            pid=os.getpid(),
            start=_start_time(os.getpid()),
        )

    @classmethod
    def parse(cls, text: str) -> "Owner | None":
        """Read the label's text; None when it is not ours."""
        match text.split("/"):
            case [host, boot, namespace, pid, start] if pid.isdigit():
                return cls(host=host, boot=boot, namespace=namespace, pid=int(pid), start=start)
            case _:
                return None

    def __str__(self) -> str:
        return "/".join((self.host, self.boot, self.namespace, str(self.pid), self.start))

    def is_gone(self, created: float) -> bool:
        """Say whether the owner of a container made at `created` (seconds since 1970) has certainly ended.

        Where it cannot be seen from here (another machine, another pid namespace), only age decides.
        """
        here, old = Owner.me(), time.time() - created > FALLBACK_AGE_S
        if self.host != here.host:
            return old
        if UNKNOWN in {self.boot, here.boot}:
            return not _pid_exists(self.pid) or old
        if self.boot != here.boot:
            return True
        if self.namespace != here.namespace:
            return old
        return _start_time(self.pid) != self.start


def owner_id() -> str:
    """Return the text of the label mendbench.owner for this process."""
    return str(Owner.me())


def _pid_exists(pid: int) -> bool:
    if platform.system() == "Windows":
        # There a signal 0 would end the process.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
