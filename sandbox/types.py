"""What goes into the sandbox (Job) and what comes out (RunResult): facts only, no judgement.

Every text in a RunResult was written by untrusted code or echoes it. It is valid Unicode without
surrogates and NUL, and bounded in size, but not safe to print, to render or to obey.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sandbox.suite import SuiteFacts, SuitePlan

KIB = 1024
MIB = 1024 * KIB


class Level(StrEnum):
    """How far the tests of a run are kept away from the code under test."""

    PROGRAM = "program"
    """No tests: exit status and traceback only."""
    SHARED = "shared"
    """Tests and script share one interpreter; guarded by evidence, not by a boundary."""
    PROCESS = "process"
    """Tests and script run in different processes under different users."""


GRADED: Final = (Level.PROCESS, Level.SHARED)
"""The levels at which tests are run."""
DEFAULT_LEVEL: Final = Level.PROCESS
"""How tests are graded where nobody says otherwise: tasks' own tests, `score` and `run --tests`."""


class TestOutcome(StrEnum):
    """What became of one test."""

    __test__ = False

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    MISSING = "missing"
    """Expected, but no report came."""


class KilledBy(StrEnum):
    """The limit for which the warden or the kernel killed the run."""

    WALL = "wall"
    CPU = "cpu"
    OUTPUT = "output"
    MEMORY = "memory"


class Flag(StrEnum):
    """Facts beside a verdict that do not change it."""

    PIDS_EXHAUSTED = "pids_exhausted"
    DISK_FULL = "disk_full"
    OOM_CHILD = "oom_child"
    LEFTOVER_PROCESSES = "leftover_processes"
    OUTPUT_TRUNCATED = "output_truncated"
    REPORT_TRUNCATED = "report_truncated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is fixed when a container is created. Tasks name a profile; see PROFILES."""

    name: str
    memory_bytes: int
    pids: int
    cpus: float
    tmpfs_bytes: int
    """Size of each of /work and /tmp; charged to the memory of the container."""
    tmpfs_inodes: int
    shm_bytes: int


PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            name="default",
            memory_bytes=512 * MIB,
            pids=64,
            cpus=1.0,
            tmpfs_bytes=32 * MIB,
            tmpfs_inodes=4096,
            shm_bytes=8 * MIB,
        ),
        Profile(
            name="large",
            memory_bytes=2048 * MIB,
            pids=256,
            cpus=2.0,
            tmpfs_bytes=128 * MIB,
            tmpfs_inodes=16384,
            shm_bytes=64 * MIB,
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one run inside its container."""

    wall_s: float = 15.0
    cpu_s: float = 10.0
    """CPU seconds of the main child (RLIMIT_CPU, rounded up to whole seconds)."""
    file_bytes: int = 16 * MIB
    """Largest file that may be written (RLIMIT_FSIZE)."""
    output_bytes: int = 64 * KIB
    """Bytes of each of stdout and stderr that are kept: half from the head, half from the tail."""
    output_hard_bytes: int = 8 * MIB
    """Bytes of both streams together past which the run is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run: a script, alone or with tests that import it as `solution`."""

    id: str
    """Random, unique per run: pairs the result with the job."""
    script: str
    tests: str | None = None
    level: Level = Level.SHARED
    limits: Limits = field(default_factory=Limits)
    profile: str = "default"
    hash_seed: int = 0
    """PYTHONHASHSEED of the run, 0 … 4294967295."""
    may_skip: tuple[str, ...] = ()
    """Test ids whose skip or xfail counts as passed, because the reference shows the same."""
    stdin: str = ""
    argv: tuple[str, ...] = ()
    suite: SuitePlan | None = None
    """Score the tests as a suite instead of the script; at level shared only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One line of a traceback. `file` is a bare name: solution.py, test_solution.py, or a module's."""

    file: str
    line: int
    function: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionInfo:
    """An exception that ended an import or a program. `frames` holds the script's own frames."""

    exc_type: str
    message: str
    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRecord:
    """The report of one test."""

    __test__ = False

    id: str
    """pytest's node id without the file name: `test_a`, `TestB::test_c[1]`."""
    outcome: TestOutcome
    phase: str = "call"
    """Where the outcome was decided: collect, setup, call or teardown."""
    exc_type: str = ""
    message: str = ""
    got: str = ""
    """repr of the left side of the first failing comparison, cut."""
    expected: str = ""
    """repr of its right side, cut."""
    frames: tuple[Frame, ...] = ()
    wall_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileReport:
    """What compile() under the container's interpreter said of a source text."""

    ok: bool
    exc_type: str = ""
    message: str = ""
    line: int | None = None
    column: int | None = None
    source: str = ""
    """The offending line, cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A drained output stream: its head, its tail and how much there was in all."""

    head: str = ""
    tail: str = ""
    total_bytes: int = 0
    truncated: bool = False

    @property
    def text(self) -> str:
        """Head and tail, with a line in between that says how much is missing."""
        if not self.truncated:
            return self.head + self.tail
        kept = len(self.head.encode()) + len(self.tail.encode())
        return f"{self.head}\n[… {max(self.total_bytes - kept, 0)} bytes cut …]\n{self.tail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why a test report may be believed. All of it comes from the warden or from pytest's own hooks."""

    expected: tuple[str, ...] = ()
    """Test ids collected where the script had no say."""
    collected: tuple[str, ...] = ()
    """Test ids collected in the run itself."""
    canaries_right: bool = False
    """The must-fail tests failed and the must-pass tests passed, first and last."""
    finished: bool = False
    """pytest's session ended by itself and its end was reported."""
    exit_consistent: bool = False
    """The exit status is the one that the reported outcomes demand."""
    protocol_broken: str = ""
    """What was wrong with the report channel, if anything was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The facts of one run, as the warden saw them. `sandbox.verdict.judge` makes a verdict of it.

    What numbers are made of stands first: who sums up many runs reads no further.
    """

    wall_s: float = 0.0
    compiled: CompileReport
    exception: ExceptionInfo | None = None
    """What ended the import of the script, or the program."""
    tests: tuple[TestRecord, ...] = ()
    """One record per expected test (canaries are not among them), in the order of collection."""
    job_id: str
    level: Level
    python: str
    guest_version: str
    hash_seed: int
    tests_error: str = ""
    """Why the tests cannot be compiled or collected without the script; empty if they can."""
    exit_code: int | None = None
    signal: int | None = None
    killed_by: KilledBy | None = None
    cpu_s: float = 0.0
    max_rss_bytes: int = 0
    """Peak resident size of the run's own processes (rusage)."""
    cgroup_peak_bytes: int | None = None
    """Peak of the whole container, warden and tmpfs included; None where the kernel does not say."""
    run_delay_s: float | None = None
    """Time the main child waited for a CPU; None where the kernel does not say."""
    evidence: Evidence | None = None
    """None at level program, or when no test session was started."""
    stdout: Stream = field(default_factory=Stream)
    stderr: Stream = field(default_factory=Stream)
    flags: tuple[Flag, ...] = ()
    suspicious: tuple[str, ...] = ()
    """Signs in the script's syntax tree that it may aim at the tests (`sandbox.guest.suspicious_table`);
    no verdict depends on them."""
    suite: SuiteFacts | None = None
    """What was seen of the tests as a suite, where the job asked for it."""
    may_skip: tuple[str, ...] = ()
    """Copied from the job: ids whose skip or xfail counts as passed."""
    contended: "RunResult | None" = None
    """An earlier run of the job that hit a time limit while it waited for a CPU; this one had the machine
    to itself, and stands (see `sandbox.fair`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """Which sandbox image ran. `identity` is what keys and comparisons use; `digest` is only recorded."""

    identity: str
    """sha256 over Python version, installed packages, guest sources and lock."""
    tag: str
    digest: str
    python: str
    guest_version: str
    base: str
    """Where the base came from: `registry python:…@sha256:…` or `mmdebstrap bookworm`."""
    packages: tuple[str, ...] = ()
