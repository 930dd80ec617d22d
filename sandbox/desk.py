"""Hands jobs to engines: to the least busy, within their slots; engines that fail are retired."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.endpoint import Endpoint
from sandbox.errors import EngineRefused, EngineUnavailable, ImageMissing, SandboxError
from sandbox.types import ImageInfo

STRIKES = 3
"""Failures in a row after which an engine is retired, if another one is left."""


@dataclass(slots=True, kw_only=True)
class _Place:
    endpoint: Endpoint
    busy: int = 0
    strikes: int = 0
    retired: bool = False

    @property
    def load(self) -> float:
        return self.busy / self.endpoint.host.slots


class Desk:
    """Keeps account of the engines. Safe to use from many threads."""

    def __init__(self, endpoints: Sequence[Endpoint], on_retired: Callable[[str], None]) -> None:
        self._places = [_Place(endpoint=endpoint) for endpoint in endpoints]
        self._on_retired = on_retired
        self._changed = threading.Condition()
        self._image_lock = threading.Lock()
        self._image: ImageInfo | None = None

    @property
    def slots(self) -> int:
        """How many jobs run at a time."""
        return sum(place.endpoint.host.slots for place in self._live())

    @contextmanager
    def engine(self, tried: Sequence[Endpoint]) -> Iterator[Endpoint]:
        """Lend a slot of an engine that is not among those `tried`; waits for one."""
        place = self._claim(tried)
        try:
            yield place.endpoint
        finally:
            with self._changed:
                place.busy -= 1
                self._changed.notify_all()

    def worked(self, endpoint: Endpoint) -> None:
        """Note that an engine did its job."""
        self._place_of(endpoint).strikes = 0

    def failed(self, endpoint: Endpoint, exc: SandboxError, tried: Sequence[Endpoint]) -> bool:
        """Note that an engine failed; say whether another one may try."""
        place = self._place_of(endpoint)
        with self._changed:
            place.strikes += isinstance(exc, EngineUnavailable | EngineRefused)
            hopeless = place.strikes >= STRIKES or isinstance(exc, ImageMissing)
        if hopeless:
            self._retire(place, str(exc))
        return any(place.endpoint not in tried for place in self._live())

    def image(self) -> ImageInfo:
        """Say which image all engines have; those that have another or none are retired.

        Raises:
            SandboxError: why the first engine has none, where no engine has one.
        """
        with self._image_lock:
            self._image = self._image or self._same_image()
            return self._image

    def close(self) -> None:
        """Close every engine's part. Safe to call twice."""
        for place in self._places:
            place.endpoint.close()

    def _same_image(self) -> ImageInfo:
        first: ImageInfo | None = None
        trouble: SandboxError | None = None
        for place in self._live():
            try:
                found = place.endpoint.image()
            except SandboxError as exc:
                trouble = trouble or exc
                self._retire(place, str(exc))
                continue
            first = first or found
            if found.identity != first.identity:
                self._retire(place, f"its sandbox image is another one ({found.identity[:12]})")
        if first is None:
            raise trouble or SandboxError("no engine is left")
        return first

    def _live(self) -> list[_Place]:
        return [place for place in self._places if not place.retired]

    def _place_of(self, endpoint: Endpoint) -> _Place:
        return next(place for place in self._places if place.endpoint is endpoint)

    def _claim(self, tried: Sequence[Endpoint]) -> _Place:
        with self._changed:
            while True:
                live = self._live()
                # Where all have been tried (one retired meanwhile), the last one may try again.
                hopeful = [place for place in live if place.endpoint not in tried] or live
                free = [place for place in hopeful if place.busy < place.endpoint.host.slots]
                if free:
                    place = min(free, key=lambda place: place.load)
                    place.busy += 1
                    return place
                self._changed.wait()

    def _retire(self, place: _Place, why: str) -> None:
        """Use an engine no more, unless it is the last one: then its errors are the caller's."""
        with self._changed:
            if place.retired or len(self._live()) == 1:
                return
            place.retired = True
            self._changed.notify_all()
        self._on_retired(f"{place.endpoint.host.name} is not used any more: {why}")
