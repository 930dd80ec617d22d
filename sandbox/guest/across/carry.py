"""What tests change around the script: the environment, the folder, random numbers, patched libraries."""

import os
import random
import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from .peer import Peer

RUNNERS = ("run", "Popen", "call", "check_call", "check_output", "getoutput", "getstatusoutput")
NOT_CARRIED = frozenset({"stdin", "stdout", "stderr", "displayhook", "excepthook", "modules", "path", "meta_path"})
ROOTS = frozenset(sys.stdlib_module_names) - {"unittest", "pytest", "_pytest", "gc", "inspect"}


class Carrier:
    """Notices such changes on the tests' side, and repeats them on the script's."""

    def __init__(self) -> None:
        self._peer: Any = None
        self._dirty: set[str] = set()
        self._patches: dict[tuple[str, str], Any] = {}
        self._pending: list[tuple[str, str]] = []
        self._started = False

    def serve(self, peer: Any) -> None:
        """Repeat changes over this peer."""
        self._peer = peer
        peer.before_asking = self._bring

    def start(self) -> None:
        """Begin to notice."""
        self._started = True
        self._watch(os, ("putenv", "unsetenv"), "environ")
        self._watch(os, ("chdir", "fchdir"), "cwd")
        self._watch(random, ("seed", "setstate"), "random")
        _after(pytest.MonkeyPatch, "setattr", self._after_setattr)
        _after(pytest.MonkeyPatch, "delattr", self._after_setattr)
        _after(pytest.MonkeyPatch, "undo", self._look_again)
        patcher = type(mock.patch("os.getcwd"))
        _after(patcher, "__enter__", lambda patch, *_: self._note(getattr(patch, "target", None), patch.attribute))
        _after(patcher, "__exit__", self._look_again)
        self._borrow_runners()

    def again(self) -> None:
        """Repeat everything to a process that has just been started."""
        self._dirty |= {"environ", "cwd"}
        self._pending = list(self._patches)

    def _watch(self, module: Any, names: tuple[str, ...], what: str) -> None:
        for name in names:
            _after(module, name, lambda *_, **__: self._dirty.add(what))

    def _borrow_runners(self) -> None:
        """Programs that tests start are started by the script's user."""
        for name in RUNNERS:
            setattr(subprocess, name, _Runner(self, name))

    def _after_setattr(self, _patch: Any, target: Any, name: Any = None, *_: Any, **__: Any) -> None:
        if isinstance(target, str):
            path, _, attribute = target.rpartition(".")
            self._note(sys.modules.get(path), attribute)
        else:
            self._note(target, name)

    def _note(self, target: Any, name: Any) -> None:
        if type(target) is not types.ModuleType or type(name) is not str or name in NOT_CARRIED:
            return
        module = target.__name__
        if module.partition(".")[0] in ROOTS and (module, name) not in self._patches:
            self._patches[module, name] = None
            self._pending.append((module, name))
        elif (module, name) in self._patches:
            self._pending.append((module, name))

    def _look_again(self, *_: Any) -> None:
        self._pending = list(self._patches)

    def _bring(self) -> None:
        if not (self._dirty or self._pending) or self._peer.busy:
            return
        state, self._dirty = self._state(), set()
        pending, self._pending = self._pending, []
        self._peer.busy = True
        try:
            if state:
                self._peer.ask("state", (state,))
            for module, name in pending:
                self._repeat(module, name)
        finally:
            self._peer.busy = False

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = {}
        if "environ" in self._dirty:
            state["environ"] = dict(os.environ)
        if "cwd" in self._dirty:
            state["cwd"] = os.getcwd()
        if "random" in self._dirty:
            state["random"] = random.getstate()
        return state

    def _repeat(self, module: str, name: str) -> None:
        value = vars(sys.modules[module]).get(name)
        if _is_original(module, name, value):
            self._patches.pop((module, name), None)
            self._peer.ask("unpatch", (module, name))
        else:
            self._peer.ask("patch", (module, name, value))


def _is_original(module: str, name: str, value: Any) -> bool:
    return getattr(value, "__module__", None) == module and getattr(value, "__name__", None) == name


def _after(owner: Any, name: str, then: Callable[..., None]) -> None:
    """Have `then` called after a function of the library, with its arguments."""
    original = getattr(owner, name)

    def both(*args: Any, **kwargs: Any) -> Any:
        try:
            return original(*args, **kwargs)
        finally:
            then(*args, **kwargs)

    both.__name__ = name
    both.__module__ = getattr(original, "__module__", "")
    setattr(owner, name, both)


class _Runner:
    """A function of `subprocess` that is called on the script's side."""

    def __init__(self, carrier: Carrier, name: str) -> None:
        self._carrier, self._name = carrier, name
        self.__name__, self.__module__ = name, "subprocess"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        peer: Peer = self._carrier._peer  # noqa: SLF001 -- a part of it
        return getattr(peer.ask("module", ("subprocess",)), self._name)(*args, **kwargs)
