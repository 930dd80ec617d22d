"""Objects on their way out: how an object, a class, a function or an error of this side travels."""

import enum
import inspect
import re
import sys
import types
import typing
from typing import Any

from . import awaiting, containers, describe, kinds, mirror, tables
from .errors import CannotCross, StaleObject
from .graph import Encoder
from .held import Held
from .kinds import Node
from .mirror import INFO, BoundMethod, MirrorType, Ref, RemoteMethod

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


class Outgoing(Held):
    """Makes nodes of what has no form of its own."""

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
        if containers.is_array(value) and kind.__name__ == "ndarray" and not value.dtype.hasobject:
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

    def own_node(self, value: Any, encoder: Encoder) -> Node:  # noqa: C901, PLR0911, PLR0912 -- a flat list of kinds
        """Make the node of an object of this side."""
        kind = type(value)
        if isinstance(value, enum.Enum) and kind.__module__ != "enum":
            return self._member_node(value, encoder)
        if isinstance(value, BaseException):
            return self._error_node(value, encoder)
        if kind is types.FunctionType:
            shape = "callable" if self.is_more_than_a_function(value) else "function"
            return [shape, self.export(value), *describe.of_function(value, encoder)]
        if kind is re.Match:
            node = kinds.match_node(encoder, value)
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
        # By its real class: an object may answer anything about itself.
        bases = type(value).__mro__
        if asyncio.Future in bases:
            return [
                "future",
                self.export(value),
                asyncio.Task in bases,
                self.aio.number_of(value.get_loop()),
            ]
        return ["loop", self.aio.number_of(value)] if asyncio.AbstractEventLoop in bases else None

    def _awaitable_node(self, value: Any, kind: str) -> Node:
        if kind == "generator":
            started = (
                type(value) is types.GeneratorType
                and value.gi_frame is not None
                and value.gi_frame.f_lasti > 0
            )
            return [kind, self.export(value), started]
        if kind == "awaitable":
            kind, value = "coroutine", awaiting.wait_for(value)
        return [kind, self.export(value), str(value.__name__), str(value.__qualname__)]

    def _data_node(self, value: Any, base: type, encoder: Encoder) -> Node:
        if base in containers.CONTAINERS:
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
        return ["member", encoder.slot(kind), None, encoder.slot(value._value_)]

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


def _arguments(value: BaseException) -> tuple[Any, ...]:
    if isinstance(value, BaseExceptionGroup):
        # The list that it was made of could not be there before the group is.
        return value.message, value.exceptions
    args: tuple[Any, ...] = BaseException.args.__get__(value)  # type: ignore[attr-defined]
    return args


def _own_state(value: BaseException) -> list[tuple[str, Any]]:
    state: Any = BaseException.__reduce__(value)
    own = state[2] if len(state) > 2 else {}  # noqa: PLR2004 -- class, arguments, state
    return [(key, part) for key, part in (own or {}).items() if not key.startswith("_")]
