"""Counts statements and branches that were covered, by coverage.py's analysis, in a process of its own."""

from collections.abc import Iterable

import coverage

from .. import suite
from . import gather
from .gather import Talker

WALL_S = 20.0


def measure(arcs: Iterable[tuple[int, int]]) -> dict[str, int] | None:
    """Return the numbers; None where the analysis fails, as on a script that is too deep for it."""
    run = gather.run(lambda talker: _measure(arcs, talker), WALL_S)
    assert run is not None
    found = run.first("numbers")
    names = ("statements", "covered", "branches", "covered_branches")
    return None if found is None else {name: int(found[name]) for name in names}


def _measure(arcs: Iterable[tuple[int, int]], talker: Talker) -> None:
    try:
        analyser = coverage.Coverage(data_file=None, branch=True, config_file=False, messages=False)
        analyser.get_data().add_arcs({suite.SOLUTION: arcs})
        _, statements, _, missing, _ = analyser.analysis2(suite.SOLUTION)
        branches = analyser.branch_stats(suite.SOLUTION).values()
        talker.say(
            "numbers",
            statements=len(statements),
            covered=len(statements) - len(missing),
            branches=sum(total for total, _ in branches),
            covered_branches=sum(taken for _, taken in branches),
        )
    finally:
        talker.leave()
