"""Programs that are run for real: good, empty and evil ones, each with what must become of it."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from evaluator.doctor.finding import Finding, bad, ok
from sandbox.backend import Sandbox
from sandbox.errors import EngineUnavailable, SandboxError
from sandbox.types import Flag, Job, Level, Limits
from sandbox.verdict import RunVerdict, judge

_RIGHT = "\n\ndef double(x):\n    return 2 * x\n"
_TESTS = "from solution import double\n\n\ndef test_double():\n    assert double(4) == 8\n"
_LIMITS = Limits(wall_s=20.0, cpu_s=1.0)
_REPORT = "verdicts cannot be trusted here; please report this, with the output of `docker info`"
_UNLIMITED = (
    "a limit is not held, or not in a way that says whose fault it was; see the findings `cgroups` and\n"
    "`runtime` (with runsc this is known: use runc or crun where verdicts at the limits matter)\n"
)

# A connected datagram socket asks for a route and sends nothing.
_NETWORK = """
import os, socket

PLACES = ("192.0.2.1", "169.254.169.254", "172.17.0.1", "2001:db8::1")

def reached():
    found = [path for path in ("/var/run/docker.sock", "/run/docker.sock") if os.path.exists(path)]
    for place in PLACES:
        family = socket.AF_INET6 if ":" in place else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((place, 9))
        except OSError:
            continue
        found.append(place)
    return found
"""
_WRITER = """
import os

PLACES = ("/", "/etc", "/usr/bin", "/opt", "/opt/mendbench", "/var/tmp", "/dev", "/proc/sys/kernel", "/sys")

def written():
    found = []
    for place in PLACES:
        try:
            open(os.path.join(place, "mendbench-doctor"), "x").close()
        except OSError:
            continue
        found.append(place)
    return found

def filled(mib):
    for number in range(mib):
        try:
            with open(f"/tmp/{number}", "wb") as file:
                file.write(bytes(2**20))
        except OSError:
            return False
    return True
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program, and the verdicts that are right for it."""

    what: str
    script: str
    right: frozenset[RunVerdict]
    tests: str = _TESTS
    limits: Limits = _LIMITS
    flags: frozenset[Flag] = field(default_factory=frozenset)
    """What must be flagged beside the verdict."""
    mend: str = _REPORT


PROGRAMS = (
    Program(what="a good program passes", script=_RIGHT, right=frozenset({RunVerdict.PASSED})),
    Program(what="an empty program fails", script="", right=frozenset({RunVerdict.TESTS_FAILED})),
    Program(
        what="a wrong program fails",
        script="def double(x):\n    return 3 * x\n",
        right=frozenset({RunVerdict.TESTS_FAILED}),
    ),
    Program(
        what="an endless program is stopped",
        script="while True:\n    pass\n",
        right=frozenset({RunVerdict.CPU_LIMIT}),
    ),
    Program(
        what="a greedy program is stopped",
        script="x = []\nwhile True:\n    x.append(b'x' * 10**7)\n",
        right=frozenset({RunVerdict.OUT_OF_MEMORY}),
        limits=Limits(wall_s=20.0, cpu_s=10.0),
        mend=_UNLIMITED + _REPORT,
    ),
    Program(
        what="a fork bomb is held",
        script="import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n",
        right=frozenset({RunVerdict.TIMED_OUT, RunVerdict.CPU_LIMIT}),
        limits=Limits(wall_s=2.0, cpu_s=20.0),
        flags=frozenset({Flag.PIDS_EXHAUSTED}),
        mend=_UNLIMITED + _REPORT,
    ),
    Program(
        what="a program that ends its own tests does not pass",
        script="import os\n\n\ndef double(x):\n    os._exit(0)\n",
        right=frozenset(
            {RunVerdict.TAMPERED, RunVerdict.CRASHED, RunVerdict.TESTS_FAILED, RunVerdict.RUNTIME_ERROR}
        ),
    ),
    Program(
        what="a program reaches no network",
        script=_NETWORK,
        tests="from solution import reached\n\n\ndef test_nothing():\n    assert reached() == []\n",
        right=frozenset({RunVerdict.PASSED}),
        mend="do not run untrusted code here: this engine gives containers a network although told not to",
    ),
    Program(
        what="a program writes nowhere but in its own small folders",
        script=_WRITER,
        tests=(
            "from solution import filled, written\n\n\ndef test_places():\n    assert written() == []\n\n\n"
            "def test_size():\n    assert not filled(300)\n"
        ),
        right=frozenset({RunVerdict.PASSED}),
        limits=Limits(wall_s=20.0, cpu_s=5.0),
        mend="do not run untrusted code here: the engine does not keep containers from writing",
    ),
)


def run_programs(sandbox: Sandbox) -> Iterator[Finding]:
    """Run each program in a container of its own and compare its verdict.

    Raises:
        EngineUnavailable: the engine has gone.
    """
    level = Level.PROCESS if Level.PROCESS in sandbox.levels() else Level.SHARED
    for program in PROGRAMS:
        try:
            yield _run(sandbox, program, level)
        except EngineUnavailable:
            raise
        except SandboxError as exc:
            yield bad("programs", f"{program.what}: it could not be run", f"{exc}\n{program.mend}")


def _run(sandbox: Sandbox, program: Program, level: Level) -> Finding:
    job = Job(
        id=secrets.token_hex(16),
        script=program.script,
        tests=program.tests,
        level=level,
        limits=program.limits,
    )
    result = sandbox.run(job)
    verdict = judge(result)
    missing = program.flags.difference(result.flags)
    if verdict not in program.right or missing:
        expected = " or ".join(sorted(program.right | missing))
        seen = ", ".join([verdict, *result.flags])
        return bad("programs", f"{program.what}: expected {expected}, got {seen}", program.mend)
    return ok("programs", f"{program.what} ({verdict})")
