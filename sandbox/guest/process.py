"""Set up a run in two processes: the tests' (the grader) and the script's (the candidate)."""

import json
from pathlib import Path
from typing import Any

from . import kernel
from .ahead import ForScript, Pair
from .child import Child
from .compiling import UNCOMPILED, suspicious_flags
from .duo import Duo
from .evidence import RunReport
from .folders import CODE, put, write_private
from .nursery import Users
from .supervise import Bounds
from .wire import clean

STARTUP_S = 30.0
KEPT_AT_MOST = 128 * 1024
MOST_FLAGS = 100


class Process:
    """One run. Make it, have `duo` watch, then ask for the facts."""

    def __init__(
        self, job: dict[str, Any], script: bytes, tests: bytes, users: Users, pair: Pair, duo: dict[str, Any]
    ) -> None:
        """Tell both processes what they are to do.

        Args:
            job: what the host has sent.
            script: its script.
            tests: its tests.
            users: of this attempt.
            pair: the two processes; `Process` closes what is open of them.
            duo: what `Duo` must know besides.
        """
        self._job, self._pair = job, pair
        self._cpu_s = max(-int(-job["limits"]["cpu_s"] // 1), 1)
        self._compiled: dict[str, Any] | None = None
        self._names: dict[str, Any] | None = None
        self.report: RunReport | None = None
        self.found_full = False
        """The disk was full before the tests were removed from it."""
        self._why_not = ""
        self._scanned: dict[str, Any] | None = None
        self._seen: list[str] = []
        write_private(CODE / "test_solution.py", tests, users.collect)
        put(Path(pair.cwd) / "solution.py", script, users.run)
        self.duo = self._watched_by(users, duo)

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

    def _watched_by(self, users: Users, more: dict[str, Any]) -> Duo:
        limits = self._job["limits"]
        self._brief(self._pair.grader, output_hard_bytes=limits["output_hard_bytes"])
        bounds = Bounds(
            startup_s=STARTUP_S,
            wall_s=limits["wall_s"],
            # A little later than the kernel, whose word on a single process is the better one.
            cpu_s=self._cpu_s + 1.5,
            keep_bytes=min(limits["output_bytes"], KEPT_AT_MOST),
            hard_bytes=limits["output_hard_bytes"],
        )
        return Duo(
            self._pair.grader,
            bounds,
            self._take,
            control=self._pair.control,
            token=self._pair.token,
            start=self._start_candidate,
            uid=users.run,
            compiled=self._hear_compiler,
            **more,
        )

    def _start_candidate(self) -> ForScript:
        candidate = self._pair.candidate()
        self._brief(candidate.child, script=self._job["script"])
        return candidate

    def _brief(self, child: Child, **more: Any) -> None:
        spec = {
            "seed": self._job["hash_seed"],
            "cpu_s": self._cpu_s,
            "file_bytes": self._job["limits"]["file_bytes"],
            **more,
        }
        child.brief(json.dumps(spec).encode())

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
        for file in ("test_solution.py", self._pair.first.file, self._pair.last.file):
            (CODE / file).unlink(missing_ok=True)

    def _expect(self, ids: Any) -> None:
        ids = [clean(test, 400) for test in ids] if isinstance(ids, list) else []
        if not ids:
            self._why_not = "the test file holds no tests"
        elif len(set(ids)) != len(ids):
            self._why_not = "two tests have the same id"
        else:
            self.report = RunReport(ids, self._pair.first, self._pair.last)
            # The first two canaries run before them.
            self.duo.expect(len(ids) + 2)
