"""`inspect` and pytest take what is mirrored for what it is on the other side."""

import inspect
from pathlib import Path
from typing import Any

from _pytest._code import Code

from ..suite import SOLUTION, TESTS
from .mirror import BoundMethod


def tell_truly() -> None:
    """Teach `inspect` what is a function, and what a method; and pytest where files lie that are gone."""
    path: Any = Code.path
    Code.path = property(  # type: ignore[assignment, method-assign]
        lambda code: Path(code.raw.co_filename) if code.raw.co_filename in {SOLUTION, TESTS} else path.fget(code)
    )
    is_function, is_method = inspect.isfunction, inspect.ismethod
    new: Any = inspect
    new.isfunction = lambda value: (
        is_function(value) or (isinstance(value, BoundMethod) and value.__self__ is None)
    )
    new.ismethod = lambda value: (
        is_method(value) or (isinstance(value, BoundMethod) and value.__self__ is not None)
    )
