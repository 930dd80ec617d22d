"""From the events of a test run to records and evidence. Events come from a hostile process."""

import os
import signal
from dataclasses import dataclass
from typing import Any

from .report import MAX_FRAMES, MAX_MESSAGE, MAX_NAME, MAX_VALUE
from .supervise import Facts
from .wire import clean

OUTCOMES = frozenset({"passed", "failed", "error", "skipped", "xfailed", "xpassed", "timed_out", "crashed"})
PHASES = frozenset({"setup", "call", "teardown"})
TEST_FILE = "test_solution.py"
EXIT_TESTS_FAILED = 1
SLACK = 40
"""Characters that a cut text may have more than its limit: the mark that it was cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A test file with one test that must pass and one that must fail, all of it random."""

    file: str
    must_pass: str
    must_fail: str
    source: str

    @classmethod
    def make(cls) -> "Canary":
        """Draw a new one."""
        # Not the module `secrets`: it would be imported at the start of every container.
        file, good, bad = (f"test_{os.urandom(6).hex()}" for _ in range(3))
        number, other, coin = (int.from_bytes(os.urandom(4), "big") >> 2 for _ in range(3))
        tests = [
            f"def {good}():\n    assert {number} == {number}\n",
            f"def {bad}():\n    assert {number} == {number + 1 + other}\n",
        ]
        if coin % 2:
            tests.reverse()
        return cls(file=f"{file}.py", must_pass=good, must_fail=bad, source="\n\n".join(tests))


def exception_of(event: dict[str, Any]) -> dict[str, Any]:
    """Take an exception out of an event, bounded."""
    frames = event.get("frames")
    return {
        "exc_type": clean(event.get("exc_type"), MAX_NAME + SLACK),
        "message": clean(event.get("message"), MAX_MESSAGE + SLACK),
        "frames": [_frame(frame) for frame in (frames if isinstance(frames, list) else [])[:MAX_FRAMES]],
    }


def _frame(frame: object) -> dict[str, Any]:
    fields = frame if isinstance(frame, dict) else {}
    line = fields.get("line")
    return {
        "file": clean(fields.get("file"), MAX_NAME),
        "line": line if isinstance(line, int) and 0 <= line < 1 << 31 else 0,
        "function": clean(fields.get("function"), MAX_NAME + SLACK),
        "source": clean(fields.get("source"), MAX_NAME + SLACK),
    }


class RunReport:
    """Takes the events of a run as they come; everything that does not fit is a fault."""

    def __init__(self, expected: list[str], first: Canary, last: Canary) -> None:
        self.expected = expected
        self.collected: list[str] = []
        self.exception: dict[str, Any] | None = None
        self.fault = ""
        self._canaries = (first, last)
        self._wanted = {(TEST_FILE, test) for test in expected} | {
            (canary.file, name) for canary in self._canaries for name in (canary.must_pass, canary.must_fail)
        }
        self._records: dict[tuple[str, str], dict[str, Any]] = {}
        self._collect_error: dict[str, Any] | None = None
        self._running: tuple[str, str] | None = None
        self._status: int | None = None
        self._seen_collected = False

    def take(self, event: dict[str, Any]) -> None:
        """Take one event."""
        handler = {
            "collected": self._on_collected,
            "collect_failed": self._on_collect_failed,
            "import_failed": self._on_import_failed,
            "start": self._on_start,
            "test": self._on_test,
            "finish": self._on_finish,
            "tampered": self._on_tampered,
        }.get(event["event"])
        if handler is None or self._status is not None:
            self._break("an event that does not belong here")
        else:
            handler(event)

    def _break(self, why: str) -> None:
        self.fault = self.fault or why

    def _on_collected(self, event: dict[str, Any]) -> None:
        ids = event.get("ids")
        pairs = [_pair(entry) for entry in ids] if isinstance(ids, list) else []
        if self._seen_collected or len(pairs) > len(self._wanted) + 1000:
            self._break("collected twice, or far too much")
        self._seen_collected = True
        self.collected = [test for file, test in pairs if file == TEST_FILE][: len(self.expected) + 1]

    def _on_collect_failed(self, event: dict[str, Any]) -> None:
        self._collect_error = self._collect_error or exception_of(event)

    def _on_import_failed(self, event: dict[str, Any]) -> None:
        self.exception = exception_of(event)

    def _on_start(self, event: dict[str, Any]) -> None:
        self._running = _pair([event.get("file"), event.get("id")])

    def _on_test(self, event: dict[str, Any]) -> None:
        key = _pair([event.get("file"), event.get("id")])
        outcome, wall = event.get("outcome"), event.get("wall_s")
        if key not in self._wanted or key in self._records or outcome not in OUTCOMES:
            self._break(f"a report on a test that is not expected, or a second one: {key} {outcome}")
            return
        self._running = None
        self._records[key] = {
            "outcome": outcome,
            "phase": event["phase"] if event.get("phase") in PHASES else "call",
            "got": clean(event.get("got"), MAX_VALUE + SLACK),
            "expected": clean(event.get("expected"), MAX_VALUE + SLACK),
            "wall_s": round(wall, 6) if isinstance(wall, float) and 0 <= wall < 1e6 else 0.0,  # noqa: PLR2004
            **exception_of(event),
        }

    def _on_tampered(self, event: dict[str, Any]) -> None:
        self._break(clean(event.get("why"), MAX_NAME) or "the script tampered")

    def _on_finish(self, event: dict[str, Any]) -> None:
        status = event.get("status")
        self._status = status if type(status) is int else -1

    def tests(self, facts: Facts) -> list[dict[str, Any]]:
        """Return one record per expected test, in their order."""
        return [{"id": test, **self._record(test, facts)} for test in self.expected]

    def _record(self, test: str, facts: Facts) -> dict[str, Any]:
        record = self._records.get((TEST_FILE, test))
        if record is not None:
            return record
        if self._running == (TEST_FILE, test) and (facts.killed_for or facts.signal is not None):
            late = facts.killed_for in {"wall", "cpu"} or facts.signal == signal.SIGXCPU
            return {"outcome": "timed_out" if late else "crashed"}
        if self._collect_error is not None:
            return {"outcome": "error", "phase": "collect", **self._collect_error}
        return {"outcome": "missing"}

    def evidence(self, facts: Facts) -> dict[str, Any]:
        """Say why the records may be believed."""
        consistent = facts.exit_code == EXIT_TESTS_FAILED == self._status
        return {
            "collected": None if self.collected == self.expected else self.collected,
            "canaries_right": self._canaries_right(),
            "finished": self._status is not None,
            "exit_consistent": consistent,
            "protocol_broken": self.fault or facts.report_fault,
        }

    def _canaries_right(self) -> bool:
        first, last = self._canaries
        files = [file for file, _ in self._records]
        in_place = files[:2] == [first.file] * 2 and files[-2:] == [last.file] * 2
        return in_place and all(self._is_right(canary) for canary in self._canaries)

    def _is_right(self, canary: Canary) -> bool:
        good = self._records.get((canary.file, canary.must_pass), {})
        bad = self._records.get((canary.file, canary.must_fail), {})
        return (good.get("outcome"), bad.get("outcome")) == ("passed", "failed") and (
            bad.get("exc_type") == "AssertionError"
        )

    @property
    def differs(self) -> bool:
        """Say whether other tests were collected than expected, though nothing was reported to be wrong."""
        return self._seen_collected and self._collect_error is None and self.collected != self.expected


def _pair(entry: object) -> tuple[str, str]:
    if isinstance(entry, list) and [type(part) for part in entry] == [str, str]:
        return clean(entry[0], MAX_NAME), clean(entry[1], 2 * MAX_NAME)
    return "", ""
