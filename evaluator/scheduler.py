"""The only module that starts threads for a run: lanes per server, workers per model, one way to stop."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from evaluator.errors import Stopped
from evaluator.sample import SampleSpec
from repair.errors import ServerFatal

_TICK_S = 0.2
_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


def side_by_side(work: Callable[[_Item], _Done], items: Iterable[_Item], threads: int) -> list[_Done]:
    """Do independent pieces of work, a few at a time; results in the order of the items."""
    with ThreadPoolExecutor(threads, thread_name_prefix="work") as pool:
        return list(pool.map(work, items))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The samples of one model, and how many of them are under way at a time."""

    server: str
    model: str
    specs: Sequence[SampleSpec]
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


class Scheduler:
    """Runs every sample of every lane.

    Lanes of one server follow each other, because a local server holds one model at a time; lanes of
    different servers run side by side.
    """

    def __init__(
        self,
        run_one: Callable[[SampleSpec], None],
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

    def run(self, lanes: Sequence[Lane]) -> Outcome:
        """Run until everything is done, the stop event is set, or something of ours breaks.

        The first KeyboardInterrupt sets the stop event: what is under way is finished, nothing new begins.
        A second one comes out of here at once.

        Raises:
            MendError: what broke; every worker has been told to stop.
        """
        over = threading.Event()
        threading.Thread(target=self._run_all, args=(lanes, over), daemon=True, name="lanes").start()
        self._wait(over)
        if self._fatal is not None:
            raise self._fatal
        return self._outcome

    def _groups(self, lanes: Sequence[Lane]) -> dict[str, list[Lane]]:
        groups: dict[str, list[Lane]] = {}
        for lane in lanes:
            groups.setdefault(lane.model if self._parallel else lane.server, []).append(lane)
        return groups

    def _run_all(self, lanes: Sequence[Lane], over: threading.Event) -> None:
        threads = [
            threading.Thread(target=self._run_group, args=(group,), daemon=True, name=f"lane-{server}")
            for server, group in self._groups(lanes).items()
        ]
        _start_and_join(threads)
        over.set()

    def _wait(self, over: threading.Event) -> None:
        # Not Thread.join: interrupted, it takes a living thread for a dead one (CPython 3.11).
        while not over.is_set():
            try:
                over.wait(_TICK_S)
            except KeyboardInterrupt:
                if self._stop.is_set():
                    raise
                self._outcome.interrupted = True
                self._stop.set()
                self._on_interrupt()

    def _run_group(self, lanes: Sequence[Lane]) -> None:
        for lane in lanes:
            waiting = deque(lane.specs)
            workers = [
                threading.Thread(
                    target=self._work, args=(lane, waiting), daemon=True, name=f"{lane.model}-{number}"
                )
                for number in range(min(lane.workers, len(waiting)))
            ]
            _start_and_join(workers)

    def _work(self, lane: Lane, waiting: deque[SampleSpec]) -> None:
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
