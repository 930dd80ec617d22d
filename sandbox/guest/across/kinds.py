"""The kinds of values that travel as they are: how each is taken apart, and put together again.

A node is a list that begins with the name of its kind. Whoever reads it gets it from a hostile side: what
does not fit raises, and that breaks the link (see `graph`).
"""

import datetime
import importlib
import operator
import pathlib
import re
import types
from collections.abc import Callable
from typing import Any

from .containers import EMPTY, array_of
from .link import LinkBroken

Slot = Any
Node = list[Any]
MAKE: dict[type, Callable[[Any, Any], Node]] = {}
"""Makes the node of a value, by its exact type: (encoder, value)."""
MAKE_LATER: dict[tuple[str, str], Callable[[Any, Any], Node]] = {}
"""The same for types that only exist once their module is loaded."""
BUILD: dict[str, Callable[..., Any]] = {}
"""Builds the value of a node, by its kind: (decoder, *parts)."""
NEEDS: dict[str, Callable[[Node], list[Slot]] | None] = dict.fromkeys(EMPTY)
"""Which slots of a node must be built before it: for immutable values, all of them; None for none."""


def _kind(
    name: str,
    build: Callable[..., Any],
    make: Callable[[Any, Any], list[Any]] | None = None,
    of: type | tuple[str, str] | None = None,
    needs: Callable[[Node], list[Slot]] | None = None,
) -> None:
    """Enter a kind: `make` returns the parts of its node, for values of type `of`."""
    BUILD[name], NEEDS[name] = build, needs
    if make is None or of is None:
        return
    parts = make
    if isinstance(of, type):
        MAKE[of] = lambda encoder, value: [name, *parts(encoder, value)]
    else:
        MAKE_LATER[of] = lambda encoder, value: [name, *parts(encoder, value)]


def _slots_at(*places: int) -> Callable[[Node], list[Slot]]:
    return lambda node: [node[place] for place in places]


_all_slots: Callable[[Node], list[Slot]] = operator.itemgetter(1)


def _text_of(text: Any) -> str:
    if type(text) is not str:
        raise LinkBroken("a number that is no text")
    return text


def _later(module: str, name: str) -> Any:
    return vars(importlib.import_module(module))[name]


# Numbers and texts

_kind("i", lambda _, text: int(_text_of(text), 16))
_kind("n", lambda _, text: float(_text_of(text)))
_kind(
    "c",
    lambda _, real, imag: complex(float(_text_of(real)), float(_text_of(imag))),
    lambda _, value: [repr(value.real), repr(value.imag)],
    complex,
)
_kind(
    "s",
    lambda dec, start, size: dec.bytes_at(start, size).decode("utf-8", "surrogatepass"),
    lambda enc, value: enc.bytes_at(value.encode("utf-8", "surrogatepass")),
    str,
)
_kind("b", lambda dec, start, size: dec.bytes_at(start, size), lambda enc, value: enc.bytes_at(value), bytes)
_kind(
    "memory",
    lambda dec, start, size: memoryview(dec.bytes_at(start, size)),
    lambda enc, value: enc.bytes_at(value.tobytes()),
    memoryview,
)
_kind(
    "decimal",
    lambda _, text: _later("decimal", "Decimal")(text),
    lambda _, value: [str(value)],
    ("decimal", "Decimal"),
)
_kind(
    "fraction",
    lambda dec, slots: _later("fractions", "Fraction")(*dec.values(slots)),
    lambda enc, value: [enc.slots((value.numerator, value.denominator))],
    ("fractions", "Fraction"),
    _all_slots,
)
_kind(
    "uuid",
    lambda _, text: _later("uuid", "UUID")(hex=text),
    lambda _, value: [value.hex],
    ("uuid", "UUID"),
)

# What is made of other values

_kind(
    "t", lambda dec, slots: tuple(dec.values(slots)), lambda enc, value: [enc.slots(value)], tuple, _all_slots
)
_kind(
    "f",
    lambda dec, slots: frozenset(dec.values(slots)),
    lambda enc, value: [enc.slots(value)],
    frozenset,
    _all_slots,
)


def _bounds(encoder: Any, value: Any) -> list[Any]:
    return [encoder.slots((value.start, value.stop, value.step))]


_kind("range", lambda dec, slots: range(*dec.values(slots)), _bounds, range, _all_slots)
_kind("slice", lambda dec, slots: slice(*dec.values(slots)), _bounds, slice, _all_slots)
NEEDS["defaultdict"] = _slots_at(3)

# Days and times


def _date(_: Any, value: datetime.date) -> list[Any]:
    return [value.year, value.month, value.day]


def _clock(encoder: Any, value: Any) -> list[Any]:
    parts = [value.hour, value.minute, value.second, value.microsecond]
    return [*parts, encoder.slot(value.tzinfo), value.fold]


def _own_name(zone: datetime.timezone) -> str | None:
    name = zone.tzname(None)
    return None if name == datetime.timezone(zone.utcoffset(None)).tzname(None) else name


def _time(decoder: Any, *parts: Any) -> datetime.time:
    hour, minute, second, micro, zone, fold = parts
    return datetime.time(hour, minute, second, micro, decoder.value(zone), fold=fold)


def _datetime(decoder: Any, *parts: Any) -> datetime.datetime:
    *day, hour, minute, second, micro, zone, fold = parts
    year, month, date = day
    return datetime.datetime(year, month, date, hour, minute, second, micro, decoder.value(zone), fold=fold)


_kind("date", lambda _, *parts: datetime.date(*parts), _date, datetime.date)
_kind("time", _time, _clock, datetime.time, _slots_at(5))
_kind(
    "datetime",
    _datetime,
    lambda enc, value: [*_date(enc, value), *_clock(enc, value)],
    datetime.datetime,
    _slots_at(8),
)
_kind(
    "delta",
    lambda _, *parts: datetime.timedelta(*parts),
    lambda _, value: [value.days, value.seconds, value.microseconds],
    datetime.timedelta,
)
_kind(
    "zone",
    lambda dec, offset, name: datetime.timezone(dec.value(offset), *([] if name is None else [name])),
    lambda enc, value: [enc.slot(value.utcoffset(None)), _own_name(value)],
    datetime.timezone,
    _slots_at(1),
)
_kind(
    "zoneinfo",
    lambda _, key: _later("zoneinfo", "ZoneInfo")(key),
    lambda _, value: [value.key],
    ("zoneinfo", "ZoneInfo"),
)

# Patterns and paths

_MATCHES: dict[str, str] = {"match": "match", "search": "search", "fullmatch": "fullmatch"}


def match_node(encoder: Any, found: Any) -> Node | None:
    """Say how to find a match again; None where no simple way finds the same."""
    for how, at in (("match", (found.start(),)), ("search", ()), ("fullmatch", found.span())):
        again = getattr(found.re, how)(found.string, *at)
        if again is not None and again.regs == found.regs:
            return ["match", encoder.slot(found.re), encoder.slot(found.string), how, *at]
    return None


_kind(
    "pattern",
    lambda dec, text, flags: re.compile(dec.value(text), flags & ~re.DEBUG),
    lambda enc, value: [enc.slot(value.pattern), value.flags],
    re.Pattern,
    _slots_at(1),
)
_kind(
    "match",
    lambda dec, pattern, text, how, *at: getattr(dec.value(pattern), _MATCHES[how])(dec.value(text), *at),
    needs=_slots_at(1, 2),
)
_kind("path", lambda _, text: pathlib.PosixPath(text), lambda _, value: [str(value)], pathlib.PosixPath)
_kind(
    "purepath",
    lambda _, text: pathlib.PurePosixPath(text),
    lambda _, value: [str(value)],
    pathlib.PurePosixPath,
)

# Constants

_kind("notimplemented", lambda _: NotImplemented, lambda _, _value: [], type(NotImplemented))
_kind("ellipsis", lambda _: ..., lambda _, _value: [], type(...))
# What it would show is the other side's business; `__exit__` gets one, and seldom looks.
_kind("nothing", lambda _: None, lambda _, _value: [], types.TracebackType)

# Views of a dict


def _behind(encoder: Any, value: Any) -> list[Any]:
    return [encoder.slot(encoder.objects.behind(value))]


_kind(
    "proxy",
    lambda dec, slot: types.MappingProxyType(dec.value(slot)),
    _behind,
    types.MappingProxyType,
    _slots_at(1),
)
_kind("keys", lambda dec, slot: dec.value(slot).keys(), _behind, type({}.keys()), _slots_at(1))
_kind("items", lambda dec, slot: dec.value(slot).items(), _behind, type({}.items()), _slots_at(1))
_kind("values", lambda dec, slot: dec.value(slot).values(), _behind, type({}.values()), _slots_at(1))

# What both sides hold, and numpy's


def _array(decoder: Any, number: Any, content: Any) -> Any:
    value = array_of(decoder, content)
    if type(number) is not int:
        raise LinkBroken("an array without a number")
    if number:
        decoder.when_done(lambda: decoder.objects.note_shared(number, value))
    return value


_kind("@", lambda dec, number: dec.objects.shared(number))
_kind("array", _array)
_kind("scalar", lambda dec, content: array_of(dec, content)[()])
