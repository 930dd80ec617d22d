"""What one side keeps of the other's objects, and what the other keeps of this side's."""

import collections
import gc
import threading
import weakref
from typing import Any

from . import awaiting
from .errors import CannotCross
from .link import LinkBroken
from .mirror import Ref
from .shared import SharedContainers
from .threads import Threads

MOST_EXPORTS = 200_000
MISSING: Any = object()


class Held:
    """The tables of one peer."""

    def __init__(self, step: int) -> None:
        """Start empty; `step` is 1 on one side and 2 on the other."""
        self.shared_containers = SharedContainers(step)
        self.imports: dict[int, Any] = {}
        """Handle → weak (or, for classes, lasting) reference to the mirror."""
        self.named: dict[str, Any] = {}
        """Classes and functions of the script, by qualified name."""
        self._received: dict[int, int] = {}
        self._lost: list[tuple[int, Any]] = []
        """Mirrors that have gone, and are still to be given back."""
        self._deriving: list[type] = []
        self._lives: dict[int, weakref.ref[Ref]] = {}
        self._kept: collections.deque[int] = collections.deque()
        self._released: list[tuple[int, int]] = []
        self._exports: dict[int, list[Any]] = {}
        self._handles: dict[int, int] = {}
        self._next_handle = 1
        self._described: set[int] = set()
        self._originals: dict[tuple[int, str], Any] = {}
        self.has_news = False
        """Whether there is something for `tell`."""
        self.sending = threading.RLock()
        self.aio: Any
        self.threads: Threads | None = None
        """Once either side has more than its main thread; the link is this one, then."""

    def export(self, value: Any) -> int:
        """Keep an object for the other side; return its handle."""
        handle = self._handles.get(id(value))
        if handle is None:
            if len(self._exports) > MOST_EXPORTS:
                raise CannotCross(f"more than {MOST_EXPORTS} objects held at once")
            handle, self._next_handle = self._next_handle, self._next_handle + 1
            self._handles[id(value)] = handle
            self._exports[handle] = [value, 0]
        self._exports[handle][1] += 1
        return handle

    def handle_of(self, value: Any) -> int:
        """Return the handle under which the other side has an object; 0 if it has not."""
        return self._handles.get(id(value), 0)

    def exported(self, handle: Any) -> Any:
        """Return the object that the other side has under a handle; None if there is none."""
        entry = self._exports.get(handle) if type(handle) is int else None
        return None if entry is None else entry[0]

    def _known(self, handle: Any) -> Any:
        if type(handle) is not int:
            raise LinkBroken("a handle that is no number")
        found = self.imports.get(handle)
        # Held before it is counted: what is counted for one that goes now would be given back.
        known = None if found is None else found()
        self._received[handle] = self._received.get(handle, 0) + 1
        return known

    def _remember(self, handle: int, made: Any) -> Any:
        try:
            self.imports[handle] = weakref.ref(made, lambda gone: self._lost.append((handle, gone)))
        except TypeError:
            self.imports.pop(handle, None)
        return made

    def _give_back(self) -> None:
        while self._lost:
            handle, gone = self._lost.pop()
            # Unless there is another one by now, for which the same count stands.
            if self.imports.get(handle) is gone:
                self._forget(handle)

    def _forget(self, handle: int) -> None:
        self.imports.pop(handle, None)
        self._lives.pop(handle, None)
        self._released.append((handle, self._received.pop(handle, 0)))

    def _release(self, pairs: list[list[int]]) -> None:
        ended = []
        with self.sending:
            for handle, count in pairs:
                entry = self._exports.get(handle)
                if entry is not None:
                    entry[1] -= count
                    if entry[1] <= 0:
                        del self._exports[handle]
                        self._handles.pop(id(entry[0]), None)
                        ended.append(entry)
        # What happens when they go may take its time: not under the lock.
        for entry in ended:
            awaiting.let_go(entry[0])

    def shared_id(self, value: Any) -> int | None:
        return self.shared_containers.number_of(value)

    def share(self, value: Any) -> int:
        return self.shared_containers.add(value)

    def shared(self, number: int) -> Any:
        return self.shared_containers.get(number)

    def note_shared(self, number: int, value: Any) -> None:
        self.shared_containers.note(number, value)

    def behind(self, view: Any) -> Any:
        """Return the dict that a view is of: both sides share it, and the view stays one."""
        return gc.get_referents(view)[0]

    def holds(self, handle: int) -> bool:
        """Say whether the other side still keeps an object for this one."""
        return handle in self.imports or any(handle == each for each, _ in self._released)
