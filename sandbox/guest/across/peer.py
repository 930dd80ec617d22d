"""One side of the conversation: it asks, it answers, and it keeps what the other side holds of it."""

import _thread
import collections
import copy
import datetime
import enum
import inspect
import re
import sys
import threading
import types
import typing
import weakref
from collections.abc import Callable
from typing import Any, NoReturn

from . import awaiting, describe, graph, mirror, tables
from .errors import CannotCross, StaleObject
from .graph import Decoder, Encoder, Node, Slot
from .link import Link, LinkBroken, LinkClosed
from .mirror import INFO, REF, BoundMethod, MirrorType, Ref, RemoteIterator, RemoteMethod
from .shared import SharedContainers
from .threads import Threads

_more_threads: Callable[[], int] = _thread._count  # noqa: SLF001 -- the cheapest way to know
MOST_EXPORTS = 200_000
KNOWN_BY_HANDLE = frozenset(
    {"class", "function", "callable", "object", "data", "module", "generator", "coroutine"}
)
MOST_KEPT = 5000
MISSING: Any = object()
ERROR_STATE = (
    "errno",
    "strerror",
    "filename",
    "value",
    "code",
    "name",
    "path",
    "obj",
    "msg",
    "lineno",
    "offset",
)
"""Attributes of builtin errors that their arguments do not set."""


class Peer:
    """Asks and answers over one link. Subclasses say what the other side may ask for."""

    def __init__(self, link: Link, step: int) -> None:
        self.link: Link | Threads = link
        self.threads: Threads | None = None
        """Once either side has more than its main thread; the link is this one, then."""
        self._step = step
        self._abandoned: set[Any] = set()
        """Questions whose answer nobody waits for any more."""
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
        self.sending = threading.RLock()
        self._ids = 0
        self.dead = False
        self._aio: Any = None

    @property
    def aio(self) -> Any:
        """What this side knows of event loops; most tests and scripts have none."""
        if self._aio is None:
            from .aio import Aio  # noqa: PLC0415 -- brings asyncio

            self._aio = Aio(self)
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
            encoder = Encoder(self)
            try:
                extras = self.extras(encoder)
                names = list(kwargs) if kwargs else []
                slots = encoder.slots(values)
                if kwargs:
                    slots += encoder.slots(kwargs.values())
                here = self.aio.here(encoder) if self._aio is not None or "asyncio" in sys.modules else None
                self.link.send(["q", number, verb, slots, names, encoder.finish(), extras, here], encoder.blob)
            except BaseException:
                self._not_sent(encoder)
                raise
            if encoder.described:
                self._sent(encoder)
        del encoder, values, kwargs, slots, extras
        try:
            return self._await(number)
        finally:
            if self._aio is not None and self.link.has_rest():
                self.aio.hear_later()

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

    def _sent(self, encoder: Encoder) -> None:
        """Note what the other side has been told about."""
        if self.threads is None:
            self._described |= encoder.described
        else:
            # Another of its threads may get to see what is sent next before this one sees this.
            self.threads.seat().told |= encoder.described

    def _not_sent(self, encoder: Encoder) -> None:
        """Take back what a message that could not be sent would have said."""
        self.shared_containers.take_back(encoder.numbered, *encoder.taken[:2])
        for released in encoder.taken[2:]:
            self._released += released

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
            if message[0] == "q" or message[0] == "n":
                self.take(message, blob)
                continue
            if len(message) != 6 or message[0] != "a" or message[1] != number:  # noqa: PLR2004 -- the parts below
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
        if message[0] in ("Q", "A", "E") and self.threads is None:
            self.enter(message, blob)
        elif message[0] == "a" and len(message) == 6 and message[1] in self._abandoned:  # noqa: PLR2004
            self._abandoned.discard(message[1])
            self.accept_extras(message[5], Decoder(self, message[4], blob))
        else:
            raise LinkBroken("an answer that nobody has asked for")

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
        if message[0] == "q":
            self.serve(message, blob)
        elif message[0] == "n":
            self.aio.take(message)
        else:
            self.unexpected(message, blob)

    def hear(self) -> None:
        """Take what has come without having been asked for."""
        if self.threads is not None or self.link.reading:
            # Somebody reads already.
            return
        while self.link.has_message():
            self.take(*self.link.receive())

    def noted(self, message: list[Any]) -> bool:
        """Take a note in the loop of this side that runs; say whether one does."""
        return self.aio.take_in_loop(message)

    def nonsense(self, why: str) -> NoReturn:
        """Refuse an answer that no honest side gives."""
        raise LinkBroken(why)

    def serve(self, message: list[Any], blob: bytes) -> None:
        """Answer one question."""
        if len(message) != 8 or type(message[2]) is not str:  # noqa: PLR2004 -- the parts below
            raise LinkBroken("a question with parts missing")
        _, number, verb, slots, names, nodes, extras, here = message
        try:
            decoder = Decoder(self, nodes, blob)
            self.accept_extras(extras, decoder)
            values = decoder.values(slots)
            if self.threads is not None:
                self.threads.decoded()
        except CannotCross as exc:
            self.answer(number, False, exc)
            return
        if type(names) is not list or len(names) > len(values) or not all(type(name) is str for name in names):
            raise LinkBroken("names without values")
        kwargs = dict(zip(names, values[len(values) - len(names) :], strict=True))
        args = values[: len(values) - len(names)]
        del values, message, nodes
        good = True
        try:
            if here is None and self._aio is None:
                answer = self.perform(verb, args, kwargs)
            else:
                answer = self.aio.within(here, decoder, lambda: self.perform(verb, args, kwargs))
        except (LinkClosed, LinkBroken, *self.fatal()):
            raise
        except BaseException as exc:  # noqa: BLE001 -- whatever it is, it belongs to who asked
            good, answer = False, exc
        args.clear()
        kwargs.clear()
        del decoder
        self.answer(number, good, answer)

    def answer(self, number: int, good: bool, answer: Any) -> None:
        """Send an answer; one that cannot be sent is an error of its own."""
        if self.threads is None and _more_threads():
            self.enter()
        with self.sending:
            self._answer(number, good, answer)

    def _answer(self, number: int, good: bool, answer: Any) -> None:
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
        act = getattr(self, f"do_{verb}", None)
        if act is None:
            raise LinkBroken(f"a question of no known kind: {verb[:40]}")
        return act(*args, **kwargs)

    def do_call(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    def do_get(self, value: Any, name: str) -> Any:
        if name == "__signature__":
            return inspect.signature(value)
        return getattr(value, name)

    def do_set(self, value: Any, name: str, new: Any) -> None:
        self._keep_original(value, name)
        setattr(value, name, new)

    def do_del(self, value: Any, name: str) -> None:
        self._keep_original(value, name)
        delattr(value, name)

    def _keep_original(self, value: Any, name: str) -> None:
        """Keep what a class has under a name: whoever undoes the change says only that it was the first."""
        if isinstance(value, type) and name in vars(value):
            self._originals.setdefault((id(value), name), vars(value)[name])

    def do_dir(self, value: Any) -> list[str]:
        return [name for name in dir(value) if type(name) is str]

    def do_op(self, name: str, value: Any, /, *args: Any, **kwargs: Any) -> Any:
        if name not in tables.DUNDERS:
            raise LinkBroken("an operator that is none")
        return special(value, name)(*args, **kwargs)

    def do_register(self, kind: Any, other: Any) -> None:
        kind.register(other)

    def do_method(self, owner: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], owner):
            # As the object itself has it: an instance may have another one than its class.
            defined = next((base for base in type(args[0]).__mro__ if name in vars(base)), None)
            if defined is owner and _is_plain(vars(owner)[name]):
                return getattr(args[0], name)(*args[1:], **kwargs)
        found = vars(owner).get(name, MISSING)
        if found is MISSING:
            return getattr(owner, name)(*args, **kwargs)
        if isinstance(found, classmethod):
            return found.__get__(None, args[0] if args and isinstance(args[0], type) else owner)(
                *args[1:] if args and isinstance(args[0], type) else args, **kwargs
            )
        if isinstance(found, staticmethod):
            return found.__func__(*args, **kwargs)
        if isinstance(found, types.ClassMethodDescriptorType):
            return getattr(args[0], name)(*args[1:], **kwargs)
        return found(*args, **kwargs)

    def do_next(self, value: Any) -> Any:
        return next(value)

    def do_send(self, value: Any, sent: Any) -> Any:
        return value.send(sent)

    def do_throw(self, value: Any, error: BaseException) -> Any:
        return value.throw(error)

    def do_close(self, value: Any) -> None:
        value.close()

    def do_step(self, value: Any, sent: Any) -> Any:
        return awaiting.step(value, sent)

    def do_fail(self, value: Any, error: BaseException) -> Any:
        return awaiting.fail(value, error)

    def do_agen(self, value: Any, verb: str, *args: Any) -> Any:
        if verb not in awaiting.AGEN_VERBS or type(value) is not types.AsyncGeneratorType:
            raise LinkBroken("no step of an asynchronous generator")
        return getattr(value, verb)(*args)

    def do_future(self, value: Any, name: str, *args: Any) -> Any:
        if name not in awaiting.FUTURE_VERBS:
            raise LinkBroken("a question that no future answers")
        return getattr(value, name)(*args)

    def do_run(self, number: int) -> None:
        self.aio.run(number)

    def do_woken(self, number: int) -> None:
        self.aio.woken(number)

    def do_handler(self, number: int, handler: Any) -> None:
        self.aio.set_handler(number, handler)

    def do_complain(self, number: int, message: str, error: Any) -> None:
        self.aio.hear_complaint(number, message, error)

    def do_copy(self, value: Any) -> Any:
        return copy.copy(value)

    def do_deepcopy(self, value: Any) -> Any:
        return copy.deepcopy(value)

    # What both sides hold

    def extras(self, encoder: Encoder) -> list[Any] | None:
        """Tell what has changed here, is not held any more, and was given back."""
        shared = self.shared_containers
        if self._lost:
            self._give_back()
        told = self.tell(encoder)
        if not shared and not self._released and told is None:
            return None
        # In this order: what nobody holds any more may have been changed just before.
        changes = shared.changes(encoder) if shared else []
        unheld = shared.unheld() if shared else []
        released, self._released = self._released, []
        encoder.taken = [changes, unheld, released]
        if changes or unheld or released or told is not None:
            return [changes, unheld, released, told]
        return None

    def tell(self, _encoder: Encoder) -> Slot:
        """Tell something beside a message."""
        return None

    def told(self, what: Any) -> None:
        """Take what the other side tells beside its message."""

    def accept_extras(self, extras: Any, decoder: Decoder) -> None:
        """Take over what the other side tells beside its message."""
        if extras is None:
            return
        if type(extras) is not list or len(extras) != 4:  # noqa: PLR2004 -- the parts below
            raise LinkBroken("extras with parts missing")
        changes, unheld, released, told = extras
        self.shared_containers.apply(changes, decoder)
        pairs = [
            pair
            for pair in (released if type(released) is list else ())
            if type(pair) is list and len(pair) == 2 and all(type(part) is int for part in pair)  # noqa: PLR2004
            if pair[0] in self._exports
        ]
        if self.threads is None:
            self.shared_containers.forget(unheld)
            self._release(pairs)
        else:
            if pairs:
                self.threads.later(lambda: self._release(pairs))
            if unheld:
                self.threads.later(lambda: self.shared_containers.forget(unheld))
        if told is not None:
            self.told(decoder.value(told))

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

    # Objects going out

    def node_of_object(self, value: Any, encoder: Encoder) -> Node:
        """Make the node of an object, a class, a function or an error."""
        kind = type(value)
        if kind is Ref:
            return self._mine(value)
        if isinstance(value, type):
            ref = vars(value).get(INFO)
            return self._mine(ref) if isinstance(ref, Ref) else self.class_node(value, encoder)
        if kind is BoundMethod:
            return ["bound", encoder.slot(value.method), encoder.slot(value.__self__)]
        if kind is RemoteMethod:
            return ["method", *self._mine(value.owner)[1:], value.name]
        ref = mirror.ref_of(value)
        if ref is None:
            return self._number_node(value, encoder) or self.own_node(value, encoder)
        if isinstance(value, BaseException) and ref.peer is self:
            return ["again", ref.handle, *self._error_state(value, encoder)]
        return self._mine(ref)

    def _mine(self, ref: Ref) -> Node:
        if ref.peer is not self:
            raise StaleObject("this object belonged to a process of the script that has ended")
        return ["yours", ref.handle]

    def _number_node(self, value: Any, encoder: Encoder) -> Node | None:
        kind = type(value)
        if graph.is_array(value) and kind.__name__ == "ndarray" and not value.dtype.hasobject:
            return self._array_node(value, encoder)
        if kind.__module__ == "numpy" and hasattr(value, "dtype") and value.shape == ():
            return ["scalar", [value.dtype.str, [], *encoder.bytes_at(value.tobytes())]]
        return None

    def _array_node(self, value: Any, encoder: Encoder) -> Node:
        known = self.shared_id(value)
        if known is not None:
            return ["@", known]
        encoder.numbered.append(self.share(value))
        return ["array", encoder.numbered[-1], encoder.content(value)]

    def own_node(self, value: Any, encoder: Encoder) -> Node:
        """Make the node of an object of this side."""
        kind = type(value)
        if isinstance(value, enum.Enum) and not kind.__module__ == "enum":
            return self._member_node(value, encoder)
        if isinstance(value, BaseException):
            return self._error_node(value, encoder)
        if kind is types.FunctionType:
            shape = "callable" if self.is_more_than_a_function(value) else "function"
            return [shape, self.export(value), *describe.of_function(value, encoder)]
        if kind is re.Match:
            node = graph.match_node(encoder, value)
            if node is not None:
                return node
        logging = sys.modules.get("logging")
        if logging is not None and isinstance(value, logging.Logger):
            return ["logger", value.name, value.level]
        if kind in {property, staticmethod, classmethod}:
            parts = (value.fget, value.fset, value.fdel) if kind is property else (value.__func__,)
            return ["wrap", kind.__name__, encoder.slots(parts)]
        if kind is inspect.Signature:
            signature = describe.signature_parts(value)
            return ["signature", encoder.slot(signature)]
        alias = describe.alias_of(value)
        if alias is not None:
            return ["expression", *alias[:2], encoder.slots(alias[2])]
        awaited = awaiting.node_kind(value)
        if awaited is not None:
            return self._awaitable_node(value, awaited)
        node = self._loop_node(value) if "asyncio" in sys.modules else None
        if node is not None:
            return node
        if kind is types.ModuleType:
            return ["module", self.export(value), str(value.__name__)]
        base = describe.data_base(kind)
        if base is not None:
            return self._data_node(value, base, encoder)
        flavour = awaiting.flavour_of(value) if callable(value) else 0
        return ["object", self.export(value), encoder.slot(kind), flavour]

    def _loop_node(self, value: Any) -> Node | None:
        asyncio = sys.modules["asyncio"]
        if asyncio.isfuture(value):
            return [
                "future",
                self.export(value),
                isinstance(value, asyncio.Task),
                self.aio.number_of(value.get_loop()),
            ]
        return ["loop", self.aio.number_of(value)] if isinstance(value, asyncio.AbstractEventLoop) else None

    def _awaitable_node(self, value: Any, kind: str) -> Node:
        if kind == "generator":
            started = type(value) is types.GeneratorType and value.gi_frame is not None and value.gi_frame.f_lasti > 0
            return [kind, self.export(value), started]
        if kind == "awaitable":
            kind, value = "coroutine", awaiting.wait_for(value)
        return [kind, self.export(value), str(value.__name__), str(value.__qualname__)]

    def handle_of(self, value: Any) -> int:
        """Return the handle under which the other side has an object; 0 if it has not."""
        return self._handles.get(id(value), 0)

    def exported(self, handle: Any) -> Any:
        """Return the object that the other side has under a handle; None if there is none."""
        entry = self._exports.get(handle) if type(handle) is int else None
        return None if entry is None else entry[0]

    def _data_node(self, value: Any, base: type, encoder: Encoder) -> Node:
        if base in graph.CONTAINERS:
            known = self.shared_id(value)
            if known is not None:
                return ["@", known]
            number = self.share(value)
            encoder.numbered.append(number)
            return ["held", self.export(value), encoder.slot(type(value)), number, encoder.content(value)]
        data = encoder.slot(describe.read_data(value, base))
        return ["data", self.export(value), encoder.slot(type(value)), data]

    def _member_node(self, value: Any, encoder: Encoder) -> Node:
        kind = type(value)
        name = getattr(value, "_name_", None)
        if type(name) is str and kind.__members__.get(name) is value:
            return ["member", encoder.slot(kind), name, None]
        return ["member", encoder.slot(kind), None, encoder.slot(value._value_)]  # noqa: SLF001

    def _error_node(self, value: BaseException, encoder: Encoder) -> Node:
        kind = type(value)
        plain = tables.name_of_type(kind) is not None
        state = [(key, getattr(value, key)) for key in ERROR_STATE if plain and hasattr(value, key)]
        state += [(key, part) for key, part in _own_state(value) if plain]
        return [
            "error",
            self.export(value) if self.exports_errors(plain) else 0,
            encoder.slot(kind),
            encoder.slot(_arguments(value)),
            encoder.slot(tuple(state)),
            *self._error_state(value, encoder),
        ]

    def _error_state(self, value: BaseException, encoder: Encoder) -> list[Any]:
        notes = getattr(value, "__notes__", None)
        return [
            encoder.slot(value.__cause__),
            encoder.slot(value.__context__),
            bool(value.__suppress_context__),
            encoder.slot(tuple(notes) if type(notes) is list else ()),
            encoder.slot(self.frames_of(value)),
        ]

    def is_more_than_a_function(self, value: Any) -> bool:
        """Say whether a function has attributes that the other side may ask for."""
        return bool(set(vars(value)) - {"__wrapped__", "__signature__"})

    def exports_errors(self, plain: bool) -> bool:
        """Say whether an error keeps its identity when it comes back."""
        return not plain

    def frames_of(self, _error: BaseException) -> tuple[Any, ...]:
        """Say where an error was raised, for the report."""
        return ()

    def class_node(self, kind: type, encoder: Encoder) -> Node:
        """Make the node of a class of this side."""
        name = tables.name_of_type(kind)
        if name is not None:
            return ["type", *name]
        if kind.__module__ == "typing" and kind.__name__ in typing.__all__:
            return ["expression", "typing", kind.__name__, []]
        if isinstance(kind, MirrorType):
            raise CannotCross(f"class {kind.__name__}")
        handle = self.export(kind)
        if handle in self._described or handle in encoder.described:
            return ["class", handle]
        if self.threads is not None and handle in self.threads.seat().told:
            return ["class", handle]
        encoder.described |= {handle}
        return ["class", handle, *describe.of_class(kind, encoder)]

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

    # Objects coming in

    def needs_of(self, node: Node) -> list[Slot]:
        kind = node[0]
        if kind == "class":
            # Bases, metaclass, values of an enumeration, signature and the like.
            return [*node[6], node[7], node[11], *node[14:]] if len(node) > 2 else []  # noqa: PLR2004
        if kind in {"function", "callable"}:
            return node[7:]
        if kind == "again":
            return [node[2], node[3], node[5], node[6]]
        if kind == "object":
            return [node[2]]
        if kind == "data":
            return node[2:]
        if kind == "held":
            return [node[2]]
        if kind == "member":
            return [node[1], node[3]]
        if kind == "error":
            return [node[2], node[3], node[4], node[5], node[6], node[8], node[9]]
        if kind in {"bound", "signature"}:
            return node[1:]
        if kind == "wrap":
            return list(node[2])
        if kind == "descriptor":
            return [node[1]]
        return list(node[3]) if kind == "expression" else []

    def object_of_node(self, node: Node, decoder: Decoder) -> Any:
        """Make or find what a node stands for."""
        make = getattr(self, f"take_{node[0]}", None)
        if make is None:
            raise LinkBroken("a value of no known kind")
        if self.threads is not None and node[0] in KNOWN_BY_HANDLE:
            # Two threads must not make two of what is one.
            with self.sending:
                return make(decoder, *node[1:])
        return make(decoder, *node[1:])

    def take_yours(self, _: Decoder, handle: Any) -> Any:
        entry = self._exports.get(handle) if type(handle) is int else None
        if entry is None:
            raise LinkBroken("an object that was never given")
        return entry[0]

    def take_type(self, _: Decoder, module: Any, name: Any) -> Any:
        found = tables.type_named(module, name)
        if found is None:
            raise LinkBroken("a type that is not known")
        return found

    def take_method(self, _: Decoder, handle: Any, name: str) -> Any:
        owner = self.take_yours(_, handle)
        original = self._originals.get((id(owner), name), MISSING)
        return vars(owner)[name] if original is MISSING else original

    def take_bound(self, decoder: Decoder, method: Slot, bound: Slot) -> Any:
        found, owner = decoder.value(method), decoder.value(bound)
        if owner is None:
            return found.__get__(None, object) if isinstance(found, staticmethod) else found
        name = getattr(found, "__name__", None) or found.__func__.__name__
        return getattr(owner, name, None) or found.__get__(owner)

    def take_class(self, decoder: Decoder, handle: Any, *parts: Any) -> Any:
        known = self.imports.get(handle) if type(handle) is int else None
        if known is not None:
            return known()
        if not parts and self.threads is not None:
            raise CannotCross("an object of a class that another thread is only about to get to know")
        if not parts:
            raise LinkBroken("a class that was never described")
        kind = self._make_class(decoder, Ref(self, handle), *parts)
        self.imports[handle] = lambda: kind
        self._name(kind, str(parts[2]), str(parts[1]), self.imports[handle])
        return kind

    def _name(self, _made: Any, module: str, name: str, reference: Any) -> None:
        if module == "solution" and "<" not in name:
            self.named[name] = reference

    def _make_class(self, decoder: Decoder, ref: Ref, *parts: Any) -> Any:
        (name, qualname, module, doc, bases, meta, dunders, methods, shape, members, abcs) = parts[:11]
        unhashable, signature, annotations, fields, tuple_fields, abstract = parts[11:]
        facts = {
            "module": str(module),
            "qualname": str(qualname),
            "doc": doc if type(doc) is str else None,
            "dunders": [each for each in dunders if type(each) is str],
            "methods": [(str(each), str(how), int(flavour)) for each, how, flavour in methods],
            "unhashable": unhashable is True,
            "signature": self._signature(decoder.value(signature)),
            "annotations": dict(decoder.value(annotations)),
            "fields": decoder.value(fields),
            "tuple_fields": decoder.value(tuple_fields),
        }
        if self._deriving and module == "test_solution" and name == self._deriving[-1].__name__:
            # The one that is being made on this side: whoever meets it on its way has met that one.
            type.__setattr__(self._deriving[-1], INFO, ref)
            return self._deriving[-1]
        space = mirror.space_of(ref, facts)
        library = tables.library_class(facts["module"], facts["qualname"])
        if library is not None and describe.data_base(library) is None:
            # `isinstance` asks an object for its class, too.
            space["__class__"] = property(lambda _: library)
        real = decoder.values(bases)
        if not all(isinstance(base, type) for base in real):
            raise LinkBroken("a base that is no class")
        name = str(name)
        if shape == "enum" and any(issubclass(base, enum.Enum) for base in real):
            return mirror.make_enum(name, tuple(real), space, list(decoder.value(members)))
        if typing.Generic in real or typing.Protocol in real:
            space["__class_getitem__"] = classmethod(types.GenericAlias)
        try:
            made = _metaclass(decoder.value(meta)).make(name, _bases(real), space)
        except TypeError:
            # Bases that do not go together on this side: what it answers is the other side's anyway.
            made = MirrorType.make(name, (mirror.MirrorObject,), space)
        names = decoder.value(abstract)
        if names:
            type.__setattr__(made, "__abstractmethods__", frozenset(names))
        for each in abcs:
            if each in tables.ABCS:
                tables.ABCS[each].register(made)
        return made

    def _signature(self, parts: Any) -> inspect.Signature | None:
        if parts is None:
            return None
        parameters, returns = parts
        return mirror.signature_of(parameters, returns)

    def take_signature(self, decoder: Decoder, parts: Slot) -> Any:
        return self._signature(decoder.value(parts))

    def take_expression(self, decoder: Decoder, kind: str, name: str, args: Slot) -> Any:
        return describe.of_alias(kind, name, decoder.values(args))

    def take_wrap(self, decoder: Decoder, kind: str, parts: Slot) -> Any:
        kinds = {"property": property, "staticmethod": staticmethod, "classmethod": classmethod}
        return kinds[kind](*decoder.values(parts))

    def take_callable(self, decoder: Decoder, handle: Any, *parts: Any) -> Any:
        return self.take_function(decoder, handle, *parts, make=mirror.MirrorCallable)

    def take_logger(self, _: Decoder, name: Any, level: Any) -> Any:
        import logging  # noqa: PLC0415 -- slow, and seldom needed

        logger = logging.getLogger(str(name)[:200])
        if type(level) is int and level and name != "root":
            logger.setLevel(level)
        return logger

    def take_function(
        self, decoder: Decoder, handle: Any, *parts: Any, make: Callable[..., Any] = mirror.make_function
    ) -> Any:
        known = self._known(handle)
        if known is not None:
            return known
        name, qualname, doc, module, flavour, signature, annotations = parts
        facts = {
            "name": str(name),
            "qualname": str(qualname),
            "doc": doc if type(doc) is str else None,
            "module": str(module),
            "flavour": int(flavour),
            "signature": self._signature(decoder.value(signature)),
            "annotations": dict(decoder.value(annotations)),
        }
        made = make(Ref(self, handle), facts)
        self._name(made, facts["module"], facts["qualname"], lambda: made)
        return self._remember(handle, made)

    def take_object(self, decoder: Decoder, handle: Any, kind: Slot, flavour: Any) -> Any:
        known = self._known(handle)
        if known is not None:
            return known
        cls = decoder.value(kind)
        if not isinstance(cls, MirrorType):
            # Of a class that both sides have, but without a form of its own.
            cls = self._plain_mirror(cls)
        made = object.__new__(cls)
        object.__setattr__(made, REF, Ref(self, handle))
        awaiting.mark(made, flavour)
        return self._remember(handle, made)

    def _plain_mirror(self, cls: Any) -> Any:
        if not isinstance(cls, type):
            raise LinkBroken("an object whose class is none")
        dunders = [
            name
            for name in dir(cls)
            if name in tables.DUNDERS and getattr(object, name, None) is not getattr(cls, name)
        ]
        space: dict[str, Any] = {INFO: None, "__mendbench_made__": True, "__module__": cls.__module__}
        if "__call__" in dunders:
            space["__doc__"] = property(mirror.doc_of)
        return MirrorType.make(
            cls.__name__, (mirror.MirrorObject,), space | {name: mirror.operator(name) for name in dunders}
        )

    def take_data(self, decoder: Decoder, handle: Any, kind: Slot, data: Slot) -> Any:
        known = self._known(handle)
        if known is not None:
            return known
        cls, value = decoder.value(kind), decoder.value(data)
        base = describe.data_base(cls)
        if base is None or (type(value) is not base and base is not datetime.tzinfo):
            raise LinkBroken("data of another type than its class")
        made, ref = _rebuilt(cls, base, value), self._ref(handle)
        object.__setattr__(made, REF, ref)
        # Most of these cannot be referred to weakly; without it they would be others each time.
        self.imports[handle] = lambda: made
        self._kept.append(handle)
        if len(self._kept) > MOST_KEPT:
            # Given back once nobody holds it any more: from now on it may be another one each time.
            self.imports.pop(self._kept.popleft(), None)
        return made

    def take_held(self, decoder: Decoder, handle: Any, kind: Slot, number: Any, content: Any) -> Any:
        cls = decoder.value(kind)
        base = describe.data_base(cls)
        if base not in graph.CONTAINERS:
            raise LinkBroken("data of another type than its class")
        made = base.__new__(cls)  # type: ignore[call-overload]
        object.__setattr__(made, REF, Ref(self, handle))
        if base is bytearray:
            bytearray.extend(made, decoder.bytes_at(*content))
        else:
            decoder.fill_later(made, content)
        if number:
            decoder.when_done(lambda: self.note_shared(number, made))
        return made

    def take_member(self, decoder: Decoder, kind: Slot, name: Any, value: Slot) -> Any:
        cls = decoder.value(kind)
        if not isinstance(cls, enum.EnumMeta):
            raise LinkBroken("a member of no enumeration")
        return cls[name] if type(name) is str else cls(decoder.value(value))

    def take_module(self, _: Decoder, handle: Any, name: Any) -> Any:
        known = self._known(handle)
        if known is not None:
            return known
        made = mirror.MirrorModule(str(name))
        object.__setattr__(made, REF, Ref(self, handle))
        return self._remember(handle, made)

    def take_generator(self, _: Decoder, handle: Any, started: Any) -> Any:
        known = self._known(handle)
        if known is not None:
            return known
        ref = self._ref(handle)
        inner = RemoteIterator(ref)
        made = _started(inner) if started is True else _generator(inner)
        if started is True:
            next(made)
        return self._wrap(ref, made)

    def take_coroutine(self, _: Decoder, handle: Any, name: Any, qualname: Any) -> Any:
        known = self._known(handle)
        if known is not None:
            return known
        ref = self._ref(handle)
        return self._wrap(ref, awaiting.coroutine(ref, str(name), str(qualname)))

    def take_async_generator(self, _: Decoder, handle: Any, name: Any, qualname: Any) -> Any:
        known = self._known(handle)
        if known is not None:
            return known
        ref = self._ref(handle)
        return self._wrap(ref, awaiting.async_generator(ref, str(name), str(qualname)))

    def take_future(self, _: Decoder, handle: Any, is_task: Any, loop: Any) -> Any:
        known = self._known(handle)
        if known is not None:
            return known
        from .far_future import FarFuture, FarTask  # noqa: PLC0415 -- brings asyncio, which few scripts need

        made = (FarTask if is_task is True else FarFuture)(Ref(self, handle), self.aio.loop_of(loop))
        return self._remember(handle, made)

    def take_loop(self, _: Decoder, number: Any) -> Any:
        return self.aio.loop_of(number)

    def _wrap(self, ref: Ref, made: Any) -> Any:
        """Remember a generator or a coroutine for as long as its frame lives: it is closed after it has gone."""
        mirror.tag(made, ref)
        self.imports[ref.handle] = weakref.ref(made)
        return made

    def _ref(self, handle: int) -> Ref:
        """Return a reference with whose end the other side's object is given back."""
        life = self._lives.get(handle)
        ref = None if life is None else life()
        if ref is None:
            ref = Ref(self, handle)
            self._lives[handle] = weakref.ref(ref, lambda _: self._forget(handle))
        return ref

    def take_error(self, decoder: Decoder, handle: Any, kind: Slot, *parts: Slot) -> Any:
        args, state, *rest = parts
        cls, values = decoder.value(kind), decoder.value(args)
        if not (isinstance(cls, type) and issubclass(cls, BaseException)) or type(values) is not tuple:
            raise LinkBroken("an error that is none")
        error = _new_error(cls, values)
        for name, value in decoder.value(state):
            if type(name) is str and not name.startswith("_"):
                _try_set(error, name, value)
        if handle:
            object.__setattr__(error, REF, Ref(self, handle))
        return self._set_state(decoder, error, *rest)

    def take_again(self, decoder: Decoder, handle: Any, *parts: Any) -> Any:
        """Take back an error of this side, with what has been added to it."""
        error = self.take_yours(decoder, handle)
        if not isinstance(error, BaseException):
            raise LinkBroken("an error that is none")
        return self._set_state(decoder, error, *parts)

    def _set_state(
        self,
        decoder: Decoder,
        error: Any,
        cause: Slot,
        context: Slot,
        suppress: Any,
        notes: Slot,
        frames: Slot,
    ) -> Any:
        error.__cause__ = decoder.value(cause)
        error.__context__ = decoder.value(context)
        error.__suppress_context__ = suppress is True
        have = len(getattr(error, "__notes__", ()))
        for note in decoder.value(notes)[have:]:
            error.add_note(str(note))
        rows = decoder.value(frames)
        if rows:
            error.__traceback__ = self.traceback_of(rows)
        return error

    def traceback_of(self, _rows: Any) -> Any:
        """Make a traceback that shows where an error was raised on the other side."""
        return None

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


def special(value: Any, name: str) -> Any:
    """Find a special method as an operator does: in the class, bound where it is a descriptor."""
    for base in type(value).__mro__:
        if name in vars(base):
            found = vars(base)[name]
            return found.__get__(value, type(value)) if hasattr(type(found), "__get__") else found
    raise AttributeError(name)


def _is_plain(value: Any) -> bool:
    return not isinstance(value, staticmethod | classmethod | types.ClassMethodDescriptorType)


def _arguments(value: BaseException) -> tuple[Any, ...]:
    if isinstance(value, BaseExceptionGroup):
        # The list that it was made of could not be there before the group is.
        return value.message, value.exceptions
    args: tuple[Any, ...] = BaseException.args.__get__(value)  # type: ignore[attr-defined]
    return args


def _own_state(value: BaseException) -> list[tuple[str, Any]]:
    state = BaseException.__reduce__(value)
    own = state[2] if len(state) > 2 else {}  # noqa: PLR2004 -- class, arguments, state
    return [(key, part) for key, part in (own or {}).items() if not key.startswith("_")]


def _metaclass(meta: Any) -> Any:
    """Derive a metaclass for a class whose class is not `type`: `len(Color)` asks the other side."""
    if not isinstance(meta, MirrorType):
        return MirrorType
    names = {name for base in meta.__mro__ for name in vars(base) if name in tables.DUNDERS}
    names -= {"__repr__", "__str__", "__call__", "__hash__", "__eq__"}
    names &= {name for base in meta.__mro__ if INFO in vars(base) for name in vars(base)}
    return type("MirrorMeta", (MirrorType,), {name: mirror.operator(name) for name in names})


def _bases(real: list[type]) -> tuple[type, ...]:
    """Choose the bases of a mirror: mirrored classes, builtin errors and builtins with data."""
    kept = [
        base
        for base in real
        if isinstance(base, MirrorType) or issubclass(base, BaseException) or describe.data_base(base)
    ]
    if any(issubclass(base, BaseException) for base in kept):
        mixin: type = mirror.MirrorError
    elif any(describe.data_base(base) for base in kept):
        mixin = mirror.MirrorData
    else:
        mixin = mirror.MirrorObject
    if not any(issubclass(base, mixin) for base in kept):
        kept.insert(0, mixin)
    return tuple(kept)


def _rebuilt(cls: Any, base: Any, value: Any) -> Any:
    if base is datetime.tzinfo:
        return base.__new__(cls)
    if base is datetime.datetime:
        parts = (value.year, value.month, value.day, value.hour, value.minute, value.second)
        return base.__new__(cls, *parts, value.microsecond, value.tzinfo, fold=value.fold)
    if base is datetime.date:
        return base.__new__(cls, value.year, value.month, value.day)
    if base is datetime.timedelta:
        return base.__new__(cls, value.days, value.seconds, value.microseconds)
    return base.__new__(cls, value.real, value.imag) if base is complex else base.__new__(cls, value)


def _new_error(cls: Any, values: tuple[Any, ...]) -> Any:
    if tables.TYPES.get((cls.__module__, cls.__qualname__)) is cls:
        try:
            return cls(*values)
        except (TypeError, ValueError):
            pass
    own_new = issubclass(cls, OSError | BaseExceptionGroup)
    error = cls.__new__(cls, *values) if own_new else BaseException.__new__(cls, *values)
    BaseException.args.__set__(error, values)  # type: ignore[attr-defined]
    return error


def _try_set(error: BaseException, name: str, value: Any) -> None:
    try:
        object.__setattr__(error, name, value)
    except (AttributeError, TypeError):
        # A name that this kind of error keeps to itself.
        return


def _generator(inner: Any) -> Any:
    return (yield from inner)


def _started(inner: Any) -> Any:
    """Go on with a generator that has been started; the first `next` only starts this one."""
    try:
        value = yield
        while True:
            try:
                value = yield inner.send(value)
            except GeneratorExit:
                inner.close()
                raise
            except StopIteration as exc:
                return exc.value
    finally:
        del inner
