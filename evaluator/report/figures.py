"""Numbers as people read them, the same in every report."""

from typing import Final

from evaluator.statistics.control import EqualBudget
from evaluator.statistics.differences import Lift
from evaluator.statistics.metrics import Group
from evaluator.statistics.rates import Rate
from evaluator.statistics.repairs import Yield

ABSENT: Final = "\u2013"
"""Shown where there is no number: an en dash."""
MINUS: Final = "\u2212"
THIN_SPACE: Final = "\u202f"


def percent(value: float | None) -> str:
    """Write a share as whole percents, a dash where there is none."""
    return ABSENT if value is None else f"{100 * value:.0f} %"


def rate_text(rate: Rate) -> str:
    """Write a rate with its interval in percents: `47 % [23, 72]`."""
    if rate.value is None:
        return ABSENT
    return f"{percent(rate.value)} [{100 * rate.low:.0f}, {100 * rate.high:.0f}]"


def lift_text(lift: Lift) -> str:
    """Write a lift with its interval in points: `+40 [+13, +67]`."""
    if lift.points is None:
        return ABSENT
    return f"{_signed(lift.points)} [{_signed(lift.low)}, {_signed(lift.high)}]"


def _signed(points: float) -> str:
    whole = round(points)
    return "0" if whole == 0 else f"{whole:+d}".replace("-", MINUS)


def unscored_text(group: Group) -> str:
    """Write how many samples are unscored, with the bounds that leaves for success after repair."""
    rate = group.after_repair
    if rate.lower_bound is None or rate.upper_bound is None:
        return "0"
    return f"{group.unscored} ({100 * rate.lower_bound:.0f}…{100 * rate.upper_bound:.0f} %)"


def tokens_text(group: Group) -> str:
    """Write tokens per solved task; `≥` where some calls came without usage."""
    if group.cost.calls and group.cost.calls_without_usage == group.cost.calls:
        return ABSENT
    known = number(group.cost.per_solved(group.cost.tokens))
    return f"≥ {known}" if group.cost.calls_without_usage and known != ABSENT else known


def tokens_range(group: Group) -> str:
    """Write the interval of tokens per solved task; open above where it is not bounded."""
    low, high = group.cost.tokens_per_solved_low, group.cost.tokens_per_solved_high
    return f"[{number(low)}, {'∞' if high is None else number(high)}]" if low is not None else ""


def number(value: float | None, *, digits: int = 0) -> str:
    """Write a number with thin groups of thousands, a dash where there is none."""
    return ABSENT if value is None else f"{value:,.{digits}f}".replace(",", THIN_SPACE)


def yields_of(group: Group) -> dict[str, Yield]:
    """Give the yields of a model by class of failure; none where it was never asked to repair."""
    return {one.failure: one for one in group.repairs.yields} if group.repairs else {}


def equal_budgets(group: Group) -> list[tuple[str, EqualBudget]]:
    """Give the control arm's numbers by what is equal; none where there is no control arm."""
    if group.control is None:
        return []
    both = [("calls", group.control.by_calls), ("tokens", group.control.by_tokens)]
    return [(budget, equal) for budget, equal in both if equal is not None]
