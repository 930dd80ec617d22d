"""Child: run the tests and the script in one interpreter, and report on each test."""

import contextlib
import importlib.util
import os
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest
from _pytest.assertion import rewrite, util

from . import names, suite
from .child import REPORT_FD
from .report import MAX_VALUE, Reporter, describe
from .wire import clean

FILES = (suite.SOLUTION, suite.TESTS)
SLOW_REPR = 2000


def load_script() -> ModuleType:
    """Import the script as the module `solution`."""
    spec = importlib.util.spec_from_file_location("solution", suite.SOLUTION)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Before it runs: dataclasses and pickling look their own module up.
    sys.modules["solution"] = module
    spec.loader.exec_module(module)
    return module


def cut_repr(value: object) -> str:
    """Return repr() of an untrusted value, cut; its failure is text too."""
    try:
        return clean(repr(value), MAX_VALUE)
    except BaseException as exc:  # noqa: BLE001 -- the value decides what it raises
        return f"<repr() raised {type(exc).__name__}>"


class Recorder:
    """A pytest plugin: compiles the tests, then imports the script, then reports on every test."""

    collect_only = False
    tests = suite.TESTS

    def __init__(
        self, config: pytest.Config, reporter: Reporter | None = None, canaries: Sequence[str] = ()
    ) -> None:
        """Learn from the warden what is to be run; what is known of it before that is made ready already."""
        self._reporter = reporter or Reporter(REPORT_FD)
        self._compiled: dict[str, Any] = {}
        self._rewrite = getattr(rewrite, "_rewrite_test", None)
        self._compile(canaries, config)
        suite.add_exit()
        self._spec = suite.read_spec()
        first, last = canaries or self._spec["canaries"]
        self.files = (first, self.tests, last)
        source = Path(self.tests).read_bytes()
        self.source, self.seed = source.decode(errors="replace"), self._spec["seed"]
        self._defined = names.test_names(source)
        self._record: dict[str, Any] = {}
        self._compared: tuple[str, str] | None = None

    def begin(self, session: pytest.Session) -> None:
        """Compile the tests while nothing untrusted has run, then let the script in."""
        self._compile_tests(session.config)
        # Last, and not ours to write in: for processes that the script starts, which import it anew.
        sys.path.append(suite.CODE)
        self._reporter.begin(self._spec["cpu_s"])
        try:
            load_script()
        except BaseException as exc:  # noqa: BLE001 -- SystemExit and KeyboardInterrupt are the script's end too
            self._reporter.send("import_failed", **describe(exc, FILES[:1]))
            leave(3)
        suite.seed_all(self.seed)

    def end(self, status: int) -> NoReturn:
        """Report that the session has ended, and leave without anything that the script has prepared."""
        self._reporter.send("finish", status=status)
        for stream in (sys.stdout, sys.stderr):
            # The script may have closed or replaced it.
            with contextlib.suppress(BaseException):
                stream.flush()
        leave(status)

    def describe(self, exc: BaseException) -> dict[str, Any]:
        """Describe what went wrong in a test."""
        return describe(exc, FILES)

    def _compile(self, files: Sequence[str], config: pytest.Config) -> None:
        for file in files:
            if self._rewrite is not None and file not in self._compiled:
                self._compiled[file] = self._rewrite(Path(file), config)

    def _compile_tests(self, config: pytest.Config) -> None:
        if self._rewrite is None:
            return
        self._compile(self.files, config)
        setattr(rewrite, "_rewrite_test", self._take_compiled)  # noqa: B010 -- a name that pytest keeps to itself

    def _take_compiled(self, file: Path, config: pytest.Config) -> Any:
        assert self._rewrite is not None
        return self._compiled.pop(str(file), None) or self._rewrite(file, config)

    def pytest_exception_interact(self, node: object, call: Any) -> None:
        """Report that the test file cannot be collected with this script."""
        if isinstance(node, pytest.Collector):
            exc = call.excinfo.value
            self._reporter.send("collect_failed", **self.describe(exc.__cause__ or exc))

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector: pytest.Collector, name: str) -> list[Any] | None:
        """Do not look into what the script brought along, though it may look like a test."""
        ours = str(collector.path) != self.tests or not isinstance(collector, pytest.Module)
        return None if ours or name in self._defined else []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out tests that the script brought along; report which remain."""
        items[:] = [item for item in items if self._wanted(item)]
        for item in items:
            # Nobody reads pytest's own text of a failure, and it takes longer than most tests.
            for name in ("repr_failure", "_repr_failure_py"):
                setattr(item, name, _no_text)
        self._reporter.send("collected", ids=[suite.short_id(item.nodeid) for item in items])

    def _wanted(self, item: pytest.Item) -> bool:
        return str(item.path) != self.tests or suite.defined_here(item, self._defined)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say which test runs now."""
        file, test = suite.short_id(nodeid)
        self._record = {"file": file, "id": test, "outcome": "passed", "phase": "call", "wall_s": 0.0}
        self._reporter.send("start", file=file, id=test)

    def pytest_runtest_logfinish(self) -> None:
        """Report the test that has ended."""
        self._reporter.send("test", **self._record)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Note what the first failing comparison compared; an interrupt fails only its test."""
        self._compared = None
        explain = util._reprcompare  # noqa: SLF001 -- pytest has no public way to bound its diffs
        util._reprcompare = lambda op, left, right: self._compare(explain, op, left, right)  # noqa: SLF001
        try:
            return (yield)
        except (KeyboardInterrupt, pytest.exit.Exception) as exc:
            raise RuntimeError(f"{type(exc).__name__} was raised in a test") from exc

    def _compare(self, explain: Any, op: str, left: object, right: object) -> str | None:
        got, expected = cut_repr(left), cut_repr(right)
        self._compared = self._compared or (got, expected)
        # pytest's own diff takes quadratic time and more on long texts.
        long = any(hasattr(side, "__len__") and _length(side) > SLOW_REPR for side in (left, right))
        text = None if long or explain is None else explain(op, left, right)
        return text if isinstance(text, str) else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, call: Any) -> Generator[None, Any, Any]:
        """Keep the worst phase of the test as its record."""
        report = yield
        if type(report).__name__ == "SubtestReport":
            if report.failed and self._record.get("outcome") == "passed":
                self._note("failed", call, report)
            return report
        record = self._record
        record["wall_s"] = round(record["wall_s"] + float(call.duration), 6)
        outcome = outcome_of(report)
        if outcome != "passed" and record["outcome"] == "passed":
            self._note(outcome, call, report)
        return report

    def _note(self, outcome: str, call: Any, report: Any) -> None:
        self._record |= {"outcome": outcome, "phase": report.when}
        if call.excinfo is not None:
            self._record |= self.describe(call.excinfo.value)
        if self._compared is not None and outcome == "failed":
            self._record["got"], self._record["expected"] = self._compared


def _no_text(_excinfo: object, style: object = None) -> str:  # noqa: ARG001 -- pytest's name
    return ""


def _length(value: object) -> int:
    try:
        return len(value)  # type: ignore[arg-type]
    except BaseException:  # noqa: BLE001 -- the value decides what it raises
        return SLOW_REPR + 1


def outcome_of(report: pytest.TestReport) -> str:
    """Name the outcome of one phase."""
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    return "skipped" if report.skipped else "passed"


leave = os._exit  # taken before untrusted code may replace it; no atexit handler of the script runs
