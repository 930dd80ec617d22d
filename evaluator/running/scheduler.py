"""The only module that starts threads for a run: lanes per server, workers per model, one way to stop."""

import contextlib
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar, cast

from evaluator.errors import Stopped
from repair.errors import ServerFatal

_TICK_S = 0.2
_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


def side_by_side(work: Callable[[_Item], _Done], items: Iterable[_Item], threads: int) -> list[_Done]:
    """Do independent pieces of work, a few at a time; results in the order of the items."""
    with ThreadPoolExecutor(threads, thread_name_prefix="work") as pool:
        return list(pool.map(work, items))


def stream(
    work: Callable[[_Item], _Done],
    items: Iterable[_Item],
    threads: int,
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[_Done]:
    """Do pieces of work as they come, a few at a time; yield results as they are ready, in any order.

    Items are read in a thread of their own, which may wait for them; a few of them, and a few results,
    are held at a time. Once `stopped` says so nothing new is begun; what is under way still comes out.

    Raises:
        MendError: what `work` or `items` raised, after everything that was under way came out.
    """
    belt: _Belt[_Item, _Done] = _Belt(work, threads)
    belt.start(items)
    working = threads
    try:
        while working:
            if stopped():
                belt.stop.set()
            try:
                result = belt.done.get(timeout=_TICK_S)
            except queue.Empty:
                continue
            if result is _END:
                working -= 1
            else:
                yield cast("_Done", result)
    finally:
        belt.stop.set()
        belt.left.set()
    if belt.fault is not None:
        raise belt.fault


_END: Final = object()


class _Belt(Generic[_Item, _Done]):
    """Two short queues with workers in between. Its threads end by themselves, whoever leaves first."""

    def __init__(self, work: Callable[[_Item], _Done], threads: int) -> None:
        self._work, self._threads = work, threads
        self._waiting: queue.Queue[object] = queue.Queue(threads)
        self.done: queue.Queue[object] = queue.Queue(2 * threads)
        self.stop = threading.Event()
        """Begin nothing new."""
        self.left = threading.Event()
        """Nobody takes results any more."""
        self.fault: BaseException | None = None

    def start(self, items: Iterable[_Item]) -> None:
        threading.Thread(target=self._read, args=(items,), daemon=True, name="reader").start()
        for number in range(self._threads):
            threading.Thread(target=self._serve, daemon=True, name=f"work-{number}").start()

    def _read(self, items: Iterable[_Item]) -> None:
        try:
            for item in items:
                if not _put(self._waiting, item, self.stop):
                    break
        except BaseException as exc:  # noqa: BLE001 - comes out of stream() again
            self.fault = self.fault or exc
        for _ in range(self._threads):
            _put(self._waiting, _END, self.stop)

    def _serve(self) -> None:
        while (item := self._next()) is not _END:
            try:
                result = self._work(cast("_Item", item))
            except BaseException as exc:  # noqa: BLE001 - comes out of stream() again
                self.fault = self.fault or exc
                self.stop.set()
                break
            _put(self.done, result, self.left)
        _put(self.done, _END, self.left)

    def _next(self) -> object:
        while not self.stop.is_set():
            with contextlib.suppress(queue.Empty):
                return self._waiting.get(timeout=_TICK_S)
        return _END


def _put(target: "queue.Queue[object]", item: object, over: threading.Event) -> bool:
    """Put an item into a queue that may be full; False if it is over before there is room."""
    while not over.is_set():
        try:
            target.put(item, timeout=_TICK_S)
        except queue.Full:
            continue
        return True
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane(Generic[_Item]):
    """The samples of one model, and how many of them are under way at a time."""

    server: str
    model: str
    specs: Sequence[_Item]
    workers: int


@dataclass(slots=True)
class Outcome:
    """How a schedule ended."""

    dead_models: dict[str, str] = field(default_factory=dict)
    """Model label → why no call of it can work."""
    interrupted: bool = False


def _start_and_join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _hold_back_interrupts(*, held: bool) -> None:
    """Have Ctrl-C wait, for this thread; where a system cannot, nothing changes."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK if held else signal.SIG_UNBLOCK, {signal.SIGINT})


class Scheduler(Generic[_Item]):
    """Runs every sample of every lane.

    Lanes of one server follow each other, because a local server holds one model at a time; lanes of
    different servers run side by side.
    """

    def __init__(
        self,
        run_one: Callable[[_Item], None],
        stop: threading.Event,
        *,
        parallel_models: bool = False,
        on_interrupt: Callable[[], None] = lambda: None,
    ) -> None:
        self._run_one, self._stop, self._parallel = run_one, stop, parallel_models
        self._on_interrupt = on_interrupt
        self._lock = threading.Lock()
        self._fatal: BaseException | None = None
        self._outcome = Outcome()

    def run(self, lanes: Sequence[Lane[_Item]]) -> Outcome:
        """Run until everything is done, the stop event is set, or something of ours breaks.

        The first KeyboardInterrupt sets the stop event: what is under way is finished, nothing new begins.
        A second one comes out of here at once.

        Raises:
            MendError: what broke; every worker has been told to stop.
        """
        over = threading.Event()
        # A Ctrl-C while the thread starts would come out here, with the run under way.
        _hold_back_interrupts(held=True)
        threading.Thread(target=self._run_all, args=(lanes, over), daemon=True, name="lanes").start()
        self._wait(over)
        if self._fatal is not None:
            raise self._fatal
        return self._outcome

    def _groups(self, lanes: Sequence[Lane[_Item]]) -> dict[str, list[Lane[_Item]]]:
        groups: dict[str, list[Lane[_Item]]] = {}
        for lane in lanes:
            groups.setdefault(lane.model if self._parallel else lane.server, []).append(lane)
        return groups

    def _run_all(self, lanes: Sequence[Lane[_Item]], over: threading.Event) -> None:
        # It has inherited this, and children of its threads would.
        _hold_back_interrupts(held=False)
        threads = [
            threading.Thread(target=self._run_group, args=(group,), daemon=True, name=f"lane-{server}")
            for server, group in self._groups(lanes).items()
        ]
        _start_and_join(threads)
        over.set()

    def _wait(self, over: threading.Event) -> None:
        # Not Thread.join: interrupted, it takes a living thread for a dead one (CPython 3.11).
        while True:
            try:
                _hold_back_interrupts(held=False)
                while not over.wait(_TICK_S):
                    pass
            except KeyboardInterrupt:
                if self._stop.is_set():
                    raise
                self._outcome.interrupted = True
                self._stop.set()
                self._on_interrupt()
            else:
                return

    def _run_group(self, lanes: Sequence[Lane[_Item]]) -> None:
        for lane in lanes:
            waiting = deque(lane.specs)
            workers = [
                threading.Thread(
                    target=self._work, args=(lane, waiting), daemon=True, name=f"{lane.model}-{number}"
                )
                for number in range(min(lane.workers, len(waiting)))
            ]
            _start_and_join(workers)

    def _work(self, lane: Lane[_Item], waiting: deque[_Item]) -> None:
        while not self._stop.is_set():
            try:
                spec = waiting.popleft()
            except IndexError:
                return
            try:
                self._run_one(spec)
            except Stopped:
                return
            except ServerFatal as exc:
                waiting.clear()
                with self._lock:
                    self._outcome.dead_models.setdefault(lane.model, str(exc))
            except BaseException as exc:  # noqa: BLE001 - comes out of run() again, in the main thread
                self._break(exc)

    def _break(self, exc: BaseException) -> None:
        with self._lock:
            self._fatal = self._fatal or exc
        self._stop.set()
