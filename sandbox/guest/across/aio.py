"""One event loop for two processes: who runs it, who is told of it, and what is to be called where.

A message `["n", verb, …]` is a note: numbers only, no answer. Notes schedule; all code runs in answers.
"""

import asyncio
import contextlib
import contextvars
import itertools
import math
import weakref
from collections.abc import Callable
from typing import Any

from .far_future import FarFuture, FarTask, Woken
from .far_loop import FarLoop
from .link import LinkBroken, LinkClosed
from .wake import Wake

MOST_WATCHED = 200_000
_running: Callable[[], Any] = asyncio._get_running_loop  # noqa: SLF001 -- None where there is none
_run_by: Callable[[Any], None] = asyncio._set_running_loop  # noqa: SLF001
_creator: contextvars.ContextVar[Any] = contextvars.ContextVar("creator", default=None)
Notes = dict[str, tuple[Callable[..., None], tuple[type, ...]]]


def swap_task(loop: Any, task: Any) -> Any:
    """Have `task` be the current task of `loop`; return which one was."""
    before = asyncio.current_task(loop)
    if before is not task:
        if before is not None:
            asyncio._leave_task(loop, before)  # noqa: SLF001
        if task is not None:
            asyncio._enter_task(loop, task)  # noqa: SLF001
    return before


class Aio:
    """What one peer knows of loops, futures and tasks on both sides."""

    running = staticmethod(_running)

    def __init__(self, peer: Any) -> None:
        self.peer = peer
        self._own: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self._numbers: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._far: weakref.WeakValueDictionary[int, FarLoop] = weakref.WeakValueDictionary()
        self._last: Any = None
        self._count = itertools.count(1)
        self._handles: dict[int, asyncio.Handle] = {}
        self._callbacks: dict[int, tuple[FarFuture, Any, contextvars.Context]] = {}
        self._watched: dict[int, tuple[Any, Wake]] = {}
        self._tasks: dict[int, FarTask] = {}
        self._told: weakref.WeakSet[Any] = weakref.WeakSet()
        self._base = contextvars.copy_context()
        self._notes: Notes = {
            "soon": (self._soon, (int, int)),
            "later": (self._later, (int, float, int)),
            "wake": (self._wake, (int,)),
            "watch": (self._watch, (int, int)),
            "unwatch": (self._unwatch, (int,)),
            "stop": (self._stop, (int,)),
            "over": (self._over, (int,)),
        }

    # Loops

    def number_of(self, loop: Any) -> int:
        """Number a loop: positive for one of this side, negative for one of the other's; 0 for neither."""
        if isinstance(loop, FarLoop):
            return -loop.number if loop.aio is self else 0
        number = self._numbers.get(loop)
        if number is None:
            number = self._numbers[loop] = next(self._count)
            self._own[number] = loop
            # What the other side's threads say reaches a loop that waits.
            with contextlib.suppress(NotImplementedError, RuntimeError, OSError, ValueError):
                loop.add_reader(self.peer.link.fileno(), self._hear, loop)
        return number

    def loop_of(self, number: Any) -> Any:
        """Return the loop that the other side numbers so; None for one that is gone."""
        if type(number) is not int:
            raise LinkBroken("a loop whose number is none")
        if number <= 0:
            return self._own.get(-number)
        found = self._far.get(number)
        if found is None:
            found = self._far[number] = FarLoop(self, number)
        self._last = found
        return found

    def _hear(self, loop: Any) -> None:
        if self.peer.dead:
            loop.remove_reader(self.peer.link.fileno())
        else:
            self.peer.hear()

    def hear_later(self) -> None:
        """Have heard what was read together with an answer: no loop would notice that it is there."""
        loop = _running()
        if loop is not None and not isinstance(loop, FarLoop):
            loop.call_soon(self._hear, loop)

    # Who asks

    def here(self, encoder: Any) -> list[Any] | None:
        """Say in which loop and task a question is asked; None outside of any."""
        loop = _running()
        if loop is None:
            return None
        task = asyncio.current_task(loop)
        if task is None or isinstance(task, FarTask):
            return [self.number_of(loop), encoder.slot(task), None]
        parent = None
        if task not in self._told:
            parent = self._introduce(task)
        return [self.number_of(loop), encoder.slot(task), encoder.slot(parent)]

    def _introduce(self, task: Any) -> Any:
        """Have the other side keep a context for a task of this side until it is done."""
        self._told.add(task)
        task.add_done_callback(self._note_over, context=self._base)
        creator = _creator.get()
        _creator.set(weakref.ref(task))
        parent = creator() if creator is not None else None
        return None if parent is task else parent

    def _note_over(self, task: Any) -> None:
        handle = self.peer.handle_of(task)
        if handle and not self.peer.dead:
            self.post("over", handle)

    def within(self, here: Any, decoder: Any, act: Callable[[], Any]) -> Any:
        """Answer a question in the loop and the task in which it was asked."""
        before = _running()
        if here is None:
            if before is None:
                return act()
            loop, task = None, None
        else:
            loop, task = self._asked_in(here, decoder)
        if loop is before and (loop is None or asyncio.current_task(loop) is task):
            return task.run(act) if isinstance(task, FarTask) else act()
        return self._switched(before, loop, task, act)

    def _switched(self, before: Any, loop: Any, task: Any, act: Callable[[], Any]) -> Any:
        _run_by(loop)
        task_before = None if loop is None else swap_task(loop, task)
        try:
            return task.run(act) if isinstance(task, FarTask) else act()
        finally:
            if loop is not None:
                swap_task(loop, task_before)
            _run_by(before)

    def _asked_in(self, here: Any, decoder: Any) -> tuple[Any, Any]:
        if type(here) is not list or len(here) != 3:  # noqa: PLR2004 -- loop, task, who made the task
            raise LinkBroken("a question that is asked nowhere")
        loop = self.loop_of(here[0])
        task, parent = decoder.value(here[1]), decoder.value(here[2])
        before = _running()
        if here[0] <= 0:
            # Of this side's loops only the one that runs, with its task, can have led to a question.
            if loop is not before or loop is None:
                return None, None
            current = asyncio.current_task(loop)
            return loop, task if isinstance(task, FarTask) and current is None else current
        if not isinstance(task, FarTask):
            return loop, None
        handle = task._mendbench.handle  # noqa: SLF001
        if handle not in self._tasks:
            self._tasks[handle] = task
            if isinstance(parent, FarTask) and parent.context is not None:
                task.context = parent.context.copy()
        return loop, task

    # Notes

    def post(self, verb: str, *numbers: float) -> None:
        """Tell the other side something."""
        with contextlib.suppress(LinkClosed), self.peer.sending:
            self.peer.link.send(["n", verb, *numbers])

    def take_in_loop(self, message: list[Any]) -> bool:
        """Have a loop of this side that runs take a note, from another thread; say whether one does."""
        for loop in list(self._own.values()):
            if loop.is_running():
                loop.call_soon_threadsafe(self._take_safely, message)
                return True
        return False

    def _take_safely(self, message: list[Any]) -> None:
        try:
            self.take(message)
        except LinkBroken as exc:
            self.peer.when_broken(exc)

    def take(self, message: list[Any]) -> None:
        """Do what a note says."""
        verb = message[1] if len(message) > 1 else None
        act, kinds = self._notes.get(verb, (None, ())) if type(verb) is str else (None, ())
        numbers = message[2:]
        if act is None or len(numbers) != len(kinds):
            raise LinkBroken("a note of no known kind")
        for number, kind in zip(numbers, kinds, strict=True):
            if type(number) is not int and not (kind is float and type(number) is float):
                raise LinkBroken("a note with a number that is none")
        act(*numbers)

    def _soon(self, loop: int, number: int) -> None:
        self._schedule(self._own.get(loop), self._run, number)

    def _later(self, loop: int, delay: float, number: int) -> None:
        real = self._own.get(loop)
        if real is None or real.is_closed():
            return
        delay = min(max(delay, 0.0), 1e9) if math.isfinite(delay) else 0.0
        if _running() is real or not real.is_running():
            real.call_later(delay, self._run, number, context=self._base)
        else:
            real.call_soon_threadsafe(real.call_later, delay, self._run, number)

    def _schedule(self, loop: Any, act: Callable[..., None], *args: Any, context: Any = None) -> None:
        if loop is None or loop.is_closed():
            return
        call = loop.call_soon if _running() is loop or not loop.is_running() else loop.call_soon_threadsafe
        call(act, *args, context=context or self._base)

    def _run(self, number: int) -> None:
        if not self.peer.dead:
            self.peer.ask("run", (number,))

    def _wake(self, number: int) -> None:
        found = self._callbacks.pop(number, None)
        if found is not None:
            future, fn, context = found
            self._schedule(future.get_loop(), fn, _told(fn, future), context=context)

    def _watch(self, handle: int, number: int) -> None:
        future = self.peer.exported(handle)
        if not asyncio.isfuture(future) or isinstance(future, FarFuture) or len(self._watched) > MOST_WATCHED:
            raise LinkBroken("waiting for what is no future")
        wake = Wake(self, number)
        self._watched[number] = future, wake
        future._asyncio_future_blocking = False  # noqa: SLF001 -- a task of the other side waits for it
        future.add_done_callback(wake, context=self._base)

    def _unwatch(self, number: int) -> None:
        future, wake = self._watched.pop(number, (None, None))
        if future is not None:
            future.remove_done_callback(wake)

    def _stop(self, loop: int) -> None:
        real = self._own.get(loop)
        if real is not None:
            real.stop()

    def _over(self, handle: int) -> None:
        self._tasks.pop(handle, None)

    # What is to be called here

    def keep(self, handle: asyncio.Handle) -> int:
        """Keep something to be called under a number."""
        number = next(self._count)
        self._handles[number] = handle
        return number

    def drop(self, number: int) -> None:
        """Keep it no more."""
        self._handles.pop(number, None)

    def run(self, number: Any) -> None:
        """Call it, once."""
        handle = self._handles.pop(number, None) if type(number) is int else None
        if handle is not None and not handle.cancelled():
            handle._run()  # noqa: SLF001 -- as a loop does

    def woken(self, number: Any) -> None:
        """Call what waits for a future of the other side; its loop calls this."""
        found = self._callbacks.pop(number, None) if type(number) is int else None
        if found is not None:
            future, fn, context = found
            context.run(fn, _told(fn, future))

    def complain(self, loop: int, context: dict[str, Any]) -> None:
        """Hand over what nobody has caught, to the handler of the real loop."""
        if not self.peer.dead:
            self.peer.ask("complain", (loop, str(context.get("message")), context.get("exception")))

    def hear_complaint(self, number: Any, message: Any, error: Any) -> None:
        """Take it."""
        loop = self._own.get(number) if type(number) is int else None
        if loop is not None:
            context = {"message": str(message)}
            loop.call_exception_handler(context | {"exception": error} if error is not None else context)

    def set_handler(self, number: Any, handler: Any) -> None:
        """Set the handler of a loop of this side."""
        loop = self._own.get(number) if type(number) is int else None
        if loop is not None:
            loop.set_exception_handler(handler if callable(handler) else None)

    # Futures

    def watch(self, future: FarFuture, fn: Any, context: contextvars.Context) -> None:
        """Have `fn` called when a future of the other side is done."""
        number = next(self._count)
        self._callbacks[number] = future, fn, context
        self.post("watch", future._mendbench.handle, number)  # noqa: SLF001

    def unwatch(self, future: FarFuture, fn: Any) -> int:
        """Call it no more."""
        found = [key for key, (each, call, _) in self._callbacks.items() if each is future and call == fn]
        for key in found:
            del self._callbacks[key]
            self.post("unwatch", key)
        return len(found)

    def end(self, error: BaseException) -> None:
        """Let everything here that waits for the other side fail."""
        callbacks, self._callbacks = self._callbacks, {}
        for future, fn, context in callbacks.values():
            if isinstance(getattr(fn, "__self__", None), asyncio.Task):
                self._schedule(future.get_loop(), fn, Woken(error), context=context)


def _told(fn: Any, future: FarFuture) -> Any:
    """A task needs no result to resume: what it runs asks for it, where it wants it."""
    return Woken() if isinstance(getattr(fn, "__self__", None), asyncio.Task) else future
