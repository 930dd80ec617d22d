"""Child: run the tests; the script lives in another process, and `solution` is a mirror of it."""

import ast
import json
import linecache
import os
import socket
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from .. import suite
from ..child import REPORT_FD
from ..collect import Collector
from ..report import Reporter, describe
from ..run_shared import Recorder, leave
from . import inspecting, places, untraced
from .carry import Carrier
from .errors import HINT, CandidateEnded, CannotCross, StaleObject
from .grader_peer import GraderPeer
from .link import Link
from .outlet import ListeningLink, Outlet
from .questions import Questions
from .services import services

CONTROL_FD = 5
MESSAGE = 1 << 18
RUNS_TEXT = frozenset(
    {"eval", "exec", "compile", "__import__", "runpy", "marshal", "shelve", "cloudpickle", "dill"}
)
"""What a test would use to run text, or bytes, that the script gave it."""
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
LOADS = frozenset({"pickle", "_pickle"})
OUTCOMES = {"wall": "timed_out", "cpu": "timed_out"}


class Expected(Collector):
    """Learns which tests there are, before the script has run."""

    event = "expected"


class Grader(Recorder):
    """A pytest plugin: collects twice, first against a stub, and reports on every test."""

    def __init__(self, config: pytest.Config) -> None:
        """Learn from the warden what is to be run."""
        self._control = socket.socket(fileno=CONTROL_FD)
        early, _ = self._hear()
        reporter = Reporter(REPORT_FD)
        # Whatever a test is made to write into a pipe by a link, it has not this word.
        reporter.mark(early["token"])
        try:
            super().__init__(config, reporter, early["canaries"])
        except UNREADABLE as exc:
            self._refuse_unreadable(exc)
        self._identifiers: frozenset[str] = frozenset()
        self._outlet = Outlet(self._spec["output_hard_bytes"], self._too_much)
        self._carrier = Carrier()
        self._peer: GraderPeer | None = None
        self._ended: dict[str, Any] | None = None
        self._lost: dict[str, Any] | None = None
        """Why there is no process of the script for this test."""
        self._ending = threading.RLock()

    # The beginning

    def begin(self, session: pytest.Session) -> None:
        """Collect, let the script run, and leave the rest to pytest."""
        try:
            self._compile_tests(session.config)
        except UNREADABLE as exc:
            self._refuse_unreadable(exc)
        tree = ast.parse(self.source)
        why = _refused(tree)
        if why:
            self._refuse(why)
        self._identifiers = frozenset(_identifiers(tree))
        told, fds = self._hear()
        self._collect_first(session, told)
        self._close_the_house()
        self._connect(fds)
        self._reporter.begin(self._spec["cpu_s"])
        self._let_script_in()
        suite.seed_all(self.seed)
        self._carrier.start()

    def _collect_first(self, session: pytest.Session, told: dict[str, Any]) -> None:
        expected = Expected({**told, "seed": self.seed}, self._reporter, suite.TESTS)
        manager = session.config.pluginmanager
        manager.unregister(self)
        manager.register(expected)
        compiled = dict(self._compiled)
        try:
            expected.begin(session)
            session.perform_collect([suite.TESTS])
        except (pytest.Session.Interrupted, pytest.Session.Failed, pytest.exit.Exception):
            pass
        manager.unregister(expected)
        if not expected.ids:
            self._reporter.send("end")
            leave(0)
        manager.register(self)
        self._compiled = compiled
        session.items, session.testscollected, session.testsfailed = [], 0, 0
        for name in ("test_solution", "solution"):
            sys.modules.pop(name, None)

    def _refuse_unreadable(self, exc: BaseException) -> NoReturn:
        line = f" (line {exc.lineno})" if isinstance(exc, SyntaxError) else ""
        message = exc.msg if isinstance(exc, SyntaxError) else str(exc)
        self._refuse(f"the tests do not compile: {type(exc).__name__}: {message}{line}")

    def _refuse(self, why: str) -> NoReturn:
        # A script that does not compile is that in the first place.
        self._hear()
        self._reporter.send("refused", why=why)
        leave(0)

    def _close_the_house(self) -> None:
        """Keep the text of the tests, whose files will be gone, and follow no link of the script."""
        for file in self.files:
            lines = Path(file).read_text(errors="replace").splitlines(keepends=True)
            # Without a time it is never looked for again.
            linecache.cache[file] = (len(lines), None, lines, file)
        places.open_up()
        inspecting.tell_truly()
        untraced.leave_us_out()
        sys.addaudithook(_guard)

    # The script

    def _hear(self) -> tuple[dict[str, Any], list[int]]:
        data, fds, _, _ = socket.recv_fds(self._control, MESSAGE, 5)
        if not data:
            leave(0)
        return json.loads(data), fds

    def _ask_warden(self, what: str) -> tuple[dict[str, Any], list[int]]:
        self._control.send(json.dumps({"ask": what}).encode())
        return self._hear()

    def _connect(self, fds: list[int]) -> None:
        link, *streams = fds
        self._outlet.listen(*streams)
        questions = Questions(self._identifiers, self._flag)
        peer = GraderPeer(ListeningLink(socket.socket(fileno=link), self._outlet), questions, services())
        peer.reserved = frozenset(_imported(ast.parse(self.source)))
        peer.when_ended = self._note_end
        peer.when_tampered = self._note_tampering
        self._peer = peer
        self._carrier.serve(peer)

    def _let_script_in(self) -> None:
        assert self._peer is not None
        try:
            sys.modules["solution"] = self._peer.ask("import", ())
        except CandidateEnded:
            self._reporter.send("import_failed", **self._end_as_error())
            leave(3)
        except BaseException as exc:  # noqa: BLE001 -- SystemExit and KeyboardInterrupt are the script's end too
            self._reporter.send("import_failed", **self.describe(exc))
            leave(3)

    def _note_end(self) -> None:
        # Every thread that waited for it notes it.
        with self._ending:
            if self._ended is None:
                self._outlet.drain()
                self._ended, _ = self._ask_warden("why")

    def _end_as_error(self) -> dict[str, Any]:
        ended = self._ended or {}
        return {"exc_type": "ProcessEnded", "message": str(ended.get("message", "")), "frames": []}

    def _note_tampering(self, why: str) -> None:
        self._reporter.send("tampered", why=why)

    def _flag(self, what: str) -> None:
        self._reporter.send("flag", name=what)

    def _too_much(self) -> None:
        self._reporter.send("flood")

    def _start_afresh(self) -> None:
        """Have the script's process started anew, for the next test."""
        self._ended = self._lost = None
        _, fds = self._ask_warden("new")
        old, module = self._peer, sys.modules["solution"]
        self._connect(fds)
        assert self._peer is not None
        assert old is not None
        if isinstance(old.link, Link):
            old.link.close()
        try:
            fresh = self._peer.ask("import", ())
            self._peer.take_over(old, module, fresh)
        except BaseException as exc:  # noqa: BLE001 -- it could be imported before; now every test that needs it fails
            self._peer.dead = True
            again = f"the script could not be imported again: {type(exc).__name__}"
            self._lost, self._ended = self._ended or {"message": again}, None
        self._carrier.again()

    # The tests

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Give every test a process that lives."""
        if self._peer is not None and self._peer.dead:
            self._start_afresh()
        result = yield
        self._outlet.drain()
        self._carrier.end_of_test()
        if self._peer is not None:
            self._peer.failed_within = None
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, call: Any) -> Generator[None, Any, Any]:
        """Name what ended the script's process, if it ended in this test."""
        within = None if self._peer is None else self._peer.failed_within
        if within is not None and call.when == "call" and call.excinfo is None:
            self._flag("swallows_failures")
            call.excinfo = pytest.ExceptionInfo.from_exception(within)
        report = yield from super().pytest_runtest_makereport(call)
        if self._lost is not None and call.excinfo is not None and call.excinfo.errisinstance(StaleObject):
            self._ended = self._lost
        if self._ended is not None:
            outcome = OUTCOMES.get(str(self._ended.get("reason")), "crashed")
            self._record |= {"outcome": outcome, **self._end_as_error()}
            if report.when == "call":
                report.outcome = "failed"
        return report

    def describe(self, exc: BaseException) -> dict[str, Any]:
        """Describe an error, with the frames that it had in the script."""
        return describe(exc, (suite.TESTS, suite.SOLUTION))


def _identifiers(tree: ast.AST) -> Generator[str, None, None]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                yield name
            case ast.Constant(value=str(text)) if text.isidentifier():
                yield text
            case _:
                pass


def _imported(tree: ast.AST) -> Generator[str, None, None]:
    """Name what the tests import, but not from the script."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="solution"):
                pass
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (each.asname or each.name.partition(".")[0] for each in names)
            case _:
                pass


def _refused(tree: ast.AST) -> str:
    """Say why these tests would run what the script gives them; empty where they would not."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in RUNS_TEXT:
                return f"tests that call {name}() run text in their own process; {HINT}"
            case ast.alias(name=name) if name.partition(".")[0] in RUNS_TEXT | LOADS:
                return f"tests that use {name} run code in their own process; {HINT}"
            case ast.ImportFrom(module=str(name)) if name.partition(".")[0] in RUNS_TEXT | LOADS:
                return f"tests that use {name} run code in their own process; {HINT}"
            case _:
                pass
    return ""


def _guard(event: str, args: tuple[Any, ...]) -> None:
    """Let the tests follow no link of the script, and start no process as their own user."""
    if event == "open" and type(args[0]) is str:
        path = os.path.abspath(args[0])  # noqa: PTH100 -- links are what must not be followed
        if path.startswith(places.SHARED) and os.path.realpath(path) != path:
            raise PermissionError(f"{path} is a link, which tests do not follow; {HINT}")
    elif event in {"os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.system", "subprocess.Popen"}:
        raise CannotCross(f"starting a process of the tests' own ({event})")
    elif event == "exec":
        inspecting.refuse_calls(args[0])
    elif event == "pickle.find_class":
        raise CannotCross("unpickling")
