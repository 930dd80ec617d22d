"""Runs chosen tests in a forked process, and says of each what became of it, as soon as it is known."""

import os
import resource
import signal
from collections.abc import Generator, Sequence
from typing import Any

import pytest
from _pytest.assertion import util

from .. import suite
from ..report import describe
from ..run_shared import FILES, _no_text, outcome_of
from .gather import Talker
from .ticks import WITHOUT_LIMIT, Ticks
from .watch import Assertions, Hermeticity

BAD = frozenset({"failed", "error"})
MEMORY = 256 << 20
"""What a run may take beyond what the process has when it begins."""


class Runner:
    """A pytest plugin that knows how the test ended that runs now."""

    def __init__(self) -> None:
        self.items: list[pytest.Item] = []
        self.detailed = False
        """Whether anybody will read why a test failed."""
        self._record: dict[str, Any] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests for later; nobody reads pytest's own text of a failure, which takes long to make."""
        for item in items:
            for name in ("repr_failure", "_repr_failure_py"):
                setattr(item, name, _no_text)
        self.items = list(items)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Explain no comparison: long texts take long to compare, and hardly anybody reads it."""
        util._reprcompare = None  # noqa: SLF001 -- pytest has no public way
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, call: Any) -> Generator[None, Any, Any]:
        """Keep the first bad phase of a test."""
        report = yield
        record = self._record
        record["wall_s"] = record.get("wall_s", 0.0) + float(call.duration)
        if type(report).__name__ == "SubtestReport":
            outcome = "failed" if report.failed else "passed"
        else:
            outcome = outcome_of(report)
        if outcome != "passed" and record["outcome"] == "passed":
            record |= {"outcome": outcome, "phase": report.when}
            if call.excinfo is not None:
                exc = call.excinfo.value
                record["kind"] = kind_of(exc)
                record |= describe(exc, FILES) if self.detailed else {}
        return report

    def run(self, item: pytest.Item, following: pytest.Item | None) -> dict[str, Any]:
        """Run one test with its fixtures."""
        self._record = {"outcome": "passed", "phase": "call", "kind": ""}
        try:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        except BaseException as exc:  # noqa: BLE001 -- what a test raises fails that test, whatever it is
            self._record |= {"outcome": "failed", "kind": "crash", **describe(exc, FILES)}
        return self._record


def kind_of(exc: BaseException) -> str:
    """Say whether it was a test's own statement that failed, or something broke."""
    if isinstance(exc, pytest.fail.Exception):
        return "assertion"
    if not isinstance(exc, AssertionError):
        return "crash"
    trace = exc.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    inner = trace.tb_frame.f_code.co_filename if trace is not None else ""
    return "crash" if inner == suite.SOLUTION else "assertion"


def limit(cpu_s: float) -> None:
    """Set the backstops: CPU time for loops that have no ticks (0 for no limit), and memory."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    with open("/proc/self/statm") as file:  # noqa: PTH123 -- pathlib adds nothing here
        size = int(file.read().split()[0]) * resource.getpagesize()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, most))


def run_all(
    runner: Runner,
    items: Sequence[tuple[int, pytest.Item, int]],
    talker: Talker,
    watch: tuple[Hermeticity, Assertions] | None = None,
) -> None:
    """Run tests, each given with its number and its limit of ticks (0 for none), and report on each."""
    runner.detailed = watch is not None
    ticks = Ticks(lambda: talker.leave("done", loop=True))
    for place, (number, item, most) in enumerate(items):
        following = items[place + 1][1] if place + 1 < len(items) else None
        counted = watch[1].count if watch else 0
        talker.say("start", i=number)
        ticks.arm(most or WITHOUT_LIMIT)
        record = runner.run(item, following)
        used = ticks.used()
        ticks.arm()
        short = {key: record[key] for key in ("outcome", "kind")}
        if watch:
            short = {**record, "asserts": watch[1].count - counted}
        talker.say("test", i=number, ticks=used, **short)
        if os.getpid() != talker.pid:
            # A test forked, and its child came back here.
            os._exit(0)
