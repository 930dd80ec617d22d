"""One call and what came of it; the bounds of a trajectory, and the parts that are not the loop's own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from repair import cleanup
from repair.errors import LLMError
from repair.feedback import Feedback, Policy, render
from repair.llm import CallId, CallKind, Completion, Message, Request, Sampling
from repair.outcome import Verdict, attempt_verdict
from repair.script import CleanOutcome, Script
from sandbox.errors import SandboxError
from sandbox.types import RunResult
from sandbox.verdict import RunVerdict, judge

Style = Literal["chat", "fresh"]
NO_ROOM = "context_overflow"
"""Script.reason of a call that did not fit the model's context."""


class Stop(StrEnum):
    """Why a trajectory ended."""

    PASSED = "passed"
    REPAIRS = "repairs"
    CALLS = "calls"
    TOKENS = "tokens"
    SECONDS = "seconds"
    STUCK = "stuck"
    BUDGET = "budget"
    """The control arm has spent what repair did."""
    CONTEXT = "context"
    """The conversation does not fit the model's context any more."""
    LLM_ERROR = "llm_error"
    SANDBOX_ERROR = "sandbox_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopConfig:
    """Bounds and manner of the loop."""

    policy: Policy = Policy.TRACEBACK
    style: Style = "chat"
    repairs: int = 3
    """Calls of kind `repair` at most; 0 means the first call alone, of any kind."""
    calls: int = 8
    """Calls of every kind at most."""
    tokens: int | None = None
    """Prompt and completion tokens after which no further call is made."""
    seconds: float | None = None
    """Seconds of model time after which no further call is made."""
    repairer: bool = False
    """Whether another model is asked for repairs."""
    keep_best: bool = True
    """Whether a script that breaks a shown test is taken back. Suites bring tests of their own each time."""
    cleanup: bool = False
    """Whether a model may mend the form of what the interpreter cannot parse: one call, no repair round."""
    length_factor: int = 2
    """How much larger the token budget is after a truncated reply."""
    fresh_temperature: float = 0.9
    """Temperature, at least, of the draw that follows a repeated script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call and what came of it. `stop` says why no call follows; None where one does."""

    request: Request
    completion: Completion | None
    script: Script
    shown: RunResult | None
    verdict: Verdict
    feedback: str = ""
    stop: Stop | None = None
    error: str = ""
    taken_back: bool = False
    """Whether the script breaks a shown test that the one held passes: then that one stands."""

    @property
    def kind(self) -> CallKind:
        """Why the call was made."""
        return self.request.kind

    @property
    def truncated(self) -> bool:
        """Whether the reply was cut off."""
        return self.completion is not None and self.completion.truncated


class Tell(Protocol):
    """Says what was wrong with an attempt, as `repair.feedback.render` does."""

    def __call__(
        self, verdict: Verdict, script: Script, shown: RunResult | None, policy: Policy, /, *, limit: int
    ) -> Feedback: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The things that the loop does not do itself."""

    ask: Callable[[Request], Completion]
    """Raises LLMError."""
    make_script: Callable[[Completion], Script]
    run: Callable[[str], RunResult]
    """Raises SandboxError."""
    allowed: Callable[[str], bool] = field(default=lambda _text: True)
    """Says whether a feedback may be sent; what may not is replaced by one without details."""
    seed: Callable[[CallId], int | None] = field(default=lambda _call: None)
    """Gives the model seed of a call."""
    judge: Callable[[RunResult], RunVerdict] = judge
    tell: Tell = render
    """Says what was wrong: `repair.feedback.render`, or another for answers that are no scripts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a trajectory begins."""

    call: CallId
    messages: tuple[Message, ...]
    sampling: Sampling


def unanswered(request: Request, feedback: str, verdict: Verdict, reason: str, exc: LLMError) -> Attempt:
    return Attempt(
        request=request,
        completion=None,
        script=Script(code=None, outcome=CleanOutcome.NO_CODE, reason=reason),
        shown=None,
        verdict=verdict,
        feedback=feedback,
        error=str(exc),
    )


def judged(
    request: Request, completion: Completion, feedback: str, stages: Stages, before: list[Attempt]
) -> Attempt:
    script, shown, error = stages.make_script(completion), None, ""
    if request.kind is CallKind.CLEANUP:
        script = cleanup.judged(before[-1].script, script)
    verdict = Verdict.SANDBOX_ERROR
    try:
        if script.code is not None:
            shown = stages.run(script.code)
        judged = stages.judge(shown) if shown else None
        verdict = attempt_verdict(script, judged, truncated=completion.truncated)
    except SandboxError as exc:
        error = str(exc)
    return Attempt(
        request=request,
        completion=completion,
        script=script,
        shown=shown,
        verdict=verdict,
        feedback=feedback,
        error=error,
    )
