"""What stands here for a future, or a task, of the other process."""

import asyncio
import contextvars
from collections.abc import Callable, Generator
from typing import Any


class FarFuture:
    """A future of the other side. Its loop is the one that both sides share, as this side has it."""

    _asyncio_future_blocking = False

    def __init__(self, ref: Any, loop: Any) -> None:
        self._mendbench = ref
        self._loop = loop

    # For `isinstance`, and for `asyncio.isfuture`.
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return asyncio.Future

    def _ask(self, name: str, *args: Any) -> Any:
        return self._mendbench.peer.ask("future", (self, name, *args))

    def get_loop(self) -> Any:
        """Return its loop."""
        return self._loop

    def done(self) -> bool:
        """Say whether it has a result, has an error or was cancelled."""
        return self._ask("done") is True

    def cancelled(self) -> bool:
        """Say whether it was cancelled."""
        return self._ask("cancelled") is True

    def result(self) -> Any:
        """Return its result, or raise its error."""
        return self._ask("result")

    def exception(self) -> Any:
        """Return its error."""
        return self._ask("exception")

    def cancel(self, msg: Any = None) -> bool:
        """Cancel it."""
        return self._ask("cancel", msg) is True

    def set_result(self, result: Any) -> None:
        """Give it its result."""
        self._ask("set_result", result)

    def set_exception(self, exception: Any) -> None:
        """Give it an error."""
        self._ask("set_exception", exception)

    def add_done_callback(
        self, fn: Callable[[Any], object], *, context: contextvars.Context | None = None
    ) -> None:
        """Have `fn` called by the loop when it is done."""
        self._mendbench.peer.aio.watch(self, fn, context or contextvars.copy_context())

    def remove_done_callback(self, fn: Callable[[Any], object]) -> int:
        """Have it called no more; return how often it would have been."""
        number: int = self._mendbench.peer.aio.unwatch(self, fn)
        return number

    def __await__(self) -> Generator[Any, None, Any]:
        if not self.done():
            self._asyncio_future_blocking = True
            yield self
        if not self.done():
            raise RuntimeError("await wasn't used with future")
        return self.result()

    __iter__ = __await__

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__} of the other process>"


class FarTask(FarFuture):
    """A task of the other side; what runs here in its name has a context of its own."""

    def __init__(self, ref: Any, loop: Any) -> None:
        super().__init__(ref, loop)
        self.context: contextvars.Context | None = None
        self.entered = False

    # For `isinstance`, and for `asyncio.isfuture`.
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return asyncio.Task

    def get_name(self) -> str:
        """Return its name."""
        return str(self._ask("get_name"))

    def set_name(self, value: object) -> None:
        """Name it."""
        self._ask("set_name", str(value))

    def cancelling(self) -> int:
        """Say how often it was asked to cancel."""
        count = self._ask("cancelling")
        return count if type(count) is int else 0

    def uncancel(self) -> int:
        """Take one such wish back."""
        count = self._ask("uncancel")
        return count if type(count) is int else 0

    def run(self, act: Callable[[], Any]) -> Any:
        """Do something in its context."""
        if self.entered:
            return act()
        if self.context is None:
            self.context = contextvars.copy_context()
        self.entered = True
        try:
            return self.context.run(act)
        finally:
            self.entered = False


class Woken:
    """What a task is told when a future of the other side is done: the outcome is for who awaits it."""

    def __init__(self, error: BaseException | None = None) -> None:
        self._error = error

    def result(self) -> None:
        """Resume, or fail where the other side has gone."""
        if self._error is not None:
            raise self._error


def ready(value: Any) -> Any:
    """Let a future that an awaitable of the other side waits for be what a task here waits for."""
    if isinstance(value, FarFuture) or asyncio.isfuture(value):
        value._asyncio_future_blocking = True  # noqa: SLF001 -- the protocol between futures and tasks
    return value
