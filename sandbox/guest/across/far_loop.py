"""What stands here for a running event loop of the other process: it schedules everything over there."""

import asyncio
import contextvars
import selectors
import threading
import time
from collections.abc import Callable
from typing import Any

from .wake import Wake


class FarLoop(asyncio.SelectorEventLoop):
    """A loop that another process runs.

    What is to be called is kept here, under a number that the real loop has in its queue: so the callbacks
    of both processes run in the order that they would have in one. Files are watched by a thread.
    """

    def __init__(self, aio: Any, number: int) -> None:
        self.aio, self.number = aio, number
        self._own_selector: selectors.BaseSelector | None = None
        super().__init__(selectors.SelectSelector())

    # Its state is the other loop's.

    def is_running(self) -> bool:
        """It runs as long as anything asks."""
        return True

    def time(self) -> float:
        """Return the time, which is the same in both processes."""
        return time.monotonic()

    def stop(self) -> None:
        """Stop the real one."""
        self.aio.post("stop", self.number)

    def close(self) -> None:
        """Refuse, as every running loop does."""
        raise RuntimeError("Cannot close a running event loop")

    def __del__(self) -> None:
        if self._own_selector is not None:
            self._own_selector.close()

    def set_exception_handler(self, handler: Any) -> None:
        """Set the handler of the real one."""
        self._exception_handler = handler
        self.aio.peer.ask("handler", (self.number, handler))

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Hand over what nobody has caught."""
        self.aio.complain(self.number, context)

    # Its queue is over there.

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Have something called in the next round."""
        handle = asyncio.Handle(callback, args, self, context)
        if type(callback) is Wake and callback.aio is self.aio:
            self.aio.post("wake", callback.number)
        else:
            self.aio.post("soon", self.number, self.aio.keep(handle))
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Have something called after a while."""
        handle = asyncio.TimerHandle(self.time() + delay, callback, args, self, context)
        number = self.aio.keep(handle)
        handle._scheduled = number  # type: ignore[attr-defined] # noqa: SLF001 -- says how to take it back
        self.aio.post("later", self.number, float(delay), number)
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Have something called at a time."""
        return self.call_later(when - self.time(), callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: Any) -> None:
        self.aio.drop(handle._scheduled)  # noqa: SLF001

    def _add_callback(self, handle: asyncio.Handle) -> None:
        if not handle.cancelled():
            self.aio.post("soon", self.number, self.aio.keep(handle))

    _add_callback_signalsafe = _add_callback

    # Files are of this process.

    def _make_self_pipe(self) -> None:
        """Do without: nothing waits here."""

    @property
    def _selector(self) -> selectors.BaseSelector:
        if self._own_selector is None:
            self._own_selector = selectors.DefaultSelector()
            threading.Thread(target=self._watch, args=(self._own_selector,), daemon=True).start()
        return self._own_selector

    @_selector.setter
    def _selector(self, _: Any) -> None:
        """Make one when it is needed."""

    def _watch(self, selector: selectors.BaseSelector) -> None:
        taken = threading.Event()

        def take(events: Any) -> None:
            self._process_events(events)  # type: ignore[attr-defined]
            self.call_soon(taken.set)

        while True:
            # Watched files change meanwhile, and an empty list ends no wait.
            events = selector.select(0.05)
            if events:
                taken.clear()
                self.call_soon_threadsafe(take, events)
                taken.wait()
