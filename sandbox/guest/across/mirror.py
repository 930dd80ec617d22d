"""What stands here for an object of the other process: its classes, methods, functions and errors.

A mirror holds no state but a reference. What its class defines is asked of the other side; what it
inherits from a builtin is the builtin's own, on data that has been read there.
"""

import dataclasses
import types
import weakref
from abc import ABCMeta
from collections.abc import Callable
from typing import Any

from . import awaiting, tables
from .errors import CannotCross

REF = "_mendbench"
INFO = "__mendbench__"
ASKED_BY_NAME = frozenset(
    {"__name__", "__qualname__", "__wrapped__", "__self__", "__func__", "__signature__"}
)
_ASKED_OF_CLASSES = tables.BY_NAME_ONLY | {
    "__slots__",
    "__dataclass_params__",
    "__total__",
    "__required_keys__",
}
LOCAL = frozenset({"__abstractmethods__", "_abc_impl", "__parameters__", "__orig_bases__", "__doc__", INFO})
_get: Callable[[Any, str], Any] = object.__getattribute__
_set: Callable[[Any, str, Any], None] = object.__setattr__
_mro: Callable[[type], Any] = type.__dict__["__mro__"].__get__
_bases: Callable[[type], tuple[type, ...]] = type.__dict__["__bases__"].__get__


@dataclasses.dataclass(slots=True, eq=False, weakref_slot=True)
class Ref:
    """An object of the other side; where its process was started afresh, one of the same name in there."""

    peer: Any
    handle: int


_TAGGED: dict[int, tuple[Any, Ref]] = {}


def tag(value: Any, ref: Ref) -> None:
    """Note beside a function or generator what it stands for: `functools.wraps` copies attributes."""
    key = id(value)
    _TAGGED[key] = weakref.ref(value, lambda _: _TAGGED.pop(key, None)), ref


def ref_of(value: Any) -> Ref | None:
    """Return what a mirror stands for; None for anything else."""
    tagged = _TAGGED.get(id(value))
    if tagged is not None:
        return tagged[1]
    if isinstance(value, type):
        found = vars(value).get(INFO)
    elif isinstance(value, RemoteMethod | BoundMethod):
        return None
    else:
        try:
            found = _get(value, REF)
        except AttributeError:
            return None
    if type(value) is types.FunctionType and isinstance(found, Ref):
        # `functools.wraps` copies it to functions that are none of the other side's.
        made = found.peer.imports.get(found.handle)
        return found if made is not None and made() is value else None
    return found if isinstance(found, Ref) else None


def class_ref(kind: type) -> Ref:
    """Return the reference of a mirrored class, or of the nearest one that it derives from."""
    for base in _mro(kind):
        found = vars(base).get(INFO)
        if found is not None:
            return found  # type: ignore[no-any-return]
    raise TypeError(f"{kind.__name__} is not mirrored")


class RemoteMethod:
    """A method, or another attribute, of a mirrored class, as its class holds it."""

    __slots__ = ("__weakref__", "flavour", "kind", "name", "owner", "unbound")

    def __init__(self, owner: Ref, name: str, kind: str, flavour: int = 0) -> None:
        self.owner, self.name, self.kind, self.flavour = owner, name, kind, flavour
        self.unbound = BoundMethod(self, None)

    def __get__(self, value: Any, owner: type | None = None) -> Any:
        if self.kind == "value":
            return self.owner.peer.attribute(owner if value is None else value, self.name)
        if self.kind == "class":
            return BoundMethod(self, owner if value is None else type(value))
        return self.unbound if value is None or self.kind == "static" else BoundMethod(self, value)

    def __set_name__(self, owner: type, name: str) -> None:
        """Do nothing: it has its name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.owner.peer.ask_method(self.owner, self.name, args, kwargs)

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def __signature__(self) -> Any:
        return self.unbound.__signature__


class BoundMethod:
    """A method of a mirrored object or class, ready to be called."""

    __slots__ = ("__self__", "__weakref__", "method")

    def __init__(self, method: RemoteMethod, bound: Any) -> None:
        self.method, self.__self__ = method, bound

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        method = self.method
        own = () if self.__self__ is None else (self.__self__,)
        return method.owner.peer.ask_method(method.owner, method.name, (*own, *args), kwargs)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundMethod):
            return NotImplemented
        return self.method is other.method and self.__self__ is other.__self__

    def __hash__(self) -> int:
        return hash((id(self.method), id(self.__self__)))

    def __getattr__(self, name: str) -> Any:
        method = self.method
        if name == "__name__":
            return method.name
        if name == "__func__" and self.__self__ is not None:
            return method.unbound
        if name.startswith("__") and name.endswith("__") and name not in {*ASKED_BY_NAME, "__doc__"}:
            raise AttributeError(name)
        return method.owner.peer.ask("get", (self, name))

    @property
    def __doc__(self) -> Any:  # type: ignore[override]
        return self.__getattr__("__doc__")

    @property
    def __code__(self) -> Any:
        """For `inspect`, which asks it whether this makes coroutines or generators."""
        return awaiting.code_of(self.method.flavour)

    __defaults__ = __kwdefaults__ = None

    def __repr__(self) -> str:
        return f"<method {self.method.name!r} of the script>"


def doc_of(value: Any) -> Any:
    """Return what documents a callable of the other side."""
    return _get(value, REF).peer.ask("get", (value, "__doc__"))


def operator(name: str) -> Callable[..., Any]:
    """Make the special method `name` that asks the other side."""

    def ask(self: Any, *args: Any, **kwargs: Any) -> Any:
        ref = class_ref(self) if isinstance(self, type) else ref_of(self) or class_ref(type(self))
        return ref.peer.operate(name, self, args, kwargs)

    ask.__name__ = ask.__qualname__ = name
    return ask


class MirrorType(ABCMeta):
    """The class of mirrored classes."""

    def __new__(mcls, name: str, bases: tuple[type, ...], space: dict[str, Any], **keywords: Any) -> Any:
        """Derive a class on this side from a mirrored one: the other side gets one that calls back."""
        cls = super().__new__(mcls, name, bases, space)
        base = next(base for base in _mro(cls)[1:] if INFO in vars(base))
        vars(base)[INFO].peer.derive(cls, bases, space, keywords)
        return cls

    def __init__(cls, name: str, bases: tuple[type, ...], space: dict[str, Any], **_keywords: Any) -> None:
        super().__init__(name, bases, space)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return class_ref(cls).peer.ask("call", (cls, *args), kwargs)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name not in _ASKED_OF_CLASSES:
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        return class_ref(cls).peer.ask("get", (cls, name))

    def __setattr__(cls, name: str, value: Any) -> None:
        if name in LOCAL or name.startswith("_abc_"):
            type.__setattr__(cls, name, value)
            return
        class_ref(cls).peer.ask("set", (cls, name, value))
        if isinstance(value, RemoteMethod) or is_derived(cls):
            type.__setattr__(cls, name, value)
        elif name in vars(cls):
            type.__delattr__(cls, name)

    def __delattr__(cls, name: str) -> None:
        class_ref(cls).peer.ask("del", (cls, name))
        if name in vars(cls):
            type.__delattr__(cls, name)

    def register(cls, subclass: Any) -> Any:
        """Register a virtual subclass, on both sides."""
        class_ref(cls).peer.ask("register", (cls, subclass))
        return super().register(subclass)

    @property
    def __mro__(cls) -> tuple[type, ...]:
        return tuple(base for base in _mro(cls) if base not in HELPERS)

    @property
    def __bases__(cls) -> tuple[type, ...]:  # type: ignore[override]
        return tuple(base for base in _bases(cls) if base not in HELPERS) or (object,)

    @property
    def __base__(cls) -> type:
        return cls.__bases__[0]

    def mro(cls) -> list[type]:
        """Return the order in which attributes are looked up, without what the mirror is made of."""
        # While the class is made it has none, and needs the whole.
        return type.mro(cls) if _mro(cls) is None else list(cls.__mro__)

    def __dir__(cls) -> list[str]:
        names: list[str] = class_ref(cls).peer.ask("dir", (cls,))
        return names

    @classmethod
    def make(cls, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> Any:
        """Make the mirror of a class of the other side."""
        return ABCMeta.__new__(cls, name, bases, space)


def is_derived(cls: type) -> bool:
    """Say whether a class with a mirrored base was made on this side."""
    return "__mendbench_made__" not in vars(cls)


class _Common:
    """What all mirrors of objects have."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name not in ASKED_BY_NAME:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return _get(self, REF).peer.attribute(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        _get(self, REF).peer.ask("set", (self, name, value))

    def __delattr__(self, name: str) -> None:
        _get(self, REF).peer.ask("del", (self, name))

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        return _get(self, REF).peer.attributes(self)

    def __dir__(self) -> Any:
        return _get(self, REF).peer.ask("dir", (self,))

    def __copy__(self) -> Any:
        return _get(self, REF).peer.ask("copy", (self,))

    def __deepcopy__(self, memo: Any) -> Any:
        return _get(self, REF).peer.ask("deepcopy", (self,))

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise CannotCross(f"pickling a {type(self).__name__}")


class MirrorObject(_Common):
    """A mirror of an object that has no data of a builtin's."""

    __repr__ = operator("__repr__")
    __str__ = operator("__str__")
    __format__ = operator("__format__")


class MirrorError(_Common):
    """A mirror of an exception: its arguments are here, its own attributes are not."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in {"args", "__traceback__", "__cause__", "__context__", "__suppress_context__", "__notes__"}:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)


class MirrorData(_Common):
    """A mirror of an object whose class derives from a builtin: the builtin's data is here."""


HELPERS = frozenset({_Common, MirrorObject, MirrorError, MirrorData})
"""What mirrors derive from, and tests do not see."""
