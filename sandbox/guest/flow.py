"""The stages of a job: compile, collect against a stub, run; and the facts as a plain dict."""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import compiling, kernel
from .child import Plan, spawn
from .evidence import Canary, RunReport, exception_of
from .supervise import Bounds, Facts, Supervisor
from .wire import clean

WORK = Path("/work")
CODE = WORK / "code"
COLLECT_UID = 20001
RUN_UID = 20002
COLLECT_S = 20.0
STARTUP_S = 30.0
STARTUP_CPU_S = 30
KEPT_AT_MOST = 128 * 1024
PLAIN_ENDS = (0, 5)
"""pytest's exit statuses when it has collected something, and nothing."""
KILLED_BY = {"wall": "wall", "cpu": "cpu", "output": "output"}


class WardenError(Exception):
    """We failed, not the script."""


def run(job: dict[str, Any], host: int) -> dict[str, Any]:
    """Do the job and return the facts."""
    return _Flow(job, host).run()


class _Flow:
    def __init__(self, job: dict[str, Any], host: int) -> None:
        self._job = job
        self._host = host
        self._limits = job["limits"]
        self._script = job["script"].encode("utf-8", "surrogatepass")
        self._tests = None if job["tests"] is None else job["tests"].encode("utf-8", "surrogatepass")
        self._names: dict[str, Any] = {"names": {}, "exported": None}
        self._result: dict[str, Any] = {"tests_error": "", "tests": [], "evidence": None, "flags": []}

    def run(self) -> dict[str, Any]:
        CODE.mkdir(mode=0o755)
        if self._compile():
            if self._tests is None:
                self._run_program()
            else:
                self._run_tests(self._tests)
        self._result["cgroup_peak_bytes"] = kernel.memory_peak()
        return self._result

    def _watch(self, plan: Plan, bounds: Bounds, sink: Any) -> Facts:
        return Supervisor(spawn(plan), bounds, sink, self._host).watch()

    # Compile

    def _compile(self) -> bool:
        """Say whether there is something to run."""
        reports: dict[str, dict[str, Any]] = {}
        plan = compiling.plan(self._script, self._tests)
        facts = self._watch(plan, compiling.BOUNDS, lambda event: reports.setdefault(event["event"], event))
        missing = {**compiling.UNCOMPILED, "message": f"the compiler {_how_it_ended(facts)}"}
        compiled = _compile_report(reports.get("script", missing))
        self._result["compiled"] = compiled
        if not compiled["ok"]:
            return False
        if self._tests is None:
            return True
        self._names = reports.get("names", self._names)
        tests = _compile_report(reports.get("tests", missing))
        if not tests["ok"]:
            why = f"{tests['exc_type']}: {tests['message']} (line {tests['line']})"
            self._refuse(f"the tests do not compile: {why}")
        return bool(tests["ok"])

    def _refuse(self, why: str) -> None:
        self._result["tests_error"] = clean(why, 4000)

    # Collect

    def _collect(self, tests_error: str = "") -> list[str]:
        """Return the expected ids, or none and the reason in the result."""
        events: dict[str, dict[str, Any]] = {}
        spec = {**_plain(self._names), "seed": self._job["hash_seed"]}
        plan = Plan(
            uid=COLLECT_UID,
            cwd=_own_folder("collect", COLLECT_UID),
            cpu_s=int(COLLECT_S),
            file_bytes=self._limits["file_bytes"],
            role="collect",
            spec=json.dumps(spec).encode(),
            hash_seed=self._job["hash_seed"],
        )
        bounds = Bounds(
            startup_s=COLLECT_S, wall_s=COLLECT_S, cpu_s=COLLECT_S, keep_bytes=4096, hard_bytes=8 << 20
        )
        facts = self._watch(plan, bounds, lambda event: events.setdefault(event["event"], event))
        ids: Any = events.get("collected", {}).get("ids")
        if "refused" in events:
            why = events["refused"].get("why")
            tests_error = f"the tests cannot be collected without the script: {clean(why, 3000)}"
        elif not isinstance(ids, list) or "end" not in events or not all(type(part) is str for part in ids):
            tests_error = f"collecting the tests {_how_it_ended(facts)} before it was done"
        elif events["end"].get("status") not in PLAIN_ENDS:
            tests_error = (
                f"collecting the tests failed with pytest's exit status {events['end'].get('status')}"
            )
        elif not ids:
            tests_error = "the test file holds no tests"
        elif len(set(ids)) != len(ids):
            tests_error = "two tests have the same id"
        if tests_error:
            self._refuse(tests_error)
            return []
        return [clean(test, 400) for test in ids]

    # Run

    def _run_tests(self, tests: bytes) -> None:
        _write(CODE / "test_solution.py", tests)
        expected = self._collect()
        if not expected:
            return
        _write(CODE / "solution.py", self._script)
        first, last = Canary.make(), Canary.make()
        for canary in (first, last):
            _write(CODE / canary.file, canary.source.encode())
        report = RunReport(expected, first, last)
        spec = {"canaries": [str(CODE / canary.file) for canary in (first, last)]}
        facts = self._run("shared", spec, report.take)
        self._note(facts, report.exception)
        self._result["tests"] = report.tests(facts)
        self._result["evidence"] = report.evidence(facts)
        if report.differs and not facts.killed_for and self._collect() not in ([], expected):
            self._refuse("the ids of the tests change from one collection to the next")

    def _run_program(self) -> None:
        _write(CODE / "solution.py", self._script)
        events: dict[str, dict[str, Any]] = {}
        facts = self._run(
            "program", {"argv": self._job["argv"]}, lambda event: events.setdefault(event["event"], event)
        )
        raised = events.get("raised")
        self._note(facts, None if raised is None else exception_of(raised))

    def _run(self, role: str, spec: dict[str, Any], sink: Any) -> Facts:
        limits, seed = self._limits, self._job["hash_seed"]
        cpu_s = max(-int(-limits["cpu_s"] // 1), 1)
        # Tests of a command line start `python solution.py` where they are.
        cwd = _own_folder("run", RUN_UID, {"solution.py": self._script})
        plan = Plan(
            uid=RUN_UID,
            cwd=cwd,
            cpu_s=STARTUP_CPU_S + cpu_s,
            file_bytes=limits["file_bytes"],
            role=role,
            spec=json.dumps({**spec, "seed": seed, "cpu_s": cpu_s}).encode(),
            stdin=self._job["stdin"].encode("utf-8", "replace"),
            hash_seed=seed,
        )
        bounds = Bounds(
            startup_s=STARTUP_S,
            wall_s=limits["wall_s"],
            # A little later than the kernel, whose word on a single process is the better one.
            cpu_s=cpu_s + 1.5,
            keep_bytes=min(limits["output_bytes"], KEPT_AT_MOST),
            hard_bytes=limits["output_hard_bytes"],
        )
        facts = self._watch(plan, bounds, sink)
        if not facts.began:
            ended = f"the child {_how_it_ended(facts)} before the script began"
            raise WardenError(f"{ended}: {_last_words(facts)}")
        return facts

    def _note(self, facts: Facts, exception: dict[str, Any] | None) -> None:
        """Put the facts of the run into the result."""
        self._result |= {
            "exit_code": facts.exit_code,
            "signal": facts.signal,
            "killed_by": killed_by(facts, self._limits["cpu_s"], exception),
            "wall_s": round(facts.wall_s, 6),
            "cpu_s": round(facts.cpu_s, 6),
            "max_rss_bytes": facts.max_rss_bytes,
            "run_delay_s": None if facts.run_delay_s is None else round(facts.run_delay_s, 6),
            "exception": exception,
            "stdout": facts.out,
            "stderr": facts.err,
        }
        full = any(kernel.is_full(folder) for folder in ("/work", "/tmp", "/dev/shm"))  # noqa: S108
        found = {
            "pids_exhausted": facts.pids_denied,
            "disk_full": full,
            "oom_child": facts.oom and self._result["killed_by"] != "memory",
            "leftover_processes": facts.leftover,
            "output_truncated": facts.out.total > facts.out.kept or facts.err.total > facts.err.kept,
        }
        self._result["flags"] += [flag for flag, holds in found.items() if holds]


def killed_by(facts: Facts, cpu_limit_s: float, exception: dict[str, Any] | None) -> str | None:
    """Name the limit that ended the run: from the kernel's counters, never from an exit code."""
    if facts.killed_for:
        return KILLED_BY.get(facts.killed_for)
    if facts.oom:
        starved = exception is not None and exception["exc_type"] == "MemoryError"
        if facts.signal == signal.SIGKILL or starved:
            return "memory"
    used_up = facts.signal == signal.SIGKILL and facts.cpu_s >= cpu_limit_s
    return "cpu" if facts.signal == signal.SIGXCPU or used_up else None


def _compile_report(event: dict[str, Any]) -> dict[str, Any]:
    numbers = {key: event.get(key) for key in ("line", "column")}
    return {
        "ok": event.get("ok") is True,
        **{key: clean(event.get(key), 2100) for key in ("exc_type", "message", "source")},
        **{key: value if isinstance(value, int) else None for key, value in numbers.items()},
    }


def _plain(names: dict[str, Any]) -> dict[str, Any]:
    return {"names": names.get("names") or {}, "exported": names.get("exported")}


def _how_it_ended(facts: Facts) -> str:
    if facts.killed_for in {"wall", "startup", "cpu"}:
        return "took too long"
    if facts.killed_for:
        return "wrote too much"
    if facts.oom:
        return "ran out of memory"
    if facts.signal is not None:
        return f"died of signal {facts.signal}"
    return f"ended with exit status {facts.exit_code}"


def _last_words(facts: Facts) -> str:
    return bytes(facts.err.tail or facts.err.head)[-1500:].decode(errors="replace")


def _write(path: Path, content: bytes) -> None:
    """Write a new file that only we can change."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o444)
    with os.fdopen(fd, "wb") as file:
        file.write(content)


def _own_folder(name: str, uid: int, files: Mapping[str, bytes] | None = None) -> str:
    """Make a folder in /work that belongs to `uid`; the warden lacks the capability to give one away.

    Nothing untrusted lives at this moment: the stage before has been killed to the last process.
    """
    path = WORK / name
    if path.exists():
        return str(path)
    WORK.chmod(0o777)
    os.seteuid(uid)
    try:
        path.mkdir(mode=0o700)
        for file, content in (files or {}).items():
            _write(path / file, content)
    finally:
        os.seteuid(0)
        WORK.chmod(0o755)
    return str(path)
