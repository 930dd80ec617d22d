"""The warden's side: has the mutants made, has the suite run on them, and makes facts of what is reported.

It alone knows which version is a mutant, which is extreme, and which is the script itself in disguise.
"""

import json
import os
from collections.abc import Callable
from typing import Any

from ..child import Plan
from ..evidence import OUTCOMES, PHASES, exception_of
from ..folders import CODE, own_folder, write
from ..nursery import Nursery, Users
from ..supervise import Bounds, Facts
from ..wire import clean
from ..zygote import Zygote, memory_file

MAKE_S = 20.0
STARTUP_S = 30.0
MOST_TESTS = 2000
MAX_FILE = 16 * 1024 * 1024
STATUSES = frozenset({"killed", "survived", "unreached", "unjudged"})
KINDS = frozenset({"assertion", "crash", "loop", ""})
_HEX = frozenset("0123456789abcdef")
Watch = Callable[[Zygote, Plan, Bounds, Any, list[int]], Facts]
MakePlan = Callable[..., Plan]


class SuiteStage:
    """One job: scores the job's tests as a suite for the job's script."""

    def __init__(
        self, job: dict[str, Any], nursery: Nursery, users: Users, watch: Watch, plan: MakePlan
    ) -> None:
        self._job, self._nursery, self._users = job, nursery, users
        self._watch, self._plan = watch, plan
        self._wanted: dict[str, Any] = job["suite"]
        self._made: list[dict[str, Any]] = []
        self._order: list[int] = []
        self._records: dict[int, dict[str, Any]] = {}
        self._asserts: dict[int, int] = {}
        self._ids: list[str] = []
        self.facts: dict[str, Any] = {
            "failed": "",
            "exception": None,
            "hints": {},
            "found": 0,
            "left_out": {},
            "unmade": "",
            "warm": True,
            "plain_ended": "",
            "running": None,
            "alone_failed": "0",
            "alone_runs": 0,
            "orders": [],
            "dated": "0",
            "outside": "0",
            "hermetic": {},
            "coverage": None,
            "complete": False,
        }
        """For the result frame. `failed` is empty, or how the suite failed before its tests could run."""

    def run(self, script: bytes, tests: bytes) -> Facts:
        """Make, run, and collect the facts."""
        base = self._make()
        write(CODE / "test_solution.py", tests)
        write(CODE / "solution.py", script)
        return self._conduct(base)

    # Mutants

    def _make(self) -> list[str] | None:
        """Return the unchanged script, compiled; None where no mutants can be made of it."""
        file = memory_file("mutants", b"")
        spec = {key: self._job[key] for key in ("script", "tests")}
        spec |= {"seed": self._wanted["seed"], "mutants": self._wanted["mutants"]}
        plan = self._plan(
            "mutate", self._users.compile, cwd="/", cpu_s=int(MAKE_S), spec=json.dumps(spec).encode()
        )
        bounds = Bounds(
            startup_s=MAKE_S, wall_s=MAKE_S, cpu_s=MAKE_S + 2, keep_bytes=4096, hard_bytes=1 << 20
        )
        events: dict[str, dict[str, Any]] = {}
        try:
            facts = self._watch(
                self._nursery.plain,
                plan,
                bounds,
                lambda event: events.setdefault(event["event"], event),
                [file],
            )
            made = _read(file) if "made" in events else None
        finally:
            os.close(file)
        self.facts["hints"] = _hints(events.get("hints", {}))
        if made is None:
            why = (
                events.get("unmade", {}).get("why") or f"making the mutants ended early ({facts.killed_for})"
            )
            self.facts["unmade"] = clean(why, 500)
            return None
        self._made = made["tasks"]
        self.facts |= {"found": made["found"], "left_out": made["left_out"]}
        base: list[str] = made["base"]
        return base

    # Runs

    def _conduct(self, base: list[str] | None) -> Facts:
        # In an order that nobody can guess: what is not a mutant must not be known by its place.
        self._order = sorted(range(len(self._made)), key=lambda _: os.urandom(8))
        limits = self._job["limits"]
        cpu_s = max(-int(-limits["cpu_s"] // 1), 1)
        spec = {
            "seed": self._job["hash_seed"],
            "base": base,
            "cpu_s": cpu_s,
            "deadline_s": limits["wall_s"] * 0.8,
            "most_tests": MOST_TESTS,
            "alone": self._wanted["alone"],
            "orders": self._wanted["orders"],
            "clock": self._wanted["clock"],
            "plain": {"cpu_s": self._wanted["plain_cpu_s"], "wall_s": self._wanted["plain_wall_s"]},
            "tasks": [{"n": n, **self._made[which]["task"]} for n, which in enumerate(self._order)],
        }
        uid = self._users.run
        plan = self._plan(
            "suite",
            uid,
            cwd=own_folder("run", uid, {"solution.py": self._job["script"].encode("utf-8", "surrogatepass")}),
            cpu_s=int(STARTUP_S) + cpu_s,
            spec=json.dumps(spec).encode(),
        )
        bounds = Bounds(
            startup_s=STARTUP_S,
            wall_s=limits["wall_s"],
            cpu_s=cpu_s + 1.5,
            keep_bytes=4096,
            hard_bytes=limits["output_hard_bytes"],
        )
        return self._watch(self._nursery.pytest, plan, bounds, self._take, [])

    def _take(self, event: dict[str, Any]) -> None:
        handlers: dict[str, Callable[[dict[str, Any]], object]] = {
            "ids": self._on_ids,
            "loaded": lambda e: self.facts.update(warm=e.get("warm") is True),
            "test": self._on_test,
            "plain": self._on_plain,
            "hermetic": lambda e: self.facts.update(hermetic={k: v for k, v in e.items() if k != "event"}),
            "alone": lambda e: self.facts.update(
                alone_failed=_mask(e.get("failed")),
                alone_runs=e.get("runs"),
                outside=_mask(e.get("outside")),
            ),
            "order": self._on_order,
            "ahead": lambda e: self.facts.update(dated=_mask(e.get("failed"))),
            "coverage": lambda e: self.facts.update(coverage=e.get("numbers")),
            "verdict": self._on_verdict,
            "end": lambda _: self.facts.update(complete=True),
        }
        handlers.get(event["event"], self._on_failed)(event)

    def _on_ids(self, event: dict[str, Any]) -> None:
        self._ids += [clean(test, 400) for test in event["ids"]][:MOST_TESTS]

    def _on_failed(self, event: dict[str, Any]) -> None:
        name = event["event"]
        if name in {"import_failed", "collect_failed", "ended", "lost", "too_many", "same_ids", "gave_up"}:
            self.facts["failed"] = name
            self.facts["exception"] = exception_of(event)
            if name == "lost":
                self.facts["failed"] = (
                    "import_hangs" if event.get("how") in {"cpu", "wall"} else "import_ends"
                )

    def _on_test(self, event: dict[str, Any]) -> None:
        number = event["i"]
        outcome = event.get("outcome")
        self._asserts[number] = event.get("asserts", 0)
        self._records[number] = {
            "outcome": outcome if outcome in OUTCOMES else "error",
            "phase": event["phase"] if event.get("phase") in PHASES else "call",
            "wall_s": round(event.get("wall_s", 0.0), 6),
            **exception_of(event),
        }

    def _on_plain(self, event: dict[str, Any]) -> None:
        self.facts["plain_ended"] = clean(event.get("ended"), 20)
        self.facts["running"] = event.get("running")

    def _on_order(self, event: dict[str, Any]) -> None:
        self.facts["orders"].append(
            {"passed": _mask(event.get("passed")), "ended": clean(event.get("ended"), 20)}
        )

    def _on_verdict(self, event: dict[str, Any]) -> None:
        made = self._made[self._order[event["n"]]]
        made["verdict"] = {
            "status": event["status"] if event.get("status") in STATUSES else "unjudged",
            "kill": event["kind"] if event.get("kind") in KINDS else "",
            "by": _mask(event.get("by")),
            "ran": _mask(event.get("ran")),
            "wall_s": event.get("wall_s", 0.0),
            "cold": event.get("cold") is True,
        }

    # Facts

    def tests(self) -> list[dict[str, Any]]:
        """Return one record per test."""
        return [{"id": test, **self._record(number)} for number, test in enumerate(self._ids)]

    def _record(self, number: int) -> dict[str, Any]:
        if number in self._records:
            return self._records[number]
        if number == self.facts["running"]:
            late = self.facts["plain_ended"] in {"cpu", "wall"}
            return {"outcome": "timed_out" if late else "crashed"}
        return {"outcome": "missing"}

    def result(self) -> dict[str, Any]:
        """Return the facts for the result frame."""
        unjudged = {"status": "unjudged", "kill": "", "by": "0", "ran": "0", "wall_s": 0.0, "cold": False}
        names = ("kind", "operator", "scope", "text", "line", "column", "end_line", "end_column")
        versions = [
            {**{name: made[name] for name in names}, **made.get("verdict", unjudged)} for made in self._made
        ]
        asserts = [self._asserts.get(number, 0) for number in range(len(self._ids))]
        return {**self.facts, "asserts": asserts, "versions": versions}


def _read(file: int) -> dict[str, Any] | None:
    os.lseek(file, 0, os.SEEK_SET)
    with os.fdopen(os.dup(file), "rb") as stream:
        try:
            made: dict[str, Any] = json.loads(stream.read(MAX_FILE))
        except ValueError:
            return None
    return made


def _mask(text: object) -> str:
    """Return hexadecimal digits, or none."""
    fits = isinstance(text, str) and 0 < len(text) <= MOST_TESTS // 4 and _HEX.issuperset(text)
    return str(text) if fits else "0"


NAMED = ("redefines", "patches", "assertless", "swallowing")


def _hints(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "binds": event.get("binds") is True,
        **{name: [clean(text, 100) for text in event.get(name) or []] for name in NAMED},
    }
