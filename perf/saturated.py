"""As many attempts as some workers can do: rate and CPU time per attempt, in windows that take turns."""

import itertools
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from perf import cpu
from perf.latency import timed
from perf.payload import RIGHT, WRONG
from perf.stats import done_within
from perf.ways import WAYS, Name, Way

WORKERS = (1, 2, 4)
WRONG_EVERY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How long and how often."""

    windows: int
    """Windows of each way and number of workers."""
    settle_s: float
    """Seconds before a window: stocks run down, caches fill."""
    window_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One window of one way."""

    way: Name
    workers: int
    attempts: float
    """One that reaches over an edge of the window counts by its share."""
    per_s: float
    cpu: cpu.Spent
    """Per attempt, seconds."""
    idle: float
    """CPU seconds per second that went on while nothing was asked of the machine; taken off `cpu`."""


def measure(names: Iterable[Name], settings: Settings) -> list[Window]:
    """Let all ways fill the machine in turn, with each number of workers."""
    turns = [(name, workers) for workers in WORKERS for name in names]
    found: list[Window] = []
    for number in range(settings.windows):
        idle = _idle()
        start = number * len(turns) // settings.windows
        for name, workers in turns[start:] + turns[:start]:
            found.append(_window(name, workers, settings, idle))
            print(f"throughput: {name}, {workers} at once: {found[-1].per_s:.2f}/s", flush=True)
    return found


def _idle() -> float:
    cpu.wait_until_quiet()
    return cpu.idle_rate(2.0)


def _window(name: Name, workers: int, settings: Settings, idle: float) -> Window:
    way = WAYS[name](workers)
    try:
        return _run(name, way, workers, settings, idle)
    finally:
        way.close()
        cpu.wait_until_quiet()


def _run(name: Name, way: Way, workers: int, settings: Settings, idle: float) -> Window:
    stop, spans = threading.Event(), list[tuple[float, float]]()
    with ThreadPoolExecutor(workers) as threads:
        working = [threads.submit(_work, way, stop, spans) for _ in range(workers)]
        try:
            # A failed attempt ends the window at once.
            stop.wait(settings.settle_s)
            before = cpu.read()
            stop.wait(settings.window_s)
            after = cpu.read()
        finally:
            stop.set()
        for each in working:
            each.result()
    done = done_within(spans, before.at, after.at)
    return Window(
        way=name,
        workers=workers,
        attempts=done,
        per_s=done / (after.at - before.at),
        cpu=cpu.between(before, after, attempts=done, idle=idle),
        idle=idle,
    )


def _work(way: Way, stop: threading.Event, spans: list[tuple[float, float]]) -> None:
    try:
        for number in itertools.count(1):
            began = time.monotonic()
            timed(way, RIGHT if number % WRONG_EVERY else WRONG)
            spans.append((began, time.monotonic()))
            if stop.is_set():
                return
    finally:
        stop.set()
