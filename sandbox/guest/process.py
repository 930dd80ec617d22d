"""Set up a run in two processes: the tests' (the grader) and the script's (the candidate)."""

import json
import os
import socket
from typing import Any

from . import kernel
from .child import Child, Plan
from .compiling import UNCOMPILED, suspicious_flags
from .duo import Duo
from .evidence import Canary, RunReport
from .folders import CODE, own_folder, write_private
from .nursery import Nursery, Users
from .supervise import Bounds
from .wire import clean

STARTUP_S = 30.0
STARTUP_CPU_S = 30
KEPT_AT_MOST = 128 * 1024
MOST_FLAGS = 100


class Process:
    """One run. Make it, have `duo` watch, then ask for the facts."""

    def __init__(
        self,
        job: dict[str, Any],
        script: bytes,
        tests: bytes,
        users: Users,
        nursery: Nursery,
        host: int,
    ) -> None:
        """Start the tests' process; the script's follows as soon as somebody watches."""
        self._job, self._script, self._users, self._nursery = job, script, users, nursery
        self._cpu_s = max(-int(-job["limits"]["cpu_s"] // 1), 1)
        self._first, self._last = Canary.make(), Canary.make()
        self._compiled: dict[str, Any] | None = None
        self._names: dict[str, Any] | None = None
        self.report: RunReport | None = None
        self.found_full = False
        """The disk was full before the tests were removed from it."""
        self._why_not = ""
        self._scanned: dict[str, Any] | None = None
        self._seen: list[str] = []
        self._token = os.urandom(12).hex()
        self._files = {
            CODE / "test_solution.py": tests,
            CODE / self._first.file: self._first.source.encode(),
            CODE / self._last.file: self._last.source.encode(),
        }
        for path, content in self._files.items():
            write_private(path, content, users.collect)
        self._cwd = own_folder("run", users.run, {"solution.py": script}, mode=0o777)
        # What both sides see: folders of tests, made by the tests' side.
        own_folder("both", users.collect, mode=0o755)
        self.duo = self._start_grader(host)

    def facts(self) -> dict[str, Any]:
        """What is to be said even of a run that never began."""
        ended = self.duo.ends[0].message if self.duo.ends else "no process of the script came to it"
        missing = {**UNCOMPILED, "message": f"compiling the script ended without a word: {ended}"}
        found = self._compiled or missing
        numbers = {key: found.get(key) for key in ("line", "column")}
        return {
            "compiled": {
                "ok": found.get("ok") is True,
                **{key: clean(found.get(key), 2100) for key in ("exc_type", "message", "source")},
                **{key: value if isinstance(value, int) else None for key, value in numbers.items()},
            },
            "tests_error": clean(self._why_not, 4000),
            "suspicious": suspicious_flags({"flags": [*self._seen, *suspicious_flags(self._scanned)]}),
        }

    def _start_grader(self, host: int) -> Duo:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        limits = self._job["limits"]
        spec = {
            "seed": self._job["hash_seed"],
            "cpu_s": self._cpu_s,
            "token": self._token,
            "output_hard_bytes": limits["output_hard_bytes"],
            "canaries": [str(CODE / canary.file) for canary in (self._first, self._last)],
        }
        plan = self._plan("grader", self._users.collect, self._cwd, spec, last=not self._job["keep"])
        with theirs:
            child = self._nursery.pytest.spawn(plan, [theirs.fileno()])
        bounds = Bounds(
            startup_s=STARTUP_S,
            wall_s=limits["wall_s"],
            # A little later than the kernel, whose word on a single process is the better one.
            cpu_s=self._cpu_s + 1.5,
            keep_bytes=min(limits["output_bytes"], KEPT_AT_MOST),
            hard_bytes=limits["output_hard_bytes"],
        )
        return Duo(
            child,
            bounds,
            self._take,
            host=host,
            spare=self._nursery.pids,
            control=ours,
            token=self._token,
            start=self._start_candidate,
            uid=self._users.run,
            compiled=self._hear_compiler,
        )

    def _start_candidate(self) -> tuple[Child, list[int]]:
        """Start one; return the tests' side of the link and of two more streams with it."""
        # The last one may have locked itself out, and with it every next one.
        own_folder("run", self._users.run, mode=0o777)
        ours, theirs = socket.socketpair()
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        spec = {"script": self._job["script"], "seed": self._job["hash_seed"], "cpu_s": self._cpu_s}
        plan = self._plan("candidate", self._users.run, self._cwd, spec)
        with theirs:
            child = self._nursery.plain.spawn(plan, [theirs.fileno(), out_end, err_end])
        for fd in (out_end, err_end):
            os.close(fd)
        return child, [ours.detach(), child.out, child.err, out, err]

    def _plan(self, role: str, uid: int, cwd: str, spec: dict[str, Any], *, last: bool = False) -> Plan:
        return Plan(
            role=role,
            last=last,
            uid=uid,
            cwd=cwd,
            cpu_s=STARTUP_CPU_S + self._cpu_s,
            file_bytes=self._job["limits"]["file_bytes"],
            hash_seed=self._job["hash_seed"],
            spec=json.dumps(spec).encode(),
        )

    def _hear_compiler(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """Take what the script's process says before it is the script's."""
        if event["event"] == "script" and self._compiled is None:
            self._compiled = event
            self.duo.refused_to_compile = event.get("ok") is not True
        elif event["event"] == "suspicious" and self._scanned is None:
            self._scanned = event
        elif event["event"] == "names" and self._names is None:
            self._names = {"names": event.get("names") or {}, "exported": event.get("exported")}
            return self._names
        return None

    def _take(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if self.report is not None and kind == "flag":
            if len(self._seen) < MOST_FLAGS:
                self._seen.append(clean(event.get("name"), 60))
        elif self.report is not None:
            if kind == "collected":
                self._remove_tests()
            self.report.take(event)
        elif kind == "refused":
            self._why_not = (
                self._why_not or f"the tests cannot be collected without the script: {event.get('why')}"
            )
        elif kind == "expected":
            self._expect(event.get("ids"))

    def _remove_tests(self) -> None:
        """Leave no test on the disk once they are loaded: no link of the script can lead to one."""
        self.found_full = kernel.is_full(str(CODE))
        for path in self._files:
            path.unlink(missing_ok=True)

    def _expect(self, ids: Any) -> None:
        ids = [clean(test, 400) for test in ids] if isinstance(ids, list) else []
        if not ids:
            self._why_not = "the test file holds no tests"
        elif len(set(ids)) != len(ids):
            self._why_not = "two tests have the same id"
        else:
            self.report = RunReport(ids, self._first, self._last)
            # The first two canaries run before them.
            self.duo.expect(len(ids) + 2)
