"""One rate with its counts, its interval, and its bounds over what could not be scored."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.intervals import UNKNOWN, observe, rate_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share between 0 and 1: the mean over tasks of each task's share.

    It equals n/N where every task has equally many scored samples.
    """

    value: float | None
    """None where nothing was scored."""
    n: int
    """Successes."""
    N: int
    """Scored samples."""
    low: float
    high: float
    """95 % interval."""
    method: str
    unscored: int = 0
    """Samples outside N, because a failure of ours hides what they are."""
    lower_bound: float | None = None
    upper_bound: float | None = None
    """The value if all unscored samples had failed, or passed; None where there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What one sample says about a rate; `hit` is None where it is unscored."""

    hit: bool | None
    cell: object
    family: object


def rate(members: Sequence[Member]) -> Rate:
    """Estimate the rate of hits among the scored members, with its 95 % interval and bounds."""
    known = [member for member in members if member.hit is not None]
    unscored = len(members) - len(known)
    lower, upper = (_filled(members, hit=hit) if unscored else None for hit in (False, True))
    interval, value = UNKNOWN, None
    if known:
        observed = observe(
            [float(member.hit or False) for member in known],
            [member.cell for member in known],
            [member.family for member in known],
        )
        interval, value = rate_interval(observed), min(1.0, max(0.0, observed.mean))
    return Rate(
        value=value,
        n=sum(member.hit or False for member in known),
        N=len(known),
        low=interval.low,
        high=interval.high,
        method=interval.method if known else "none: nothing scored",
        unscored=unscored,
        lower_bound=lower,
        upper_bound=upper,
    )


def _filled(members: Sequence[Member], *, hit: bool) -> float:
    hits = [float(hit if member.hit is None else member.hit) for member in members]
    filled = observe(hits, [member.cell for member in members], [member.family for member in members])
    return min(1.0, max(0.0, filled.mean))
