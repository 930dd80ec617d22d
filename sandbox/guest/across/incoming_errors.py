"""Errors on their way in."""

from typing import Any

from . import tables
from .graph import Decoder
from .held import Held
from .kinds import Slot
from .link import LinkBroken
from .mirror import REF, Ref


class Errors(Held):
    """Makes errors of what came from the other side, and finds those of this side again."""

    def take_error(self, decoder: Decoder, handle: Any, kind: Slot, *parts: Slot) -> Any:
        args, state, *rest = parts
        cls, values = decoder.value(kind), decoder.value(args)
        if not (isinstance(cls, type) and issubclass(cls, BaseException)) or type(values) is not tuple:
            raise LinkBroken("an error that is none")
        error = _new_error(cls, values)
        for name, value in decoder.value(state):
            if type(name) is str and not name.startswith("_"):
                _try_set(error, name, value)
        if handle:
            object.__setattr__(error, REF, Ref(self, handle))
        return self._set_state(decoder, error, *rest)

    def take_again(self, decoder: Decoder, handle: Any, *parts: Any) -> Any:
        """Take back an error of this side, with what has been added to it."""
        error = self.exported(handle)
        if not isinstance(error, BaseException):
            raise LinkBroken("an error that is none")
        return self._set_state(decoder, error, *parts)

    def _set_state(
        self,
        decoder: Decoder,
        error: Any,
        cause: Slot,
        context: Slot,
        suppress: Any,
        notes: Slot,
        frames: Slot,
    ) -> Any:
        error.__cause__ = decoder.value(cause)
        error.__context__ = decoder.value(context)
        error.__suppress_context__ = suppress is True
        have = len(getattr(error, "__notes__", ()))
        for note in decoder.value(notes)[have:]:
            error.add_note(str(note))
        rows = decoder.value(frames)
        if rows:
            error.__traceback__ = self.traceback_of(rows)
        return error

    def traceback_of(self, _rows: Any) -> Any:
        """Make a traceback that shows where an error was raised on the other side."""
        return None


def _new_error(cls: Any, values: tuple[Any, ...]) -> Any:
    known: Any = tables.TYPES.get((cls.__module__, cls.__qualname__))
    if known is cls:
        try:
            return cls(*values)
        except (TypeError, ValueError):
            pass
    own_new = issubclass(cls, OSError | BaseExceptionGroup)
    error = cls.__new__(cls, *values) if own_new else BaseException.__new__(cls, *values)
    BaseException.args.__set__(error, values)  # type: ignore[attr-defined]
    return error


def _try_set(error: BaseException, name: str, value: Any) -> None:
    try:
        object.__setattr__(error, name, value)
    except (AttributeError, TypeError):
        # A name that this kind of error keeps to itself.
        return
