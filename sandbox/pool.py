"""Warm containers of one engine: made ahead in the background, handed out once, removed in the background."""

import contextlib
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.errors import SandboxError
from sandbox.session import Session
from sandbox.types import Level, Profile

MAX_AGE_S = 600.0
"""A container that waited longer is thrown away; a kind that nobody asked for as long is not made ahead."""
CREATORS = 2
"""The engine's own locks make more of little use."""
BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses after failures in a row. After the last, nothing is made ahead until a cold start works."""
UNDISTURBED_S = 0.2
"""How long an attempt is left alone, if others wait ready, before the next container is made.
Its end ends this. Where there are few processors, the engine's work for the one would delay the other."""
MAX_GARBAGE = 8
"""Containers that wait for their removal before whoever throws another one away must help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What is fixed when a container is made."""

    profile: Profile
    hash_seed: int
    level: Level


class WarmPool:
    """Hands out ready containers. Safe to use from many threads."""

    def __init__(
        self,
        open_session: Callable[[Kind], Session],
        remove: Callable[[Session], None],
        *,
        depth: int,
        creators: int = CREATORS,
        max_age_s: float = MAX_AGE_S,
        undisturbed_s: float = UNDISTURBED_S,
    ) -> None:
        """Start the background threads.

        Args:
            open_session: makes a ready container; called from many threads.
            remove: removes one; called from many threads, raises nothing.
            depth: containers kept ready per kind that is in use; 0 for none.
            creators: threads that make them.
            max_age_s: how long a container may wait.
            undisturbed_s: how long an attempt is left alone before its successor's container is made.
        """
        self._open, self._remove = open_session, remove
        self._depth, self._max_age_s, self._undisturbed_s = depth, max_age_s, undisturbed_s
        self._changed = threading.Condition()
        self._ready: dict[Kind, deque[Session]] = defaultdict(deque)
        self._coming: dict[Kind, int] = defaultdict(int)
        self._waiting: dict[Kind, int] = defaultdict(int)
        self._asked_at: dict[Kind, float] = {}
        self._undisturbed: dict[int, tuple[Kind, float]] = {}
        """By session that was handed out: its kind, and until when its successor is not made."""
        self._garbage: deque[Session] = deque()
        self._failures = 0
        self._next_try = 0.0
        self._closed = False
        self.last_error = ""
        """Why the last container could not be made ahead; empty when it could."""
        makers = [threading.Thread(target=self._make, daemon=True) for _ in range(creators if depth else 0)]
        self._threads = [*makers, threading.Thread(target=self._sweep, daemon=True)]
        for number, thread in enumerate(self._threads):
            thread.name = f"pool-{number}"
            thread.start()

    def take(self, kind: Kind) -> Session:
        """Give a ready container: one that waits, one that is coming, or a new one.

        Raises:
            SandboxError: none can be made.
        """
        with self._changed:
            self._asked_at[kind] = time.monotonic()
            self._changed.notify_all()
            session = self._wait_for(kind)
            if session is not None:
                self._undisturbed[id(session)] = kind, time.monotonic() + self._undisturbed_s
        if session is not None:
            return session
        session = self._open(kind)
        with self._changed:
            # The engine works: the next failure is the first one again.
            self._failures, self._next_try = 0, 0.0
            self._changed.notify_all()
        return session

    def give_back(self, kind: Kind, session: Session) -> None:
        """Take back a container that can do another job."""
        with self._changed:
            self._undisturbed.pop(id(session), None)
            if not self._closed:
                session.ready_at = time.monotonic()
                self._ready[kind].appendleft(session)
                self._changed.notify_all()
                return
        self.discard(session)

    def discard(self, session: Session) -> None:
        """Throw a container away, at once or soon."""
        with self._changed:
            self._undisturbed.pop(id(session), None)
            self._garbage.append(session)
            self._changed.notify_all()
            if not self._closed and len(self._garbage) <= MAX_GARBAGE:
                return
            oldest = self._garbage.popleft()
        self._throw_away(oldest)

    def close(self) -> None:
        """Remove every container that is waiting, and end the threads. Safe to call twice."""
        with self._changed:
            self._closed = True
            for ready in self._ready.values():
                self._garbage.extend(ready)
            self._ready.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        while self._garbage:
            self._throw_away(self._garbage.popleft())

    # What callers need

    def _wait_for(self, kind: Kind) -> Session | None:
        """Give a waiting container, or the next that comes, unless there are too many who wait for it."""
        self._waiting[kind] += 1
        try:
            while True:
                session = self._pop(kind)
                if session is not None or self._closed or self._coming[kind] < self._waiting[kind]:
                    return session
                self._changed.wait()
        finally:
            self._waiting[kind] -= 1

    def _pop(self, kind: Kind) -> Session | None:
        ready = self._ready[kind]
        while ready:
            session = ready.popleft()
            if self._is_fit(session):
                return session
            self._garbage.append(session)
        return None

    def _is_fit(self, session: Session) -> bool:
        return time.monotonic() - session.ready_at < self._max_age_s and session.stream.is_silent()

    # Making

    def _make(self) -> None:
        while (kind := self._next_kind()) is not None:
            session = None
            try:
                session = self._open(kind)
            except SandboxError as exc:
                self._note_failure(exc)
            finally:
                self._arrived(kind, session)

    def _next_kind(self) -> Kind | None:
        """Wait until some kind is short of containers; None at the end."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                kind = self._short(now) if now >= self._next_try else None
                if kind is not None:
                    self._coming[kind] += 1
                    return kind
                ends = [self._next_try, *(until for _, until in self._undisturbed.values())]
                pause = min((end - now for end in ends if end > now), default=None)
                self._changed.wait(None if pause is None else min(pause, threading.TIMEOUT_MAX))
        return None

    def _short(self, now: float) -> Kind | None:
        for kind, asked_at in self._asked_at.items():
            in_use = now - asked_at < self._max_age_s
            ready = len(self._ready[kind])
            later = sum(each == kind and now < until for each, until in self._undisturbed.values())
            if in_use and ready + self._coming[kind] + (later if ready else 0) < self._depth:
                return kind
        return None

    def _note_failure(self, exc: SandboxError) -> None:
        with self._changed:
            self.last_error = str(exc)
            broken = self._failures >= len(BACKOFF_S)
            self._next_try = threading.TIMEOUT_MAX if broken else time.monotonic() + BACKOFF_S[self._failures]
            self._failures += 1

    def _arrived(self, kind: Kind, session: Session | None) -> None:
        with self._changed:
            self._coming[kind] -= 1
            if session is not None:
                self._failures, self._next_try, self.last_error = 0, 0.0, ""
                (self._garbage if self._closed else self._ready[kind]).append(session)
            self._changed.notify_all()

    # Removing

    def _sweep(self) -> None:
        while True:
            with self._changed:
                while not self._garbage and not self._closed:
                    self._changed.wait()
                if not self._garbage:
                    return
                session = self._garbage.popleft()
            self._throw_away(session)

    def _throw_away(self, session: Session) -> None:
        with contextlib.suppress(OSError):
            session.hang_up()
        self._remove(session)
