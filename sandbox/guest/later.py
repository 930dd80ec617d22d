"""Stand-ins for modules that the warm-up imports and hardly anything uses.

A stand-in lives on in the module that imported it, and asks the real one when it is asked itself. After the
warm-up its name is free again: whoever imports the real one gets the real one.
"""

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

NAMES: Mapping[str, tuple[str, ...]] = {
    # Asked whether they are there, for archives.
    "bz2": (),
    "lzma": (),
    # For test ids of a great length; brings OpenSSL.
    "hashlib": (),
    # For addresses in brackets.
    "ipaddress": (),
    # For plugins that are installed as packages; brings all of `email`.
    "importlib.metadata": (),
    # For resources beside a test file; brings `zipfile`.
    "importlib.resources.readers": ("FileReader",),
    # For conditions of skips that are written as text.
    "platform": (),
    # For colours.
    "pygments": (),
    "pygments.formatters.terminal": ("TerminalFormatter",),
    "pygments.lexer": ("Lexer",),
    "pygments.lexers.diff": ("DiffLexer",),
    "pygments.lexers.python": ("PythonLexer",),
    # Imported so that it comes before anything else.
    "readline": (),
    # For names of folders that are about to be removed.
    "uuid": (),
}
"""With what is imported out of them by name: classes that are only called."""


class _Later(ModuleType):
    def __getattr__(self, name: str) -> Any:
        # The import system and pytest ask every module for names of their own.
        if name.startswith("_"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


class _Class:
    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(self._module), self._name)(*args, **kwargs)


def put_up() -> None:
    """Let the stand-ins be found, but for modules that are there already."""
    for name, classes in NAMES.items():
        if name in sys.modules:
            continue
        sys.modules[name] = module = _Later(name)
        for each in classes:
            setattr(module, each, _Class(name, each))
        parent, _, last = name.rpartition(".")
        # As an import would; nothing is asked of a package that is a stand-in itself.
        if parent in sys.modules:
            setattr(sys.modules[parent], last, module)


def take_down() -> None:
    """Let the real modules be found again."""
    for name in NAMES:
        if isinstance(sys.modules.get(name), _Later):
            del sys.modules[name]
