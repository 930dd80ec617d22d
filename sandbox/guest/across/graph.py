"""Values as a flat list of nodes: no recursion, shared references and cycles kept, every type by name.

A slot is a JSON scalar (None, bool, int, float, str as they are) or `[i]`, which stands for node i. A node
is a list that begins with its kind. What has no kind of its own is an object of one side: the other side
gets a handle (see `peer`).
"""

import collections
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from . import tables
from .containers import CONTAINERS, EMPTY, dtype_of, elements, is_array, refill
from .errors import CannotCross, StaleObject
from .kinds import BUILD, MAKE, MAKE_LATER, NEEDS, Node, Slot
from .link import LinkBroken, LinkClosed

INT_BITS = 62
LONG_TEXT = 4096
MAX_NODES = 2_000_000
MAX_DEPTH = 20_000
"""Of values that cannot change: the hash of a tuple that is nested deeper would overflow the stack of C."""
NO_NAME = ("", "")
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
            make = MAKE.get(type(value)) or MAKE_LATER.get(tables.later_name(type(value)) or NO_NAME)
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
            return [dtype_of(value.dtype), list(value.shape), *self.bytes_at(value.tobytes())]
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
                if self._built[start] is _UNSET:
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
        if not self._needs(start):
            self._built[start] = self._make(self.nodes[start])
            return
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
        kind = node[0]
        find = NEEDS.get(kind, self.objects.needs_of)
        if find is None:
            return []
        try:
            needed = find(node)
        except (IndexError, TypeError):
            raise LinkBroken("a node with parts missing") from None
        return [self._number(slot) for slot in needed if type(slot) is list]

    def _make(self, node: Node) -> Any:
        kind = node[0]
        make = BUILD.get(kind)
        try:
            if make is not None:
                return make(self, *node[1:])
            if kind in EMPTY:
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
            value = EMPTY[kind]()
        if kind != "bytearray":
            self.fill_later(value, content)
        if type(number) is not int:
            raise LinkBroken("a container without a number")
        if number:
            self.when_done(lambda: self.objects.note_shared(number, value))
        return value
