"""Objects on their way in: what stands here for an object of the other side."""

import datetime
import enum
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

from . import awaiting, containers, describe, mirror, tables
from .far_callable import RemoteIterator
from .far_module import MirrorModule
from .graph import Decoder
from .held import MISSING
from .incoming_classes import Classes
from .incoming_errors import Errors
from .kinds import Node, Slot
from .link import LinkBroken
from .mirror import INFO, REF, MirrorType, Ref

MOST_KEPT = 5000
KNOWN_BY_HANDLE = frozenset(
    {"class", "function", "callable", "object", "data", "module", "generator", "coroutine"}
)
NEEDS: dict[str, Callable[[Node], list[Slot]] | None] = {
    # Bases, metaclass, values of an enumeration, signature and the like.
    "class": lambda node: [*node[6], node[7], node[11], *node[14:]] if len(node) > 2 else [],  # noqa: PLR2004
    **dict.fromkeys(("function", "callable"), lambda node: node[7:]),
    **dict.fromkeys(("object", "held"), lambda node: [node[2]]),
    "data": lambda node: node[2:],
    "member": lambda node: [node[1], node[3]],
    "error": lambda node: [*node[2:7], node[8], node[9]],
    "again": lambda node: [node[2], node[3], node[5], node[6]],
    **dict.fromkeys(("bound", "signature"), lambda node: node[1:]),
    "wrap": lambda node: list(node[2]),
    "descriptor": lambda node: [node[1]],
    "expression": lambda node: list(node[3]),
    **dict.fromkeys(("yours", "type", "method", "library", "logger", "module")),
    **dict.fromkeys(("generator", "coroutine", "async_generator", "future", "loop")),
}
"""All kinds of objects, and which slots of a node must be built before it; None for none."""


class Incoming(Classes, Errors):
    """Makes, or finds, what nodes stand for."""

    takes: ClassVar[dict[str, Callable[..., Any]]]
    """Methods by the kinds of nodes."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.takes = {kind: getattr(cls, f"take_{kind}") for kind in NEEDS if hasattr(cls, f"take_{kind}")}

    def needs_of(self, node: Node) -> list[Slot]:
        find = NEEDS.get(node[0])
        return [] if find is None else find(node)

    def object_of_node(self, node: Node, decoder: Decoder) -> Any:
        """Make or find what a node stands for."""
        make = self.takes.get(node[0])
        if make is None:
            raise LinkBroken("a value of no known kind")
        if self.threads is not None and node[0] in KNOWN_BY_HANDLE:
            # Two threads must not make two of what is one.
            with self.sending:
                return make(self, decoder, *node[1:])
        return make(self, decoder, *node[1:])

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

    def take_expression(self, decoder: Decoder, kind: str, name: str, args: Slot) -> Any:
        return describe.of_alias(kind, name, decoder.values(args))

    def take_wrap(self, decoder: Decoder, kind: str, parts: Slot) -> Any:
        kinds = {"property": property, "staticmethod": staticmethod, "classmethod": classmethod}
        return kinds[kind](*decoder.values(parts))

    def take_logger(self, _: Decoder, name: Any, level: Any) -> Any:
        import logging  # noqa: PLC0415 -- slow, and seldom needed

        logger = logging.getLogger(str(name)[:200])
        if type(level) is int and level and name != "root":
            logger.setLevel(level)
        return logger

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
        if base not in containers.CONTAINERS:
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
        made = MirrorModule(str(name))
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
        """Remember a generator or a coroutine as long as its frame lives: it is closed after it has gone."""
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
