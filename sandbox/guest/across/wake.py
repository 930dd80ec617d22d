"""The callback by which a future tells the other process that it is done."""

from typing import Any


class Wake:
    """Calls what the other side has registered under a number."""

    __slots__ = ("aio", "number")

    def __init__(self, aio: Any, number: int) -> None:
        self.aio, self.number = aio, number

    def __call__(self, _future: Any) -> None:
        """Call it now: this is what a real loop calls. Loops of the other side are only told."""
        self.aio.peer.ask("woken", (self.number,))
