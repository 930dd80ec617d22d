"""What a fork of the conductor becomes: it loads a version of the script, collects the tests, runs them.

A *warm* part has the unchanged script; for every run it forks once more, and swaps code in that fork. A
*cold* part has one version from the start, does one run and ends. Both run the tests in the same way.
"""

import gc
import importlib.machinery
import importlib.util
import json
import marshal
import os
import random
import sys
import threading
from base64 import b64decode
from collections import defaultdict
from collections.abc import Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any, NoReturn

import coverage
import pytest

from .. import suite
from ..report import describe
from ..run_shared import FILES
from . import clock, gather, tidy
from .gather import Talker
from .instrument import pairs
from .runner import Runner, limit, run_all
from .ticks import WITHOUT_LIMIT, Ticks
from .watch import Assertions, Hermeticity


def decode(text: str) -> CodeType:
    """Read a code object; it was made in this container, by this interpreter."""
    code: CodeType = marshal.loads(b64decode(text))  # noqa: S302 -- of the warden
    return code


class Part:
    """One process's part."""

    def __init__(
        self,
        talker: Talker,
        base: Sequence[str] | None,
        seed: int,
        request: dict[str, Any] | None,
        fd: int,
        load_cpu_s: float,
    ) -> None:
        """Prepare; `request` is what a cold part is for, `fd` where a warm one reads its requests."""
        self._load_cpu_s = load_cpu_s
        self.talker = talker
        self._fd = fd
        self.runner = Runner()
        self._codes = _whole() if base is None else [decode(text) for text in base]
        self._request = request
        self._seed = seed
        self._ticks = Ticks(self._too_long)
        self._functions: dict[int, list[FunctionType]] = {}
        self._hermeticity = Hermeticity()
        self._coverage = coverage.Coverage(
            data_file=None, branch=True, config_file=False, include=[suite.SOLUTION], messages=False
        )
        self._files = self._memories = 0

    # Loading

    def load(self) -> None:
        """Import the script; say why that is not possible, and end."""
        cold = self._request or {}
        limit(cold.get("cpu_s", 0.0) + self._load_cpu_s)
        self._ticks.arm(cold.get("import_ticks") or WITHOUT_LIMIT)
        self._hermeticity.install()
        self._files, self._memories = _open_files(), _shared_memories()
        if self._request is None or cold.get("record"):
            self._coverage.start()
        codes = self._codes
        if self._request is not None and self._request.get("code"):
            piece, code = self._request["piece"], decode(self._request["code"])
            codes = [code] if piece < 0 else [*codes[:piece], code, *codes[piece + 1 :]]
        try:
            execute(codes)
        except BaseException as exc:  # noqa: BLE001 -- SystemExit is the script's end too
            self.talker.leave("import_failed", **describe(exc, FILES[:1]))
        suite.seed_all(self._seed)
        self._hermeticity.listen()

    def _too_long(self) -> NoReturn:
        self.talker.leave("done", loop=True)
        raise AssertionError

    def collect_failed(self, exc: BaseException) -> None:
        """Say why the tests cannot be collected."""
        self.talker.leave("collect_failed", **describe(exc, FILES))

    def ended(self, status: int) -> NoReturn:
        """Say that pytest ended before it came to the tests."""
        self.talker.leave("ended", status=status)
        raise AssertionError

    # Running

    def loop(self) -> NoReturn:
        """Do what this part is for."""
        if self._request is not None:
            self._do(self._request)
        limit(0.0)
        arcs = self._stop_coverage()
        self._functions = functions_of(self._codes)
        fit = self._is_fit()
        outside = self._hermeticity.went_outside()
        gc.collect()
        gc.freeze()
        ids = [suite.short_id(item.nodeid)[1] for item in self.runner.items]
        for start in range(0, max(len(ids), 1), 100):
            self.talker.say("ids", ids=ids[start : start + 100])
        tidy.remember()
        self.talker.say("ready", fit=fit, outside=outside, arcs=arcs, ticks=self._ticks.used())
        with os.fdopen(self._fd, "rb", closefd=False) as requests:
            for line in requests:
                self._serve(json.loads(line))
        os._exit(0)

    def _is_fit(self) -> bool:
        """Say whether forks of this process share nothing: no thread, open file, memory or new file."""
        alone = threading.active_count() == 1 and _threads() == 1
        same = _open_files() == self._files and _shared_memories() == self._memories
        return alone and same and tidy.is_as_remembered()

    def _serve(self, request: dict[str, Any]) -> None:
        """Fork for one run, and pass on what comes of it."""
        run = gather.run(self._become, request["wall_s"])
        if run is None:
            self._do(request)
            os._exit(0)
        tidy.sweep()
        self.talker.say("answer", ended=run.ended, status=run.status, said=run.events)

    def _become(self, talker: Talker) -> None:
        # What the warm part talks and listens to is none of a test's business.
        for fd in (self.talker.fd, self._fd):
            os.close(fd)
        self.talker = talker

    def _do(self, request: dict[str, Any]) -> NoReturn:
        """Run what is asked for, in a process of its own, and end."""
        talker = self.talker
        if self._request is None and request.get("code") and not self._swap(request):
            talker.leave("unswappable")
        watch = (self._hermeticity, Assertions()) if request.get("watch") else None
        limit(request["cpu_s"])
        if request.get("ahead_s"):
            clock.shift(request["ahead_s"])
        random.seed(request["seed"])
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(request["seed"] % (1 << 32))
        chosen = self._chosen(request)
        if watch:
            for _, item, _ in chosen[:1]:
                item.config.pluginmanager.register(watch[1])
            watch[1].install()
            self._hermeticity.begin()
        if request.get("record") and self._request is None:
            self._coverage.erase()
            self._coverage.start()
        run_all(self.runner, chosen, talker, watch)
        facts: dict[str, Any] = {"hermetic": self._hermeticity.facts()} if watch else {}
        if request.get("record"):
            facts |= {"arcs": self._stop_coverage(), "outside": self._hermeticity.went_outside()}
        talker.leave("done", **facts)
        raise AssertionError

    def _chosen(self, request: dict[str, Any]) -> list[tuple[int, pytest.Item, int]]:
        numbers, limits = request["tests"], request.get("limits") or {}
        if "ids" in request:
            # Another version of the script was collected: by name, in case there are others.
            by_id = {suite.short_id(item.nodeid)[1]: item for item in self.runner.items}
            found = [(number, by_id.get(request["ids"][str(number)])) for number in numbers]
        else:
            found = [(number, self.runner.items[number]) for number in numbers]
        return [(number, item, limits.get(str(number), 0)) for number, item in found if item is not None]

    def _swap(self, request: dict[str, Any]) -> bool:
        old, new = self._codes[request["piece"]], decode(request["code"])
        try:
            for one, other in pairs(old, new):
                for function in self._functions.get(id(one), ()):
                    function.__code__ = other
        except ValueError:
            # Another number of free variables: only a new import can have it.
            return False
        return True

    def _stop_coverage(self) -> list[list[int]]:
        self._coverage.stop()
        return [list(arc) for arc in self._coverage.get_data().arcs(suite.SOLUTION) or []]


def _whole() -> list[CodeType]:
    """Compile the script as it is: no mutants could be made of it."""
    with open(suite.SOLUTION, "rb") as file:  # noqa: PTH123 -- pathlib adds nothing here
        return [compile(file.read(), suite.SOLUTION, "exec", dont_inherit=True)]


def execute(codes: Sequence[CodeType]) -> None:
    """Import a version of the script as `solution`."""
    loader = importlib.machinery.SourceFileLoader("solution", suite.SOLUTION)
    spec = importlib.util.spec_from_file_location("solution", suite.SOLUTION, loader=loader)
    assert spec is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    # Before it runs: dataclasses and pickling look their own module up; and whoever reloads it, its file.
    sys.modules["solution"] = module
    sys.path.append(suite.CODE)
    for code in codes:
        exec(code, module.__dict__)  # noqa: S102 -- to run the script is what this process is for


def functions_of(codes: Sequence[CodeType]) -> dict[int, list[FunctionType]]:
    """Find every function there is, by the identity of its code, of these codes and those in them."""
    known = {id(code) for whole in codes for code, _ in pairs(whole, whole)}
    found: dict[int, list[FunctionType]] = defaultdict(list)
    for value in gc.get_objects():
        if type(value) is FunctionType and id(value.__code__) in known:
            found[id(value.__code__)].append(value)
    return found


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- names, not paths


def _shared_memories() -> int:
    with open("/proc/self/maps") as file:  # noqa: PTH123 -- pathlib adds nothing here
        modes = [line.split(maxsplit=2)[1] for line in file]
    return sum(mode[1] == "w" and mode[3] == "s" for mode in modes)


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208 -- names, not paths
