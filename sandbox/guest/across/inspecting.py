"""`inspect`, `typing` and pytest take what is mirrored for what it is on the other side."""

import dis
import inspect
import sys
import typing
from pathlib import Path
from types import CodeType
from typing import Any

from _pytest._code import Code

from ..suite import SOLUTION, TESTS
from .errors import CannotCross
from .mirror import BoundMethod, is_derived, ref_of

_RUNNERS = frozenset({inspect.__file__, typing.__file__})


def tell_truly() -> None:
    """Teach `inspect` what is a function, and what a method; and pytest where files lie that are gone.

    Annotations are evaluated where they are from.
    """
    path: Any = Code.path
    Code.path = property(  # type: ignore[assignment, method-assign]
        lambda code: (
            Path(code.raw.co_filename) if code.raw.co_filename in {SOLUTION, TESTS} else path.fget(code)
        )
    )
    is_function, is_method = inspect.isfunction, inspect.ismethod
    new: Any = inspect
    new.isfunction = lambda value: (
        is_function(value) or (isinstance(value, BoundMethod) and value.__self__ is None)
    )
    new.ismethod = lambda value: (
        is_method(value) or (isinstance(value, BoundMethod) and value.__self__ is not None)
    )
    own_hints = typing.get_type_hints

    def get_type_hints(obj: Any, *args: Any, **kwargs: Any) -> Any:
        peer = _peer_of(obj)
        if peer is None:
            return own_hints(obj, *args, **kwargs)
        return peer.ask("module", ("typing",)).get_type_hints(obj, *args, **kwargs)

    typing.get_type_hints = get_type_hints


def _peer_of(value: Any) -> Any:
    if isinstance(value, BoundMethod):
        return value.method.owner.peer
    ref = ref_of(value)
    return None if ref is None or (isinstance(value, type) and is_derived(value)) else ref.peer


def refuse_calls(code: Any) -> None:
    """Refuse to run an annotation that is more than names and subscripts: it may be a text of the script."""
    if not isinstance(code, CodeType) or sys._getframe(2).f_code.co_filename not in _RUNNERS:  # noqa: SLF001
        return
    names = {each.opname for each in dis.get_instructions(code)}
    if any(name.startswith(("CALL", "PRECALL", "MAKE_", "IMPORT", "STORE", "DELETE")) for name in names):
        raise CannotCross("an annotation that runs code")
