"""Checks what a forked process says: it shares its interpreter with the suite, which may say anything."""

from typing import Any

from ..evidence import OUTCOMES, PHASES

KINDS = frozenset({"", "assertion", "crash"})
MAX_NUMBER = 1 << 53
MAX_ARCS = 100_000


def checked(event: object, tests: int) -> dict[str, Any] | None:
    """Return the event, with nothing in it that is of another type than it should be; None for others."""
    if not isinstance(event, dict):
        return None
    match event.get("event"):
        case "start" | "test":
            return _test(event, tests)
        case "done":
            return {
                "event": "done",
                "loop": event.get("loop") is True,
                "arcs": arcs(event.get("arcs")),
                "outside": event.get("outside") is True,
                "hermetic": _hermetic(event.get("hermetic")),
            }
        case "import_failed" | "collect_failed" | "ended" | "unswappable":
            return event
        case _:
            return None


def _test(event: dict[str, Any], tests: int) -> dict[str, Any] | None:
    number, ticks, asserts = event.get("i"), event.get("ticks", 0), event.get("asserts", 0)
    if type(number) is not int or not 0 <= number < tests:
        return None
    if event["event"] == "start":
        return {"event": "start", "i": number}
    if event.get("outcome") not in OUTCOMES or event.get("kind") not in KINDS:
        return None
    wall = event.get("wall_s", 0.0)
    return {
        **event,
        "phase": event["phase"] if event.get("phase") in PHASES else "call",
        "ticks": ticks if type(ticks) is int and 0 <= ticks < MAX_NUMBER else 0,
        "asserts": asserts if type(asserts) is int and 0 <= asserts < MAX_NUMBER else 0,
        "wall_s": wall if isinstance(wall, float) and 0 <= wall < 1e6 else 0.0,  # noqa: PLR2004
    }


def arcs(value: object) -> list[list[int]]:
    """Return pairs of line numbers."""
    found = value if isinstance(value, list) else []
    return [arc for arc in found[:MAX_ARCS] if isinstance(arc, list) and [type(n) for n in arc] == [int, int]]


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _hermetic(value: object) -> dict[str, Any]:
    facts = _dict(value)
    counts, places = _dict(facts.get("counts")), _dict(facts.get("places"))
    slept = facts.get("slept_s")
    kinds = ("network", "process", "file")
    return {
        "counts": {kind: n for kind in kinds if type(n := counts.get(kind)) is int and 0 < n < MAX_NUMBER},
        "places": {
            kind: [str(place)[:200] for place in found[:5]]
            for kind in kinds
            if isinstance(found := places.get(kind), list)
        },
        "slept_s": float(slept) if isinstance(slept, int | float) and 0 <= slept < 1e9 else 0.0,  # noqa: PLR2004
    }
