"""Child: compile the script, run it when the tests ask for it, and answer them until they have gone."""

import builtins
import contextlib
import importlib
import importlib.util
import io
import os
import random
import socket
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from .. import compiling, names, suite, suspicious
from ..child import REPORT_FD
from ..report import Reporter
from .candidate_peer import CandidatePeer
from .graph import Encoder
from .kinds import Slot
from .link import Link, LinkBroken, LinkClosed

LINK_FD = 5
MISUNDERSTOOD = 70
leave = os._exit  # taken before the script may replace it: it would go on as a copy of its zygote
OUT_FD, ERR_FD = 6, 7
"""Where is printed what the tests' side redirects; 1 and 2 are for the rest."""


def main() -> NoReturn:
    """Live until the tests' process has gone."""
    spec = suite.read_spec()
    reporter = Reporter(REPORT_FD)
    script = spec["script"].encode("utf-8", "surrogatepass")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = compiling.examine(script, "solution.py")
        reporter.send("script", **report)
        if report["ok"]:
            try:
                reporter.send("names", **names.bound_names(script))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                reporter.send("names", names={}, exported=None)
        # While the tests are collected.
        reporter.send("suspicious", flags=suspicious.scan_source(script))
    if not report["ok"]:
        leave(0)
    link = Link(socket.socket(fileno=LINK_FD))
    try:
        Candidate(link, reporter, spec).run()
    except LinkClosed:
        leave(0)
    except LinkBroken as exc:
        os.write(2, f"what the tests sent was not understood: {exc}\n".encode(errors="replace"))
        leave(MISUNDERSTOOD)


class Candidate(CandidatePeer):
    """The script's process."""

    def __init__(self, link: Link, reporter: Reporter, spec: dict[str, Any]) -> None:
        super().__init__(link, suite.SOLUTION)
        self._reporter = reporter
        self._spec = spec
        self._patched: dict[tuple[str, str], Any] = {}
        self._environ = dict(os.environ)
        self._streams: tuple[Any, ...] = (sys.stdout, sys.stderr)
        self._redirected: tuple[Any, Any] | None = None

    def do_import(self) -> ModuleType:
        """Run the script as the module `solution`."""
        self._make_home()
        self._reporter.begin(self._spec["cpu_s"])
        spec = importlib.util.spec_from_file_location("solution", suite.SOLUTION)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # Before it runs: dataclasses and pickling look their own module up.
        sys.modules["solution"] = module
        spec.loader.exec_module(module)
        suite.seed_all(self._spec["seed"])
        return module

    def _make_home(self) -> None:
        """Give the script the surroundings that it would have beside its tests."""
        os.umask(0)
        suite.add_exit()
        suite.pose_as_pytest()
        sys.path.append(suite.CODE)
        sys.stdin = Stdin(self)
        builtins.input = lambda prompt="", /: self.ask("service", ("input", str(prompt)))
        warnings.showwarning = self._warn  # type: ignore[assignment]
        warnings.simplefilter("always")
        if "logg" in self._spec["script"] or "logging" in sys.modules:
            importlib.import_module(f"{__package__}.logs").forward(self)
        if "sqlite3" in self._spec["script"]:
            importlib.import_module(f"{__package__}.databases").open_up()
        for name in ("putenv", "unsetenv", "chdir", "fchdir"):
            setattr(os, name, self._noting(getattr(os, name)))

    def _noting(self, change: Callable[..., None]) -> Callable[..., None]:
        def changed(*args: Any) -> None:
            self.has_news = True
            change(*args)

        return changed

    def tell(self, encoder: Encoder) -> Slot:
        """Tell which variables of the environment the script has set or removed (None), and where it is."""
        if not self.has_news:
            return None
        self.has_news = False
        before, self._environ = self._environ, dict(os.environ)
        names = before.keys() | self._environ.keys()
        changed = {
            name: self._environ.get(name) for name in names if before.get(name) != self._environ.get(name)
        }
        return encoder.slot((changed, str(Path.cwd())))

    def _warn(self, message: Any, category: type, filename: str, lineno: int, *_: Any) -> None:
        self.ask("service", ("warn", message, category, str(filename), lineno))

    def answer(self, number: int, good: bool, answer: Any) -> None:
        """Send an answer, after everything that was printed before it."""
        out, err = streams = self._streams
        if sys.stdout is not out or sys.stderr is not err or self._redirected:
            streams = (sys.stdout, sys.stderr, out, err, *(self._redirected or ()))
        for stream in streams:
            _flush(stream)
        super().answer(number, good, answer)

    def when_threaded(self) -> None:
        """Print lines when they are complete: a thread need not say anything else for a long time."""
        for stream in {sys.stdout, sys.__stdout__}:
            with contextlib.suppress(BaseException):
                stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]

    def do_state(self, state: dict[str, Any]) -> None:
        """Take over what the tests have changed around both: environment, folder, random numbers."""
        if "environ" in state:
            os.environ.clear()
            os.environ.update(state["environ"])
            self._environ, self.has_news = dict(os.environ), False
        if "cwd" in state:
            os.chdir(state["cwd"])
        if "streams" in state:
            self._redirect(*state["streams"])
        if "random" in state:
            random.setstate(state["random"])
        if "numpy" in state:
            importlib.import_module("numpy").random.set_state(state["numpy"])

    def do_numbers(self) -> Any:
        """Return the state of the random numbers."""
        return random.getstate()

    def _redirect(self, out: bool, err: bool) -> None:
        """Print to where the tests' side has put its own streams; who keeps the old ones prints there."""
        if self._redirected is None:
            self._redirected = _stream(OUT_FD, sys.__stdout__), _stream(ERR_FD, sys.__stderr__)
        for name, on, old, new in zip(
            ("stdout", "stderr"), (out, err), self._streams, self._redirected, strict=True
        ):
            if getattr(sys, name) is old or getattr(sys, name) is new:
                setattr(sys, name, new if on else old)

    def do_patch(self, module: str, name: str, value: Any) -> None:
        """Patch a module of the library as the tests have patched theirs."""
        target = importlib.import_module(module)
        self._patched.setdefault((module, name), vars(target).get(name))
        setattr(target, name, value)

    def do_unpatch(self, module: str, name: str) -> None:
        """Undo it."""
        value = self._patched.pop((module, name), None)
        if value is not None:
            setattr(importlib.import_module(module), name, value)


class Stdin(io.TextIOBase):
    """Standard input, which the tests may have replaced on their side."""

    encoding = "utf-8"

    def __init__(self, peer: Candidate) -> None:
        self._peer = peer

    def read(self, size: int | None = -1, /) -> str:
        """Read."""
        return str(self._peer.ask("service", ("read", size)))

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        """Read a line."""
        return str(self._peer.ask("service", ("readline", size)))

    def readlines(self, _hint: int = -1, /) -> list[str]:  # type: ignore[override]
        """Read all lines."""
        return list(self)

    def __next__(self) -> str:  # type: ignore[override]
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def fileno(self) -> int:
        """Return the number of the file below, which is empty."""
        return 0

    @property
    def buffer(self) -> Any:
        """The bytes of it."""
        return io.BytesIO(self.read().encode())


def _flush(stream: Any) -> None:
    try:
        stream.flush()
    except BaseException:  # noqa: BLE001 -- the script may have closed or replaced it
        return


def _stream(fd: int, like: Any) -> Any:
    return io.TextIOWrapper(
        open(fd, "wb", closefd=False),
        encoding=like.encoding,
        errors=like.errors,
        newline="\n",
        line_buffering=like.line_buffering,
    )
