"""One side of the conversation: it asks, and it answers."""

import _thread
import functools
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from .answering import Answering
from .errors import CannotCross, StaleObject
from .graph import Decoder, Encoder
from .incoming import Incoming
from .link import Link, LinkBroken, LinkClosed
from .mirror import INFO
from .outgoing import Outgoing
from .short import STRUCTURES, WITHOUT_NAMES, arguments, known, question, slot_of, unpack, with_names
from .telling import Telling
from .threads import Threads

_more_threads: Callable[[], int] = _thread._count  # noqa: SLF001 -- the cheapest way to know
ANSWERS = (("a", 6), ("r", 3))
"""Kinds of answers, and how many parts they have."""


class Peer(Outgoing, Incoming, Answering, Telling):
    """Asks and answers over one link. Subclasses say what the other side may ask for."""

    def __init__(self, link: Link, step: int) -> None:
        super().__init__(step)
        self.link: Link | Threads = link
        self._step = step
        self._abandoned: set[Any] = set()
        """Questions whose answer nobody waits for any more."""
        self._ids = 0
        self.dead = False
        self._aio: Any = None
        self._running_loop: Callable[[], Any] = lambda: None

    @property
    def aio(self) -> Any:
        """What this side knows of event loops; most tests and scripts have none."""
        if self._aio is None:
            from .aio import Aio  # noqa: PLC0415 -- brings asyncio

            self._aio = Aio(self)
            self._running_loop = self._aio.running
        return self._aio

    # Asking

    def ask(self, verb: str, values: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> Any:
        """Ask the other side; return what it answers, or raise what it raised."""
        if self.dead:
            raise StaleObject("this object belonged to a process of the script that has ended")
        if self.threads is None and _more_threads():
            self.enter()
        number = self.new_id()
        with self.sending:
            in_loop = self._running_loop() is not None if self._aio is not None else "asyncio" in sys.modules
            at_length = in_loop or self._has_more_to_tell()
            text = None if at_length else question(number, verb, values, kwargs, self)
            if text is None:
                self._ask_at_length(number, verb, values, kwargs or {})
            else:
                self.link.send_text(text)  # type: ignore[union-attr]
        del values, kwargs
        try:
            return self._await(number)
        finally:
            if self._aio is not None and self.link.has_rest():
                self.aio.hear_later()

    def _ask_at_length(self, number: int, verb: str, values: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        encoder = Encoder(self)
        try:
            extras = self.extras(encoder)
            slots = encoder.slots(values)
            slots += encoder.slots(kwargs.values())
            here = self.aio.here(encoder) if self._aio is not None or "asyncio" in sys.modules else None
            self.link.send(
                ["q", number, verb, slots, list(kwargs), encoder.finish(), extras, here], encoder.blob
            )
        except BaseException:
            self._not_sent(encoder)
            raise
        if encoder.described:
            self._sent(encoder)

    def enter(self, message: list[Any] | None = None, blob: bytes = b"") -> None:
        """Have threads of both sides talk at once from now on; hand on the first message that shows it."""
        with self.sending:
            if self.threads is None:
                assert isinstance(self.link, Link)
                threads = Threads(self, self.link, self._step, self.sending)
                threads.when_known = self._described.update
                threads.when_gone = self.shared_containers.gone
                self.shared_containers.threads = threads
                self.link = self.threads = threads
                self.when_threaded()
        if message is not None:
            self.threads.hand_on(message, blob)
        self.threads.read()

    def when_threaded(self) -> None:
        """Do what is needed once threads talk at once."""

    def when_broken(self, error: LinkBroken) -> None:
        """Take note that the other side is not honest."""

    def new_id(self) -> int:
        """Number a question."""
        self._ids += 1
        return self._ids

    def _await(self, number: int) -> Any:
        while True:
            try:
                message, blob = self.link.receive()
            except BaseException:
                self._abandoned.add(number)
                raise
            kind = message[0]
            if kind == "r" and len(message) == 3 and message[1] == number:  # noqa: PLR2004 -- kind, number, slot
                if self.threads is not None:
                    self.threads.decoded()
                slot = message[2]
                return known(slot, self._exports) if type(slot) in STRUCTURES else slot
            if kind == "c" or kind == "q" or kind == "n":  # noqa: PLR1714 -- a list would be made each time
                self.take(message, blob)
                continue
            if kind != "a" or len(message) != 6 or message[1] != number:  # noqa: PLR2004 -- the parts below
                self.unexpected(message, blob)
                continue
            _, _, good, slot, nodes, extras = message
            decoder = Decoder(self, nodes, blob)
            self.accept_extras(extras, decoder)
            value = decoder.value(slot)
            if self.threads is not None:
                self.threads.decoded()
            if good is True:
                return value
            if not isinstance(value, BaseException):
                raise LinkBroken("something was raised that is no exception")
            raise value

    def unexpected(self, message: list[Any], blob: bytes) -> None:
        """Take a message that is no answer to the question: the first with a route, or too late."""
        kind = message[0]
        if kind in ("Q", "A", "E") and self.threads is None:
            self.enter(message, blob)
            return
        number = message[1] if len(message) > 1 and type(message[1]) is int else None
        if number not in self._abandoned or (kind, len(message)) not in ANSWERS:
            raise LinkBroken("an answer that nobody has asked for")
        self._abandoned.discard(number)
        if kind == "a":
            self.accept_extras(message[5], Decoder(self, message[4], blob))

    def ask_method(self, owner: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Have the other side call a method that one of its classes defines."""
        return self.ask("method", (owner, name, *args), kwargs)

    def attribute(self, value: Any, name: str) -> Any:
        """Have the other side get an attribute of one of its objects."""
        return self.ask("get", (value, name))

    def operate(self, name: str, value: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Have the other side apply a special method of one of its objects."""
        return self.ask("op", (name, value, *args), kwargs)

    def derive(
        self, kind: type, bases: tuple[type, ...], space: dict[str, Any], keywords: dict[str, Any]
    ) -> None:
        """Have the other side derive a class whose methods call back; `kind` stands for it from then on."""
        kept = {
            key: value
            for key, value in space.items()
            if key not in {"__classcell__", "__dict__", "__weakref__", "__qualname__", "__module__"}
        }
        self._deriving.append(kind)
        try:
            made = self.ask("derive", (kind.__name__, tuple(bases), kept), keywords)
        finally:
            self._deriving.pop()
        if made is not kind:
            type.__setattr__(kind, INFO, vars(made)[INFO])
            self.imports[vars(made)[INFO].handle] = lambda: kind

    # Answering

    def take(self, message: list[Any], blob: bytes) -> None:
        """Answer a question, or do what a note says."""
        kind = message[0]
        if kind == "c" or kind == "q":  # noqa: PLR1714 -- as above
            self.serve(message, blob)
        elif kind == "n":
            self.aio.take(message)
        else:
            self.unexpected(message, blob)

    def hear(self) -> None:
        """Take what has come without having been asked for."""
        if self.threads is None and self.link.reading:
            # Somebody reads already.
            return
        while self.link.has_message():
            self.take(*self.link.receive())

    def noted(self, message: list[Any]) -> bool:
        """Take a note in the loop of this side that runs; say whether one does."""
        return bool(self.aio.take_in_loop(message))

    def nonsense(self, why: str) -> NoReturn:
        """Refuse an answer that no honest side gives."""
        raise LinkBroken(why)

    def serve(self, message: list[Any], blob: bytes) -> None:
        """Answer one question."""
        if len(message) < 4 or type(message[1]) is not int or type(message[2]) is not str:  # noqa: PLR2004
            raise LinkBroken("a question with parts missing")
        number, verb = message[1], message[2]
        kwargs: dict[str, Any] = {}
        if message[0] == "c":
            decoder = here = None
            if len(message) == WITHOUT_NAMES:
                args = unpack(message[3], self._exports)
            else:
                args, kwargs = arguments(message, self._exports)
        else:
            here = message[-1]
            try:
                decoder, args, kwargs = self._arguments(message, blob)
            except CannotCross as exc:
                self.answer(number, good=False, answer=exc)
                return
        if self.threads is not None:
            self.threads.decoded()
        del message
        good = True
        try:
            if here is None and self._running_loop() is None:
                answer = self.perform(verb, args, kwargs)
            else:
                answer = self.aio.within(here, decoder, functools.partial(self.perform, verb, args, kwargs))
        except BaseException as exc:
            if isinstance(exc, (LinkClosed, LinkBroken, *self.fatal())):
                raise
            good, answer = False, exc
        args.clear()
        kwargs.clear()
        del decoder
        self.answer(number, good, answer)

    def _arguments(self, message: list[Any], blob: bytes) -> tuple[Decoder, list[Any], dict[str, Any]]:
        if len(message) != 8:  # noqa: PLR2004 -- the parts below
            raise LinkBroken("a question with parts missing")
        _, _, _, slots, names, nodes, extras, _ = message
        decoder = Decoder(self, nodes, blob)
        self.accept_extras(extras, decoder)
        return decoder, *with_names(decoder.values(slots), names)

    def answer(self, number: int, good: bool, answer: Any) -> None:
        """Send an answer; one that cannot be sent is an error of its own."""
        if self.threads is None and _more_threads():
            self.enter()
        with self.sending:
            slot = slot_of(answer, self) if good and not self._has_more_to_tell() else None
            if slot is None:
                self._answer_at_length(number, good, answer)
            else:
                self.link.send_text(f'["r",{number},{slot}]')  # type: ignore[union-attr]

    def _answer_at_length(self, number: int, good: bool, answer: Any) -> None:
        encoder = Encoder(self)
        try:
            extras = self.extras(encoder)
            slot = encoder.slot(answer)
            self.link.send(["a", number, good, slot, encoder.finish(), extras], encoder.blob)
            if encoder.described:
                self._sent(encoder)
        except (CannotCross, ValueError, RecursionError, MemoryError) as exc:
            self._not_sent(encoder)
            encoder = Encoder(self)
            slot = encoder.slot(CannotCross(f"this answer ({type(exc).__name__}: {exc})"))
            self.link.send(["a", number, False, slot, encoder.finish(), None])

    def fatal(self) -> tuple[type[BaseException], ...]:
        """Name the errors that end the conversation, and go to nobody."""
        return ()

    def perform(self, verb: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Do what the other side asks for."""
        act = self.acts.get(verb)
        if act is None:
            raise LinkBroken(f"a question of no known kind: {verb[:40]}")
        return act(self, *args, **kwargs)

    def may_bind(self, names: Any) -> Any:
        """Choose the names that `from … import *` may bind."""
        return names

    def attributes(self, value: Any) -> Any:
        """Return the `__dict__` of an object of the other side."""
        return self.ask("get", (value, "__dict__"))
