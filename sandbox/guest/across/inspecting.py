"""`inspect` takes methods of mirrored classes for what they are on the other side."""

import inspect
from typing import Any

from .mirror import BoundMethod


def tell_truly() -> None:
    """Teach `inspect` what is a function, and what a method."""
    is_function, is_method = inspect.isfunction, inspect.ismethod
    new: Any = inspect
    new.isfunction = lambda value: (
        is_function(value) or (isinstance(value, BoundMethod) and value.__self__ is None)
    )
    new.ismethod = lambda value: (
        is_method(value) or (isinstance(value, BoundMethod) and value.__self__ is not None)
    )
