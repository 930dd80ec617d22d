"""What the benchmark demands of itself: ratios within one run, and nothing left behind."""

from dataclasses import dataclass
from typing import Any

from perf.cpu import Spent
from perf.results import Results
from perf.ways import Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One demand and how it came out."""

    what: str
    demand: str
    value: float | None
    """None where the run did not include what it needs."""
    passed: bool | None

    @property
    def word(self) -> str:
        """PASS, MISS or NOT RUN."""
        return {True: "PASS", False: "MISS", None: "NOT RUN"}[self.passed]


def evaluate(results: Results) -> tuple[Gate, ...]:
    """Judge a run. Throughput is each way's best over the numbers of workers."""
    return (
        _at_most("pooled hand-off to verdict / cold, medians", 0.15, _hand_off(results)),
        _at_least("pooled / usual way, attempts per second", 1.5, _speed(results, Name.POOLED, Name.USUAL)),
        _at_least("reuse / pooled, attempts per second", 5.0, _speed(results, Name.REUSED, Name.POOLED)),
        _at_least(
            "reuse / plain subprocess, attempts per second",
            1.0,
            _speed(results, Name.REUSED, Name.SUBPROCESS),
        ),
        _at_most("own share of an attempt's CPU time, pooled, worst case", 0.10, _own_share(results)),
        _at_most("level process / shared, hand-off to verdict, medians", 1.15, _level_wall(results)),
        _at_most("level process / shared, CPU time of an attempt, one worker", 1.25, _level_cpu(results)),
        _at_most(
            "proxied call / bare ping-pong, medians", 3.0, results.crossing and results.crossing.call_ratio
        ),
        _at_least(
            "large byte strings there and back, MB/s",
            100.0,
            results.crossing and results.crossing.megabytes_per_s,
        ),
        _at_most("containers that run 5 s after kill -9, worst case", 0, _running(results)),
    )


def as_json(gates: tuple[Gate, ...]) -> list[dict[str, Any]]:
    """Return plain data."""
    return [
        {"what": gate.what, "demand": gate.demand, "value": gate.value, "result": gate.word} for gate in gates
    ]


def _at_most(what: str, limit: float, value: float | None) -> Gate:
    passed = None if value is None else value <= limit
    return Gate(what=what, demand=f"≤ {limit:g}", value=value, passed=passed)


def _at_least(what: str, limit: float, value: float | None) -> Gate:
    passed = None if value is None else value >= limit
    return Gate(what=what, demand=f"≥ {limit:g}", value=value, passed=passed)


def _hand_off(results: Results) -> float | None:
    pooled, cold = results.spaced.get(Name.POOLED), results.spaced.get(Name.COLD)
    return pooled.p50 / cold.p50 if pooled and cold else None


def _level_wall(results: Results) -> float | None:
    ours, other = results.spaced.get(Name.POOLED), results.spaced.get(Name.SHARED)
    return ours.p50 / other.p50 if ours and other else None


def _level_cpu(results: Results) -> float | None:
    spent = {entry.way: entry.cpu_ms for entry in results.throughput if entry.workers == 1}
    ours, other = spent.get(Name.POOLED), spent.get(Name.SHARED)
    return ours.total / other.total if ours and other and other.total > 0 else None


def _speed(results: Results, way: Name, other: Name) -> float | None:
    ours, theirs = results.best(way), results.best(other)
    return ours.per_s.p50 / theirs.per_s.p50 if ours and theirs else None


def _own_share(results: Results) -> float | None:
    return max(
        (_share(entry.cpu_ms) for entry in results.throughput if entry.way is Name.POOLED), default=None
    )


def _share(spent: Spent) -> float:
    # On a busy machine the rest can come out below zero; it must not shrink the sum.
    parts = (spent.own, spent.dockerd, spent.containerd, spent.containers or 0.0, max(spent.rest, 0.0))
    return spent.own / sum(parts)


def _running(results: Results) -> float | None:
    return max((each.running for each in results.kills), default=None)
