"""Random numbers that nobody can foresee, whatever seed the tests set; many are drawn at a time."""

import os
import struct

_MANY = struct.Struct(">256Q")
_drawn: list[int] = []
# Two processes must not go on with the same numbers.
os.register_at_fork(after_in_child=_drawn.clear)


def draw() -> int:
    """Draw a number of 64 bits."""
    while True:
        try:
            return _drawn.pop()
        except IndexError:
            _drawn.extend(_MANY.unpack(os.urandom(_MANY.size)))


def random_below(limit: int) -> int:
    """Draw a number from 0 to `limit`, without that."""
    return draw() % limit
