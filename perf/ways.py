"""The ways to run one attempt, side by side: each takes a payload and says whether its tests passed.

A way may be used from many threads. Its `attempt` raises when it comes to no verdict at all.
"""

import os
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from perf.fork_server import ARGS
from perf.payload import Payload, write
from perf.usual_way import UsualWay
from sandbox.engine import DockerSandbox
from sandbox.hosts import DockerHost
from sandbox.image import expected_tag
from sandbox.types import DEFAULT_LEVEL, Job, Level
from sandbox.verdict import RunVerdict, judge

REUSE = 50
EXIT_CODES = {0: True, 1: False}
"""pytest's: all passed, some failed. Any other is no verdict."""


class Name(StrEnum):
    """What the tables call a way."""

    USUAL = "usual way"
    COLD = "cold hardened"
    POOLED = "pooled"
    SHARED = "pooled, level shared"
    REUSED = f"reuse N={REUSE}"
    SUBPROCESS = "plain subprocess"
    FORK = "warm fork"


class NoVerdictError(Exception):
    """An attempt ended in a way that says nothing of the payload."""


class Way(Protocol):
    """One way to run attempts."""

    def attempt(self, payload: Payload) -> bool:
        """Run the payload's tests; say whether all of them passed."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...


class Usual:
    """A bridge container per attempt through the SDK's high-level client."""

    def __init__(self, _workers: int = 1) -> None:
        self._local = threading.local()
        self._made: list[UsualWay] = []

    def attempt(self, payload: Payload) -> bool:
        """Run pytest in a container; its exit code is the verdict."""
        way: UsualWay | None = getattr(self._local, "way", None)
        if way is None:
            way = self._local.way = UsualWay(expected_tag())
            self._made.append(way)
        return _from_exit_code(way.run(payload.files).exit_code)

    def close(self) -> None:
        """Close the clients of all threads."""
        for way in self._made:
            way.close()


class Caged:
    """Our own sandbox, in one of its modes."""

    def __init__(self, sandbox: DockerSandbox, level: Level = DEFAULT_LEVEL) -> None:
        self.sandbox = sandbox
        self._level = level

    def attempt(self, payload: Payload) -> bool:
        """Run a job and judge it from its evidence."""
        job = Job(id=uuid.uuid4().hex, script=payload.script, tests=payload.tests, level=self._level)
        verdict = judge(self.sandbox.run(job))
        if verdict not in {RunVerdict.PASSED, RunVerdict.TESTS_FAILED}:
            raise NoVerdictError(f"the sandbox says {verdict}")
        return verdict is RunVerdict.PASSED

    def close(self) -> None:
        """Remove its containers."""
        self.sandbox.close()


class Subprocess:
    """pytest in a process of its own on the host, in a temporary folder: no isolation at all."""

    def __init__(self, _workers: int = 1) -> None:
        self._environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

    def attempt(self, payload: Payload) -> bool:
        """Run the tests with the interpreter of this process."""
        with tempfile.TemporaryDirectory() as folder:
            write(payload, Path(folder))
            done = subprocess.run(
                [sys.executable, "-m", "pytest", *ARGS],
                cwd=folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        return _from_exit_code(done.returncode)

    def close(self) -> None:
        """Nothing is left."""


class Fork:
    """A fork of a warm interpreter on the host, one server per thread: the floor."""

    def __init__(self, _workers: int = 1) -> None:
        self._local = threading.local()
        self._servers: list[subprocess.Popen[str]] = []

    def attempt(self, payload: Payload) -> bool:
        """Run the tests in a fork of this thread's server."""
        server = self._server()
        assert server.stdin is not None
        assert server.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            write(payload, Path(folder))
            server.stdin.write(f"{folder}\n")
            server.stdin.flush()
            return _from_exit_code(int(server.stdout.readline()))

    def close(self) -> None:
        """End the servers."""
        for server in self._servers:
            server.communicate()

    def _server(self) -> subprocess.Popen[str]:
        server: subprocess.Popen[str] | None = getattr(self._local, "server", None)
        if server is None:
            server = self._local.server = subprocess.Popen(
                [sys.executable, "-m", "perf.fork_server"],
                cwd=Path(__file__).resolve().parents[1],
                env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._servers.append(server)
        return server


def cold(workers: int = 1) -> Caged:
    """Our sandbox, every container made when its job comes."""
    return caged(workers)


def pooled(workers: int = 1) -> Caged:
    """Our sandbox with containers kept ready, each used once."""
    return caged(workers, warm=workers + 1)


def shared(workers: int = 1) -> Caged:
    """The same with tests and script in one interpreter: what the boundary between them costs."""
    return Caged(pooled(workers).sandbox, Level.SHARED)


def reused(workers: int = 1) -> Caged:
    """Our sandbox with containers that take many attempts one after another."""
    return caged(workers, warm=workers, attempts_per_container=REUSE)


def caged(workers: int, *, warm: int = 0, attempts_per_container: int = 1) -> Caged:
    """Open our sandbox with a slot for every worker."""
    return Caged(
        DockerSandbox(
            run_id(),
            hosts=(DockerHost(slots=workers),),
            warm=warm,
            attempts_per_container=attempts_per_container,
        )
    )


def run_id() -> str:
    """Return a label for one sandbox of the benchmark."""
    return f"perf-{uuid.uuid4().hex[:8]}"


WAYS: Mapping[Name, Callable[[int], Way]] = {
    Name.USUAL: Usual,
    Name.COLD: cold,
    Name.POOLED: pooled,
    Name.SHARED: shared,
    Name.REUSED: reused,
    Name.SUBPROCESS: Subprocess,
    Name.FORK: Fork,
}
"""How to open each way for a number of workers."""


def _from_exit_code(code: int) -> bool:
    try:
        return EXIT_CODES[code]
    except KeyError:
        raise NoVerdictError(f"pytest ended with {code}") from None
