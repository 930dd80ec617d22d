"""Names that mean something to both processes. What is not in here travels as an object with a handle."""

import builtins
import collections
import collections.abc
import datetime
import enum
import importlib
import pathlib
import sys
import types
from typing import Any

BINARY = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow", "lshift", "rshift")
BITWISE = ("and", "xor", "or")


def _dunder(*names: str) -> tuple[str, ...]:
    return tuple(f"__{name}__" for name in names)


EQUALITY = frozenset(_dunder("eq", "ne"))
ORDER = frozenset(_dunder("lt", "le", "gt", "ge"))
ARITHMETIC = frozenset(_dunder(*(prefix + name for name in (*BINARY, *BITWISE) for prefix in ("", "r", "i"))))
CONTAINS = frozenset(_dunder("contains"))
ASYNC = frozenset(_dunder("await", "aiter", "anext", "aenter", "aexit"))
DUNDERS = (
    EQUALITY
    | ORDER
    | ARITHMETIC
    | CONTAINS
    | ASYNC
    | frozenset(
        _dunder(
            *(
                "hash",
                "bool",
                "len",
                "length_hint",
                "getitem",
                "setitem",
                "delitem",
                "missing",
                "iter",
                "next",
            ),
            *("reversed", "call", "enter", "exit", "neg", "pos", "abs", "invert", "int", "float", "complex"),
            *("index", "round", "trunc", "floor", "ceil", "repr", "str", "format", "bytes", "fspath"),
            *("instancecheck", "subclasscheck", "get", "set", "delete", "set_name"),
        )
    )
)
"""Special methods that a class may answer from the other process."""
BY_NAME_ONLY = frozenset(_dunder("init", "post_init", "new", "class_getitem"))
"""Reached by name (as in `super().__init__()`), not by an operator."""

ERRORS = tuple(
    value for value in vars(builtins).values() if isinstance(value, type) and issubclass(value, BaseException)
)
_PLAIN: tuple[Any, ...] = (
    *(object, type, bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset),
    *(range, slice, memoryview, types.NoneType, types.FunctionType, types.MappingProxyType, types.ModuleType),
    *(types.GeneratorType, types.CoroutineType, types.BuiltinFunctionType, types.MethodType),
    *(collections.deque, collections.OrderedDict, collections.defaultdict, collections.Counter),
    *(
        datetime.date,
        datetime.time,
        datetime.datetime,
        datetime.timedelta,
        datetime.timezone,
        datetime.tzinfo,
    ),
    *(pathlib.Path, pathlib.PurePath, pathlib.PosixPath),
    *(pathlib.PurePosixPath, enum.Enum, enum.IntEnum, enum.StrEnum, enum.Flag, enum.IntFlag),
    *(getattr(collections.abc, name) for name in collections.abc.__all__),
)
TYPES: dict[tuple[str, str], type] = {
    (kind.__module__, kind.__qualname__): kind for kind in (*_PLAIN, *ERRORS)
}
"""Types that are the same in both processes, and harmless to have."""
LATER = frozenset(
    {("decimal", "Decimal"), ("fractions", "Fraction"), ("uuid", "UUID"), ("zoneinfo", "ZoneInfo")}
)
"""More of them, whose modules take long to load and are seldom needed."""
ERROR_MODULES = frozenset(
    [
        "argparse",
        "asyncio.exceptions",
        "asyncio.queues",
        "binascii",
        "concurrent.futures._base",
        "configparser",
        "copy",
        "csv",
        "_csv",
        "ctypes",
        "dataclasses",
        "decimal",
        "email.errors",
        "getopt",
        "json.decoder",
        "queue",
        "_queue",
        "shutil",
        "sqlite3",
        "statistics",
        "string",
        "struct",
        "subprocess",
        "tomllib",
        "unicodedata",
        "urllib.error",
        "zipfile",
        "zlib",
        "zoneinfo",
        "zoneinfo._common",
        "re",
        "sre_constants",
        "binhex",
        "socket",
        "ssl",
    ]
)
"""Modules of the standard library whose exceptions tests speak of."""
ABCS = {name: getattr(collections.abc, name) for name in ("Sequence", "MutableSequence", "Mapping")} | {
    name: getattr(collections.abc, name) for name in ("MutableMapping", "Set", "MutableSet")
}
"""Abstract classes that no special method gives away."""


def library_class(module: str, name: str) -> type | None:
    """Find a class of the library that is loaded here; no builtin, and no error."""
    if module.partition(".")[0] not in sys.stdlib_module_names - {"builtins", "types", "typing", "unittest"}:
        return None
    found = getattr(sys.modules.get(module), name, None)
    return found if isinstance(found, type) and not issubclass(found, BaseException) else None


def type_named(module: str, name: str) -> type | None:
    """Find a type that both sides have; None where there is none of this name."""
    found = TYPES.get((module, name))
    if (module, name) in LATER:
        return vars(importlib.import_module(module))[name]  # type: ignore[no-any-return]
    if found is not None or module not in ERROR_MODULES or not name.isidentifier():
        return found
    try:
        value = vars(importlib.import_module(module)).get(name)
    except ImportError:
        return None
    return value if isinstance(value, type) and issubclass(value, BaseException) else None


def later_name(kind: type) -> tuple[str, str] | None:
    """Return the name of a type of `LATER`; None for any other."""
    key = (kind.__module__, kind.__qualname__)
    return key if key in LATER and getattr(sys.modules.get(key[0]), key[1], None) is kind else None


def name_of_type(kind: type) -> tuple[str, str] | None:
    """Return module and name under which the other side knows this type; None if it does not."""
    key = (kind.__module__, kind.__qualname__)
    if TYPES.get(key) is kind or later_name(kind) is not None:
        return key
    known = key[0] in ERROR_MODULES and kind.__name__ == kind.__qualname__ and issubclass(kind, BaseException)
    return key if known and getattr(sys.modules.get(key[0]), key[1], None) is kind else None
