"""From what a run showed to what became of a version: killed or survived, by which tests, and how."""

from collections.abc import Iterable, Sequence
from typing import Any

from .gather import Run
from .runner import BAD


def mask(numbers: Iterable[int]) -> str:
    """Write a set of numbers as the hexadecimal digits of an integer whose bits they are."""
    return f"{sum(1 << number for number in set(numbers)):x}"


def verdict_of(run: Run, chosen: Sequence[int]) -> dict[str, Any]:
    """Judge a run. A process that ended without a last word has not survived."""
    if any(run.first(name) is not None for name in ("import_failed", "collect_failed", "ended")):
        return {"status": "killed", "kind": "crash", "by": mask(chosen)}
    tests = run.all("test")
    killers = [event for event in tests if event.get("outcome") in BAD]
    by = {event["i"] for event in killers}
    kinds = {event.get("kind") for event in killers}
    looped = bool((run.first("done") or {}).get("loop"))
    if run.ended or looped:
        seen = {event["i"] for event in tests}
        running = [event["i"] for event in run.all("start") if event["i"] not in seen]
        by |= set(running or chosen)
        kinds.add("loop" if looped or run.ended in {"cpu", "wall"} else "crash")
    kind = next((kind for kind in ("assertion", "crash", "loop") if kind in kinds), "crash" if by else "")
    return {"status": "killed" if by else "survived", "kind": kind, "by": mask(by)}
