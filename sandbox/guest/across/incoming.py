"""Objects on their way in: what stands here for an object of the other side."""

import datetime
import enum
import inspect
import types
import typing
import weakref
from collections.abc import Callable
from typing import Any

from . import awaiting, containers, describe, mirror, tables
from .errors import CannotCross
from .graph import Decoder
from .held import MISSING, Held
from .kinds import Node, Slot
from .link import LinkBroken
from .mirror import INFO, REF, MirrorType, Ref, RemoteIterator

MOST_KEPT = 5000
KNOWN_BY_HANDLE = frozenset(
    {"class", "function", "callable", "object", "data", "module", "generator", "coroutine"}
)


class Incoming(Held):
    """Makes, or finds, what nodes stand for."""

    def needs_of(self, node: Node) -> list[Slot]:  # noqa: C901, PLR0911 -- a flat list of kinds
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
        facts: dict[str, Any] = {
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
    known: Any = tables.TYPES.get((cls.__module__, cls.__qualname__))
    if known is cls:
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
