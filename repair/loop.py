"""The repair loop: ask, clean, run, judge, and ask again, within bounds. No I/O of its own.

What follows an attempt is decided by `next_call` from the attempts so far and nothing else, so that a
loop that is run again over known replies takes the same way.
"""

from collections.abc import Iterator
from dataclasses import replace

from repair import cleanup
from repair.attempt import NO_ROOM, Attempt, LoopConfig, Stages, Start, Stop, judged, unanswered
from repair.best import placed
from repair.conversation import answered, messages
from repair.errors import ContextOverflow, LLMError, ServerFatal
from repair.feedback import MAX_CHARS, Policy
from repair.llm import CallKind, Request, Sampling
from repair.outcome import Verdict

_SHRUNK_CHARS = 400


def run_loop(start: Start, stages: Stages, config: LoopConfig) -> Iterator[Attempt]:
    """Yield the attempts of one sample, each as soon as it is judged.

    Raises:
        ServerFatal: no call of this model can work.
    """
    attempts: list[Attempt] = []
    kind: CallKind | Stop = CallKind.FIRST
    while not isinstance(kind, Stop):
        attempt = _attempt(start, kind, attempts, stages, config)
        attempt = placed(attempts, attempt) if config.keep_best else attempt
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
        return unanswered(request, feedback, verdict, NO_ROOM, exc)
    except LLMError as exc:
        return unanswered(request, feedback, Verdict.LLM_ERROR, "llm_error", exc)
    return judged(request, completion, feedback, stages, before)


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
    said, feedback = messages(start, kind, before, config, stages.tell, limit=limit)
    if not stages.allowed(feedback):
        bare = replace(config, policy=Policy.VERDICT)
        said, feedback = messages(start, kind, before, bare, stages.tell, limit=limit)
    by_repairer = config.repairer and _is_the_repairers(kind, before)
    request = Request(call=call, kind=kind, messages=said, sampling=sampling, by_repairer=by_repairer)
    return request, feedback


def _is_the_repairers(kind: CallKind, before: list[Attempt]) -> bool:
    """Another model repairs, and mends the form of its own replies; the first model draws afresh."""
    if kind in {CallKind.FIRST, CallKind.FRESH}:
        return False
    return kind is CallKind.REPAIR or answered(before).request.by_repairer


def _sampling(start: Start, kind: CallKind, before: list[Attempt], config: LoopConfig) -> Sampling:
    # A budget that was raised after truncation stays raised, unless there was no room for it.
    sampling = answered(before).request.sampling if before else start.sampling
    sampling = replace(sampling, temperature=start.sampling.temperature)
    if kind is CallKind.LENGTH and sampling.max_tokens is not None:
        return replace(sampling, max_tokens=sampling.max_tokens * config.length_factor)
    if kind is CallKind.CLEANUP:
        return replace(sampling, temperature=0.0)
    if kind is CallKind.FRESH:
        return replace(sampling, temperature=max(sampling.temperature or 0.0, config.fresh_temperature))
    return sampling
