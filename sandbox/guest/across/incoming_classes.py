"""Classes and functions on their way in: made of what describes them when they first come, found later."""

import enum
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from . import describe, far_class, mirror, tables
from .errors import CannotCross
from .far_callable import MirrorCallable, make_function, signature_of
from .graph import Decoder
from .held import Held
from .kinds import Slot
from .link import LinkBroken
from .mirror import INFO, MirrorType, Ref


class Classes(Held):
    """Makes, or finds, classes and functions."""

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
        space = far_class.space_of(ref, facts)
        library = tables.library_class(facts["module"], facts["qualname"])
        if library is not None and describe.data_base(library) is None:
            # `isinstance` asks an object for its class, too.
            space["__class__"] = property(lambda _: library)
        real = decoder.values(bases)
        if not all(isinstance(base, type) for base in real):
            raise LinkBroken("a base that is no class")
        name = str(name)
        if shape == "enum" and any(issubclass(base, enum.Enum) for base in real):
            return far_class.make_enum(name, tuple(real), space, list(decoder.value(members)))
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
        return signature_of(parameters, returns)

    def take_signature(self, decoder: Decoder, parts: Slot) -> Any:
        return self._signature(decoder.value(parts))

    def take_callable(self, decoder: Decoder, handle: Any, *parts: Any) -> Any:
        return self.take_function(decoder, handle, *parts, make=MirrorCallable)

    def take_function(
        self,
        decoder: Decoder,
        handle: Any,
        *parts: Any,
        make: Callable[..., Any] = make_function,
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
