"""The stages of a job: compile, collect against a stub, run; and the facts as a plain dict."""

import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import kernel
from .ahead import Pair
from .child import Plan
from .compiling import UNCOMPILED, suspicious_flags
from .duo import End
from .evidence import Canary, RunReport, exception_of
from .folders import CODE, own_folder, write
from .nursery import Nursery, Users
from .process import Process
from .supervise import Bounds, Facts, Supervisor
from .wire import clean
from .zygote import Zygote

COMPILE_S = 10.0
COLLECT_S = 20.0
STARTUP_S = 30.0
STARTUP_CPU_S = 30
CPU_SLACK_S = 0.1
"""The kernel's limit and its account of the time are not read in one moment."""
KEPT_AT_MOST = 128 * 1024
PLAIN_ENDS = (0, 5)
"""pytest's exit statuses when it has collected something, and nothing."""
KILLED_BY = {"wall": "wall", "cpu": "cpu", "output": "output", "memory": "memory"}


class WardenError(Exception):
    """We failed, not the script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The facts of a job, and whether every process of it came to a good end."""

    result: dict[str, Any]
    clean: bool


def run(job: dict[str, Any], nursery: Nursery, users: Users, host: int, pair: Pair | None) -> Done:
    """Do the job; one at level `process` has a pair of processes that waits for it."""
    return _Flow(job, nursery, users, host).run(pair)


class _Flow:
    def __init__(self, job: dict[str, Any], nursery: Nursery, users: Users, host: int) -> None:
        self._job = job
        self._nursery = nursery
        self._users = users
        self._host = host
        self._limits = job["limits"]
        self._script = job["script"].encode("utf-8", "surrogatepass")
        self._tests = None if job["tests"] is None else job["tests"].encode("utf-8", "surrogatepass")
        self._names: dict[str, Any] = {"names": {}, "exported": None}
        self._result: dict[str, Any] = {"tests_error": "", "tests": [], "evidence": None, "flags": []}
        self._clean = True
        self._full = False

    def run(self, pair: Pair | None) -> Done:
        if pair is not None:
            assert self._tests is not None
            self._run_process(self._tests, pair)
        elif self._compile():
            if self._tests is None:
                self._run_program()
            elif self._job.get("suite"):
                self._run_suite(self._tests)
            else:
                self._run_tests(self._tests)
        self._result["cgroup_peak_bytes"] = kernel.memory_peak()
        return Done(result=self._result, clean=self._clean and not self._result["flags"])

    def _watch(
        self, zygote: Zygote, plan: Plan, bounds: Bounds, sink: Any, extra: Sequence[int] = ()
    ) -> Facts:
        child = zygote.spawn(plan, extra)
        return self._watched(Supervisor(child, bounds, sink, host=self._host, spare=self._nursery.pids))

    def _watched(self, supervisor: Supervisor) -> Facts:
        facts = supervisor.watch()
        if not facts.settled:
            raise WardenError(f"a child {_how_it_ended(facts)} at its start: {_last_words(facts)}")
        self._clean &= facts.clean
        return facts

    def _plan(self, role: str, uid: int, **facts: Any) -> Plan:
        file_bytes, hash_seed = self._limits["file_bytes"], self._job["hash_seed"]
        return Plan(role=role, uid=uid, file_bytes=file_bytes, hash_seed=hash_seed, **facts)

    # Compile

    def _compile(self) -> bool:
        """Say whether there is something to run."""
        reports: dict[str, dict[str, Any]] = {}
        spec = json.dumps({"script": self._job["script"], "tests": self._job["tests"]}).encode()
        last = not self._job["keep"] and self._tests is not None and not self._job.get("suite")
        plan = self._plan("compile", self._users.compile, cwd="/", cpu_s=int(COMPILE_S), spec=spec, last=last)
        bounds = Bounds(
            startup_s=COMPILE_S, wall_s=COMPILE_S, cpu_s=COMPILE_S + 2, keep_bytes=4096, hard_bytes=1 << 20
        )
        facts = self._watch(
            self._nursery.plain, plan, bounds, lambda event: reports.setdefault(event["event"], event)
        )
        missing = {**UNCOMPILED, "message": f"the compiler {_how_it_ended(facts)}"}
        compiled = _compile_report(reports.get("script", missing))
        self._result["compiled"] = compiled
        self._result["suspicious"] = suspicious_flags(reports.get("suspicious"))
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
        uid = self._users.collect
        cwd = own_folder("collect", uid)
        plan = self._plan("collect", uid, cwd=cwd, cpu_s=int(COLLECT_S), spec=json.dumps(spec).encode())
        bounds = Bounds(
            startup_s=COLLECT_S, wall_s=COLLECT_S, cpu_s=COLLECT_S, keep_bytes=4096, hard_bytes=8 << 20
        )
        facts = self._watch(
            self._nursery.pytest, plan, bounds, lambda event: events.setdefault(event["event"], event)
        )
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

    # Run in two processes

    def _run_process(self, tests: bytes, pair: Pair) -> None:
        write(CODE / "solution.py", self._script)
        watch = {"host": self._host, "spare": self._nursery.pids}
        done = Process(self._job, self._script, tests, self._users, pair, watch)
        facts = self._watched(done.duo)
        self._result |= done.facts()
        if done.report is None:
            if self._result["compiled"]["ok"] and not self._result["tests_error"]:
                self._refuse(f"collecting the tests {_how_it_ended(facts)} before it was done")
            return
        if not facts.began:
            ended = f"the tests' process {_how_it_ended(facts)} before the script began"
            raise WardenError(f"{ended}: {_last_words(facts)}")
        self._clean &= not done.duo.ends
        self._full = done.found_full
        self._note(facts, done.report.exception, done.duo.ends)
        self._result["tests"] = done.report.tests(facts)
        self._result["evidence"] = done.report.evidence(facts)

    # Run

    def _run_tests(self, tests: bytes) -> None:
        write(CODE / "test_solution.py", tests)
        expected = self._collect()
        if not expected:
            return
        write(CODE / "solution.py", self._script)
        first, last = Canary.make(), Canary.make()
        for canary in (first, last):
            write(CODE / canary.file, canary.source.encode())
        report = RunReport(expected, first, last)
        spec = {"canaries": [str(CODE / canary.file) for canary in (first, last)]}
        facts = self._run("shared", spec, report.take)
        self._note(facts, report.exception)
        self._result["tests"] = report.tests(facts)
        self._result["evidence"] = report.evidence(facts)
        if report.differs and not (facts.killed_for or facts.oom) and self._collect() not in ([], expected):
            self._refuse("the ids of the tests change from one collection to the next")

    def _run_suite(self, tests: bytes) -> None:
        from .mutation.stage import SuiteStage  # noqa: PLC0415 -- few containers need it

        stage = SuiteStage(self._job, self._nursery, self._users, self._watch, self._plan)
        facts = stage.run(self._script, tests)
        self._note(facts, None)
        self._result["tests"] = stage.tests()
        self._result["suite"] = stage.result()

    def _run_program(self) -> None:
        write(CODE / "solution.py", self._script)
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
        uid = self._users.run
        plan = self._plan(
            role,
            uid,
            cwd=own_folder("run", uid, {"solution.py": self._script}),
            cpu_s=STARTUP_CPU_S + cpu_s,
            spec=json.dumps({**spec, "seed": seed, "cpu_s": cpu_s}).encode(),
            stdin=self._job["stdin"].encode("utf-8", "replace"),
            # The tests may have to be collected once more.
            last=role == "program" and not self._job["keep"],
        )
        bounds = Bounds(
            startup_s=STARTUP_S,
            wall_s=limits["wall_s"],
            # A little later than the kernel, whose word on a single process is the better one.
            cpu_s=cpu_s + 1.5,
            keep_bytes=min(limits["output_bytes"], KEPT_AT_MOST),
            hard_bytes=limits["output_hard_bytes"],
        )
        zygote = self._nursery.plain if role == "program" else self._nursery.pytest
        facts = self._watch(zygote, plan, bounds, sink)
        if not facts.began:
            ended = f"the child {_how_it_ended(facts)} before the script began"
            raise WardenError(f"{ended}: {_last_words(facts)}")
        return facts

    def _note(self, facts: Facts, exception: dict[str, Any] | None, ends: Sequence[End] = ()) -> None:
        """Put the facts of the run into the result."""
        self._result |= {
            "exit_code": facts.exit_code,
            "signal": facts.signal,
            "killed_by": killed_by(facts, self._limits["cpu_s"], exception, ends),
            "wall_s": round(facts.wall_s, 6),
            "cpu_s": round(facts.cpu_s, 6),
            "max_rss_bytes": facts.max_rss_bytes,
            "run_delay_s": None if facts.run_delay_s is None else round(facts.run_delay_s, 6),
            "exception": exception,
            "stdout": facts.out,
            "stderr": facts.err,
        }
        full = self._full or any(kernel.is_full(folder) for folder in ("/work", "/tmp", "/dev/shm"))  # noqa: S108
        found = {
            "pids_exhausted": facts.pids_denied,
            "disk_full": full,
            "oom_child": facts.oom and self._result["killed_by"] != "memory",
            "leftover_processes": facts.leftover,
            "output_truncated": facts.out.total > facts.out.kept or facts.err.total > facts.err.kept,
        }
        self._result["flags"] += [flag for flag, holds in found.items() if holds]


def killed_by(
    facts: Facts, cpu_limit_s: float, exception: dict[str, Any] | None, ends: Sequence[End] = ()
) -> str | None:
    """Name the limit that ended the run, or a process of the script: from the kernel, never an exit code."""
    if facts.killed_for and not facts.zygote_lost:
        return KILLED_BY.get(facts.killed_for)
    reasons = {end.reason for end in ends}
    for reason in ("memory", "cpu", "wall"):
        if reason in reasons:
            return reason
    if facts.oom:
        starved = exception is not None and exception["exc_type"] == "MemoryError"
        if facts.signal == signal.SIGKILL or starved or facts.zygote_lost:
            return "memory"
    # Anybody may send these signals: the kernel does when the time is used up.
    used_up = facts.cpu_s >= cpu_limit_s - CPU_SLACK_S
    return "cpu" if used_up and facts.signal in {signal.SIGXCPU, signal.SIGKILL} else None


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
