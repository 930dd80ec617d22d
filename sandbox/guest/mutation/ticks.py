"""Counts the ticks of one test, and ends the process where there are too many.

All of it is C: a `repeat` that runs out, then one object whose `__next__` ends the process. How much of the
`repeat` is left says how many ticks there were.
"""

import builtins
import itertools
import operator
from collections.abc import Callable
from typing import Any, NoReturn

from .instrument import TICK

WITHOUT_LIMIT = 1 << 60
TIMES = 20
MORE = 5000


def limit_for(ticks: int) -> int:
    """Return how many ticks a test may use that needs so many with the unchanged script."""
    return TIMES * ticks + MORE


class _Trip:
    def __init__(self, leave: Callable[[], NoReturn]) -> None:
        self._leave = leave

    def __iter__(self) -> "_Trip":
        return self

    def __next__(self) -> None:
        self._leave()


class Ticks:
    """Arms the counter; safe to arm again and again."""

    def __init__(self, leave: Callable[[], NoReturn]) -> None:
        """Call `leave` where a limit is passed: it must end the process, for an error could be caught."""
        self._trip = _Trip(leave)
        self._limit = 0
        self._left: Any = None

    def arm(self, limit: int = WITHOUT_LIMIT) -> None:
        """Count from here on."""
        self._limit = limit
        self._left = itertools.repeat(None, limit)
        setattr(builtins, TICK, itertools.chain(self._left, self._trip).__next__)

    def used(self) -> int:
        """Return how many ticks there were since."""
        return self._limit - operator.length_hint(self._left)
