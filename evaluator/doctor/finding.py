"""What a look at something gave, and how to look without ever failing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from evaluator.config import SandboxSection
from sandbox.errors import MendError
from sandbox.hosts import DockerHost
from sandbox.types import PROFILES, Profile

GIB = 1024**3


class State(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    NOTE = "note"
    """Runs work; this would make them better, safer or faster."""
    BAD = "bad"
    """Runs fail, or cannot be trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    state: State
    check: str
    """What was looked at: a short name that stays the same."""
    what: str
    mend: str = ""
    """What to do, a line per step or choice, where there is something to do."""
    host: str = ""
    """The Docker host that it is about; empty: this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What runs will ask of the machine."""

    hosts: tuple[DockerHost, ...] = field(default_factory=lambda: (DockerHost(),))
    runs_dir: Path = Path("runs")
    sandbox: SandboxSection = field(default_factory=SandboxSection)

    @property
    def profile(self) -> Profile:
        """The profile of tasks that name none."""
        return PROFILES[self.sandbox.profile]


def ok(check: str, what: str) -> Finding:
    """Make a finding of what is as it should be."""
    return Finding(state=State.OK, check=check, what=what)


def note(check: str, what: str, mend: str) -> Finding:
    """Make a finding of what could be better."""
    return Finding(state=State.NOTE, check=check, what=what, mend=mend)


def bad(check: str, what: str, mend: str) -> Finding:
    """Make a finding of what must be mended."""
    return Finding(state=State.BAD, check=check, what=what, mend=mend)


def looked(check: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield what `look` finds; what cannot be looked at is a finding, too."""
    try:
        yield from look()
    except MendError as exc:
        yield bad(check, "this could not be looked at", str(exc))
    except Exception as exc:  # noqa: BLE001 - a doctor has to go on whatever is wrong with the patient
        what = f"looking at this failed: {type(exc).__name__}: {exc}"
        yield bad(check, what, "please report this, with the output of `docker version` and `docker info`")
