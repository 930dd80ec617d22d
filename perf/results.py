"""What one run of the benchmark found, summed up: the content of results.json."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from perf.cpu import Spent
from perf.crossing import Crossing
from perf.kills import Aftermath
from perf.latency import Latencies
from perf.saturated import Window
from perf.stats import Summary, summarize
from perf.ways import Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """All windows of one way with one number of workers."""

    way: Name
    workers: int
    attempts: float
    per_s: Summary
    cpu_ms: Spent
    """Per attempt: the mean of the windows, in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that the tables and the gates are made from. Times in milliseconds."""

    spaced: dict[str, Summary] = field(default_factory=dict)
    burst: Summary | None = None
    late: Summary | None = None
    overrun: Summary | None = None
    throughput: tuple[Throughput, ...] = ()
    kills: tuple[Aftermath, ...] = ()
    crossing: Crossing | None = None
    idle: Summary | None = None
    """Milliseconds of CPU time per second that went on while nothing was asked of the machine."""

    def best(self, way: Name) -> Throughput | None:
        """The number of workers with which a way gets most done."""
        return max(
            (entry for entry in self.throughput if entry.way is way),
            key=lambda entry: entry.per_s.p50,
            default=None,
        )


def build(
    latencies: Latencies,
    windows: Sequence[Window],
    kills: Iterable[Aftermath],
    crossing: Crossing | None = None,
) -> Results:
    """Sum up what was measured."""
    return Results(
        spaced={name: _ms(values) for name, values in latencies.spaced.items() if values},
        burst=_ms(latencies.burst) if latencies.burst else None,
        late=_ms(latencies.late) if latencies.late else None,
        overrun=_ms(latencies.overrun) if latencies.overrun else None,
        throughput=_throughput(windows),
        kills=tuple(kills),
        crossing=crossing,
        idle=_ms({window.idle for window in windows}) if windows else None,
    )


def as_json(results: Results) -> dict[str, Any]:
    """Return plain data."""
    return dataclasses.asdict(results)


def _ms(seconds: Iterable[float]) -> Summary:
    return summarize([value * 1000 for value in seconds])


def _throughput(windows: Sequence[Window]) -> tuple[Throughput, ...]:
    keys = dict.fromkeys((window.way, window.workers) for window in windows)
    groups = [
        (way, workers, [w for w in windows if (w.way, w.workers) == (way, workers)]) for way, workers in keys
    ]
    return tuple(
        Throughput(
            way=way,
            workers=workers,
            attempts=sum(window.attempts for window in group),
            per_s=summarize([window.per_s for window in group]),
            cpu_ms=_mean([window.cpu for window in group]),
        )
        for way, workers, group in groups
    )


def _mean(spent: Sequence[Spent]) -> Spent:
    def mean(name: str) -> Any:
        values = [getattr(each, name) for each in spent]
        return None if None in values else 1000 * sum(values) / len(values)

    return Spent(**{each.name: mean(each.name) for each in dataclasses.fields(Spent)})
