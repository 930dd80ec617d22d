"""A process that has everything imported and nothing to hide: every child is a fork of one.

A zygote is forked from the warden before any job has come, so no child ever inherits a job, a test or
a canary. It runs as the container's root and runs no untrusted code; what asks it to fork is the
warden alone, over a socket that nobody else has. Asked for the last child, it becomes that child.
"""

import importlib
import json
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .child import REPORT_FD, Child, Plan, become
from .forking import fork_away
from .warmup import WarmUp

MESSAGE = 4096
OPEN_FILES = 5
"""Streams, the socket, and the folder in which they are counted."""
SETTLED = b'{"event":"settled"}\n'


class SpawnError(Exception):
    """A child could not be started: our failure, never the script's."""


class Zygote:
    """The warden's side: start one, wait until it is warm, have it fork children."""

    def __init__(self, home: str) -> None:
        """Fork the zygote. It imports the module `home` and calls its `live`, which waits for forks."""
        self.is_there = True
        """It has not become a child itself."""
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            self._socket.close()
            _serve(theirs, home)
        theirs.close()

    def wait_until_warm(self) -> None:
        """Return when it can fork.

        Raises:
            SpawnError: it could not be warmed.
        """
        self._answer()

    def spawn(self, plan: Plan, extra: Sequence[int] = ()) -> Child:
        """Fork a child, which becomes a child of the warden; it has the files `extra` from number 5 on.

        The plan's last one is the zygote itself.

        Raises:
            SpawnError: it could not be set up, or the zygote is not there any more.
        """
        if not self.is_there:
            raise SpawnError("the zygote has become a child")
        pipes = [os.pipe() for _ in range(3)]
        stdin = memory_file("stdin", plan.stdin) if plan.stdin else os.open(os.devnull, os.O_RDONLY)
        spec, later = os.pipe() if plan.spec is None else (memory_file("spec", plan.spec), -1)
        theirs = [stdin, *(pipe[1] for pipe in pipes), spec]
        try:
            socket.send_fds(self._socket, [json.dumps(plan.facts()).encode()], [*theirs, *extra])
        finally:
            for fd in theirs:
                os.close(fd)
        pid = self._answer()["pid"]
        self.is_there = not plan.last
        for fd, _ in pipes:
            os.set_blocking(fd, False)
        out, err, report = (pipe[0] for pipe in pipes)
        return Child(pid=pid, uid=plan.uid, out=out, err=err, report=report, spec=later)

    def _answer(self) -> dict[str, Any]:
        data = self._socket.recv(MESSAGE)
        answer: dict[str, Any] = json.loads(data) if data else {"error": "the zygote has died"}
        if "error" in answer:
            raise SpawnError(answer["error"])
        return answer


def memory_file(name: str, content: bytes) -> int:
    """Put `content` into an unlinked file in memory and return its fd, at the start."""
    fd = os.memfd_create(name)
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


class Forker:
    """The zygote's side."""

    def __init__(self, sock: socket.socket, warm_up: WarmUp) -> None:
        self._socket = sock
        self._warm_up = warm_up

    def wait(self) -> str:
        """Say that everything is warm, then fork on demand. Returns in children only: the role of each."""
        self._warm_up.end()
        self._check_files()
        self._socket.send(b"{}")
        while True:
            data, fds, _, _ = socket.recv_fds(self._socket, MESSAGE, 16)
            if not data:
                os._exit(0)
            facts: dict[str, Any] = json.loads(data)
            if self._fork(facts, fds):
                return str(facts["role"])

    def _check_files(self) -> None:
        """No file may be open: a child closes it, and its owner would take the next one for it."""
        with os.scandir("/proc/self/fd") as entries:
            count = sum(1 for _ in entries)
        if count != OPEN_FILES:
            raise SpawnError(f"the zygote has {count} open files instead of {OPEN_FILES}")

    def _fork(self, facts: dict[str, Any], fds: list[int]) -> bool:
        try:
            pid = 0 if facts["last"] else fork_away()
        except OSError as exc:
            self.complain(exc)
            return False
        if pid == 0:
            if facts["last"]:
                self._socket.send(json.dumps({"pid": os.getpid()}).encode())
            # Its number will be another file's soon.
            self._socket.detach()
            _settle(facts, fds)
            return True
        for fd in fds:
            os.close(fd)
        self._socket.send(json.dumps({"pid": pid}).encode())
        return False

    def complain(self, exc: BaseException) -> None:
        """Tell the warden what went wrong."""
        self._socket.send(json.dumps({"error": f"{type(exc).__name__}: {exc}"[:2000]}).encode())


def _serve(sock: socket.socket, home: str) -> NoReturn:
    """In the zygote: live there until the warden goes. In its children: do their role, and exit."""
    _let_go_of_the_wardens(sock)
    forker = Forker(sock, WarmUp())
    try:
        live = importlib.import_module(home).live
    except BaseException as exc:  # noqa: BLE001 -- whatever it is, the warden shall hear of it
        forker.complain(exc)
        os._exit(1)
    # Outside of every `try`: a script's own end is the interpreter's end.
    live(forker)
    sys.exit(0)


def _let_go_of_the_wardens(sock: socket.socket) -> None:
    """Close what belongs to the warden: the container's stdin and stdout, and the other zygote's socket."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.closerange(3, sock.fileno())
    os.closerange(sock.fileno() + 1, 4096)


def _settle(facts: dict[str, Any], fds: list[int]) -> None:
    try:
        become(facts, fds)
        os.write(REPORT_FD, SETTLED)
    except BaseException as exc:  # noqa: BLE001 -- it must never run on as what it was
        os.write(2, f"{type(exc).__name__}: {exc}".encode()[:4000])
        os._exit(127)
