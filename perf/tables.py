"""The tables of a run, as Markdown that reads well on a terminal too."""

from collections.abc import Iterable, Mapping, Sequence

from perf.cpu import Spent
from perf.crossing import Crossing
from perf.gates import Gate
from perf.kills import GRACE_S, Aftermath
from perf.results import Results
from perf.saturated import WORKERS
from perf.stats import Summary

QUIET_MS = 50
"""CPU time per idle second up to which the total may be trusted."""


def render(results: Results, gates: Sequence[Gate], machine: Mapping[str, str]) -> str:
    """Return the whole page."""
    parts = [
        "# Results of `make perf`",
        "How each figure is measured, and what it can and cannot show, is said in docs/perf.md.",
        "## Gates",
        _gates(gates),
        "## One attempt at a time: hand-off to verdict",
        _latency(results),
        "## As many as go: attempts per second",
        _throughput(results),
        "## CPU time of an attempt, ms",
        _cpu(results),
        _idle(results.idle),
        "## A call from the tests' process to the script's",
        _crossing(results.crossing),
        "## `kill -9` of the bench",
        _kills(results.kills),
        "## Machine",
        "\n".join(f"- {name}: {value}" for name, value in machine.items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay a table out: first column to the left, numbers to the right."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(
        "| "
        + " | ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in (lines[0], rule, *lines[1:])
    )


def _gates(gates: Sequence[Gate]) -> str:
    return table(
        ("what", "demand", "measured", "result"),
        (
            (gate.what, gate.demand, "-" if gate.value is None else f"{gate.value:.3g}", gate.word)
            for gate in gates
        ),
    )


def _latency(results: Results) -> str:
    series: list[tuple[str, Summary | None]] = [
        *results.spaced.items(),
        ("pooled, arrivals back to back", results.burst),
        ("endless program: result after its deadline", results.late),
        ("endless program: overrun on the warden's clock", results.overrun),
    ]
    return table(
        ("ms", "p50", "p95", "least", "most", "n"),
        (
            (name, *(f"{value:.1f}" for value in (s.p50, s.p95, s.low, s.high)), str(s.n))
            for name, s in series
            if s is not None
        ),
    )


def _throughput(results: Results) -> str:
    found = {(entry.way, entry.workers): entry.per_s for entry in results.throughput}
    ways = dict.fromkeys(entry.way for entry in results.throughput)

    def cell(summary: Summary | None) -> str:
        if summary is None:
            return "-"
        return f"{summary.p50:.2f} ({summary.low:.2f}…{summary.high:.2f})"

    return table(
        ("median (least…most window)", *(f"{workers} at once" for workers in WORKERS)),
        ((way, *(cell(found.get((way, workers))) for workers in WORKERS)) for way in ways),
    )


def _cpu(results: Results) -> str:
    best = [
        entry for entry in results.throughput if entry.workers == min(e.workers for e in results.throughput)
    ]
    fields = ("total", "own", "dockerd", "containerd", "containers", "rest")

    def cells(spent: Spent) -> list[str]:
        values = [getattr(spent, name) for name in fields]
        return ["-" if value is None else f"{value:.1f}" for value in values]

    head = ("one worker", "total", "own process", "dockerd", "containerd", "containers", "rest: runc, shims…")
    return table(head, ((entry.way, *cells(entry.cpu_ms)) for entry in best))


def _idle(idle: Summary | None) -> str:
    if idle is None:
        return ""
    verdict = "quiet enough" if idle.high <= QUIET_MS else "**too busy to trust total and rest**"
    return f"While idle this machine used {idle.p50:.0f} ms per second (at most {idle.high:.0f}): {verdict}."


def _crossing(crossing: Crossing | None) -> str:
    if crossing is None:
        return ""
    return table(
        ("both processes on one CPU, medians", "figure"),
        (
            ("a call with two small arguments", f"{crossing.call_us:.1f} µs"),
            ("a bare exchange of as many bytes", f"{crossing.bare_us:.1f} µs"),
            ("a large byte string, there and back", f"{crossing.megabytes_per_s:.0f} MB/s"),
        ),
    )


def _kills(kills: Sequence[Aftermath]) -> str:
    if not kills:
        return ""
    slowest = max(each.last_seen_s for each in kills)
    return table(
        ("over all kills", "figure"),
        (
            ("kills", str(len(kills))),
            ("containers at work when killed", str(sum(each.running_at_kill for each in kills))),
            ("until none of them runs, slowest", f"{slowest:.2f} s"),
            (f"that run {GRACE_S:g} s later", str(sum(each.running for each in kills))),
            (f"that exist {GRACE_S:g} s later", str(sum(each.left for each in kills))),
            ("that exist after `mendbench reap`", str(sum(each.left_after_reaping for each in kills))),
        ),
    )
