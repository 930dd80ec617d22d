"""The short form of a message: most calls take and give numbers, short texts and objects that are known.

`["c", number, verb, slots]` asks, with the names of the last slots behind it where they have names;
`["r", number, slot]` answers. A slot is a JSON scalar, or `[handle]` for an object that the side which
reads it has handed over itself. There are no nodes, no bytes, and nothing is told beside it.
"""

import json
from collections.abc import Iterable
from typing import Any

from .far_callable import MirrorCallable
from .link import LinkBroken
from .mirror import INFO, REF, MirrorType, Ref

LARGE_INT = 1 << 62
_LEAST_INT = -LARGE_INT
LONG_TEXT = 4096
WITHOUT_NAMES, WITH_NAMES = 4, 5
_quote = json.encoder.encode_basestring_ascii
_get: Any = object.__getattribute__
Exports = dict[int, list[Any]]
STRUCTURES = frozenset({list, dict})


def question(number: int, verb: str, values: Iterable[Any], kwargs: Any, peer: Any) -> str | None:
    """Return the text of a question; None where a value needs the long form."""
    slots = pack((*values, *kwargs.values()) if kwargs else values, peer)
    if slots is None:
        return None
    if kwargs:
        return f'["c",{number},"{verb}",[{slots}],[{",".join(map(_quote, kwargs))}]]'
    return f'["c",{number},"{verb}",[{slots}]]'


def pack(values: Iterable[Any], peer: Any) -> str | None:
    """Return the text of the slots of some values; None where one of them needs the long form."""
    slots: list[str] = []
    for value in values:
        kind = type(value)
        if kind is int and _LEAST_INT < value < LARGE_INT:
            slots.append(str(value))
        elif kind is Ref and value.peer is peer:
            slots.append(f"[{value.handle}]")
        else:
            slot = slot_of(value, peer)
            if slot is None:
                return None
            slots.append(slot)
    return ",".join(slots)


def slot_of(value: Any, peer: Any) -> str | None:
    """Return the text of one slot; None where its value needs the long form."""
    kind = type(value)
    if kind is int:
        return str(value) if _LEAST_INT < value < LARGE_INT else None
    if kind is str:
        return _quote(value) if len(value) < LONG_TEXT and (value.isascii() or value.isprintable()) else None
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is float:
        return repr(value) if value - value == 0.0 else None
    ref = value if kind is Ref else _ref_of(value, kind)
    return f"[{ref.handle}]" if ref is not None and ref.peer is peer else None


def _ref_of(value: Any, kind: type) -> Ref | None:
    """Return what an object of the other side stands for, if it is one of the usual ones."""
    found = None
    if kind is MirrorType:
        found = vars(value).get(INFO)
    elif kind is MirrorCallable or (type(kind) is MirrorType and not issubclass(kind, BaseException)):
        try:
            found = _get(value, REF)
        except AttributeError:
            return None
    return found if type(found) is Ref else None


def arguments(message: list[Any], exports: Exports) -> tuple[list[Any], dict[str, Any]]:
    """Return what a question with names brings along."""
    if len(message) != WITH_NAMES:
        raise LinkBroken("a question with too many parts, or too few")
    return with_names(unpack(message[3], exports), message[4])


def unpack(slots: Any, exports: Exports) -> list[Any]:
    """Put values in the place of their slots."""
    if type(slots) is not list:
        raise LinkBroken("no list of slots")
    for place, slot in enumerate(slots):
        if type(slot) in STRUCTURES:
            slots[place] = known(slot, exports)
    return slots


def known(slot: Any, exports: Exports) -> Any:
    """Return the object that a slot stands for."""
    if type(slot) is list and len(slot) == 1:
        handle = slot[0]
        if type(handle) is int and handle in exports:
            return exports[handle][0]
    raise LinkBroken("an object that was never given")


def with_names(values: list[Any], names: Any) -> tuple[list[Any], dict[str, Any]]:
    """Tell values that have names from the ones before them."""
    if type(names) is not list or len(names) > len(values) or not all(type(name) is str for name in names):
        raise LinkBroken("names without values")
    place = len(values) - len(names)
    return values[:place], dict(zip(names, values[place:], strict=True))
