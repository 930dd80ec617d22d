"""A module that stands in for the script while tests are collected: it has names and no behaviour."""

import contextlib
import importlib
import types
from abc import ABCMeta
from typing import Any, NoReturn

HINT = "tests must not use the module at import time"


class StubMeta(ABCMeta):
    """Classes that can be named, subclassed, subscripted and used as decorators, and nothing more."""

    _kind = "value"

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if not is_stub(cls):
            return super().__call__(*args, **kwargs)
        if len(args) == 1 and not kwargs and isinstance(args[0], types.FunctionType | type):
            return args[0]
        return cls._refuse("was called")

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") or not is_stub(cls):
            raise AttributeError(name)
        kind = "member" if cls.__dict__["_kind"] == "enum" else "value"
        return make_stub(f"{cls.__name__}.{name}", kind)

    def __getitem__(cls, key: object) -> Any:
        return make_stub(f"{cls.__name__}[…]", "value")

    def __iter__(cls) -> Any:
        cls._refuse("was iterated over")

    def __bool__(cls) -> bool:
        return True

    def __str__(cls) -> str:
        if not is_stub(cls):
            return super().__str__()
        return cls._refuse("was turned into text")

    def __repr__(cls) -> str:
        return f"<stub of {cls.__name__}>" if is_stub(cls) else super().__repr__()

    def _refuse(cls, what: str) -> NoReturn:
        raise NotImplementedError(f"solution.{cls.__name__} {what} while the tests were collected; {HINT}")


def _operator(cls: StubMeta, _other: object = None) -> NoReturn:
    cls._refuse("was computed with")


for _name in (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "len",
    "lt",
    "le",
    "gt",
    "ge",
):
    setattr(StubMeta, f"__{_name}__", _operator)
for _name in ("radd", "rsub", "rmul", "rtruediv", "rfloordiv", "rmod", "rpow", "neg", "pos", "invert", "int"):
    setattr(StubMeta, f"__{_name}__", _operator)
for _name in ("float", "index", "contains"):
    setattr(StubMeta, f"__{_name}__", _operator)


def is_stub(value: object) -> bool:
    """Say whether a value is a stub itself, and not a class made from one."""
    return isinstance(value, StubMeta) and "_kind" in vars(value)


def make_stub(name: str, kind: str) -> StubMeta:
    """Make the stub of one name; what is named as an error can be caught and raised."""
    error = kind == "error" or name.endswith(("Error", "Exception"))
    return StubMeta(name, (Exception,) if error else (), {"_kind": kind, "__module__": "solution"})


def id_depends_on(value: object) -> str:
    """Name the stub whose real value would show in a test id; empty where it would not.

    A function, a class and a member of an enumeration show by name, which the stub shares.
    """
    if not isinstance(value, StubMeta) or not is_stub(value):
        return ""
    return "" if vars(value)["_kind"] in {"def", "class", "error", "enum", "member"} else value.__name__


class StubModule(types.ModuleType):
    """`solution` without its behaviour: names are made when asked for, imports are the real ones."""

    def __init__(self, names: dict[str, Any], exported: list[str] | None) -> None:
        super().__init__("solution")
        self.__file__ = "/work/code/solution.py"
        self._names = names
        self._exported = exported

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return self._public()
        if name.startswith("__"):
            raise AttributeError(name)
        value = self._make(name)
        setattr(self, name, value)
        return value

    def _public(self) -> list[str]:
        if self._exported is not None:
            return self._exported
        own = [name for name in self._names if not name.startswith(("_", "*"))]
        stars = [kind[0] for name, kind in self._names.items() if name.startswith("*")]
        return own + [name for module in stars for name in self._take_all(module)]

    def _take_all(self, module: str) -> list[str]:
        """Bind what `from module import *` would bind."""
        with contextlib.suppress(Exception):
            found = importlib.import_module(module)
            public = getattr(found, "__all__", None) or [n for n in vars(found) if not n.startswith("_")]
            taken = [name for name in public if name not in self._names]
            for name in taken:
                setattr(self, name, getattr(found, name))
            return taken
        return []

    def _make(self, name: str) -> Any:
        kind = self._names.get(name, "value")
        if isinstance(kind, str):
            return make_stub(name, kind)
        module, attribute = kind
        with contextlib.suppress(Exception):
            if module.partition(".")[0] not in {"solution", "test_solution"}:
                found = importlib.import_module(module)
                return getattr(found, attribute) if attribute else found
        return make_stub(name, "value")
