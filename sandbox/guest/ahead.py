"""The two processes of a run at level `process`, started before anybody knows what will run in them."""

import json
import os
import socket
from dataclasses import dataclass

from .child import Child, Plan
from .evidence import Canary
from .folders import CODE, own_folder, write_private
from .nursery import Nursery, Users

ANY_CPU_S = 24 * 3600
"""Until the run begins and its own limit holds; the warden's clock limits the time before."""
ANY_FILE = 1 << 40
"""Until a child reads its spec; the container's own limit holds meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForScript:
    """A process for a script, and the tests' side of the link and of two more streams with it."""

    child: Child
    gifts: tuple[int, ...]


class Pair:
    """A process for the tests and one for the script; both wait to be told what they are to do."""

    def __init__(self, nursery: Nursery, users: Users, hash_seed: int, *, last: bool) -> None:
        """Start both.

        Args:
            nursery: where they come from.
            users: of the attempt that they are for.
            hash_seed: of this container.
            last: no attempt follows this one.
        """
        self._nursery, self._users, self._hash_seed, self._last = nursery, users, hash_seed, last
        self.first, self.last = Canary.make(), Canary.make()
        self.token = os.urandom(12).hex()
        self.cwd = own_folder("run", users.run, mode=0o777)
        # What both sides see: folders of tests, made by the tests' side.
        own_folder("both", users.collect, mode=0o755)
        for canary in (self.first, self.last):
            write_private(CODE / canary.file, canary.source.encode(), users.collect)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.grader = nursery.pytest.spawn(
                self._plan("grader", users.collect, last=last), [theirs.fileno()]
            )
        early = {"token": self.token, "canaries": [str(CODE / each.file) for each in (self.first, self.last)]}
        self.control.send(json.dumps(early).encode())
        self._waiting: ForScript | None = self._new_candidate()

    def candidate(self) -> ForScript:
        """Give the process for the script that waits; from the second time on a new one."""
        candidate, self._waiting = self._waiting, None
        if candidate is not None:
            return candidate
        # The last one may have locked itself out, and with it every next one.
        own_folder("run", self._users.run, mode=0o777)
        return self._new_candidate()

    def _new_candidate(self) -> ForScript:
        ours, theirs = socket.socketpair()
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        with theirs:
            child = self._nursery.plain.spawn(
                self._plan("candidate", self._users.run), [theirs.fileno(), out_end, err_end]
            )
        for fd in (out_end, err_end):
            os.close(fd)
        return ForScript(child=child, gifts=(ours.detach(), child.out, child.err, out, err))

    def _plan(self, role: str, uid: int, *, last: bool = False) -> Plan:
        return Plan(
            role=role,
            last=last,
            uid=uid,
            cwd=self.cwd,
            cpu_s=ANY_CPU_S,
            file_bytes=ANY_FILE,
            hash_seed=self._hash_seed,
            spec=None,
        )
