"""`inspect` tells of mirrored functions what they are on the other side."""

import inspect
from collections.abc import Callable
from typing import Any

from .mirror import BoundMethod, ref_of

KINDS = {
    "iscoroutinefunction": inspect.CO_COROUTINE,
    "isgeneratorfunction": inspect.CO_GENERATOR,
    "isasyncgenfunction": inspect.CO_ASYNC_GENERATOR,
}


def tell_truly() -> None:
    """Teach `inspect` to tell what kind of function a mirror stands for."""
    for name, flag in KINDS.items():
        setattr(inspect, name, _either(getattr(inspect, name), flag))
    is_function, is_method = inspect.isfunction, inspect.ismethod
    new: Any = inspect
    new.isfunction = lambda value: is_function(value) or (isinstance(value, BoundMethod) and value.__self__ is None)
    new.ismethod = lambda value: is_method(value) or (isinstance(value, BoundMethod) and value.__self__ is not None)


def _either(original: Callable[[Any], bool], flag: int) -> Callable[[Any], bool]:
    def says(value: Any) -> bool:
        if isinstance(value, BoundMethod):
            return bool(value.method.flags & flag)
        ref = ref_of(value)
        return original(value) or (ref is not None and bool(ref.flags & flag))

    return says
