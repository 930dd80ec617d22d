"""Descriptions of classes and functions, as the side that has them gives them to the other one."""

import collections
import contextlib
import dataclasses
import datetime
import enum
import functools
import inspect
import operator
import sys
import types
import typing
from abc import ABCMeta
from collections.abc import Mapping
from typing import Any

from . import tables
from .awaiting import FLAVOURS, flavour_of
from .graph import Encoder
from .kinds import Slot

DATA: tuple[type, ...] = (
    *(int, float, complex, str, bytes, tuple, frozenset),
    *(datetime.datetime, datetime.date, datetime.timedelta),
    *(collections.Counter, collections.defaultdict, collections.OrderedDict, dict, list, set, bytearray),
    collections.deque,
    datetime.tzinfo,
)
"""Builtins whose data a subclass brings along; the nearest first."""
MAX_DOC = 4000
MAX_NAMES = 1000
_SEEN_AS: Mapping[type, str] = {
    types.FunctionType: "plain",
    staticmethod: "static",
    classmethod: "class",
    types.MethodDescriptorType: "plain",
    types.ClassMethodDescriptorType: "class",
    types.WrapperDescriptorType: "plain",
}


def data_base(kind: type) -> type | None:
    """Name the builtin whose data instances of this class have; None for ordinary objects."""
    found = next((base for base in DATA if issubclass(kind, base)), None)
    number = getattr(sys.modules.get("decimal"), "Decimal", None)
    return number if found is None and number is not None and issubclass(kind, number) else found


def read_data(value: Any, base: Any) -> Any:
    """Read the data of an instance with the builtin's own methods, whatever its class defines."""
    if base in {int, float, complex}:
        return base.__pos__(value)
    if base in {str, bytes, tuple}:
        return base.__getitem__(value, slice(None)) if base is tuple else base.__add__(value, base())
    if base is frozenset:
        return frozenset(frozenset.__iter__(value))
    if base is datetime.datetime:
        parts = (value.year, value.month, value.day, value.hour, value.minute, value.second)
        return datetime.datetime(*parts, value.microsecond, tzinfo=value.tzinfo, fold=value.fold)
    if base is datetime.date:
        return datetime.date(value.year, value.month, value.day)
    if base is datetime.timedelta:
        return datetime.timedelta(value.days, value.seconds, value.microseconds)
    if base is datetime.tzinfo:
        return None
    return base(base.__str__(value))


def of_function(function: types.FunctionType, encoder: Encoder) -> list[Any]:
    """Describe a function."""
    return [
        str(function.__name__),
        str(function.__qualname__),
        _doc(function),
        str(function.__module__),
        function.__code__.co_flags & FLAVOURS,
        _signature(function, encoder),
        _annotations(function, encoder),
    ]


def _doc(value: Any) -> str | None:
    doc = getattr(value, "__doc__", None)
    return doc[:MAX_DOC] if type(doc) is str else None


def _signature(value: Any, encoder: Encoder) -> Slot:
    """Return parameters and result; None where they cannot be told."""
    try:
        return encoder.slot(signature_parts(inspect.signature(value, follow_wrapped=True)))
    except (TypeError, ValueError, AttributeError, RecursionError):
        return None


def signature_parts(found: inspect.Signature) -> tuple[Any, ...]:
    """Take a signature apart: (name, kind, default, annotation) of each parameter, and the result's."""
    empty = inspect.Parameter.empty
    parameters = [
        (
            part.name,
            int(part.kind),
            () if part.default is empty else (part.default,),
            () if part.annotation is empty else (part.annotation,),
        )
        for part in found.parameters.values()
    ]
    return tuple(parameters), () if found.return_annotation is empty else (found.return_annotation,)


def _annotations(value: Any, encoder: Encoder) -> Slot:
    own = vars(value).get("__annotations__") if isinstance(value, type) else value.__annotations__
    return encoder.slot(tuple(own.items()) if type(own) is dict else ())


def of_class(kind: type, encoder: Encoder) -> list[Any]:
    """Describe a class by what it defines itself."""
    space = vars(kind)
    names = [name for name in space if type(name) is str][:MAX_NAMES]
    enumeration = isinstance(kind, enum.EnumMeta)
    dunders = [name for name in names if name in tables.DUNDERS and space[name] is not None]
    if enumeration:
        # `Enum` puts some of its own into every class.
        dunders = [name for name in dunders if getattr(space[name], "__module__", "") == kind.__module__]
    dunders += [
        name
        for base in kind.__mro__[1:]
        if _is_abstract_library(base)
        for name in vars(base)
        if name in tables.DUNDERS
    ]
    methods = [
        (name, _SEEN_AS.get(type(space[name]), "value"), _flavour(space[name]))
        for name in names
        if (type(space[name]) in _SEEN_AS and name in tables.BY_NAME_ONLY) or not _is_dunder(name)
        if not (enumeration and (name.startswith("_") or type(space[name]) not in _SEEN_AS))
        if not name.startswith("_abc_")
    ]
    return [
        kind.__name__,
        kind.__qualname__,
        str(kind.__module__),
        _doc(kind),
        encoder.slots(kind.__bases__),
        None if type(kind) in {type, enum.EnumMeta, ABCMeta} else encoder.slot(type(kind)),
        dunders,
        methods,
        "enum" if enumeration and kind.__module__ != "enum" else "class",
        encoder.slot(_members(kind) if enumeration else ()),
        [name for name, abc in tables.ABCS.items() if _is_subclass(kind, abc)],
        space.get("__hash__", kind) is None,
        _signature(kind, encoder) if _has_signature(kind) else None,
        _annotations(kind, encoder),
        encoder.slot(_fields(kind)),
        encoder.slot(_tuple_fields(kind)),
        encoder.slot(tuple(sorted(getattr(kind, "__abstractmethods__", ())))),
    ]


def _flavour(method: Any) -> int:
    return flavour_of(getattr(method, "__func__", method))


def _is_abstract_library(kind: type) -> bool:
    """Say whether a class is one of `collections.abc`, which a mirror does not derive from."""
    return kind.__module__ == "collections.abc" and tables.name_of_type(kind) is not None


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _has_signature(kind: type) -> bool:
    return kind.__module__ in {"solution", "test_solution"}


def _is_subclass(kind: type, abc: type) -> bool:
    with contextlib.suppress(Exception):
        return issubclass(kind, abc)
    return False


def _members(kind: Any) -> tuple[Any, ...]:
    # Aliases are among them; a value is what the member's own field says.
    return tuple((name, member._value_) for name, member in kind.__members__.items())


def _fields(kind: type) -> tuple[Any, ...]:
    if not dataclasses.is_dataclass(kind):
        return ()
    with contextlib.suppress(Exception):
        return tuple(
            (
                *(part.name, part.init, part.repr, part.compare, bool(part.kw_only)),
                () if part.default is dataclasses.MISSING else (part.default,),
                () if part.default_factory is dataclasses.MISSING else (part.default_factory,),
                tuple(part.metadata.items()),
                part.type,
            )
            for part in dataclasses.fields(kind)
        )
    return ()


def _tuple_fields(kind: type) -> tuple[str, ...]:
    fields = getattr(kind, "_fields", ())
    return tuple(fields) if issubclass(kind, tuple) and type(fields) is tuple else ()


def alias_of(value: Any) -> tuple[str, str, tuple[Any, ...]] | None:
    """Take a type expression (`list[int]`, `int | None`, `typing.Any`) apart; None for anything else."""
    if isinstance(value, types.UnionType) or typing.get_origin(value) is typing.Union:
        return "union", "", typing.get_args(value)
    if type(value) is types.GenericAlias:
        return "alias", "", (typing.get_origin(value), *typing.get_args(value))
    if getattr(type(value), "__module__", "") != "typing":
        return None
    name = getattr(value, "_name", None) or getattr(typing.get_origin(value), "_name", None)
    if name not in typing.__all__:
        return None
    return "typing", str(name), typing.get_args(value)


def of_alias(kind: str, name: str, args: list[Any]) -> Any:
    """Put a type expression together again; one that cannot be is any type."""
    try:
        if kind == "alias":
            return types.GenericAlias(args[0], tuple(args[1:]))
        if kind == "union":
            return functools.reduce(operator.or_, args)
        base: Any = getattr(typing, name) if name in typing.__all__ else typing.Any
        return base[tuple(args)] if args else base
    except (TypeError, IndexError):
        return typing.Any
