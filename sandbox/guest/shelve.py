"""Runs while the image is built: warms up as warden and zygotes do, and fills the shelf with what it took."""

import importlib
import marshal
import re
import sys
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

from .shelf import FILE, SIZE

_COMPILER: Any = re._compiler  # type: ignore[attr-defined]  # noqa: SLF001 -- Python has no public way in


class _Door:
    """The plugin that looks around where a zygote would wait."""

    def __init__(self) -> None:
        self.modules: dict[str, ModuleType] = {}

    def pytest_collection(self) -> bool:
        """Note what there is, and collect nothing."""
        self.modules = dict(sys.modules)
        return True


class _Notes:
    """From its making on, what `re` and `dataclasses` are asked to compile."""

    def __init__(self) -> None:
        self.sources: dict[str, None] = {}
        self.patterns: dict[tuple[str | bytes, int], None] = {}
        self._compile = _COMPILER.compile
        _COMPILER.compile = self._pattern
        dataclasses: Any = importlib.import_module("dataclasses")
        dataclasses.exec = self._exec

    def _pattern(self, pattern: Any, flags: int = 0) -> Any:
        self.patterns[pattern, int(flags)] = None
        return self._compile(pattern, flags)

    def _exec(self, source: str, *names: Any) -> None:
        self.sources[source] = None
        exec(source, *names)  # noqa: S102 -- what `dataclasses` would do

    def compiled_patterns(self) -> dict[tuple[str | bytes, int], tuple[Any, ...]]:
        """What `_sre.compile` is called with for each."""
        real = _COMPILER._sre  # noqa: SLF001
        _COMPILER._sre = SimpleNamespace(**{**vars(real), "compile": _plain})  # noqa: SLF001
        try:
            return {key: self._compile(*key) for key in self.patterns}
        finally:
            _COMPILER._sre = real  # noqa: SLF001


def _plain(pattern: Any, flags: int, code: list[int], *rest: Any) -> tuple[Any, ...]:
    return (pattern, int(flags), [int(word) for word in code], *rest)


class _Blobs:
    def __init__(self) -> None:
        self.all: list[bytes] = []
        self._offset = 0

    def put(self, code: CodeType | None) -> tuple[int, int]:
        blob = marshal.dumps(code)
        place = self._offset, len(blob)
        self.all.append(blob)
        self._offset += len(blob)
        return place


def main() -> None:
    """Write the shelf."""
    notes, door = _Notes(), _Door()
    _warm_up(door)
    blobs = _Blobs()
    index = {
        "modules": {
            name: (loader.path, loader.is_package(name), *blobs.put(loader.get_code(name)))
            for name, loader in _loaders(door.modules)
        },
        "sources": {
            text: blobs.put(compile(text, "<string>", "exec", dont_inherit=True)) for text in notes.sources
        },
        "patterns": notes.compiled_patterns(),
    }
    head = marshal.dumps(index)
    with open(FILE, "wb") as file:  # noqa: PTH123 -- pathlib shall be seen by the notes
        file.writelines((len(head).to_bytes(SIZE, "big"), head, *blobs.all))


def _warm_up(door: _Door) -> None:
    later, child = (importlib.import_module(f"{__package__}.{name}") for name in ("later", "child"))
    child.take_environment("/", 0)
    later.put_up()
    for name in ("warden", "plain", "session"):
        importlib.import_module(f"{__package__}.{name}")
    pytest, suite = sys.modules["pytest"], sys.modules[f"{__package__}.suite"]
    pytest.main([*suite.ARGUMENTS, "--rootdir=/"], plugins=[door])
    if not door.modules:
        raise SystemExit("pytest did not come to the door of the collection")
    later.take_down()


def _loaders(modules: dict[str, ModuleType]) -> list[tuple[str, SourceFileLoader]]:
    found = (
        (name, getattr(getattr(module, "__spec__", None), "loader", None)) for name, module in modules.items()
    )
    # Not what goes by two names, or is part of the interpreter.
    return [(name, it) for name, it in found if type(it) is SourceFileLoader and it.name == name]
