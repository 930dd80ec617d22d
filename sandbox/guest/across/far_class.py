"""What a mirrored class holds, by the description that came from the other process."""

import dataclasses
import types
from collections.abc import Iterator
from typing import Any

from . import tables
from .mirror import INFO, REF, Ref, RemoteMethod, class_ref, operator


def space_of(ref: Ref, facts: dict[str, Any]) -> dict[str, Any]:
    """Build the namespace of a mirrored class."""
    space: dict[str, Any] = {
        INFO: ref,
        "__mendbench_made__": True,
        "__module__": facts["module"],
        "__qualname__": facts["qualname"],
        "__doc__": facts["doc"],
    }
    if facts["annotations"]:
        space["__annotations__"] = facts["annotations"]
    if facts["signature"] is not None:
        space["__signature__"] = facts["signature"]
    if facts["fields"]:
        space["__dataclass_fields__"] = dict(_fields(facts["fields"]))
        space["__match_args__"] = tuple(facts["fields"][i][0] for i in range(len(facts["fields"])))
    if facts["tuple_fields"]:
        space["_fields"] = facts["tuple_fields"]
    space |= {name: operator(name) for name in facts["dunders"] if name in tables.DUNDERS}
    if facts["unhashable"]:
        space["__hash__"] = None
    methods = [row for row in facts["methods"] if _may_be_method(row[0])]
    space |= {name: RemoteMethod(ref, name, kind, flavour) for name, kind, flavour in methods}
    return space


def _may_be_method(name: str) -> bool:
    """Say whether a method may have this name: what an operator calls must go through `operator`."""
    return name in tables.BY_NAME_ONLY or not (name.startswith("__") or name == REF)


def _fields(rows: list[Any]) -> Iterator[tuple[str, Any]]:
    for name, init, shown, compared, keyword, default, factory, metadata, kind in rows:
        if type(name) is not str or not name.isidentifier():
            # `dataclass` puts it into the text of a function, and runs that.
            raise ValueError("a field whose name is none")
        field: Any = dataclasses.field(init=init, repr=shown, compare=compared, kw_only=keyword)
        field.name, field.type = name, kind
        field.metadata = types.MappingProxyType(dict(metadata))
        if default:
            field.default = default[0]
        if factory:
            field.default_factory = factory[0]
        field._field_type = dataclasses._FIELD  # type: ignore[attr-defined] # noqa: SLF001 -- `fields()` asks for it
        yield name, field


def make_enum(name: str, bases: tuple[type, ...], space: dict[str, Any], members: list[Any]) -> Any:
    """Make a real enumeration with the names and values of the other side's."""
    kind: Any = type(bases[-1])
    ready = kind.__prepare__(name, bases)
    for key, value in space.items():
        # `Enum` turns what is no descriptor and no dunder into a member.
        if key.startswith("__") or isinstance(value, RemoteMethod):
            ready[key] = value
    ready["__getattr__"] = _member_attribute
    for key, value in members:
        # A function would become a method, and one whose answers nobody questions.
        if type(key) is str and not key.startswith("_") and not hasattr(type(value), "__get__"):
            ready[key] = value
    return kind.__new__(kind, name, bases, ready)


def _member_attribute(self: Any, name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    return class_ref(type(self)).peer.ask("get", (self, name))
