"""What stands here for a function, or a generator, of the other process."""

import contextlib
import inspect
import types
from typing import Any

from . import awaiting
from .errors import CannotCross
from .far_future import ready
from .mirror import REF, MirrorObject, Ref, tag

_get: Any = object.__getattribute__


class RemoteIterator:
    """What a generator of this side goes through, to run one of the other side."""

    def __init__(self, ref: Ref) -> None:
        self.ref = ref

    def __iter__(self) -> "RemoteIterator":
        return self

    def __next__(self) -> Any:
        return ready(self.ref.peer.ask("next", (self.ref,)))

    def send(self, value: Any) -> Any:
        """Resume with a value."""
        return ready(self.ref.peer.ask("send", (self.ref, value)))

    def throw(self, kind: Any, value: Any = None, _trace: Any = None) -> Any:
        """Resume with an error."""
        error = value if value is not None else kind() if isinstance(kind, type) else kind
        return ready(self.ref.peer.ask("throw", (self.ref, error)))

    def close(self) -> None:
        """End; one that the other side has been told to forget has ended there by itself."""
        if self.ref.peer.holds(self.ref.handle):
            # The thread that reads comes here where it collects garbage: what nobody holds ends by itself.
            with contextlib.suppress(CannotCross):
                self.ref.peer.ask("close", (self.ref,))


class MirrorCallable(MirrorObject):
    """A function of the other side that has attributes, or is wrapped: what it is, is asked there."""

    def __init__(self, ref: Ref, facts: dict[str, Any]) -> None:
        object.__setattr__(self, REF, ref)
        object.__setattr__(self, "__name__", facts["name"])
        object.__setattr__(self, "__doc__", facts["doc"])
        awaiting.mark(self, facts["flavour"])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _get(self, REF).peer.ask("call", (self, *args), kwargs)

    def __get__(self, value: Any, owner: type | None = None) -> Any:
        return self if value is None else types.MethodType(self, value)

    def __getattr__(self, name: str) -> Any:
        if name in _NO_FUNCTIONS:
            raise AttributeError(name)
        return _get(self, REF).peer.ask("get", (self, name))


_NO_FUNCTIONS = frozenset({"__test__", "__path__", "__isabstractmethod__", "__bases__", "__mro__"})


def make_function(ref: Ref, facts: dict[str, Any]) -> Any:
    """Make a function that calls one of the other side, and looks like it."""

    def function(*args: Any, **kwargs: Any) -> Any:
        return ref.peer.ask("call", (ref, *args), kwargs)

    awaiting.flavoured(function, facts["flavour"])  # type: ignore[arg-type]
    made: Any = function
    made.__name__, made.__qualname__, made.__doc__ = facts["name"], facts["qualname"], facts["doc"]
    made.__module__ = facts["module"]
    made.__annotations__ = facts["annotations"]
    signature = facts["signature"]
    if signature is not None:
        made.__signature__ = signature
        parts = list(signature.parameters.values())
        given = [part for part in parts if part.default is not part.empty]
        made.__defaults__ = (
            tuple(part.default for part in given if part.kind is not part.KEYWORD_ONLY) or None
        )
        made.__kwdefaults__ = {p.name: p.default for p in given if p.kind is p.KEYWORD_ONLY} or None
    tag(made, ref)
    return made


def signature_of(parameters: list[Any], returns: Any) -> inspect.Signature:
    """Build a signature of (name, kind, default, annotation)."""
    empty = inspect.Parameter.empty
    made = [
        inspect.Parameter(
            name,
            inspect._ParameterKind(kind),  # noqa: SLF001 -- its members have no other way in
            default=default[0] if default else empty,
            annotation=annotation[0] if annotation else empty,
        )
        for name, kind, default, annotation in parameters
    ]
    return inspect.Signature(made, return_annotation=returns[0] if returns else empty)
