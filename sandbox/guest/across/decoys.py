"""Values that look as the expected one might, of the same shape, so that nobody can tell which one is real.

All are made alike: the real one is the member of a row at a random place (numbers, days), or one of many
ways to spell the same pattern (texts). What is made of several values is changed in all of them at once.
"""

import datetime
import decimal
import fractions
from collections.abc import Callable
from typing import Any

from .chance import random_below

MANY = 20
FEW = 6
LARGE = 500
"""From this size on there are only a few decoys of a value."""
STEPS = (1, 2, 3, 4, 8, 9)
_VOWELS, _REST = "aeiou", "bcdfghjklmnpqrstvwxyz"


def decoys(value: Any) -> list[Any]:
    """Make values of the same type and shape that are not equal to `value`, nor to each other."""
    if value is None:
        return something()
    count = MANY if _size(value) < LARGE else FEW
    row = _Row(count)
    found: list[Any] = []
    for place in range(count + 1):
        other = row.at(value, place)
        if type(other) is type(value) and not any(_same(other, each) for each in (value, *found)):
            found.append(other)
    return found


def something() -> list[Any]:
    """Make values of several kinds, none of which is nothing."""
    number = random_below(1 << 30) + 2
    return [number, f"{number:x}", (number,), [f"{number:x}"], {number: number}, number / 7]


def _same(one: Any, other: Any) -> bool:
    return bool(one == other)


def _size(value: Any) -> int:
    return len(value) if hasattr(type(value), "__len__") else 1


class _Row:
    """How the decoys of one value differ from it, and from each other."""

    def __init__(self, count: int) -> None:
        self.real = random_below(count + 1)
        self.step = STEPS[random_below(len(STEPS))]
        self._ciphers: dict[int, dict[int, int]] = {}
        self._makers: dict[type, Callable[[Any, int], Any]] = {
            bool: lambda value, place: value if place % 2 else not value,
            int: self._int,
            complex: lambda value, place: complex(self.at(value.real, place), value.imag),
            fractions.Fraction: self._fraction,
            str: self._text,
            dict: self._dict,
            **dict.fromkeys((float, decimal.Decimal), self._decimal),
            **dict.fromkeys((datetime.date, datetime.datetime, datetime.timedelta), self._days),
        }

    def at(self, value: Any, place: int) -> Any:
        """Return the member of the row at a place."""
        kind = type(value)
        make = self._makers.get(kind)
        if make is not None:
            return make(value, place)
        if kind in {list, tuple, set, frozenset}:
            return kind([self.at(each, place) for each in value] or [place])
        if kind in {bytes, bytearray}:
            return kind(self._text(value.decode("latin-1"), place).encode("latin-1"))
        return f"~{random_below(1 << 30)}" if value is None else value

    def _dict(self, value: dict[Any, Any], place: int) -> Any:
        changed = {self.at(key, place): self.at(part, place) for key, part in value.items()}
        return changed or {place: place}

    def _fraction(self, value: fractions.Fraction, place: int) -> Any:
        return fractions.Fraction(self._int(value.numerator, place), value.denominator)

    def _int(self, value: int, place: int) -> int:
        digits = str(abs(value)) if abs(value) < 10**300 else "1"
        unit = 10 ** max(len(digits) - len(digits.rstrip("0")), len(digits) - 2, 0) if value else 1
        step = self.step * unit
        # Where no number is below zero, none becomes so.
        real = min(self.real, abs(value) // step)
        moved = abs(value) + (place - real) * step
        return -moved if value < 0 else moved

    def _decimal(self, value: Any, place: int) -> Any:
        if value - value != 0:
            return type(value)(place)
        sign, digits, exponent = decimal.Decimal(repr(value) if type(value) is float else value).as_tuple()
        whole = self._int(int("".join(map(str, digits))), place)
        return type(value)(decimal.Decimal(f"{'-' if sign else ''}{whole}e{exponent}"))

    def _text(self, value: str, place: int) -> str:
        cipher = self._ciphers.get(place)
        if cipher is None:
            cipher = self._ciphers[place] = _cipher()
        spelt = value.translate(cipher)
        return spelt if spelt != value else value + chr(97 + place)

    def _days(self, value: Any, place: int) -> Any:
        try:
            return value + datetime.timedelta(days=(place - self.real) * self.step)
        except OverflowError:
            return value


def _cipher() -> dict[int, int]:
    """Draw letters for letters: vowels for vowels, digits for digits, capitals for capitals."""
    found: dict[int, int] = {}
    for letters in (_VOWELS, _REST, "0123456789"):
        left = list(letters)
        for letter in letters:
            drawn = left.pop(random_below(len(left)))
            found[ord(letter)] = ord(drawn)
            found[ord(letter.upper())] = ord(drawn.upper())
    return found
