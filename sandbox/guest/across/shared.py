"""Containers that both sides hold: what one side changes, the other sees before it goes on.

A list that a test hands over, or gets back, is one list in one interpreter and two in two. Both sides know
it by a number, compare it with what it last was, and send what has changed along with the next message.
"""

import sys
from typing import TYPE_CHECKING, Any

from .containers import array_of, elements, is_array, refill, same
from .errors import CannotCross
from .graph import Decoder, Encoder
from .link import LinkBroken

if TYPE_CHECKING:
    from .threads import Threads

MOST = 400
"""Past this many the oldest are forgotten: they go on as copies."""
UPDATE_PARTS = 2


class _Entry:
    __slots__ = ("arrival", "before", "leaving", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.arrival = 0
        """With which message its content came."""
        self.leaving = False
        """While the other side may still name it."""
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
        self.entries: dict[int, _Entry] = {}
        self._numbers: dict[int, int] = {}
        self._unsaid: list[int] = []
        self.on = True
        self.threads: Threads | None = None
        """Once threads talk at once: messages cross, then."""

    def __bool__(self) -> bool:
        return bool(self.entries)

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
        if number in self.entries:
            raise LinkBroken("a container's number that is in use")
        if self.on:
            self.entries[number] = _Entry(value)
            self._numbers[id(value)] = number

    def get(self, number: Any) -> Any:
        """Return the container with this number."""
        entry = self.entries.get(number) if type(number) is int else None
        if entry is None and self.threads is not None:
            raise CannotCross("a container that is not shared any more")
        if entry is None:
            raise LinkBroken("a container that is not shared")
        return entry.value

    def changes(self, encoder: Encoder) -> list[Any]:
        """Encode what has changed on this side since the last message."""
        found: list[Any] = []
        for number, entry in list(self.entries.items()):
            if not entry.leaving and not is_same(entry.value, entry.before):
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
            entry = self.entries.get(change[0]) if type(change[0]) is int else None
            if entry is not None and self._is_news(entry):
                try:
                    _replace(entry.value, change[1], decoder)
                except (TypeError, ValueError, AttributeError, ArithmeticError) as exc:
                    raise LinkBroken(f"a change that cannot be: {exc!s:.100}") from exc
                entry.before = state(entry.value)

    def _is_news(self, entry: _Entry) -> bool:
        """Say whether no later message about this container has been read before this one."""
        if self.threads is None:
            return True
        arrival = self.threads.seat().arrival
        if arrival < entry.arrival:
            return False
        entry.arrival = arrival
        return True

    def forget(self, numbers: Any) -> None:
        """Forget containers that the other side does not hold any more."""
        found = [number for number in numbers if type(number) is int] if type(numbers) is list else []
        for number in found:
            self._drop(number)
        if self.threads is not None:
            self.threads.forgotten(found)

    def gone(self, numbers: list[int]) -> None:
        """Forget for good what the other side has forgotten too, and will not name any more."""
        for number in numbers:
            entry = self.entries.get(number) if type(number) is int else None
            if entry is not None and entry.leaving:
                self._drop(number)

    def take_back(self, numbered: list[int], changed: Any = (), unheld: Any = ()) -> None:
        """Undo what a message that was never sent would have told."""
        for number in numbered:
            self._drop(number)
        for number, _ in changed:
            if number in self.entries:
                self.entries[number].before = [self]
        self._unsaid += unheld

    def unheld(self) -> list[int]:
        """Forget, and name, what nobody on this side holds any more, and the oldest of too many."""
        entries = [(number, entry) for number, entry in list(self.entries.items()) if not entry.leaving]
        found = [number for number, entry in entries if sys.getrefcount(entry.value) <= UNHELD]
        rest = len(entries) - len(found)
        if rest > MOST:
            known = set(found)
            found += [number for number, _ in entries if number not in known][: rest - MOST]
        del entries
        for number in found:
            self._leave(number)
        unsaid, self._unsaid = self._unsaid, []
        return found + unsaid

    def _leave(self, number: int) -> None:
        if self.threads is None:
            self._drop(number)
            return
        # The other side may be naming it just now; it says when it will not any more.
        entry = self.entries[number]
        entry.leaving = True
        self._numbers.pop(id(entry.value), None)

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
        self._numbers.clear()

    def _drop(self, number: Any) -> None:
        entry = self.entries.pop(number, None) if type(number) is int else None
        if entry is not None and self._numbers.get(id(entry.value)) == number:
            del self._numbers[id(entry.value)]


def _replace(value: Any, content: Any, decoder: Decoder) -> None:
    if isinstance(value, bytearray):
        value[:] = decoder.bytes_at(*content)
    elif is_array(value):
        value[...] = array_of(decoder, content)
    else:
        refill(value, decoder.values(content))
