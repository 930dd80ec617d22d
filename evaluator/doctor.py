"""Is this machine fit? Each finding comes with its mend; good and evil programs are run for real."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evaluator.folders import RUNS
from evaluator.servers import discover
from sandbox.backend import Sandbox
from sandbox.connect import connect
from sandbox.errors import MendError
from sandbox.types import Job, Limits
from sandbox.verdict import RunVerdict, judge

State = Literal["ok", "note", "bad"]
_NEEDED_BYTES = 2 * 1024**3

_TESTS = "from solution import double\n\n\ndef test_double():\n    assert double(4) == 8\n"
_PROBES: tuple[tuple[str, str, RunVerdict], ...] = (
    ("a good program passes", "def double(x):\n    return 2 * x\n", RunVerdict.PASSED),
    ("an empty program fails", "", RunVerdict.TESTS_FAILED),
    ("a wrong program fails", "def double(x):\n    return 3 * x\n", RunVerdict.TESTS_FAILED),
    ("an endless program is stopped", "while True:\n    pass\n", RunVerdict.CPU_LIMIT),
    (
        "a greedy program is stopped",
        "x = []\nwhile True:\n    x.append(b'x' * 10**7)\n",
        RunVerdict.OUT_OF_MEMORY,
    ),
    (
        "a program that ends the tests fails",
        "import os\n\n\ndef double(x):\n    os._exit(0)\n",
        RunVerdict.TAMPERED,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    state: State
    what: str
    mend: str = ""
    """What to do, where there is something to do."""


def examine(open_sandbox: Callable[[], Sandbox]) -> Iterator[Finding]:
    """Yield the findings, each as soon as it is known; what cannot be looked at is a finding, too."""
    yield _disk()
    try:
        yield from _engine()
        with open_sandbox() as sandbox:
            image = sandbox.image()
            yield Finding(state="ok", what=f"image {image.tag}: Python {image.python}, {image.base}")
            yield from (_probe(sandbox, *probe) for probe in _PROBES)
    except MendError as exc:
        yield Finding(state="bad", what="the sandbox does not work", mend=str(exc))
    yield _servers()


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    what = f"{free / 1024**3:.0f} GiB free for {RUNS}/"
    if free < _NEEDED_BYTES:
        return Finding(state="bad", what=what, mend="free some space; a full disk stops a run")
    return Finding(state="ok", what=what)


def _engine() -> Iterator[Finding]:
    client = connect()
    try:
        info, version = client.info(), client.version()
    finally:
        client.close()
    cgroups = info.get("CgroupVersion", "1")
    yield Finding(
        state="ok",
        what=f"Docker engine {version.get('Version')}, cgroup v{cgroups}, "
        f"runtime {info.get('DefaultRuntime')}, {info.get('NCPU')} CPUs, "
        f"{info.get('MemTotal', 0) / 1024**3:.0f} GiB",
    )
    security = " ".join(info.get("SecurityOptions") or [])
    if "seccomp" not in security:
        yield Finding(state="bad", what="the engine runs without seccomp", mend="use an engine that has it")
    if "rootless" not in security and "userns" not in security:
        yield Finding(
            state="note",
            what="root in a container is root of the host's user namespace",
            mend="rootless Docker or userns-remap adds a wall; runtime = 'runsc' another",
        )
    if not info.get("SwapLimit", True):
        yield Finding(
            state="note",
            what="the kernel does not limit swap per container",
            mend="boot with swapaccount=1, or turn swap off",
        )


def _probe(sandbox: Sandbox, what: str, script: str, expected: RunVerdict) -> Finding:
    job = Job(id=secrets.token_hex(16), script=script, tests=_TESTS, limits=Limits(wall_s=20.0, cpu_s=1.0))
    verdict = judge(sandbox.run(job))
    if verdict is expected:
        return Finding(state="ok", what=f"{what} ({verdict})")
    return Finding(
        state="bad",
        what=f"{what}: expected {expected}, got {verdict}",
        mend="verdicts cannot be trusted on this machine; please report this, with `docker info`",
    )


def _servers() -> Finding:
    found = discover()
    if not found:
        return Finding(
            state="note",
            what="no model server answers on its usual port",
            mend="start LM Studio, Ollama, vLLM or llama.cpp, or name one: --model NAME@http://HOST:PORT/v1",
        )
    listed = ", ".join(f"{server.shown} ({len(server.models)} models)" for server in found)
    return Finding(state="ok", what=f"model servers: {listed}")
