"""Coroutines, asynchronous generators and other awaitables of the other process, step by step.

Who awaits drives: every `send` of a task here is a `send` there, and what is waited for there is waited
for here. So there is one loop and one order, as if all were one process.
"""

import inspect
import sys
import types
from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import Any

FLAVOURS = (
    inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE | inspect.CO_ASYNC_GENERATOR
)
FUTURE_VERBS = frozenset(
    [
        "done",
        "cancelled",
        "result",
        "exception",
        "cancel",
        "set_result",
        "set_exception",
        "get_name",
        "set_name",
        "cancelling",
        "uncancel",
    ]
)
"""What may be asked of a future by the other side."""
UNHELD = 4
"""References to a coroutine that is being dropped: its entry, its name here, and what passes it on."""
AGEN_VERBS = frozenset({"asend", "athrow", "aclose"})


async def _nothing() -> None:
    return


async def _agen() -> AsyncGenerator[int, None]:
    yield 0


def _types() -> tuple[frozenset[type], frozenset[type]]:
    made = _nothing()
    wrapper = type(made.__await__())
    made.close()
    agen = _agen()
    # Taken without being awaited, which is no one's mistake.
    once = (agen.asend(None), agen.athrow(GeneratorExit))
    for each in once:
        each.close()
    return frozenset({wrapper}), frozenset(type(each) for each in once)


_WRAPPERS, _AWAITABLES = _types()


def node_kind(value: Any) -> str | None:
    """Say as what an awaitable, or a generator, of this side travels; None for anything else."""
    kind = type(value)
    if kind is types.CoroutineType or (
        kind is types.GeneratorType and value.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE
    ):
        return "coroutine"
    if kind is types.AsyncGeneratorType:
        return "async_generator"
    if kind in _AWAITABLES or kind.__name__ == "anext_awaitable":
        return "awaitable"
    if kind is types.GeneratorType or kind in _WRAPPERS or kind.__name__ == "FutureIter":
        return "generator"
    return None


def let_go(value: Any) -> None:
    """Drop what the other side has dropped: who has not awaited a coroutine was told of it over there."""
    if type(value) is not types.CoroutineType or inspect.getcoroutinestate(value) != inspect.CORO_CREATED:
        return
    if sys.getrefcount(value) <= UNHELD:
        value.close()


def is_future(value: Any) -> bool:
    """Say whether a value is a future of asyncio's, without bringing that along."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and bool(asyncio.isfuture(value))


async def wait_for(awaitable: Any) -> Any:
    """Make a coroutine of any awaitable."""
    return await awaitable


def step(coroutine: Any, value: Any) -> tuple[bool, Any]:
    """Take a step of a coroutine: whether it has ended, and its result or what it waits for."""
    try:
        return False, coroutine.send(value)
    except StopIteration as end:
        return True, end.value


def fail(coroutine: Any, error: BaseException) -> tuple[bool, Any]:
    """Take a step of a coroutine with an error."""
    try:
        return False, coroutine.throw(error)
    except StopIteration as end:
        return True, end.value


class Steps:
    """What a coroutine of this side goes through, to run one of the other side."""

    def __init__(self, ref: Any) -> None:
        self._ref = ref

    def __await__(self) -> Iterator[Any]:
        return self

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        """Resume with a value."""
        return self._next(self._ref.peer.ask("step", (self._ref, value)))

    def throw(self, kind: Any, value: Any = None, _trace: Any = None) -> Any:
        """Resume with an error."""
        error = value if value is not None else kind() if isinstance(kind, type) else kind
        return self._next(self._ref.peer.ask("fail", (self._ref, error)))

    def close(self) -> None:
        """End."""
        if not self._ref.peer.dead:
            self._ref.peer.ask("close", (self._ref,))

    def _next(self, answer: Any) -> Any:
        if type(answer) is not tuple or len(answer) != 2:  # noqa: PLR2004 -- whether it has ended, and what with
            self._ref.peer.nonsense("a step of a coroutine that is none")
        ended, value = answer
        if ended is True:
            raise StopIteration(value)
        from .far_future import ready  # noqa: PLC0415 -- brings asyncio, which few scripts need

        return ready(value)


def coroutine(ref: Any, name: str, qualname: str) -> Coroutine[Any, Any, Any]:
    """Make a coroutine that runs one of the other side."""
    made: Any = wait_for(Steps(ref))
    made.__name__, made.__qualname__ = name, qualname
    return made  # type: ignore[no-any-return]


def async_generator(ref: Any, name: str, qualname: str) -> AsyncGenerator[Any, Any]:
    """Make an asynchronous generator that runs one of the other side."""
    made: Any = _generator(ref)
    made.__name__, made.__qualname__ = name, qualname
    return made  # type: ignore[no-any-return]


async def _generator(ref: Any) -> AsyncGenerator[Any, Any]:
    def do(verb: str, *args: Any) -> Any:
        return ref.peer.ask("agen", (ref, verb, *args))

    try:
        value = await do("asend", None)
        while True:
            try:
                sent = yield value
            except GeneratorExit:
                await do("aclose")
                raise
            except BaseException as exc:  # noqa: BLE001 -- whatever it is, it was meant for the other side
                value = await do("athrow", exc)
            else:
                value = await do("asend", sent)
    except StopAsyncIteration:
        return


def flavour_of(value: Any) -> int:
    """Return the flags by which `inspect` knows what calling something gives; 0 for nothing special."""
    flags = 0
    if inspect.iscoroutinefunction(value):
        flags |= inspect.CO_COROUTINE
    if inspect.isasyncgenfunction(value):
        flags |= inspect.CO_ASYNC_GENERATOR
    if inspect.isgeneratorfunction(value):
        flags |= inspect.CO_GENERATOR
    return flags


def code_of(flags: Any) -> types.CodeType:
    """Return a code object with such flags, and nothing in it."""
    code = _empty.__code__
    return code.replace(co_flags=code.co_flags | (flags & FLAVOURS))


def flavoured(function: types.FunctionType, flags: int) -> None:
    """Let `inspect` take a plain function for one that makes coroutines or generators.

    The flags alone make none: that is an instruction of its own. So the other side is called, and
    arguments that do not fit are noticed, at the call.
    """
    function.__code__ = function.__code__.replace(co_flags=function.__code__.co_flags | (flags & FLAVOURS))


def mark(made: Any, flags: Any) -> None:
    """Let `inspect` take a mirror for a function that makes coroutines or generators."""
    if type(flags) is int and flags & FLAVOURS:
        object.__setattr__(made, "__code__", code_of(flags))
        object.__setattr__(made, "__defaults__", None)
        object.__setattr__(made, "__kwdefaults__", None)
        if type(made).__name__ == "partial":
            # It has no name, without which nothing looks like a function.
            object.__setattr__(made, "__name__", "partial")


def _empty(*_args: Any, **_kwargs: Any) -> None:
    return
