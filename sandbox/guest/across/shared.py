"""Containers that both sides hold: what one side changes, the other sees before it goes on.

A list that a test hands over, or gets back, is one list in one interpreter and two in two. Both sides know
it by a number, compare it with what it last was, and send what has changed along with the next message.
"""

import sys
from typing import Any

from .graph import Decoder, Encoder, array_of, elements, is_array, refill, same
from .link import LinkBroken

MOST = 400
"""Past this many the oldest are forgotten: they go on as copies."""
UPDATE_PARTS = 2


class _Entry:
    __slots__ = ("before", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.before = state(value)


def state(value: Any) -> Any:
    """Return what to compare a container with later: its elements, or its bytes."""
    if isinstance(value, bytearray):
        return bytes(value)
    return value.tobytes() if is_array(value) else elements(value)


def is_same(value: Any, before: Any) -> bool:
    """Say whether a container still holds what it held."""
    now = state(value)
    return now == before if isinstance(before, bytes) else same(before, now)


def _probe() -> int:
    """How many references an entry has when nobody else holds its value."""
    entries = {1: _Entry([])}
    return next(sys.getrefcount(entry.value) for entry in entries.values())


UNHELD = _probe()


class SharedContainers:
    """One side's table."""

    def __init__(self, step: int) -> None:
        """Make an empty table; `step` is 1 or 2: the two sides must not give the same number."""
        self._next = step
        self._entries: dict[int, _Entry] = {}
        self._numbers: dict[int, int] = {}
        self.on = True

    def __bool__(self) -> bool:
        return bool(self._entries)

    def number_of(self, value: Any) -> int | None:
        """Return the number of a container, or None."""
        return self._numbers.get(id(value)) if self._numbers else None

    def add(self, value: Any) -> int:
        """Give a container of this side a number; its state is taken by `settle`."""
        if not self.on:
            return 0
        number, self._next = self._next, self._next + 2
        self.note(number, value)
        return number

    def note(self, number: int, value: Any) -> None:
        """Remember a container under a number."""
        if number in self._entries:
            raise LinkBroken("a container's number that is in use")
        if self.on:
            self._entries[number] = _Entry(value)
            self._numbers[id(value)] = number

    def get(self, number: Any) -> Any:
        """Return the container with this number."""
        entry = self._entries.get(number) if type(number) is int else None
        if entry is None:
            raise LinkBroken("a container that is not shared")
        return entry.value

    def changes(self, encoder: Encoder) -> list[Any]:
        """Encode what has changed on this side since the last message."""
        found: list[Any] = []
        for number, entry in list(self._entries.items()):
            if not is_same(entry.value, entry.before):
                entry.before = state(entry.value)
                found.append([number, encoder.content(entry.value)])
        return found

    def apply(self, changes: Any, decoder: Decoder) -> None:
        """Take over what has changed on the other side."""
        if type(changes) is not list:
            raise LinkBroken("no list of changes")
        for change in changes:
            if type(change) is not list or len(change) != UPDATE_PARTS:
                raise LinkBroken("a change that says nothing")
            entry = self._entries.get(change[0]) if type(change[0]) is int else None
            if entry is not None:
                try:
                    _replace(entry.value, change[1], decoder)
                except (TypeError, ValueError, AttributeError, ArithmeticError) as exc:
                    raise LinkBroken(f"a change that cannot be: {exc!s:.100}") from exc
                entry.before = state(entry.value)

    def forget(self, numbers: Any) -> None:
        """Forget containers that the other side does not hold any more."""
        for number in numbers if type(numbers) is list else ():
            self._drop(number)

    def unheld(self) -> list[int]:
        """Forget, and name, what nobody on this side holds any more, and the oldest of too many."""
        found = [number for number, entry in self._entries.items() if sys.getrefcount(entry.value) <= UNHELD]
        rest = len(self._entries) - len(found)
        if rest > MOST:
            found += [number for number in self._entries if number not in set(found)][: rest - MOST]
        for number in found:
            self._drop(number)
        return found

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._numbers.clear()

    def _drop(self, number: Any) -> None:
        entry = self._entries.pop(number, None) if type(number) is int else None
        if entry is not None:
            self._numbers.pop(id(entry.value), None)


def _replace(value: Any, content: Any, decoder: Decoder) -> None:
    if isinstance(value, bytearray):
        value[:] = decoder.bytes_at(*content)
    elif is_array(value):
        value[...] = array_of(decoder, content)
    else:
        refill(value, decoder.values(content))
