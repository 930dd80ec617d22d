"""Transport retries, the only place that has them. They are invisible to metrics: never a new draw."""

import threading
from collections.abc import Callable
from dataclasses import replace

import structlog
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_any,
    stop_when_event_set,
    wait_exponential_jitter,
)
from tenacity.stop import stop_base

from repair.errors import DeadlineExceeded, Transient
from repair.llm import LLM, Completion, Request

_MAX_DEADLINES = 2


class RetryingLLM:
    """An `LLM` that tries again after `Transient` failures, at most `attempts` times in all.

    Together the waits between tries take at most `total_s` seconds. A wait grows exponentially with
    jitter, unless the server says how long (Retry-After). A reply that ran into our own deadline is tried
    again once. When `stop` is set, no further try is made and a wait ends at once. The last failure is
    raised as it is.
    """

    def __init__(
        self,
        inner: LLM,
        *,
        attempts: int = 5,
        total_s: float = 300.0,
        stop: threading.Event | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._inner = inner
        self._attempts = attempts
        self._total_s = total_s
        self._stop = stop or threading.Event()
        self._sleep = sleep or self._pause

    def complete(self, request: Request) -> Completion:
        """Send `request`, again if need be; see `LLM.complete`."""
        run = _Run(self._inner, request, self._stop)
        retrying = Retrying(
            sleep=self._sleep,
            stop=stop_any(
                stop_after_attempt(self._attempts),
                _StopWaiting(self._total_s),
                stop_when_event_set(self._stop),
            ),
            wait=_wait,
            retry=retry_if_exception(run.worth_another_try),
            before_sleep=run.log,
            reraise=True,
        )
        return retrying(run.once)

    def _pause(self, seconds: float) -> None:
        self._stop.wait(seconds)


class _Run:
    """The tries of one request."""

    def __init__(self, inner: LLM, request: Request, stop: threading.Event) -> None:
        self._inner = inner
        self._request = request
        self._stop = stop
        self._failures: list[Transient] = []

    def once(self) -> Completion:
        if self._failures and self._stop.is_set():
            raise self._failures[-1]
        try:
            reply = self._inner.complete(self._request)
        except Transient as failure:
            self._failures.append(failure)
            raise
        return replace(reply, retries=len(self._failures))

    def worth_another_try(self, failure: BaseException) -> bool:
        deadlines = sum(isinstance(earlier, DeadlineExceeded) for earlier in self._failures)
        return isinstance(failure, Transient) and deadlines < _MAX_DEADLINES

    def log(self, state: RetryCallState) -> None:
        structlog.get_logger(__name__).warning(
            "llm_retry",
            call=str(self._request.call),
            attempt=state.attempt_number,
            wait_s=round(state.upcoming_sleep, 2),
            error=type(self._failures[-1]).__name__,
            message=str(self._failures[-1]),
        )


class _StopWaiting(stop_base):
    # Time spent on the calls themselves has its own limits; a long reply must not use up the tries.
    def __init__(self, total_s: float) -> None:
        self._total_s = total_s

    def __call__(self, retry_state: RetryCallState) -> bool:
        return retry_state.idle_for + retry_state.upcoming_sleep > self._total_s


def _wait(state: RetryCallState) -> float:
    failure = state.outcome.exception() if state.outcome else None
    asked = failure.retry_after_s if isinstance(failure, Transient) else None
    return _GROWING(state) if asked is None else asked


_GROWING = wait_exponential_jitter(initial=1, max=30)
