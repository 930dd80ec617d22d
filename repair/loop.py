"""The repair loop: ask, clean, run, judge, and ask again, within bounds. No I/O of its own.

What follows an attempt is decided by `next_call` from the attempts so far and nothing else, so that a
loop that is run again over known replies takes the same way.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal, Protocol

from repair import cleanup
from repair.errors import ContextOverflow, LLMError, ServerFatal
from repair.feedback import MAX_CHARS, Feedback, Policy, render
from repair.llm import CallId, CallKind, Completion, Message, Request, Sampling
from repair.outcome import Verdict, attempt_verdict
from repair.script import CleanOutcome, Script
from sandbox.errors import SandboxError
from sandbox.types import RunResult
from sandbox.verdict import RunVerdict, judge

Style = Literal["chat", "fresh"]
NO_ROOM = "context_overflow"
"""Script.reason of a call that did not fit the model's context."""
_SHRUNK_CHARS = 400
_REPLY_CHARS = 16_000
"""A longer reply is not sent back whole: its script stands for it."""


class Stop(StrEnum):
    """Why a trajectory ended."""

    PASSED = "passed"
    REPAIRS = "repairs"
    CALLS = "calls"
    TOKENS = "tokens"
    SECONDS = "seconds"
    STUCK = "stuck"
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
    """The three things that the loop does not do itself."""

    ask: Callable[[Request], Completion]
    """Raises LLMError."""
    make_script: Callable[[Completion], Script]
    run: Callable[[str], RunResult]
    """Raises SandboxError."""
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


def run_loop(start: Start, stages: Stages, config: LoopConfig) -> Iterator[Attempt]:
    """Yield the attempts of one sample, each as soon as it is judged.

    Raises:
        ServerFatal: no call of this model can work.
    """
    attempts: list[Attempt] = []
    kind: CallKind | Stop = CallKind.FIRST
    while not isinstance(kind, Stop):
        attempt = _attempt(start, kind, attempts, stages, config)
        kind = next_call([*attempts, attempt], config)
        attempts.append(replace(attempt, stop=kind if isinstance(kind, Stop) else None))
        yield attempts[-1]


def next_call(attempts: list[Attempt], config: LoopConfig) -> CallKind | Stop:
    """Decide what follows the last attempt: pure, and the only place where it is decided."""
    last = attempts[-1]
    kinds = [attempt.kind for attempt in attempts]
    stop = _final(last) or _spent(attempts, config)
    if stop:
        return stop
    if last.script.reason == NO_ROOM and last.kind not in {CallKind.LENGTH, CallKind.CLEANUP}:
        return Stop.CONTEXT
    if last.truncated and CallKind.LENGTH not in kinds:
        return CallKind.LENGTH
    if last.script.code is None and CallKind.FORMAT not in kinds:
        return CallKind.FORMAT
    if config.cleanup and CallKind.CLEANUP not in kinds and cleanup.wanted(last.script, last.shown):
        return CallKind.CLEANUP
    if last.kind is not CallKind.CLEANUP and _repeats(attempts):
        return Stop.STUCK if CallKind.FRESH in kinds else CallKind.FRESH
    return CallKind.REPAIR


def _final(last: Attempt) -> Stop | None:
    match last.verdict:
        case Verdict.PASSED:
            return Stop.PASSED
        case Verdict.LLM_ERROR:
            return Stop.LLM_ERROR
        case Verdict.SANDBOX_ERROR:
            return Stop.SANDBOX_ERROR
        case _:
            return None


def _spent(attempts: list[Attempt], config: LoopConfig) -> Stop | None:
    replies = [attempt.completion for attempt in attempts if attempt.completion]
    tokens = sum((reply.prompt_tokens or 0) + (reply.completion_tokens or 0) for reply in replies)
    if sum(attempt.kind is CallKind.REPAIR for attempt in attempts) >= config.repairs:
        return Stop.REPAIRS
    if len(attempts) >= config.calls:
        return Stop.CALLS
    if config.tokens is not None and tokens >= config.tokens:
        return Stop.TOKENS
    if config.seconds is not None and sum(reply.seconds for reply in replies) >= config.seconds:
        return Stop.SECONDS
    return None


def _repeats(attempts: list[Attempt]) -> bool:
    """Whether the last script is one that was there before (without code: whether the reply is)."""

    def mark(attempt: Attempt) -> str:
        if attempt.script.code is None:
            return attempt.completion.text.strip() if attempt.completion else ""
        return attempt.script.fingerprint

    return mark(attempts[-1]) in {mark(attempt) for attempt in attempts[:-1]}


def _attempt(
    start: Start, kind: CallKind, before: list[Attempt], stages: Stages, config: LoopConfig
) -> Attempt:
    request, feedback = _request(start, kind, before, config, MAX_CHARS, stages)
    try:
        try:
            completion = stages.ask(request)
        except ContextOverflow:
            if not feedback:
                raise
            request, feedback = _request(start, kind, before, config, _SHRUNK_CHARS, stages)
            completion = stages.ask(request)
    except ServerFatal:
        raise
    except ContextOverflow as exc:
        # What the model holds already is scored; only a task that does not fit at all is nobody's failure.
        verdict = Verdict.NO_CODE if before else Verdict.LLM_ERROR
        return _unanswered(request, feedback, verdict, NO_ROOM, exc)
    except LLMError as exc:
        return _unanswered(request, feedback, Verdict.LLM_ERROR, "llm_error", exc)
    return _judged(request, completion, feedback, stages, before)


def _unanswered(request: Request, feedback: str, verdict: Verdict, reason: str, exc: LLMError) -> Attempt:
    return Attempt(
        request=request,
        completion=None,
        script=Script(code=None, outcome=CleanOutcome.NO_CODE, reason=reason),
        shown=None,
        verdict=verdict,
        feedback=feedback,
        error=str(exc),
    )


def _judged(
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


def _request(
    start: Start,
    kind: CallKind,
    before: list[Attempt],
    config: LoopConfig,
    limit: int,
    stages: Stages,
) -> tuple[Request, str]:
    call = replace(start.call, call_no=len(before))
    sampling = replace(_sampling(start, kind, before, config), seed=stages.seed(call))
    messages, feedback = _messages(start, kind, before, config, stages.tell, limit=limit)
    return Request(call=call, kind=kind, messages=messages, sampling=sampling), feedback


def _sampling(start: Start, kind: CallKind, before: list[Attempt], config: LoopConfig) -> Sampling:
    # A budget that was raised after truncation stays raised, unless there was no room for it.
    sampling = _answered(before).request.sampling if before else start.sampling
    sampling = replace(sampling, temperature=start.sampling.temperature)
    if kind is CallKind.LENGTH and sampling.max_tokens is not None:
        return replace(sampling, max_tokens=sampling.max_tokens * config.length_factor)
    if kind is CallKind.CLEANUP:
        return replace(sampling, temperature=0.0)
    if kind is CallKind.FRESH:
        return replace(sampling, temperature=max(sampling.temperature or 0.0, config.fresh_temperature))
    return sampling


def _messages(
    start: Start, kind: CallKind, before: list[Attempt], config: LoopConfig, tell: Tell, *, limit: int
) -> tuple[tuple[Message, ...], str]:
    """Give the messages of the next call, and what of them is feedback."""
    if kind in {CallKind.FIRST, CallKind.FRESH} or config.policy is Policy.NONE:
        return start.messages, ""
    last = _answered(before)
    if kind is CallKind.CLEANUP and last.shown is not None:
        text = cleanup.request_text(last.script, last.shown)
        return (Message(role="user", content=text),), text
    if kind is CallKind.LENGTH:
        return last.request.messages, ""
    feedback = tell(last.verdict, last.script, last.shown, config.policy, limit=limit).text
    thread = start.messages if config.style == "fresh" else _thread(before)
    said = Message(role="assistant", content=_as_said(last))
    return (*thread, said, Message(role="user", content=feedback)), feedback


def _answered(before: list[Attempt]) -> Attempt:
    """Give the last attempt that the model answered: what a conversation can go on from."""
    return next(attempt for attempt in reversed(before) if attempt.completion is not None)


def _thread(before: list[Attempt]) -> tuple[Message, ...]:
    """The conversation so far; clean-up is none of it, what came of it stands for the model's last word."""
    return _answered([each for each in before if each.kind is not CallKind.CLEANUP]).request.messages


def _as_said(attempt: Attempt) -> str:
    text = attempt.completion.text if attempt.completion else ""
    if len(text) > _REPLY_CHARS or attempt.kind is CallKind.CLEANUP:
        text = f"```python\n{attempt.script.code or text[:_REPLY_CHARS]}\n```"
    # Some servers refuse an empty message.
    return text if text.strip() else "(empty reply)"
