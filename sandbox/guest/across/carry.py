"""What tests change around the script: the environment, the folder, random numbers, patched libraries."""

import contextlib
import os
import random
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import places
from .mirror import BoundMethod, RemoteMethod

RUNNERS = ("run", "Popen", "call", "check_call", "check_output", "getoutput", "getstatusoutput")
NOT_CARRIED = frozenset(
    {"stdin", "stdout", "stderr", "displayhook", "excepthook", "modules", "path", "meta_path"}
)
ROOTS = frozenset(sys.stdlib_module_names) - {"unittest", "gc", "inspect", "importlib"}
OF_PYTEST = "PYTEST_CURRENT_TEST"
FROM_SCRIPT = (
    *("PYTEST", "PYTHON", "HYPOTHESIS", "LD_", "TMP"),
    # What libraries of C load code or data by, whenever they please.
    *("OPENSSL", "SSL", "GCONV", "LOCPATH", "NLSPATH", "GLIBC", "MALLOC", "HOSTALIASES", "RES_", "TZDIR"),
)
"""Variables whose names begin so are the tests' own, whatever the script sets."""


class Carrier:
    """Notices such changes on the tests' side, and repeats them on the script's."""

    def __init__(self) -> None:
        self._peer: Any = None
        self._dirty: set[str] = set()
        self._patches: dict[tuple[str, str], Any] = {}
        self._pending: list[tuple[str, str]] = []
        self._streams = (sys.stdout, sys.stderr)
        self._redirected = [False, False]
        self._numbers: Any = None
        """The state of the random numbers when both sides last agreed; None while tests do not seed."""

    def serve(self, peer: Any) -> None:
        """Repeat changes over this peer."""
        self._peer = peer
        peer.before_asking, peer.after_asking = self._bring, self._fetch
        peer.when_told = self._take_surroundings

    def start(self) -> None:
        """Begin to notice."""
        self._streams = (sys.stdout, sys.stderr)
        self._watch(os, ("putenv", "unsetenv"), "environ")
        self._watch(os, ("chdir", "fchdir"), "cwd")
        self._watch(random, ("seed", "setstate"), "random")
        if "numpy" in sys.modules:
            self._watch(sys.modules["numpy"].random, ("seed", "set_state"), "numpy")
        _after(pytest.MonkeyPatch, "setattr", self._after_setattr)
        _after(pytest.MonkeyPatch, "delattr", self._after_setattr)
        _after(pytest.MonkeyPatch, "undo", self._look_again)
        if "unittest.mock" in sys.modules:
            self._watch_mock(sys.modules["unittest.mock"])
        for name in RUNNERS:
            # Programs that tests start are started by the script's user.
            setattr(subprocess, name, _Runner(self, name))

    def _watch_mock(self, mock: Any) -> None:
        # `autospec` of a method is to be a function, which gets the object.
        mock.FunctionTypes = (*mock.FunctionTypes, BoundMethod, RemoteMethod)
        patcher = type(mock.patch("os.getcwd"))
        _after(
            patcher,
            "__enter__",
            lambda patch, *_: self._note(getattr(patch, "target", None), patch.attribute),
        )
        _after(patcher, "__exit__", self._look_again)

    def again(self) -> None:
        """Repeat everything to a process that has just been started."""
        self._dirty |= {"environ", "cwd"}
        self._pending = list(self._patches)
        self._redirected = [False, False]

    def end_of_test(self) -> None:
        """Let the random numbers of the two sides go their own ways again."""
        self._numbers = None

    def _watch(self, module: Any, names: tuple[str, ...], what: str) -> None:
        for name in names:
            _after(module, name, lambda *args, **_: self._changed(what, args))

    def _changed(self, what: str, args: tuple[Any, ...]) -> None:
        # pytest's own says which test runs: nothing that the script should know.
        if not (what == "environ" and args and args[0] in {OF_PYTEST, OF_PYTEST.encode()}):
            self._dirty.add(what)

    def _after_setattr(self, _patch: Any, target: Any, name: Any = None, *_: Any, **__: Any) -> None:
        if isinstance(target, str):
            path, attribute = target.rpartition(".")[::2]
            self._note(sys.modules.get(path), attribute)
        else:
            self._note(target, name)

    def _note(self, target: Any, name: Any) -> None:
        if type(target) is not types.ModuleType or type(name) is not str or name in NOT_CARRIED:
            return
        if target.__name__.partition(".")[0] in ROOTS:
            self._patches[target.__name__, name] = None
            self._pending.append((target.__name__, name))

    def _look_again(self, *_: Any, **__: Any) -> None:
        self._pending = list(self._patches)

    def _bring(self) -> None:
        redirected = [sys.stdout is not self._streams[0], sys.stderr is not self._streams[1]]
        if redirected != self._redirected:
            self._redirected = redirected
            self._dirty.add("streams")
        if self._peer.busy or not (self._dirty or self._pending or self._numbers is not None):
            return
        self._peer.busy = True
        try:
            state = self._state()
            if state:
                self._peer.ask("state", (state,))
            pending, self._pending = self._pending, []
            for module, name in dict.fromkeys(pending):
                self._repeat(module, name)
        finally:
            self._peer.busy = False

    def _state(self) -> dict[str, Any]:
        dirty, self._dirty = self._dirty, set()
        state: dict[str, Any] = {}
        if "environ" in dirty:
            state["environ"] = {name: value for name, value in os.environ.items() if name != OF_PYTEST}
        if "cwd" in dirty:
            state["cwd"] = str(Path.cwd())
        if "streams" in dirty:
            state["streams"] = self._redirected
        if "numpy" in dirty:
            state["numpy"] = sys.modules["numpy"].random.get_state()
        if "random" in dirty or self._numbers is not None:
            now = random.getstate()
            if now != self._numbers:
                state["random"] = self._numbers = now
        return state

    def _fetch(self) -> None:
        """Let random numbers that the script has drawn be drawn here, too, once a test has seeded them."""
        if self._numbers is None or self._peer.busy or self._peer.dead:
            return
        self._peer.busy = True
        try:
            state = self._peer.ask("numbers", ())
            if state != self._numbers:
                random.Random.setstate(random._inst, state)  # noqa: SLF001
                self._numbers = state
        except (TypeError, ValueError):
            self._numbers = None
        finally:
            self._peer.busy = False

    def _take_surroundings(self, told: Any) -> None:
        if type(told) is not tuple or [type(part) for part in told] != [dict, str]:
            return
        variables, folder = told
        if folder.startswith(places.SHARED) and os.path.realpath(folder) == folder and Path(folder).is_dir():
            # It may be closed to this side.
            with contextlib.suppress(OSError):
                os.chdir(folder)
        for name, value in variables.items():
            if type(name) is not str or name.startswith(FROM_SCRIPT) or "=" in name or "\0" in name:
                continue
            if value is None:
                os.environ.pop(name, None)
            elif type(value) is str and "\0" not in value:
                os.environ[name] = value
        self._dirty -= {"environ", "cwd"}

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
        peer = self._carrier._peer  # noqa: SLF001 -- a part of it
        return getattr(peer.ask("module", ("subprocess",)), self._name)(*args, **kwargs)
