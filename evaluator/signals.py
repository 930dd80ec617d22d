"""Ctrl-C and SIGTERM: the first asks for the end, the second does not wait for it."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_STDERR: Final = 2


class Interrupts:
    """While this is open, the first signal is only noted; the next one raises KeyboardInterrupt.

    For the main thread. A line that is being written is thus never cut in two by the first signal.
    """

    def __init__(self, note: str = "", *, patience: int = 1) -> None:
        """Prepare.

        Args:
            note: what to say on standard error when the first signal comes.
            patience: how many signals are noted before one raises; 0 to raise at once.
        """
        self._note, self._patience = note, patience
        self._before: dict[int, object] = {}
        self.count = 0

    @property
    def seen(self) -> bool:
        """Whether a signal has come."""
        return self.count > 0

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.count > self._patience:
            raise KeyboardInterrupt
        # Straight to the descriptor: the streams above it may be in use in this very moment.
        with contextlib.suppress(OSError):
            os.write(_STDERR, self._note.encode())


@contextlib.contextmanager
def terminate_cleanly() -> Iterator[None]:
    """Make SIGTERM end the process the way an exception does, so that containers are removed."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
