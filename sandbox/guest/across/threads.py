"""Many threads on one link: each is served by a thread of its own on the other side.

As long as both processes have only their main thread this is not used at all: a message goes out, the next
one that comes is the answer. Once either has another thread, every message says on behalf of which thread it
travels (its *route*), and one reader per process hands on what comes: answers, and questions that are asked
while a question is served, to the thread that waits for them; all others to the thread that serves theirs.

Number 0 are the two main threads. Other threads get odd numbers on the script's side, even ones on the
tests' side; who serves a thread has its number over there.
"""

import _thread
import collections
import contextlib
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Protocol

from .errors import CannotCross
from .link import Link, LinkBroken, LinkClosed

MAIN = 0
MOST_WORKERS = 64
MOST_WAITING = 16
"""Messages for one thread that it has not taken yet. Of an honest side there are one or two."""
MOST_BYTES = 256 * 1024 * 1024
"""Size of all messages that nobody has taken yet; only a single one may be larger."""
MOST_LATER = 10_000
JOIN_S = 1.0
Item = tuple[int, int, list[Any], bytes]
# What tests replace in `threading` must not be what serves them.
_start = threading.Thread.start
_join = threading.Thread.join


class Server(Protocol):
    """What is needed of a peer."""

    def serve(self, message: list[Any], blob: bytes) -> None:
        """Answer a question."""

    def answer(self, number: int, good: bool, answer: Any) -> None:
        """Send an answer."""

    def fatal(self) -> tuple[type[BaseException], ...]:
        """Name the errors that end the conversation."""

    def noted(self, message: list[Any]) -> bool:
        """Take a note; say whether it could be."""

    def when_broken(self, error: LinkBroken) -> None:
        """Take note that the other side is not honest."""


class Seat:
    """What a thread has of its own."""

    def __init__(self, number: int, when_left: Callable[[int], None] | None = None) -> None:
        """Make the seat of thread `number`; `when_left` is told when a thread of this side has ended."""
        self.number = number
        self.inbox: SimpleQueue[Item | Exception | None] = SimpleQueue()
        self.arrival = 0
        """Which message it is making values of."""
        self.told: set[int] = set()
        """Classes that have been described to it, and perhaps to no other thread yet."""
        self.is_new = when_left is not None
        self.busy = False
        self.waiting = False
        self.thread: threading.Thread | None = None
        self._when_left = when_left

    def __del__(self) -> None:
        # The thread has ended, and with it its locals.
        if self._when_left is not None:
            self._when_left(self.number)


class Threads:
    """Stands in for a `Link`: sends and receives for whichever thread calls."""

    def __init__(self, peer: Server, link: Link, step: int, sending: Any) -> None:
        """Take over a link, but for a main thread that waits for it.

        Args:
            peer: answers what is asked.
            link: what is taken over.
            step: the number of this side's first thread.
            sending: the lock that whoever sends holds.
        """
        self._peer, self._link, self._sending = peer, link, sending
        self._step, self._next = step, step
        self._main = threading.main_thread().ident
        self._local = threading.local()
        self._guard = threading.RLock()
        self._main_seat = Seat(MAIN)
        self._own: dict[int, weakref.ref[Seat]] = {}
        self._workers: dict[int, Seat] = {}
        self._gone: list[int] = []
        self._arrivals = 0
        self._undecoded: dict[int, None] = {}
        self._later: collections.deque[tuple[int, Callable[[], None]]] = collections.deque()
        self._reader: int | None = None
        self._bytes = 0
        self._closed: LinkClosed | LinkBroken | None = None
        self.when_gone: Callable[[list[int]], None] = lambda _numbers: None
        self.when_known: Callable[[set[int]], None] = lambda _handles: None

    # For all threads

    def seat(self) -> Seat:
        """Return the seat of the calling thread."""
        found: Seat | None = getattr(self._local, "seat", None)
        return found if found is not None else self._sit_down()

    def _sit_down(self) -> Seat:
        ident = _thread.get_ident()
        if ident == self._reader:
            raise CannotCross("a question of the thread that reads the answers")
        with self._guard:
            if ident == self._main:
                seat = self._main_seat
            else:
                number, self._next = self._next, self._next + 2
                seat = Seat(number, self._left)
                # Only the thread itself keeps it.
                self._own[number] = weakref.ref(seat)
            if self._closed is not None:
                seat.inbox.put(self._closed)
        self._local.seat = seat
        return seat

    def _left(self, number: int) -> None:
        """Say at once that a thread has ended: whoever counts threads must not find its server any more."""
        self._own.pop(number, None)
        if self._closed is None:
            with contextlib.suppress(LinkClosed), self._sending:
                self._link.send(["E", {"t": MAIN, "e": [number]}])

    def send(self, message: list[Any], blob: bytes | bytearray = b"") -> None:
        """Send a message on behalf of the calling thread; the caller keeps others from sending."""
        seat = self.seat()
        if self._closed is not None:
            raise LinkClosed
        route: dict[str, Any] = {"t": seat.number}
        if seat.is_new:
            seat.is_new = False
            route["n"] = threading.current_thread().name[:200]
        if self._gone:
            gone, self._gone = self._gone, []
            route["g"] = gone
        self._link.send([message[0].upper(), *message[1:], route], blob)

    def receive(self) -> tuple[list[Any], bytes]:
        """Wait for the next message to the calling thread."""
        seat = self.seat()
        self.decoded()
        self.read()
        seat.waiting = True
        item = seat.inbox.get()
        with self._guard:
            # From here on its loop is told of notes; those that came before are in the inbox.
            seat.waiting = False
        if not isinstance(item, tuple):
            # It is there for whoever waits further out, too.
            seat.inbox.put(item)
            raise LinkClosed if item is None else type(item)(*item.args)
        seat.arrival, size, message, blob = item
        with self._guard:
            self._bytes -= size
        if seat.told:
            # What it has sent last has been read, or this would not have been written.
            told, seat.told = seat.told, set()
            self.when_known(told)
        return message, blob

    @property
    def reading(self) -> bool:
        """Somebody always reads here."""
        return True

    def fileno(self) -> int:
        """Return the socket's number."""
        return self._link.fileno()

    def has_message(self) -> bool:
        """Say whether something is there for the main thread, which calls, besides what it waited for."""
        return _thread.get_ident() == self._main and self._main_seat.inbox.qsize() > 0

    has_rest = has_message

    # The order of things

    def decoded(self) -> None:
        """Note that the calling thread has made values of its message."""
        seat = self.seat()
        if seat.arrival:
            with self._guard:
                self._undecoded.pop(seat.arrival, None)
            seat.arrival = 0
            self._do_later()

    def later(self, action: Callable[[], None]) -> None:
        """Do something once all that had arrived before this thread's message has been made values of.

        What arrives first may be looked at last; until then nothing that it speaks of may be forgotten.
        """
        self._put_off(self.seat().arrival, action)

    def _put_off(self, arrival: int, action: Callable[[], None]) -> None:
        if len(self._later) > MOST_LATER:
            raise LinkBroken("more to be forgotten than an honest side has")
        self._later.append((arrival, action))

    def _do_later(self) -> None:
        while self._later:
            with self._guard:
                first = next(iter(self._undecoded), None)
                if not self._later or (first is not None and first < self._later[0][0]):
                    return
                _, action = self._later.popleft()
            action()

    def forgotten(self, numbers: list[int]) -> None:
        """Tell the other side, with the next message, that these containers are forgotten here."""
        self._gone += numbers

    # Reading

    def read(self) -> None:
        """See to it that messages are read."""
        if self._reader is None and (not self._link.reading or _thread.get_ident() == self._main):
            with self._guard:
                if self._reader is None:
                    self._reader = _thread.start_new_thread(self._read, ())

    def _read(self) -> None:
        with self._guard:
            self._reader = _thread.get_ident()
        try:
            while True:
                self.hand_on(*self._link.receive())
        except (LinkClosed, LinkBroken) as exc:
            self.close(exc)
        except BaseException as exc:  # noqa: BLE001 -- without a reader nobody would ever be answered
            self.close(LinkBroken(f"a message that cannot be read ({type(exc).__name__}: {exc})"))

    def close(self, error: LinkClosed | LinkBroken) -> None:
        """Have every thread that waits, or will ever wait, raise this."""
        with self._guard:
            if self._closed is not None:
                return
            self._closed = error
            seats = [self._main_seat, *self._workers.values(), *(ref() for ref in list(self._own.values()))]
        for seat in seats:
            if seat is not None:
                seat.inbox.put(error)
        if isinstance(error, LinkBroken):
            self._peer.when_broken(error)

    def hand_on(self, message: list[Any], blob: bytes) -> None:
        """Give a message to the thread that it is for."""
        route = message.pop() if message and type(message[-1]) is dict else {"t": MAIN}
        if not message or type(message[0]) is not str or type(route.get("t")) is not int:
            raise LinkBroken("a message of no known kind")
        message[0] = message[0].lower()
        with self._guard:
            self._arrivals += 1
        self._note(route)
        if message[0] == "n":
            with self._guard:
                if self._main_seat.waiting or not self._peer.noted(message):
                    self._put(MAIN, None, message, blob)
        elif message[0] != "e":
            self._put(route["t"], route.get("n"), message, blob)

    def _put(self, number: int, name: Any, message: list[Any], blob: bytes) -> None:
        seat = self._seat_for(number, name, message)
        if seat is None:
            return
        size = self._link.size
        with self._guard:
            waiting = seat.inbox.qsize()
            if waiting >= MOST_WAITING or (self._bytes and self._bytes + size > MOST_BYTES):
                raise LinkBroken("more messages than an honest side sends")
            self._bytes += size
            self._undecoded[self._arrivals] = None
            seat.inbox.put((self._arrivals, size, message, blob))

    def _note(self, route: dict[str, Any]) -> None:
        gone, ended = route.get("g"), route.get("e")
        if type(gone) is list:
            self._put_off(self._arrivals, lambda: self.when_gone(gone))
        for number in ended if type(ended) is list else ():
            if type(number) is int:
                self._dismiss(number)

    def _dismiss(self, number: int) -> None:
        seat = self._workers.pop(number, None)
        if seat is None:
            return
        idle = not seat.busy and not seat.inbox.qsize()
        seat.inbox.put(None)
        if idle and seat.thread is not None:
            # Who counts threads now must not find it.
            _join(seat.thread, JOIN_S)

    def _seat_for(self, number: int, name: Any, message: list[Any]) -> Seat | None:
        if number == MAIN:
            return self._main_seat
        if number % 2 != self._step % 2:
            return self._workers.get(number) or self._hire(number, name, message)
        ref = self._own.get(number)
        if not 0 < number < self._next:
            raise LinkBroken("a message to a thread that never was")
        # None: it has ended, though it waited: something has interrupted it.
        return None if ref is None else ref()

    # Serving

    def _hire(self, number: int, name: Any, question: list[Any]) -> Seat | None:
        if number <= 0 or question[0] != "q" or len(question) <= 1:
            raise LinkBroken("an answer to a thread that has asked nothing")
        seat = Seat(number)
        title = name[:200] if type(name) is str and name else None
        if len(self._workers) < MOST_WORKERS:
            seat.thread = threading.Thread(target=self._work, args=(seat,), name=title, daemon=False)
            try:
                _start(seat.thread)
            except RuntimeError:
                seat.thread = None
        if seat.thread is None:
            self._refuse(seat, question[1])
            return None
        self._workers[number] = seat
        return seat

    def _refuse(self, seat: Seat, question: Any) -> None:
        self._local.seat = seat
        why = CannotCross(f"a call from one more thread than {MOST_WORKERS}")
        try:
            self._peer.answer(question, good=False, answer=why)
        finally:
            del self._local.seat

    def _work(self, seat: Seat) -> None:
        self._local.seat = seat
        try:
            while True:
                # An answer, which nobody has asked for, has too few parts to be served.
                message, blob = self.receive()
                seat.busy = True
                self._peer.serve(message, blob)
                del message, blob
                seat.busy = False
        except LinkBroken as exc:
            self.close(exc)
        except LinkClosed:
            pass
        except BaseException as exc:  # noqa: BLE001 -- who asked would wait for ever
            if not isinstance(exc, self._peer.fatal()):
                self.close(LinkBroken(f"a question that cannot be answered ({type(exc).__name__}: {exc})"))
