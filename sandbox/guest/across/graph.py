"""Values as a flat list of nodes: no recursion, shared references and cycles kept, every type by name.

A slot is a JSON scalar (None, bool, int, float, str as they are) or `[i]`, which stands for node i. A node
is a list that begins with its kind. What has no kind of its own is an object of one side: the other side
gets a handle (see `peer`).
"""

import collections
import datetime
import importlib
import operator
import pathlib
import re
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from . import tables
from .errors import CannotCross, StaleObject
from .link import LinkBroken, LinkClosed

INT_BITS = 62
LONG_TEXT = 4096
MAX_NODES = 2_000_000
MAX_DEPTH = 20_000
"""Of values that cannot change: the hash of a tuple that is nested deeper would overflow the stack of C."""
NO_NAME = ("", "")
Slot = Any
Node = list[Any]
_UNSET: Any = object()


class Objects(Protocol):
    """What the two directions need of a peer."""

    def node_of_object(self, value: Any, encoder: "Encoder") -> Node:
        """Make the node of something that has no kind of its own."""

    def needs_of(self, node: Node) -> list[Slot]:
        """Name the slots of such a node that must be built before it."""

    def object_of_node(self, node: Node, decoder: "Decoder") -> Any:
        """Make, or find, what such a node stands for."""

    def shared_id(self, value: Any) -> int | None:
        """Return the number under which both sides know this container."""

    def share(self, value: Any) -> int:
        """Give a container a number; 0 where it travels as a copy."""

    def shared(self, number: int) -> Any:
        """Return the container with this number."""

    def note_shared(self, number: int, value: Any) -> None:
        """Remember a container that came with this number."""

    def behind(self, view: Any) -> Any:
        """Return the dict that a view (a proxy, keys, items or values) is of."""


class Encoder:
    """Makes nodes of values, for one message."""

    described: frozenset[int] = frozenset()
    """Classes that this message describes."""
    taken: Sequence[Any] = ()
    """What else is told, once, with this message."""

    def __init__(self, objects: Objects) -> None:
        self.nodes: list[Node | None] = []
        self.blob = bytearray()
        self.objects = objects
        self.numbered: list[int] = []
        """Containers that get their number with this message."""
        self._index: dict[int, int] = {}
        self._todo: list[tuple[int, Any]] = []
        # A temporary that is gone would give its id to the next.
        self._alive: list[Any] = []

    def slot(self, value: Any) -> Slot:
        """Return the slot of a value; its node is made by `finish`."""
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if value.bit_length() <= INT_BITS else self.put(["i", hex(value)])
        if kind is float:
            return value if value - value == 0.0 else self.put(["n", repr(value)])
        if kind is str and len(value) < LONG_TEXT and _is_text(value):
            return value
        found = self._index.get(id(value))
        if found is None:
            found = self._index[id(value)] = len(self.nodes)
            self.nodes.append(None)
            self._alive.append(value)
            self._todo.append((found, value))
        return [found]

    def slots(self, values: Iterable[Any]) -> list[Slot]:
        """Return the slots of several values."""
        return [self.slot(value) for value in values]

    def put(self, node: Node) -> Slot:
        """Add a node that stands for nothing that could be met again."""
        self.nodes.append(node)
        return [len(self.nodes) - 1]

    def bytes_at(self, data: bytes | bytearray | memoryview) -> list[int]:
        """Put bytes beside the text; return where they are."""
        start = len(self.blob)
        self.blob += data
        return [start, len(data)]

    def finish(self) -> list[Node]:
        """Make the nodes that are missing; return all."""
        while self._todo:
            index, value = self._todo.pop()
            make = _MAKE.get(type(value)) or _MAKE_LATER.get(tables.later_name(type(value)) or NO_NAME)
            if make is not None:
                self.nodes[index] = make(self, value)
            elif type(value) in CONTAINERS:
                self.nodes[index] = self._container(value)
            else:
                self.nodes[index] = self.objects.node_of_object(value, self)
        return self.nodes  # type: ignore[return-value]

    def content(self, value: Any) -> list[Any]:
        """Return the elements of a container as slots, or where its bytes are."""
        if isinstance(value, bytearray):
            return self.bytes_at(value)
        if is_array(value):
            return [_dtype(value.dtype), list(value.shape), *self.bytes_at(value.tobytes())]
        return self.slots(elements(value))

    def _container(self, value: Any) -> Node:
        known = self.objects.shared_id(value)
        if known is not None:
            return ["@", known]
        # The number first: a container may hold itself.
        number = self.objects.share(value)
        self.numbered.append(number)
        kind = CONTAINERS[type(value)]
        extra: Any = None
        if kind == "deque":
            extra = value.maxlen
        elif kind == "defaultdict":
            extra = self.slot(value.default_factory)
        return [kind, number, self.content(value), extra]


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_array(value: Any) -> bool:
    """Say whether a value is an array of numpy's."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _dtype(dtype: Any) -> Any:
    return dtype.str if dtype.names is None else [[name, dtype[name].str] for name in dtype.names]


def elements(value: Any) -> list[Any]:
    """Return what a container holds, read with the builtin's own methods; keys and values in turn."""
    if isinstance(value, dict):
        own = collections.OrderedDict if isinstance(value, collections.OrderedDict) else dict
        # In one step: another thread may change it.
        return [part for pair in list(own.items(value)) for part in pair]
    if isinstance(value, list):
        return list.__getitem__(value, slice(None))
    return list((set if isinstance(value, set) else collections.deque).__iter__(value))


def refill(value: Any, content: list[Any]) -> None:
    """Put `content` in the place of what a container holds, with the builtin's own methods."""
    if isinstance(value, list):
        list.__setitem__(value, slice(None), content)
    elif isinstance(value, collections.OrderedDict):
        collections.OrderedDict.clear(value)
        for key, part in zip(content[::2], content[1::2], strict=True):
            collections.OrderedDict.__setitem__(value, key, part)
    elif isinstance(value, dict):
        dict.clear(value)
        dict.update(value, zip(content[::2], content[1::2], strict=True))
    elif isinstance(value, set):
        set.clear(value)
        set.update(value, content)
    elif isinstance(value, collections.deque):
        collections.deque.clear(value)
        collections.deque.extend(value, content)


CONTAINERS: dict[type, str] = {
    list: "list",
    dict: "dict",
    set: "set",
    bytearray: "bytearray",
    collections.deque: "deque",
    collections.OrderedDict: "ordered",
    collections.defaultdict: "defaultdict",
    collections.Counter: "counter",
}
"""Mutable types that both sides may hold and change (numpy's array is the other one)."""
_EMPTY: dict[str, Callable[[], Any]] = {name: kind for kind, name in CONTAINERS.items()}


def _date(_: Encoder, value: datetime.date) -> Node:
    return ["date", value.year, value.month, value.day]


def _own_name(zone: datetime.timezone) -> str | None:
    name = zone.tzname(None)
    return None if name == datetime.timezone(zone.utcoffset(None)).tzname(None) else name


def _clock(value: Any, encoder: Encoder) -> list[Any]:
    parts = [value.hour, value.minute, value.second, value.microsecond]
    return [*parts, encoder.slot(value.tzinfo), value.fold]


def _text(encoder: Encoder, value: str) -> Node:
    return ["s", *encoder.bytes_at(value.encode("utf-8", "surrogatepass"))]


_MAKE: dict[type, Callable[[Encoder, Any], Node]] = {
    str: _text,
    bytes: lambda enc, value: ["b", *enc.bytes_at(value)],
    memoryview: lambda enc, value: ["memory", *enc.bytes_at(value.tobytes())],
    tuple: lambda enc, value: ["t", enc.slots(value)],
    frozenset: lambda enc, value: ["f", enc.slots(value)],
    complex: lambda _, value: ["c", repr(value.real), repr(value.imag)],
    range: lambda enc, value: ["range", enc.slots((value.start, value.stop, value.step))],
    slice: lambda enc, value: ["slice", enc.slots((value.start, value.stop, value.step))],
    datetime.date: _date,
    datetime.time: lambda enc, value: ["time", *_clock(value, enc)],
    datetime.datetime: lambda enc, value: ["datetime", *_date(enc, value)[1:], *_clock(value, enc)],
    datetime.timedelta: lambda _, value: ["delta", value.days, value.seconds, value.microseconds],
    datetime.timezone: lambda enc, value: ["zone", enc.slot(value.utcoffset(None)), _own_name(value)],
    re.Pattern: lambda enc, value: ["pattern", enc.slot(value.pattern), value.flags],
    pathlib.PosixPath: lambda _, value: ["path", str(value)],
    pathlib.PurePosixPath: lambda _, value: ["purepath", str(value)],
    type(NotImplemented): lambda _, _value: ["notimplemented"],
    type(...): lambda _, _value: ["ellipsis"],
    # What it would show is the other side's business; `__exit__` gets one, and seldom looks.
    types.TracebackType: lambda _, _value: ["nothing"],
    types.MappingProxyType: lambda enc, value: ["proxy", enc.slot(enc.objects.behind(value))],
    type({}.keys()): lambda enc, value: ["keys", enc.slot(enc.objects.behind(value))],
    type({}.items()): lambda enc, value: ["items", enc.slot(enc.objects.behind(value))],
    type({}.values()): lambda enc, value: ["values", enc.slot(enc.objects.behind(value))],
}


_MAKE_LATER: dict[tuple[str, str], Callable[[Encoder, Any], Node]] = {
    ("decimal", "Decimal"): lambda _, value: ["decimal", str(value)],
    ("fractions", "Fraction"): lambda enc, value: [
        "fraction",
        enc.slots((value.numerator, value.denominator)),
    ],
    ("uuid", "UUID"): lambda _, value: ["uuid", value.hex],
    ("zoneinfo", "ZoneInfo"): lambda _, value: ["zoneinfo", value.key],
}


def _later(module: str, name: str) -> Any:
    return vars(importlib.import_module(module))[name]


class Decoder:
    """Makes values of nodes, for one message. What does not fit is the other side's fault."""

    def __init__(self, objects: Objects, nodes: Any, blob: bytes) -> None:
        if type(nodes) is not list or len(nodes) > MAX_NODES:
            raise LinkBroken("no list of nodes, or one that is too long")
        self.nodes: list[Node] = nodes
        self.objects = objects
        self._blob = blob
        self._built: list[Any] = [_UNSET] * len(nodes)
        self._depth: dict[int, int] = {}
        self._fill: list[tuple[Any, list[Any]]] = []
        self._later: list[Callable[[], None]] = []
        if nodes:
            self._build()

    def value(self, slot: Slot) -> Any:
        """Return what a slot stands for."""
        if type(slot) is list:
            return self._built[self._number(slot)]
        if type(slot) is dict:
            raise LinkBroken("a slot that is none")
        return slot

    def values(self, slots: Any) -> list[Any]:
        """Return what several slots stand for."""
        if type(slots) is not list:
            raise LinkBroken("no list of slots")
        return [self.value(slot) for slot in slots]

    def bytes_at(self, start: Any, size: Any) -> bytes:
        """Return bytes from beside the text."""
        if (
            type(start) is not int
            or type(size) is not int
            or not 0 <= start <= start + size <= len(self._blob)
        ):
            raise LinkBroken("bytes that are not there")
        return self._blob[start : start + size]

    def fill_later(self, value: Any, slots: Any) -> None:
        """Fill a container once everything exists."""
        if type(slots) is not list:
            raise LinkBroken("a container without content")
        self._fill.append((value, slots))

    def when_done(self, action: Callable[[], None]) -> None:
        """Do something once everything is filled."""
        self._later.append(action)

    def _number(self, slot: list[Any]) -> int:
        if len(slot) != 1 or type(slot[0]) is not int or not 0 <= slot[0] < len(self.nodes):
            raise LinkBroken("a slot that leads nowhere")
        index: int = slot[0]
        return index

    def _build(self) -> None:
        try:
            for start in range(len(self.nodes)):
                self._build_from(start)
            for value, slots in self._fill:
                refill(value, self.values(slots))
            for action in self._later:
                action()
            # The actions know of this object, and it of them: what it has made would wait for `gc`.
            self._later.clear()
            self._fill.clear()
        except (CannotCross, StaleObject, LinkBroken, LinkClosed, RecursionError, MemoryError):
            raise
        except Exception as exc:
            raise LinkBroken(f"values that cannot be: {type(exc).__name__}: {exc!s:.100}") from exc

    def _build_from(self, start: int) -> None:
        stack, active = [start], set[int]()
        while stack:
            index = stack[-1]
            if self._built[index] is not _UNSET:
                stack.pop()
                continue
            needs = self._needs(index)
            missing = [need for need in needs if self._built[need] is _UNSET]
            if not missing:
                if needs:
                    self._go_deeper(index, needs)
                self._built[index] = self._make(self.nodes[index])
                active.discard(index)
                stack.pop()
            elif index in active:
                raise LinkBroken("a value that is within itself")
            else:
                active.add(index)
                stack += missing

    def _go_deeper(self, index: int, needs: list[int]) -> None:
        depth = 1 + max(self._depth.get(need, 0) for need in needs)
        if depth > MAX_DEPTH:
            raise CannotCross(f"a value that is nested more than {MAX_DEPTH} deep")
        self._depth[index] = depth

    def _needs(self, index: int) -> list[int]:
        """Name the nodes that must exist before this one: all that an immutable value refers to."""
        node = self.nodes[index]
        if type(node) is not list or not node or type(node[0]) is not str:
            raise LinkBroken("a node without a kind")
        find = _NEEDS.get(node[0])
        try:
            needed = self.objects.needs_of(node) if find is None else find(node)
        except (IndexError, TypeError):
            raise LinkBroken("a node with parts missing") from None
        return [self._number(slot) for slot in needed if type(slot) is list]

    def _make(self, node: Node) -> Any:
        kind = node[0]
        make = _BUILD.get(kind)
        try:
            if make is not None:
                return make(self, *node[1:])
            if kind in _EMPTY:
                return self._empty(*node)
            return self.objects.object_of_node(node, self)
        except CannotCross:
            raise
        except (TypeError, ValueError, ArithmeticError, OverflowError, IndexError) as exc:
            raise LinkBroken(f"a node that cannot be: {kind[:40]}: {exc}") from exc

    def _empty(self, kind: str, number: Any, content: Any, extra: Any) -> Any:
        if kind == "bytearray":
            value: Any = bytearray(self.bytes_at(*content))
        elif kind == "deque":
            value = collections.deque(maxlen=extra)
        elif kind == "defaultdict":
            value = collections.defaultdict(self.value(extra))
        else:
            value = _EMPTY[kind]()
        if kind != "bytearray":
            self.fill_later(value, content)
        if type(number) is not int:
            raise LinkBroken("a container without a number")
        if number:
            self.when_done(lambda: self.objects.note_shared(number, value))
        return value


def _float(text: Any) -> float:
    if type(text) is not str:
        raise LinkBroken("a number that is no text")
    return float(text)


def _int(text: Any) -> int:
    if type(text) is not str:
        raise LinkBroken("a number that is no text")
    return int(text, 16)


def _array(decoder: Decoder, number: Any, content: Any) -> Any:
    value = array_of(decoder, content)
    if type(number) is not int:
        raise LinkBroken("an array without a number")
    if number:
        decoder.when_done(lambda: decoder.objects.note_shared(number, value))
    return value


def array_of(decoder: Decoder, content: Any) -> Any:
    """Make a numpy array of plain numbers or texts."""
    import numpy as np  # noqa: PLC0415 -- slow, and seldom needed

    text, shape, start, size = content
    dtype = np.dtype([(str(part[0]), *part[1:]) for part in text] if type(text) is list else text)
    if dtype.hasobject:
        raise LinkBroken("an array of objects")
    return np.frombuffer(bytearray(decoder.bytes_at(start, size)), dtype=dtype).reshape(shape)


def _scalar(decoder: Decoder, content: Any) -> Any:
    return array_of(decoder, content)[()]


def _time(decoder: Decoder, parts: Sequence[Any]) -> datetime.time:
    hour, minute, second, micro, zone, fold = parts
    return datetime.time(hour, minute, second, micro, decoder.value(zone), fold=fold)


def _datetime(decoder: Decoder, parts: Sequence[Any]) -> datetime.datetime:
    *day, hour, minute, second, micro, zone, fold = parts
    year, month, date = day
    return datetime.datetime(year, month, date, hour, minute, second, micro, decoder.value(zone), fold=fold)


_BUILD: dict[str, Callable[..., Any]] = {
    "i": lambda _, text: _int(text),
    "n": lambda _, text: _float(text),
    "s": lambda dec, start, size: dec.bytes_at(start, size).decode("utf-8", "surrogatepass"),
    "b": lambda dec, start, size: dec.bytes_at(start, size),
    "memory": lambda dec, start, size: memoryview(dec.bytes_at(start, size)),
    "t": lambda dec, slots: tuple(dec.values(slots)),
    "f": lambda dec, slots: frozenset(dec.values(slots)),
    "c": lambda _, real, imag: complex(_float(real), _float(imag)),
    "range": lambda dec, slots: range(*dec.values(slots)),
    "slice": lambda dec, slots: slice(*dec.values(slots)),
    "date": lambda _, *parts: datetime.date(*parts),
    "time": lambda dec, *parts: _time(dec, parts),
    "datetime": lambda dec, *parts: _datetime(dec, parts),
    "delta": lambda _, *parts: datetime.timedelta(*parts),
    "zone": lambda dec, offset, name: datetime.timezone(dec.value(offset), *([] if name is None else [name])),
    "decimal": lambda _, text: _later("decimal", "Decimal")(text),
    "fraction": lambda dec, slots: _later("fractions", "Fraction")(*dec.values(slots)),
    "pattern": lambda dec, text, flags: re.compile(dec.value(text), flags & ~re.DEBUG),
    "match": lambda dec, pattern, text, how, *at: getattr(dec.value(pattern), _MATCHES[how])(
        dec.value(text), *at
    ),
    "zoneinfo": lambda _, key: _later("zoneinfo", "ZoneInfo")(key),
    "uuid": lambda _, text: _later("uuid", "UUID")(hex=text),
    "path": lambda _, text: pathlib.PosixPath(text),
    "purepath": lambda _, text: pathlib.PurePosixPath(text),
    "notimplemented": lambda _: NotImplemented,
    "ellipsis": lambda _: ...,
    "nothing": lambda _: None,
    "proxy": lambda dec, slot: types.MappingProxyType(dec.value(slot)),
    "keys": lambda dec, slot: dec.value(slot).keys(),
    "items": lambda dec, slot: dec.value(slot).items(),
    "values": lambda dec, slot: dec.value(slot).values(),
    "@": lambda dec, number: dec.objects.shared(number),
    "array": _array,
    "scalar": _scalar,
}


_MATCHES: dict[str, str] = {"match": "match", "search": "search", "fullmatch": "fullmatch"}


def match_node(encoder: Encoder, found: Any) -> Node | None:
    """Say how to find a match again; None where no simple way finds the same."""
    for how, at in (("match", (found.start(),)), ("search", ()), ("fullmatch", found.span())):
        again = getattr(found.re, how)(found.string, *at)
        if again is not None and again.regs == found.regs:
            return ["match", encoder.slot(found.re), encoder.slot(found.string), how, *at]
    return None


_NEEDS: dict[str, Callable[[Node], list[Slot]]] = {
    **dict.fromkeys((*_BUILD, *_EMPTY), lambda _: []),
    **dict.fromkeys(("t", "f", "range", "slice", "fraction"), operator.itemgetter(1)),
    **dict.fromkeys(("zone", "proxy", "keys", "items", "values"), lambda node: [node[1]]),
    "pattern": lambda node: [node[1]],
    "match": lambda node: [node[1], node[2]],
    "time": lambda node: [node[5]],
    "datetime": lambda node: [node[8]],
    "defaultdict": lambda node: [node[3]],
}
"""Which slots of a node must be built before it: for immutable values, all of them."""


def same(before: list[Any], now: list[Any]) -> bool:
    """Say whether two lists hold the very same objects."""
    return len(before) == len(now) and all(map(operator.is_, before, now))
