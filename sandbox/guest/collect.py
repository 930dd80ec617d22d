"""Child: collect the tests against a stub of the script, to learn which tests there should be."""

import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

from . import names, stub, suite
from .child import REPORT_FD
from .report import MAX_MESSAGE, Reporter, text_of
from .wire import clean

MAX_TESTS = 2000


class Collector:
    """A pytest plugin that reports the test ids, or why there are none."""

    collect_only = True
    event = "collected"
    files = (suite.TESTS,)

    @classmethod
    def from_warden(cls, _config: pytest.Config) -> "Collector":
        """Learn from the warden what is to be collected."""
        spec = suite.read_spec()
        return cls(spec, Reporter(REPORT_FD), suite.TESTS)

    def __init__(self, spec: dict[str, Any], reporter: Reporter, tests: str) -> None:
        """Collect the file `tests`, against a script that binds the names of `spec`."""
        self._spec = spec
        self._reporter = reporter
        self._tests = tests
        source = Path(tests).read_bytes()
        self.source, self.seed = source.decode(errors="replace"), self._spec["seed"]
        self._defined = names.test_names(source)
        self._failed = False
        self.ids: list[str] | None = None
        self._count = 0

    def begin(self, _session: pytest.Session) -> None:
        """Put the stub in the script's place."""
        sys.modules["solution"] = stub.StubModule(self._spec["names"], self._spec["exported"])
        suite.seed_all(self.seed)

    def end(self, status: int) -> NoReturn:
        """Report that the session has ended, and leave at once, as `compiling` does."""
        self._reporter.send("end", status=status)
        os._exit(0)

    @pytest.hookimpl(tryfirst=True)
    def pytest_make_parametrize_id(self, val: object) -> None:
        """Refuse an id that would differ with the real script."""
        name = stub.id_depends_on(val)
        if name:
            raise NotImplementedError(f"a test id needs the value of solution.{name}; {stub.HINT}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, obj: object) -> list[Any] | None:
        """A name of the script may look like a test (`from solution import *`) and is none."""
        return [] if stub.is_stub(obj) else None

    def pytest_exception_interact(self, call: Any) -> None:
        """Report the first thing that kept a test from being collected."""
        if self._failed:
            return
        self._failed = True
        exc = call.excinfo.value
        exc = exc.__cause__ or exc
        self.refuse(f"{type(exc).__name__}: {text_of(exc, MAX_MESSAGE)}")

    def pytest_itemcollected(self) -> None:
        """Stop at the first test too many: there may be millions."""
        self._count += 1
        if self._count > MAX_TESTS:
            self._failed = True
            self.refuse(f"there are more than {MAX_TESTS} tests")
            pytest.exit("too many tests")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Report the ids."""
        if self._failed:
            return
        strange = [item for item in session.items if not self._is_defined(item)]
        if strange:
            self.refuse(f"test {clean(strange[0].name, 200)} is not defined in the test file itself")
        else:
            self.ids = [_id(item) for item in session.items]
            self._reporter.send(self.event, ids=self.ids)

    def refuse(self, why: str) -> None:
        """Report that the tests cannot be used."""
        self._reporter.send("refused", why=why)

    def _is_defined(self, item: pytest.Item) -> bool:
        return str(item.path) == self._tests and suite.defined_here(item, self._defined)


def _id(item: pytest.Item) -> str:
    return suite.short_id(item.nodeid)[1]
