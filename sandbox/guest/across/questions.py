"""Questions that an object of the script answers for itself, though a test's verdict hangs on the answer.

`==` between such an object and plain data hands the expected value to the script. So it is not asked at
all, unless the tests name the object's class; and where it is asked, the same question is asked about
near misses at the same time, in random order. Who cannot tell them apart has not compared anything.
"""

import datetime
import os
from collections.abc import Callable
from typing import Any

from . import graph, tables
from .mirror import MirrorType, ref_of

NEAR = 3
FLIPPED = {"__eq__": False, "__ne__": True}


def is_plain(value: Any) -> bool:
    """Say whether a value is data of the test's own, and no object of the script."""
    if isinstance(type(value), MirrorType) or ref_of(value) is not None:
        return False
    return not (type(value).__module__ == "test_solution" or callable(value))


def random_below(limit: int) -> int:
    """Draw a number that the script cannot foresee, whatever seed the tests set."""
    return int.from_bytes(os.urandom(8), "big") % limit


def near_misses(value: Any) -> list[Any]:
    """Make values of the same type and shape that are not equal to `value`."""
    number = tables.later_name(type(value)) in {("decimal", "Decimal"), ("fractions", "Fraction")}
    make = _numbers if number else _NEAR.get(type(value), _other)
    return [value_ for value_ in make(value) if _differs(value_, value)][:NEAR] or _other(value)


def far_misses(value: Any) -> list[Any]:
    """Make values that no honest container has been given."""
    number = random_below(1 << 62) + (1 << 62)
    if isinstance(value, str):
        return [f"{number:x}{index}" for index in range(NEAR)]
    if isinstance(value, int | float):
        return [type(value)(number + index) * sign for index, sign in ((0, 1), (1, -1), (2, 1))]
    return [f"{number:x}", number, (number, value)]


def _differs(one: Any, other: Any) -> bool:
    return type(one) is not type(other) or bool(one != other)


def _numbers(value: Any) -> list[Any]:
    # Not all of them a multiple of something away: numbers modulo seven are honest, too.
    step = type(value)(1 + random_below(7))
    return [value + step, value - step - 1, value * 2 + step + 2]


def _floats(value: float) -> list[float]:
    if value - value != 0.0:
        return [0.0, 1.5, -float(random_below(99))]
    return [value + 1.5 + random_below(5), value * 1.5 - 1.25, -value - 2.75]


def _texts(value: str) -> list[str]:
    spot = random_below(len(value)) if value else 0
    return [
        value + "x",
        value[:-1] if value else "y",
        value[:spot] + chr(97 + random_below(26)) + "~" + value[spot + 1 :],
    ]


def _bytes(value: Any) -> list[Any]:
    kind = type(value)
    return [value + kind(b"x"), value[:-1] if value else kind(b"y"), kind(b"~") + value]


def _sequences(value: Any) -> list[Any]:
    kind = type(value)
    items = list(value)
    changed = list(items)
    if items:
        spot = random_below(len(items))
        changed[spot] = near_misses(items[spot])[0]
    return [kind(changed), kind([*items, random_below(1000)]), kind(items[:-1]) if items else kind([None])]


def _sets(value: Any) -> list[Any]:
    kind = type(value)
    items = list(value)
    return [
        kind([*items, f"~{random_below(1 << 30)}"]),
        kind(items[1:]) if items else kind([0]),
        kind([random_below(1 << 30)]),
    ]


def _dicts(value: Any) -> list[Any]:
    changed, more, less = dict(value), dict(value), dict(value)
    more[f"~{random_below(1 << 30)}"] = 0
    if value:
        key = list(value)[random_below(len(value))]
        changed[key] = near_misses(value[key])[0]
        del less[key]
    else:
        changed[random_below(1 << 30)] = None
    return [changed, more, less]


def _bools(value: bool) -> list[Any]:
    return [not value, f"{value}~", 7]


def _other(value: Any) -> list[Any]:
    return [f"~{random_below(1 << 30)}", random_below(1 << 30) + 1000, (value, random_below(1000))]


def _days(value: Any) -> list[Any]:
    step = datetime.timedelta(days=1 + random_below(20))
    try:
        return [value + step, value - step, value + 2 * step]
    except OverflowError:
        return _other(value)


_NEAR: dict[type, Callable[[Any], list[Any]]] = {
    bool: _bools,
    **dict.fromkeys((int, complex), _numbers),
    float: _floats,
    str: _texts,
    **dict.fromkeys((bytes, bytearray), _bytes),
    **dict.fromkeys((list, tuple), _sequences),
    **dict.fromkeys((set, frozenset), _sets),
    dict: _dicts,
    **dict.fromkeys((datetime.date, datetime.datetime, datetime.timedelta), _days),
}


class Questions:
    """Decides how a special method of the script's object is asked, and what its answer is worth."""

    def __init__(self, named: frozenset[str], flag: Callable[[str], None]) -> None:
        """Know the names that the tests use; `flag` is told what is remarkable."""
        self._named = named
        self.flag = flag

    def names(self, name: str) -> bool:
        """Say whether the tests use this name."""
        return name in self._named

    def misses(self, name: str, value: Any, args: tuple[Any, ...]) -> list[Any] | None:
        """Return what else to ask about; None to ask as usual, an empty list to ask nothing at all."""
        if isinstance(value, type) or not args or not is_plain(args[0]):
            return None
        named = any(
            base.__name__ in self._named for base in type(value).__mro__[:-1] if isinstance(base, MirrorType)
        )
        if name in tables.EQUALITY:
            if not named:
                self.flag("equality_of_its_own")
                return []
            return near_misses(args[0])
        if name in tables.ORDER and not named:
            self.flag("order_of_its_own")
            return []
        if name in tables.CONTAINS:
            return far_misses(args[0])
        if name in tables.ARITHMETIC and not named:
            return near_misses(args[0])
        return None

    def cannot_tell(self, name: str, real: Any, others: list[Any]) -> str:
        """Say what follows when all answers are the same: tampered, failed or nothing (empty)."""
        if name in tables.EQUALITY:
            lucky = real is (name == "__eq__") or (
                real is not NotImplemented and bool(real) is (name == "__eq__")
            )
            same = all(type(other) is type(real) and other is real or _same(other, real) for other in others)
            return "tampered" if lucky and same else ""
        if name in tables.CONTAINS:
            return "failed" if real is True and all(other is True for other in others) else ""
        plain = type(real) in {int, float, bool, str} and graph.CONTAINERS is not None
        return "failed" if plain and all(_same(other, real) for other in others) else ""


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and type(one) in {bool, int, float, str} and bool(one == other)
