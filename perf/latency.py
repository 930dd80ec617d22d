"""From hand-off to verdict, one attempt at a time: all ways take turns, so that noise hits all alike."""

import contextlib
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from perf import cpu
from perf.payload import RIGHT, WRONG, Payload
from perf.ways import WAYS, Caged, Name, Way
from sandbox.types import Job, KilledBy, Level, Limits

BURST = 8
WALL_S = 1.0
SLEEPER = "import time\ntime.sleep(60)\n"


class WrongVerdictError(Exception):
    """A way misjudged a payload: whatever was measured is worth nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Seconds, in the order of the rounds."""

    spaced: dict[str, list[float]] = field(default_factory=dict)
    """Hand-off to verdict, by way, each arrival after all engine work of the last has ended."""
    burst: list[float] = field(default_factory=list)
    """The same of the pool, with arrivals back to back."""
    late: list[float] = field(default_factory=list)
    """Hand-off to result of an endless program, less its wall limit."""
    overrun: list[float] = field(default_factory=list)
    """From the deadline to the end of the last process, on the warden's own clock."""


def measure(names: Iterable[Name], rounds: int) -> Latencies:
    """Let all ways run in turn, `rounds` times."""
    found = Latencies()
    with _opened(names) as ways:
        for name, way in ways.items():
            found.spaced[name] = []
            timed(way, RIGHT)
        for number in range(rounds):
            _round(ways, number, found)
            print(f"latency: round {number + 1} of {rounds}", flush=True)
    return found


def timed(way: Way, payload: Payload) -> float:
    """Seconds that one attempt took.

    Raises:
        WrongVerdictError: the way misjudged the payload.
    """
    began = time.perf_counter()
    passed = way.attempt(payload)
    took = time.perf_counter() - began
    if passed is not payload.passes:
        raise WrongVerdictError(f"{type(way).__name__} judged passed={passed}, right is {payload.passes}")
    return took


def _round(ways: Mapping[Name, Way], number: int, found: Latencies) -> None:
    names = list(ways)
    start = number % len(names)
    for name in names[start:] + names[:start]:
        cpu.wait_until_quiet()
        found.spaced[name].append(timed(ways[name], RIGHT))
        if number % 5 == 0:
            cpu.wait_until_quiet()
            timed(ways[name], WRONG)
    pool = ways.get(Name.POOLED, ways.get(Name.COLD))
    if isinstance(pool, Caged):
        _deadline(pool, found)
        cpu.wait_until_quiet()
        found.burst.extend(timed(pool, RIGHT) for _ in range(BURST))


def _deadline(way: Caged, found: Latencies) -> None:
    job = Job(id=uuid.uuid4().hex, script=SLEEPER, level=Level.PROGRAM, limits=Limits(wall_s=WALL_S))
    cpu.wait_until_quiet()
    began = time.perf_counter()
    result = way.sandbox.run(job)
    found.late.append(time.perf_counter() - began - WALL_S)
    found.overrun.append(result.wall_s - WALL_S)
    if result.killed_by is not KilledBy.WALL:
        raise WrongVerdictError(f"an endless program was not ended by its wall limit: {result}")


@contextlib.contextmanager
def _opened(names: Iterable[Name]) -> Iterator[dict[Name, Way]]:
    with contextlib.ExitStack() as stack:
        ways: dict[Name, Way] = {}
        for name in names:
            ways[name] = way = WAYS[name](1)
            stack.callback(way.close)
        yield ways
