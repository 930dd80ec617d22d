"""The script's side of the conversation: it runs the script, and does what the tests ask of it."""

import importlib
import sys
import types
from typing import Any, NoReturn

from .graph import Decoder, Encoder
from .kinds import Node, Slot
from .link import Link
from .mirror import ref_of
from .peer import Peer

MAX_FRAMES = 8


class CandidatePeer(Peer):
    """Answers the tests. Nothing here protects anything: the script may do what it likes to it."""

    def __init__(self, link: Link, script: str) -> None:
        super().__init__(link, step=1)
        self._script = script
        self._borrowed: dict[int, tuple[Any, str, str]] = {}

    def run(self) -> NoReturn:
        """Answer until the tests have gone."""
        while True:
            message, blob = self.link.receive()
            self.take(message, blob)
            del message, blob

    def is_more_than_a_function(self, value: Any) -> bool:
        """Closures and what is wrapped get attributes while they are used."""
        return bool(vars(value)) or value.__closure__ is not None or "<locals>" in value.__qualname__

    def attributes(self, value: Any) -> Any:
        """Return a copy that writes through: the tests' side decides what may be set."""
        return Attributes(value, super().attributes(value))

    def do_derive(self, name: str, bases: tuple[type, ...], space: dict[str, Any], **keywords: Any) -> Any:
        """Derive a class whose methods are the tests'."""
        return types.new_class(
            name, bases, keywords, lambda own: own.update(space, __module__="test_solution")
        )

    def do_module(self, name: str) -> Any:
        """Return a module of the script's own interpreter."""
        return importlib.import_module(name)

    def do_item(self, module: Any, name: str) -> Any:
        """Return what a module binds."""
        return vars(module)[name]

    def do_names(self, module: Any) -> list[str]:
        """Name all that a module binds."""
        return [name for name in vars(module) if type(name) is str]

    def do_resolve(self, names: list[str]) -> list[int]:
        """Return the handles of classes and functions by their qualified names; 0 for what is not there."""
        return [self._resolve(name) for name in names]

    def _resolve(self, name: str) -> int:
        found: Any = sys.modules["solution"]
        for part in name.split("."):
            found = getattr(found, part, None)
        if not isinstance(found, type | types.FunctionType):
            return 0
        handle = self.export(found)
        self._described.add(handle)
        return handle

    def take_library(self, _: Decoder, module: str, name: str) -> Any:
        found = getattr(importlib.import_module(module), name)
        self._borrowed[id(found)] = (found, module, name)
        return found

    def own_node(self, value: Any, encoder: Encoder) -> Node:
        """What the tests have handed over of the library goes back as that."""
        borrowed = self._borrowed.get(id(value))
        return super().own_node(value, encoder) if borrowed is None else ["library", *borrowed[1:]]

    def class_node(self, kind: type, encoder: Encoder) -> Node:
        """The same for classes."""
        borrowed = self._borrowed.get(id(kind))
        return super().class_node(kind, encoder) if borrowed is None else ["library", *borrowed[1:]]

    def take_descriptor(self, decoder: Decoder, kind: Slot, name: str) -> Any:
        return getattr(decoder.value(kind), name)

    def frames_of(self, error: BaseException) -> tuple[Any, ...]:
        """Return (line, function) of the innermost frames in the script."""
        found = []
        trace = error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if code.co_filename == self._script:
                found.append((trace.tb_lineno, code.co_name))
                del found[:-MAX_FRAMES]
            trace = trace.tb_next
        return tuple(found)


class Attributes(dict[str, Any]):
    """The `__dict__` of an object of the tests; what is put into it is set there."""

    def __init__(self, value: Any, content: dict[str, Any]) -> None:
        super().__init__(content)
        self._value = value
        ref = ref_of(value)
        assert ref is not None
        self._peer = ref.peer

    def __setitem__(self, name: str, new: Any) -> None:
        self._peer.ask("put", (self._value, name, new))
        super().__setitem__(name, new)

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._peer.ask("drop", (self._value, name))

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several."""
        for name, new in dict(*args, **kwargs).items():
            self[name] = new

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Set one that is not there."""
        if name not in self:
            self[name] = default
        return self[name]

    def pop(self, name: str, *default: Any) -> Any:
        """Remove one."""
        found = self.get(name, *default) if default else self[name]
        if name in self:
            del self[name]
        return found
