"""Containers that both sides may hold and change: what is in them, read and set as the builtin does it."""

import collections
import operator
import sys
from collections.abc import Callable
from typing import Any

from .link import LinkBroken

CONTAINERS: dict[type, str] = {
    list: "list",
    dict: "dict",
    set: "set",
    bytearray: "bytearray",
    collections.deque: "deque",
    collections.OrderedDict: "ordered",
    collections.defaultdict: "defaultdict",
    collections.Counter: "counter",
}
"""Mutable types that both sides may hold and change (numpy's array is the other one)."""
EMPTY: dict[str, Callable[[], Any]] = {name: kind for kind, name in CONTAINERS.items()}
"""The same by name."""


def is_array(value: Any) -> bool:
    """Say whether a value is an array of numpy's."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def dtype_of(dtype: Any) -> Any:
    """Name the type of an array's numbers."""
    return dtype.str if dtype.names is None else [[name, dtype[name].str] for name in dtype.names]


def elements(value: Any) -> list[Any]:
    """Return what a container holds, read with the builtin's own methods; keys and values in turn."""
    if isinstance(value, dict):
        own = collections.OrderedDict if isinstance(value, collections.OrderedDict) else dict
        # In one step: another thread may change it.
        return [part for pair in list(own.items(value)) for part in pair]
    if isinstance(value, list):
        return list.__getitem__(value, slice(None))
    return list((set if isinstance(value, set) else collections.deque).__iter__(value))


def refill(value: Any, content: list[Any]) -> None:
    """Put `content` in the place of what a container holds, with the builtin's own methods."""
    if isinstance(value, list):
        list.__setitem__(value, slice(None), content)
    elif isinstance(value, collections.OrderedDict):
        collections.OrderedDict.clear(value)
        for key, part in zip(content[::2], content[1::2], strict=True):
            collections.OrderedDict.__setitem__(value, key, part)
    elif isinstance(value, dict):
        dict.clear(value)
        dict.update(value, zip(content[::2], content[1::2], strict=True))
    elif isinstance(value, set):
        set.clear(value)
        set.update(value, content)
    elif isinstance(value, collections.deque):
        collections.deque.clear(value)
        collections.deque.extend(value, content)


def same(before: list[Any], now: list[Any]) -> bool:
    """Say whether two lists hold the very same objects."""
    return len(before) == len(now) and all(map(operator.is_, before, now))


def array_of(decoder: Any, content: Any) -> Any:
    """Make a numpy array of plain numbers or texts."""
    import numpy as np  # noqa: PLC0415 -- slow, and seldom needed

    text, shape, start, size = content
    dtype = np.dtype([(str(part[0]), *part[1:]) for part in text] if type(text) is list else text)
    if dtype.hasobject:
        raise LinkBroken("an array of objects")
    return np.frombuffer(bytearray(decoder.bytes_at(start, size)), dtype=dtype).reshape(shape)
