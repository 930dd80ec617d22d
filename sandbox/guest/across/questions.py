"""Questions that an object of the script answers for itself, though a test's verdict hangs on the answer.

`==` between such an object and plain data hands the expected value to the script. So it is not asked at
all, unless the tests name the object's class; and where it is asked, the same question is asked about
near misses at the same time, in random order. Who cannot tell them apart has not compared anything.
"""

import datetime
import decimal
import fractions
from collections.abc import Callable
from typing import Any

from . import describe, tables
from .chance import random_below
from .decoys import decoys
from .mirror import MirrorType, ref_of

NEAR = 8
CLOSE = 1e-2
METHODS = frozenset({"startswith", "endswith", "issuperset", "issubset", "isdisjoint"})
"""What builtins are asked about an expected value; whose answer is a verdict."""
JUDGING = METHODS | {"count", "index", "find", "rfind", "rindex"} | tables.CONTAINS
_OF_NUMBERS = (
    frozenset({"__abs__", "__neg__", "__pos__", "__round__", "__float__", "__int__"}) | tables.ARITHMETIC
)
_OF_DATA = JUDGING | {"__abs__", "__float__", "__int__"}
_DIFFERENCES = frozenset(f"__{side}{name}__" for side in ("", "r") for name in ("sub", "truediv", "xor"))


def is_mirror(value: Any) -> bool:
    """Say whether a value stands for something of the script."""
    return isinstance(type(value), MirrorType) or ref_of(value) is not None


def is_plain(value: Any) -> bool:
    """Say whether a value is data of the test's own, and no object of the script."""
    return not (is_mirror(value) or type(value).__module__ == "test_solution" or callable(value))


def far_misses(value: Any) -> list[Any]:
    """Make values that no honest container has been given: much larger ones, and texts like it."""
    if type(value) in {int, float}:
        return [
            type(value)((1 + random_below(9)) * 10 ** (3 + each) + random_below(99)) for each in range(16)
        ]
    if type(value) is str and any(map(str.isalnum, value)):
        return decoys(value)
    number = random_below(1 << 62) + (1 << 62)
    return [f"{number:x}", number, (number, value)]


class Questions:
    """Decides how a special method of the script's object is asked, and what its answer is worth."""

    def __init__(self, named: frozenset[str], flag: Callable[[str], None]) -> None:
        """Know the names that the tests use; `flag` is told what is remarkable."""
        self._named = named
        self.flag = flag

    def names(self, name: str) -> bool:
        """Say whether the tests use this name."""
        return name in self._named

    def is_named(self, value: Any) -> bool:
        """Say whether the tests name the class of an object (or a class itself)."""
        kind = value if isinstance(value, type) else type(value)
        return any(base.__name__ in self._named for base in kind.__mro__[:-1] if isinstance(base, MirrorType))

    def base_of(self, name: str, value: Any) -> Any:
        """Return the builtin whose method counts, not the script's own; None where the script's does."""
        if isinstance(value, type) or (
            name not in _OF_DATA and (name not in _OF_NUMBERS or self.is_named(value))
        ):
            return None
        base = describe.data_base(type(value))
        if name in JUDGING and self.is_named(value):
            return None
        return base if base is not None and base is not datetime.tzinfo and hasattr(base, name) else None

    def misses(self, name: str, value: Any, args: tuple[Any, ...]) -> list[Any] | None:
        """Return what else to ask about; None to ask as usual, an empty list to ask nothing at all."""
        if not args or is_mirror(args[0]):
            return None
        named = self.is_named(value)
        if name in tables.EQUALITY or name in tables.ORDER:
            if not named:
                self.flag("equality_of_its_own" if name in tables.EQUALITY else "order_of_its_own")
                return []
            return decoys(args[0]) or None if is_plain(args[0]) and name in tables.EQUALITY else None
        if not is_plain(args[0]):
            return None
        if name in tables.CONTAINS or name in METHODS:
            return far_misses(args[0])
        number = type(args[0]) in {int, float, decimal.Decimal, fractions.Fraction}
        return decoys(args[0])[:NEAR] if number and name in _DIFFERENCES else None

    def cannot_tell(self, name: str, real: Any, others: list[Any]) -> str:
        """Say what follows when too many answers are the same: tampered, failed or nothing (empty)."""
        if name in tables.EQUALITY:
            lucky = name == "__eq__"
            if real is NotImplemented or bool(real) is not lucky:
                return ""
            same = sum(other is not NotImplemented and bool(other) is lucky for other in others)
            return "tampered" if same == len(others) else "failed" if same > max(len(others) // 5, 1) else ""
        if name in tables.CONTAINS or name in METHODS:
            return (
                "failed"
                if real is True and sum(each is True for each in others) > len(others) * 3 // 4
                else ""
            )
        if not _is_close(real):
            return ""
        return "failed" if sum(map(_is_close, others)) > len(others) // 2 else ""


def _is_close(answer: Any) -> bool:
    """Say whether a difference or a quotient says that two numbers are the same."""
    if type(answer) not in {int, float, bool, decimal.Decimal, fractions.Fraction}:
        return False
    return bool(abs(answer) < CLOSE or abs(answer - 1) < CLOSE)
