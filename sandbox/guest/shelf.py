"""What a warm-up would find, open and compile bit by bit, in one file that is made when the image is built.

It holds what the interpreter itself would come to (see `shelve`): modules, the sources that `dataclasses`
writes, regular expressions. What is not on the shelf is found and compiled as usual.
"""

import marshal
import os
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

FILE = "/opt/mendbench/shelf.bin"
SIZE = 8
"""Bytes at the start that say how long the index is; what the index calls offsets begin after it."""


class Shelf:
    """From its making until it is closed, this process takes from the shelf."""

    def __init__(self, fd: int) -> None:
        """Take over the file, and stand before all other finders and compilers."""
        size = int.from_bytes(os.pread(fd, SIZE, 0), "big")
        self._fd, self._start = fd, SIZE + size
        index = marshal.loads(os.pread(fd, size, SIZE))  # noqa: S302 -- ours, in a read-only image
        self._modules: dict[str, tuple[str, bool, int, int]] = index["modules"]
        self._sources: dict[str, tuple[int, int]] = index["sources"]
        self._patterns: dict[tuple[str | bytes, int], tuple[Any, ...]] = index["patterns"]
        sys.meta_path.insert(0, self)
        # Needed anyway, and these two before anything that they work for.
        import re  # noqa: PLC0415

        self._re: Any = re._compiler  # type: ignore[attr-defined]  # noqa: SLF001
        self._compile = self._re.compile
        self._re.compile = self._pattern
        import dataclasses  # noqa: PLC0415

        self._writer = vars(dataclasses)
        self._writer["exec"] = self._exec

    def close(self) -> None:
        """Let everything be found and compiled as usual from here on."""
        del self._writer["exec"]
        self._re.compile = self._compile
        sys.meta_path.remove(self)
        os.close(self._fd)

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """Find a module, as the import system asks for it."""
        if name not in self._modules:
            return None
        origin, is_package, *place = self._modules[name]
        loader = _Loader(name, origin)
        loader.code = self._code(*place)
        spec = ModuleSpec(name, loader, origin=origin, is_package=is_package)
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [origin.rpartition("/")[0]]
        return spec

    def _code(self, offset: int, size: int) -> "CodeType":
        code: CodeType = marshal.loads(os.pread(self._fd, size, self._start + offset))  # noqa: S302 -- ours as well
        return code

    def _exec(self, source: str, global_names: "dict[str, Any]", names: "dict[str, Any]") -> None:
        place = self._sources.get(source)
        exec(source if place is None else self._code(*place), global_names, names)  # noqa: S102 -- of `dataclasses`

    def _pattern(self, pattern: "Any", flags: int = 0) -> "Any":
        known = self._patterns.get((pattern, flags))
        return self._compile(pattern, flags) if known is None else self._re._sre.compile(*known)  # noqa: SLF001


class _Loader(SourceFileLoader):
    code: "CodeType"

    def get_code(self, _fullname: str) -> "CodeType":
        code = self.code
        # From here on it is the loader that this module would have had anyway.
        del self.code
        self.__class__ = SourceFileLoader  # type: ignore[assignment]
        return code


def opened() -> Shelf | None:
    """Open the shelf; None where there is none."""
    try:
        return Shelf(os.open(FILE, os.O_RDONLY | os.O_CLOEXEC))
    except FileNotFoundError:
        return None
