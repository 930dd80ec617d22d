"""What is asked about a test suite (SuitePlan) and what was seen of it (SuiteFacts): facts, no judgement.

A set of tests travels as hexadecimal digits: the integer's bit n stands for the n-th test.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class VersionKind(StrEnum):
    """Why a version of the script was made."""

    MUTANT = "mutant"
    """One small fault."""
    COSMETIC = "cosmetic"
    """A changed text for people; suites rightly do not pin those, so it is no part of the score."""
    EXTREME = "extreme"
    """No behaviour left in one function (`XRN` returns None, `XNI` is not implemented), or in all (`XST`)."""
    NULL = "null"
    """The script itself, unchanged (`NUL`) or with other local names and a needless store (`EQV`)."""


class VersionStatus(StrEnum):
    """What became of a version."""

    KILLED = "killed"
    SURVIVED = "survived"
    UNREACHED = "unreached"
    """No stable test executes what is different."""
    UNJUDGED = "unjudged"
    """There was no time left."""


class KillKind(StrEnum):
    """What showed the difference."""

    NONE = ""
    ASSERTION = "assertion"
    """A test's own assertion, or an expected exception that did not come."""
    CRASH = "crash"
    """An error that nobody asked for, or the end of the process."""
    LOOP = "loop"
    """It used many times more loop rounds and calls than the unchanged script, or CPU or wall time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitePlan:
    """What to do with a suite. The shortest plan runs the tests once."""

    mutants: int = 120
    """At most so many; 0 for none, and no extreme or null versions either."""
    orders: int = 10
    """So many random orders."""
    alone: bool = True
    """Run each test alone, which also finds out what it reaches."""
    clock: bool = True
    """Run all tests once with the calendar years ahead."""
    seed: int = 0
    """Of the sample of mutants; equal scripts and seeds give equal mutants."""
    plain_cpu_s: float = 10.0
    """CPU seconds of one run of all tests."""
    plain_wall_s: float = 20.0

    @property
    def quick(self) -> "SuitePlan":
        """The shortest plan with the same limits."""
        return replace(QUICK, plain_cpu_s=self.plain_cpu_s, plain_wall_s=self.plain_wall_s)


QUICK = SuitePlan(mutants=0, orders=0, alone=False, clock=False)
"""Do the tests pass with this script, and no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of the script and what the suite made of it."""

    kind: VersionKind
    operator: str
    scope: str
    """Qualified name of the function; empty for the module's own level."""
    text: str
    """What stands there instead, cut; empty where something is left out."""
    line: int
    column: int
    """From 0, in UTF-8 bytes, as Python's parser counts."""
    end_line: int
    end_column: int
    status: VersionStatus
    kill: KillKind
    by: str
    """The tests that showed it."""
    ran: str
    """The tests that were run."""
    wall_s: float
    cold: bool
    """The script was imported and the tests were collected anew for it."""

    @property
    def name(self) -> str:
        """A name that tells versions of one script apart, and stays from run to run."""
        return f"{self.operator}:{self.line}:{self.column}:{self.end_line}:{self.end_column}:{self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One run of all tests in a random order."""

    passed: str
    ended: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageNumbers:
    """By coverage.py, of the script, by the tests that pass alone."""

    statements: int
    covered: int
    branches: int
    covered_branches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteFacts:
    """What was seen of a suite; the records of its tests are the result's own."""

    failed: str = ""
    """How it failed before its tests could run: import_failed (the script's own import), collect_failed,
    ended (it left the interpreter), import_ends, import_hangs, too_many, same_ids, gave_up; or empty."""
    reason: str = ""
    """The exception behind it, if there is one."""
    binds: bool = False
    """Its text speaks of `solution`."""
    redefines: tuple[str, ...] = ()
    """The script's functions and classes that the test file defines itself."""
    patches: tuple[str, ...] = ()
    """Those that it replaces."""
    assertless: tuple[str, ...] = ()
    """Tests in whose text nothing is asserted."""
    swallowing: tuple[str, ...] = ()
    """Tests that catch their own failed assertions."""
    found: int = 0
    """Ways to change the script, before any were left out."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    unmade: str = ""
    """Why there are no mutants."""
    warm: bool = True
    """Runs were forks of one process that had collected the tests; False for suites with threads, open files,
    shared memory or new files by then."""
    plain_ended: str = ""
    """How the run of all tests was cut off: cpu, wall, signal, exit; empty if it was not."""
    alone_failed: str = "0"
    """The tests that fail when they are run alone."""
    alone_runs: int = 0
    orders: tuple[Order, ...] = ()
    dated: str = "0"
    """Stable tests that fail with the calendar years ahead."""
    outside: str = "0"
    """Tests that read the script's file or start a program: there they meet the unchanged script, whichever
    version is tried, so none of them is tried on versions."""
    network: int = 0
    processes: int = 0
    files: int = 0
    """Files that were written, or folders changed, outside of temporary ones."""
    slept_s: float = 0.0
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    coverage: CoverageNumbers | None = None
    asserts: tuple[int, ...] = ()
    """Assertions that each test executes."""
    versions: tuple[Version, ...] = ()
    complete: bool = False
    """The scoring ended by itself."""


def encode_plan(plan: SuitePlan) -> dict[str, Any]:
    """Return the plan as the warden takes it."""
    return {
        "mutants": plan.mutants,
        "orders": plan.orders,
        "alone": plan.alone,
        "clock": plan.clock,
        "seed": plan.seed,
        "plain_cpu_s": plan.plain_cpu_s,
        "plain_wall_s": plan.plain_wall_s,
    }


def decode_facts(data: Mapping[str, Any]) -> SuiteFacts:
    """Return the facts that the warden sent.

    Raises:
        KeyError, TypeError, ValueError: the warden speaks another language than this host.
    """
    hints, seen, exc = data["hints"], data["hermetic"], data["exception"] or {}
    counts = seen.get("counts", {})
    numbers = data["coverage"]
    same = (
        "failed",
        "found",
        "left_out",
        "unmade",
        "warm",
        "plain_ended",
        "alone_failed",
        "alone_runs",
        "dated",
        "outside",
        "complete",
    )
    return SuiteFacts(
        reason=": ".join(filter(None, (exc.get("exc_type"), exc.get("message")))),
        binds=hints.get("binds", False),
        redefines=tuple(hints.get("redefines", ())),
        patches=tuple(hints.get("patches", ())),
        assertless=tuple(hints.get("assertless", ())),
        swallowing=tuple(hints.get("swallowing", ())),
        orders=tuple(Order(**order) for order in data["orders"]),
        network=counts.get("network", 0),
        processes=counts.get("process", 0),
        files=counts.get("file", 0),
        slept_s=seen.get("slept_s", 0.0),
        places={kind: tuple(found) for kind, found in seen.get("places", {}).items()},
        coverage=None if numbers is None else CoverageNumbers(**numbers),
        asserts=tuple(data["asserts"]),
        versions=tuple(_version(version) for version in data["versions"]),
        **{name: data[name] for name in same},
    )


def _version(data: Mapping[str, Any]) -> Version:
    changed = {
        "kind": VersionKind(data["kind"]),
        "status": VersionStatus(data["status"]),
        "kill": KillKind(data["kill"]),
    }
    return Version(**{**data, **changed})
