"""What stands here for a module of the other process."""

import types
from collections.abc import Iterator, Mapping
from typing import Any

from .mirror import REF

_get: Any = object.__getattribute__


class Namespace(Mapping[str, Any]):
    """What a module of the other side binds."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getitem__(self, name: str) -> Any:
        return _get(self._module, REF).peer.ask("item", (self._module, name))

    def __iter__(self) -> Iterator[str]:
        peer = _get(self._module, REF).peer
        return iter(peer.may_bind(peer.ask("names", (self._module,))))

    def __len__(self) -> int:
        return sum(1 for _ in self)


_OF_IMPORT = frozenset({"__path__", "__spec__", "__loader__", "__package__", "__wrapped__", "__test__"})


class MirrorModule(types.ModuleType):
    """A module of the other side."""

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        return Namespace(self)

    def __getattr__(self, name: str) -> Any:
        if name in _OF_IMPORT:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        peer = _get(self, REF).peer
        found = peer.ask("get", (self, name))
        return peer.may_bind(found) if name == "__all__" else found

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__") and name.endswith("__"):
            object.__setattr__(self, name, value)
        else:
            _get(self, REF).peer.ask("set", (self, name, value))

    def __delattr__(self, name: str) -> None:
        _get(self, REF).peer.ask("del", (self, name))

    def __dir__(self) -> Any:
        return _get(self, REF).peer.ask("dir", (self,))
