"""Conducts the scoring of one suite: which runs there are, in which order, and what each of them showed.

This process runs nothing of script or suite: it forks parts that do. It is given versions of the script by
number, and is not told which of them are mutants. What it reports are facts; the warden makes sense of them.
"""

import os
import random
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from _pytest.assertion import rewrite

from .. import kernel, names, suite
from ..child import REPORT_FD
from ..report import Reporter
from ..wire import clean
from . import tidy
from .clock import AHEAD_S
from .cover import measure
from .gather import Run
from .runs import CPU_S, WALL_S, GaveUp, Runs
from .sane import arcs
from .ticks import limit_for
from .verdicts import mask, verdict_of
from .watch import enable_assertion_hook

ALONE = 300
"""So many tests are run alone; the rest of them together."""
ALONE_COLD = 40
MORE = 10
EXAMPLES = 50


class Conductor:
    """The role: in the conductor it conducts; in its forks it is the plugin of a part."""

    collect_only = False
    files = (suite.TESTS,)

    def __init__(self) -> None:
        """Learn from the warden what is to be done."""
        self._spec = suite.read_spec()
        suite.add_exit()
        self._reporter = Reporter(REPORT_FD)
        self.seed = self._spec["seed"]
        with open(suite.TESTS, "rb") as file:  # noqa: PTH123 -- pathlib adds nothing here
            source = file.read()
        self.source = source.decode(errors="replace")
        self._defined = names.test_names(source)
        self._runs = Runs(self._spec["base"], self.seed, float(self._spec["plain"]["cpu_s"]))
        self._count, self._most = 0, int(self._spec["most_tests"])
        self._import_lines: frozenset[int] = frozenset()
        self._plain_wall = 0.0
        self._imported: list[list[int]] = []
        self._alone_passed: dict[int, bool] = {}
        self._ticks: dict[int, int] = {}
        self._outside: set[int] = set()
        self._until = 0.0

    # What pytest calls

    def begin(self, session: pytest.Session) -> None:
        """Conduct; return only in forks, which go on to collect the tests."""
        enable_assertion_hook(session.config)
        self._compile_tests(session.config)
        _calm_hypothesis()
        kernel.set_dumpable(False)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.close(null)
        self._reporter.begin(self._spec["cpu_s"])
        self._until = time.monotonic() + self._spec["deadline_s"]
        tidy.remember()
        try:
            self._conduct()
        except GaveUp as exc:
            self._reporter.send("gave_up", why=str(exc))
        if self._runs.part is None:
            self._runs.stop_warm()
            self._reporter.send("end")
            os._exit(0)
        # A part shall know of no other version than its own.
        self._spec = {}
        session.config.pluginmanager.register(self._runs.part.runner)
        self._runs.part.load()

    def _compile_tests(self, config: pytest.Config) -> None:
        """Have pytest rewrite the tests now, once for all parts."""
        whole: Any = getattr(rewrite, "_rewrite_test", None)
        if whole is None:
            return
        compiled = whole(Path(suite.TESTS), config)

        def again(file: Path, config: pytest.Config) -> Any:
            return compiled if str(file) == suite.TESTS else whole(file, config)

        setattr(rewrite, "_rewrite_test", again)  # noqa: B010 -- a name that pytest keeps to itself

    def end(self, status: int) -> NoReturn:
        """Say that pytest has ended without running a test."""
        if self._runs.part is not None:
            self._runs.part.ended(status)
        os._exit(3)

    def pytest_exception_interact(self, node: object, call: Any) -> None:
        """Say that the test file cannot be collected with this version."""
        if isinstance(node, pytest.Collector) and self._runs.part is not None:
            exc = call.excinfo.value
            self._runs.part.collect_failed(exc.__cause__ or exc)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out tests that the script brought along."""
        items[:] = [item for item in items if suite.defined_here(item, self._defined)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> object:
        """Do this part's work instead of pytest's own loop."""
        assert self._runs.part is not None
        return self._runs.part.loop()

    def pytest_itemcollected(self) -> None:
        """Stop at the first test too many: there may be millions."""
        self._count += 1
        if self._count > self._most and self._runs.part is not None:
            self._runs.part.talker.leave("too_many")

    # The score

    def _conduct(self) -> None:
        run = self._runs.start_warm()
        if run is None or not self._loaded(run):
            return
        every = range(len(self._runs.ids))
        stable = self._plain()
        if not stable:
            # None in a fork; and of what never passes nothing more can be said.
            return
        passed = frozenset(stable)
        reach: dict[int, frozenset[int]] = {}
        if self._spec["alone"]:
            found = self._alone(every)
            if found is None:
                return
            reach = found
            stable &= {number for number in every if self._alone_passed.get(number)}
        for number in range(self._spec["orders"]):
            verdicts = self._order(number, every)
            if verdicts is None:
                return
            stable -= passed - verdicts
        if self._spec["clock"] and not self._at_another_time(every, stable):
            return
        for task in self._spec["tasks"]:
            if not self._judge(task, sorted(stable - self._outside), reach):
                return

    def _loaded(self, run: Run) -> bool:
        for name in ("import_failed", "collect_failed", "ended", "too_many"):
            event = run.first(name)
            if event is not None:
                self._reporter.send(name, **{key: event[key] for key in event if key != "event"})
                return False
        ready = run.first("ready")
        if ready is None:
            self._reporter.send("lost", how=run.ended or "exit", loop=_looped(run))
            return False
        said = [test for event in run.all("ids") for test in event["ids"]]
        self._runs.ids = [clean(test, 2 * suite.MAX_ID) for test in said]
        for start in range(0, len(self._runs.ids), 100):
            self._reporter.send("ids", ids=self._runs.ids[start : start + 100])
        if len(set(self._runs.ids)) != len(self._runs.ids):
            self._reporter.send("same_ids")
            return False
        self._runs.fit = ready.get("fit") is True
        if ready.get("outside") is True:
            self._outside = set(range(len(self._runs.ids)))
        if not self._runs.fit:
            self._runs.stop_warm()
        ticks = ready.get("ticks")
        self._runs.import_ticks = ticks if type(ticks) is int else 0
        self._imported = arcs(ready.get("arcs"))
        self._import_lines = _lines(self._imported)
        self._reporter.send("loaded", warm=self._runs.fit)
        return bool(self._runs.ids)

    def _plain(self) -> set[int] | None:
        """Run all tests in their order; return which of them pass."""
        request = {"tests": list(range(len(self._runs.ids))), "watch": True, **self._spec["plain"]}
        run = self._runs.run(request)
        if run is None:
            return None
        passed = set()
        for event in run.all("test"):
            self._ticks[event["i"]] = event["ticks"]
            self._reporter.send("test", **{key: event[key] for key in event if key != "event"})
            if event["outcome"] == "passed":
                passed.add(event["i"])
        done = run.first("done") or {}
        began = [event["i"] for event in run.all("start")]
        self._reporter.send("plain", ended=run.ended, running=began[-1] if began else None, status=run.status)
        self._reporter.send("hermetic", **done.get("hermetic", {}))
        self._plain_wall = run.wall_s
        return set() if run.ended or done.get("loop") else passed

    def _bounds(self) -> dict[str, float]:
        wall = min(self._plain_wall, 20.0)
        return {"cpu_s": CPU_S + MORE * wall / 2, "wall_s": WALL_S + MORE * wall}

    def _alone(self, every: Iterable[int]) -> dict[int, frozenset[int]] | None:
        """Run each test alone; return the lines that each one reaches, and report what they cover."""
        most = ALONE if self._runs.fit else ALONE_COLD
        groups = [[number] for number in list(every)[:most]]
        groups += [list(every)[most:]] if len(self._runs.ids) > most else []
        reach: dict[int, frozenset[int]] = {}
        covered = {(one, other) for one, other in self._imported}
        for group in groups:
            run = self._runs.run({"tests": group, "record": True, **self._bounds()})
            if run is None:
                return None
            done = run.first("done") or {}
            found = done.get("arcs") or []
            for event in run.all("test"):
                number = event["i"]
                self._ticks[number] = max(self._ticks.get(number, 0), event["ticks"])
                self._alone_passed[number] = event["outcome"] == "passed" and not run.ended
                reach[number] = _lines(found)
            if done.get("outside"):
                self._outside.update(group)
            if all(self._alone_passed.get(number) for number in group):
                covered |= {(one, other) for one, other in found}
        failed = [number for number in every if not self._alone_passed.get(number)]
        self._reporter.send("alone", failed=mask(failed), runs=len(groups), outside=mask(self._outside))
        self._reporter.send("coverage", numbers=measure(sorted(covered)))
        return reach

    def _order(self, number: int, every: Iterable[int]) -> frozenset[int] | None:
        tests = list(every)
        random.Random(number).shuffle(tests)  # noqa: S311 -- the same orders every time
        # Another order, other random numbers: equal ones would hide what depends on them.
        run = self._runs.run({"tests": tests, **self._bounds(), "seed": self.seed + 1 + number})
        if run is None:
            return None
        passed = frozenset(event["i"] for event in run.all("test") if event["outcome"] == "passed")
        self._reporter.send("order", number=number, passed=mask(passed), ended=run.ended)
        return passed

    def _at_another_time(self, every: Iterable[int], stable: set[int]) -> bool:
        """Run all tests years ahead, and again if any of the stable ones fails; False in a fork."""
        failed = set(stable)
        for _ in range(2):
            run = self._runs.run({"tests": list(every), "ahead_s": AHEAD_S, **self._bounds()})
            if run is None:
                return False
            failed -= {event["i"] for event in run.all("test") if event["outcome"] == "passed"}
            if not failed:
                break
        self._reporter.send("ahead", failed=mask(failed))
        return True

    def _judge(self, task: dict[str, Any], stable: list[int], reach: dict[int, frozenset[int]]) -> bool:
        """Judge one version; False in the fork that a cold run is."""
        lines = range(task["lines"][0], task["lines"][1] + 1)
        cold = task["cold"] or not self._import_lines.isdisjoint(lines)
        everywhere = cold or lines.start == 0
        chosen = [n for n in stable if everywhere or not reach.get(n, frozenset()).isdisjoint(lines)]
        start = time.monotonic()
        if not chosen or start > self._until:
            status = "unjudged" if chosen else "unreached"
            self._reporter.send("verdict", n=task["n"], status=status, kind="", by="0", ran="0", wall_s=0.0)
            return True
        limits = {str(number): limit_for(self._ticks.get(number, 0)) for number in chosen}
        request = {**task, "tests": chosen, "limits": limits, **self._bounds()}
        run = self._runs.run(request, cold=cold)
        if run is not None and run.first("unswappable") is not None:
            cold, run = True, self._runs.run(request, cold=True)
        if run is None:
            return False
        facts = verdict_of(run, chosen)
        wall = round(time.monotonic() - start, 6)
        self._reporter.send("verdict", n=task["n"], ran=mask(chosen), wall_s=wall, cold=cold, **facts)
        return True


def _calm_hypothesis() -> None:
    """Fewer examples, the same ones every time, and no search for a smaller one: that it fails is enough."""
    hypothesis: Any = sys.modules.get("hypothesis")
    if hypothesis is not None:
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile(
            "suite",
            parent=hypothesis.settings.get_profile("sandbox"),
            max_examples=EXAMPLES,
            derandomize=True,
            phases=phases,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        hypothesis.settings.load_profile("suite")


def _looped(run: Run) -> bool:
    return bool((run.first("done") or {}).get("loop"))


def _lines(arcs: Iterable[Iterable[int]]) -> frozenset[int]:
    return frozenset(line for arc in arcs for line in arc if line > 0)
