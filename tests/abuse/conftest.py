"""The catalogue of hostile scripts, a way to run one, and an eye on the bench while it does."""

import itertools
import os
import shutil
import threading
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml

from sandbox.connect import connect
from sandbox.engine import DockerSandbox
from sandbox.hosts import DockerHost
from sandbox.reaper import LABEL_RUN
from sandbox.types import Flag, Job, Level, Limits, RunResult
from sandbox.verdict import RunVerdict, judge

FOLDER = Path(__file__).resolve().parent / "cases"
PATIENT = Limits(wall_s=60.0, cpu_s=8.0)
"""For what must end by another limit than time."""
LEVEL = Level(os.environ.get("MENDBENCH_ABUSE_LEVEL", Level.SHARED))
"""At which level the cases with tests are run."""
OVERRUN_S = 5.0
FEW = 16
"""Threads or files by which a bench may differ from itself; a leak grows past it within a few cases."""
MUCH_MEMORY = 128 << 20
MUCH_DISK = 2 << 30
HEAD = "import os, sys, signal, time\n"
ENDINGS = {
    "right": "\n\ndef f(x):\n    return x + 1\n",
    "wrong": "\n\ndef f(x):\n    return None\n",
    "none": "",
}
PROBE = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)

def check(value):
    if value < 0:
        raise OSError(ctypes.get_errno(), 'refused')
    return value

def kernel(number, *args):
    return check(libc.syscall(ctypes.c_long(number), *(ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args)))

def gains(name, do, *args):
    try:
        do(*args)
    except (OSError, ValueError, OverflowError):
        return
    print('GAINED', name)

"""
"""What a script needs that tries many things; it prints what it gained, and `done` at the end."""
TESTS = """
from solution import f

def test_one():
    assert f(1) == 2

def test_two():
    assert f(2) == 3
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A script and what must become of it."""

    name: str
    attacks: str
    """What the script is after, in a few words."""
    script: str
    verdict: str | list[str]
    """More than one where chance decides."""
    tests: str | None = TESTS
    limits: Limits = PATIENT
    flags: frozenset[Flag] = frozenset()
    maybe: frozenset[Flag] = frozenset()
    """Flags that depend on who is faster."""
    prints: str | None = None
    """All of the standard output."""
    says: str = ""
    """What must be in the standard output, at the beginning of a line."""
    weakness: str = ""
    """Why this case is known to fail."""

    def job(self) -> Job:
        """Make a job of it."""
        level = Level.PROGRAM if self.tests is None else LEVEL
        return Job(id=uuid.uuid4().hex, script=self.script, tests=self.tests, level=level, limits=self.limits)

    def check(self, result: RunResult) -> None:
        """Assert that the result is the expected one."""
        seen = result.exception, result.stdout.text[-500:], result.stderr.text[-500:]
        assert judge(result) in (self.verdict if isinstance(self.verdict, list) else [self.verdict]), seen
        assert self.flags <= set(result.flags) <= self.flags | self.maybe
        assert self.prints is None or result.stdout.text == self.prints
        assert ("\n" + self.says if self.says else "") in "\n" + result.stdout.text


def source(text: str, at: str = "import", rest: str = "right") -> str:
    """Make a script that does `text` when it is imported, when f is called, or is all there is."""
    if at == "source":
        return text
    if at == "probe":
        return HEAD + PROBE + text + "print('done')\n" + ENDINGS[rest]
    if at == "call":
        return f"{HEAD}\ndef f(x):\n" + "".join(f"    {line}\n" for line in text.splitlines())
    return HEAD + text + ENDINGS[rest]


def case_of(name, entry) -> Case:
    """Make a case of an entry of the catalogue."""
    facts = dict(entry)
    apart = facts.pop("process", {})
    if LEVEL is Level.PROCESS:
        facts |= apart
    if facts.get("at") == "probe":
        facts = {"verdict": "passed", "prints": "done\n"} | facts
    script = source(facts.pop("script"), facts.pop("at", "import"), facts.pop("rest", "right"))
    if "limits" in facts:
        facts["limits"] = Limits(**facts["limits"])
    for key in ("flags", "maybe"):
        facts[key] = frozenset(map(Flag, facts.get(key, [])))
    if facts.pop("level", "shared") == "program":
        facts["tests"] = None
    return Case(name=name, script=script, **facts)


def catalogue(theme) -> dict[str, Case]:
    """Read the cases of one theme."""
    entries = yaml.safe_load((FOLDER / f"{theme}.yaml").read_text(encoding="utf-8"))
    return {name: case_of(name, entry) for name, entry in entries.items()}


@pytest.fixture
def read_catalogue():
    """Reads the cases of one theme, by name."""
    return catalogue


# The sandbox in both modes


OPTIONS = {"strict": {}, "reuse": {"attempts_per_container": 50}}


@pytest.fixture(scope="session")
def options():
    """What makes a sandbox one of each mode."""
    return OPTIONS


@pytest.fixture
def mode(request):
    """How containers are used: `strict` (one per attempt) or `reuse`."""
    return getattr(request, "param", os.environ.get("MENDBENCH_ABUSE_MODE", "strict"))


@pytest.fixture
def sandbox(mode):
    """A sandbox of this test alone; when it closes, nothing of it is left."""
    run_id = f"abuse-{uuid.uuid4().hex[:8]}"
    with DockerSandbox(run_id, hosts=(DockerHost(slots=4),), **OPTIONS[mode]) as made:
        yield made
    assert containers(run_id) == []


def containers(run_id, **filters):
    with closing(connect()) as client:
        found = client.containers(all=True, filters={"label": f"{LABEL_RUN}={run_id}", **filters})
    return [entry["Names"][0] for entry in found]


@pytest.fixture
def containers_of():
    """Names the containers of a run."""
    return containers


# The bench under attack


def memory_now():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def disk_now():
    """Bytes in use where the engine keeps its things; 0 where that cannot be seen from here."""
    with closing(connect()) as client:
        root = client.info()["DockerRootDir"]
    return shutil.disk_usage(root).used if Path(root).is_dir() else 0


@dataclass
class Bench:
    """The bench as it was before the first hostile script."""

    start_up_s: float
    threads: int = field(default_factory=threading.active_count)
    files: int = field(default_factory=open_files)
    memory: int = field(default_factory=memory_now)
    disk: int = field(default_factory=disk_now)

    def assert_unharmed(self):
        """Assert that nothing has piled up in this process."""
        assert threading.active_count() <= self.threads + FEW
        assert open_files() <= self.files + FEW

    def assert_flat(self):
        """Assert that neither memory nor disk have filled up."""
        assert memory_now() <= self.memory + MUCH_MEMORY
        assert disk_now() <= self.disk + MUCH_DISK


def timed(sandbox, job):
    begin = time.monotonic()
    result = sandbox.run(job)
    return result, time.monotonic() - begin


HONEST = Case(name="honest", attacks="nothing", script=source(""), verdict=str(RunVerdict.PASSED))


@pytest.fixture(scope="module")
def bench():
    """The bench, measured before and after all tests of a module."""
    with DockerSandbox(f"abuse-{uuid.uuid4().hex[:8]}") as first:
        first.run(HONEST.job())
        result, elapsed = timed(first, HONEST.job())
        made = Bench(start_up_s=elapsed - result.wall_s)
    yield made
    made.assert_flat()


@pytest.fixture
def attempt(sandbox, bench):
    """Runs a case and asserts what holds for every run: the deadline is kept, and the bench unharmed."""

    def run(case):
        result, elapsed = timed(sandbox, case.job())
        assert result.wall_s <= case.limits.wall_s + OVERRUN_S
        assert elapsed - result.wall_s <= 4 * bench.start_up_s + OVERRUN_S
        bench.assert_unharmed()
        return result

    return run


@pytest.fixture
def assert_next_is_unharmed(attempt):
    """Asserts that an honest script passes, as if nothing had been."""

    def run():
        result = attempt(HONEST)
        HONEST.check(result)

    return run


@pytest.fixture(scope="session")
def steady_cases():
    """Cases whose verdict does not depend on what else this machine does, one theme after another."""
    themes = [catalogue(theme).values() for theme in THEMES]
    mixed = [case for cases in itertools.zip_longest(*themes) for case in cases if case is not None]
    return [case for case in mixed if not case.weakness and isinstance(case.verdict, str)]


# The catalogue as parameters

THEMES = ("limits", "processes", "cage", "forgery", "bombs")


def pytest_generate_tests(metafunc):
    """Give tests that ask for a `case` every case of the catalogue, and `trace` every one that leaves traces."""
    if "case" in metafunc.fixturenames:
        cases = [case for theme in THEMES for case in catalogue(theme).values()]
        metafunc.parametrize("case", [parameter(case) for case in cases])
    if "trace" in metafunc.fixturenames:
        again = [parameter(case, "reuse") for case in catalogue("traces").values()]
        # What is thrown away passes nothing on: a few cases show that it is.
        once = [
            parameter(replace(case, weakness=""), "strict") for case in list(catalogue("traces").values())[:2]
        ]
        metafunc.parametrize(("trace", "mode"), again + once, indirect=["mode"])


def parameter(case, *more):
    marks = [pytest.mark.xfail(strict=True, reason=case.weakness)] if case.weakness else []
    return pytest.param(case, *more, id="-".join((case.name, *more)), marks=marks)


@pytest.fixture(scope="session")
def snapshot():
    """A case that prints everything that it can see of earlier attempts."""
    text = (FOLDER / "snapshot.py.txt").read_text(encoding="utf-8")
    return Case(name="snapshot", attacks="traces", script=source(text), verdict=str(RunVerdict.PASSED))
