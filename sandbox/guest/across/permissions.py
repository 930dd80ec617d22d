"""What the script may ask of objects that tests have handed over, each kind of question a method `may_…`."""

import sys
import types
from typing import Any

from . import awaiting
from .errors import CannotCross
from .held import Held
from .link import LinkBroken

READABLE = frozenset({"__name__", "__qualname__", "__doc__", "__wrapped__", "__signature__", "__dict__"})
OF_TUPLES = frozenset({"_asdict", "_replace", "_fields", "_make"})
INNER = ("gi_", "cr_", "ag_", "f_", "tb_", "co_", "func_")
OWN = "test_solution"
METHODS = (types.FunctionType, staticmethod, classmethod)
JUDGES = frozenset({"unittest", "pytest", "_pytest", "py", "hypothesis", "pytest_asyncio", "pytest_mock"})
OF_PATHS = frozenset(
    [
        "strpath",
        "basename",
        "purebasename",
        "ext",
        "dirname",
        "dirpath",
        "join",
        "new",
        "parts",
        "relto",
        "bestrelpath",
        "common",
        "exists",
        "check",
        "isfile",
        "isdir",
        "islink",
        "read",
        "read_text",
        "read_binary",
        "readlines",
        "write",
        "write_text",
        "write_binary",
        "open",
        "ensure",
        "mkdir",
        "ensure_dir",
        "listdir",
        "visit",
        "remove",
        "rename",
        "copy",
        "move",
        "size",
        "mtime",
    ]
)
"""What the script may use of pytest's old paths (`tmpdir`), which could import modules, too."""


class Permissions(Held):
    """Refuses what the script may not ask for."""

    def _given(self, value: Any) -> None:
        if id(value) not in self._handles:
            raise CannotCross("an object that the tests have not handed over")

    def may_call(self, function: Any, *_: Any) -> None:
        self._given(function)
        if isinstance(function, type):
            _refuse_judges(function, "__call__")

    def may_next(self, value: Any) -> None:
        self._given(value)

    def may_close(self, value: Any) -> None:
        self._given(value)

    def may_send(self, value: Any, _: Any) -> None:
        self._given(value)

    may_throw = may_step = may_fail = may_send

    def may_agen(self, value: Any, _verb: Any, *_: Any) -> None:
        self._given(value)

    def may_future(self, value: Any, _name: Any, *_: Any) -> None:
        self._given(value)
        if not awaiting.is_future(value):
            raise LinkBroken("a question for a future to what is none")

    may_dir = may_copy = may_deepcopy = may_next

    def may_op(self, _name: Any, value: Any, *_: Any) -> None:
        self._given(value)

    def may_method(self, owner: Any, name: Any, *_: Any) -> None:
        self._given(owner)
        if not isinstance(owner, type):
            raise CannotCross("a method of what is no class")
        _refuse_judges(owner, name)
        if not (issubclass(owner, tuple) and name in OF_TUPLES):
            self._readable(name)

    def may_get(self, value: Any, name: Any) -> None:
        self._given(value)
        kind = type(value)
        if isinstance(value, type):
            _refuse_judges(value, name)
            if name == "__dict__":
                raise CannotCross("the namespace of a class of the tests")
        elif kind.__module__.partition(".")[0] != "unittest":
            _refuse_judges(kind, name)
        if not (isinstance(value, tuple) and name in OF_TUPLES):
            self._readable(name)
        if awaiting.is_future(value):
            # A task's coroutine is the test itself.
            raise CannotCross(f"attribute {str(name)[:40]!r} of a future")
        if _is_mock(value) and name in _mock_api():
            raise CannotCross(f"attribute {name} of a mock")

    def _readable(self, name: Any) -> None:
        if type(name) is not str or (name not in READABLE and name.startswith(("_", *INNER))):
            raise CannotCross(f"attribute {str(name)[:40]!r} of an object of the tests")

    def may_set(self, value: Any, name: Any, *_: Any) -> None:
        self._given(value)
        kind = type(value)
        own = kind.__module__ == OWN or kind is types.SimpleNamespace
        if _is_test_case(value) and (
            str(name).startswith("_") or hasattr(sys.modules["unittest"].TestCase, name)
        ):
            raise CannotCross(f"setting {str(name)[:40]!r} on a test")
        if not own or type(name) is not str or name.startswith("__") or callable(getattr(kind, name, None)):
            raise CannotCross(f"setting {str(name)[:40]!r} on an object of the tests")

    may_del = may_set

    def may_put(self, value: Any, name: Any, *_: Any) -> None:
        self._given(value)
        kind = type(value)
        held = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
        # A method must stay what it is; what sets and reads this name may be the script's own.
        if (
            kind.__module__ != OWN
            or _is_test_case(value)
            or type(name) is not str
            or isinstance(held, METHODS)
        ):
            raise CannotCross(f"setting {str(name)[:40]!r} on an object of the tests")

    may_drop = may_put

    def do_put(self, value: Any, name: str, new: Any) -> None:
        value.__dict__[name] = new

    def do_drop(self, value: Any, name: str) -> None:
        del value.__dict__[name]


def _refuse_judges(kind: type, name: Any) -> None:
    """Refuse what belongs to the libraries that judge: mocks are told what they saw, paths import modules."""
    root = kind.__module__.partition(".")[0]
    if root in JUDGES and not (kind.__module__ == "_pytest._py.path" and name in OF_PATHS):
        raise CannotCross(f"{str(name)[:40]!r} of {kind.__name__}")


def _is_test_case(value: Any) -> bool:
    unittest = sys.modules.get("unittest")
    return unittest is not None and isinstance(value, unittest.TestCase)


def _is_mock(value: Any) -> bool:
    mock = sys.modules.get("unittest.mock")
    return mock is not None and isinstance(value, mock.NonCallableMock | mock.MagicProxy)


def _mock_api() -> frozenset[str]:
    return frozenset(dir(sys.modules["unittest.mock"].Mock()))
