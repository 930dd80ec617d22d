"""Saved replies of one sample, judged anew: following call numbers, without asking any model.

Each reply keeps the call that it answered. What follows an attempt is decided as ever, by
`repair.loop.next_call`: a call after one that now ends the loop is unused; a failure after which nothing was
asked, because the loop ended there before, is censored, and its sample stays unscored as a whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from evaluator.running.calls import RECORDING_ENDED, Notes, fingerprint
from evaluator.running.guard import Guard
from evaluator.running.rechecks import recheck
from evaluator.running.sample import SampleSpec, Tools, finish, stages
from evaluator.runs.records import AttemptRecord, CompletionRecord
from evaluator.runs.remember import completion_of
from repair.attempt import Attempt, LoopConfig, Start, Stop
from repair.best import placed
from repair.llm import Arm, CallId, Completion, Request, Sampling
from repair.loop import next_call, run_loop
from repair.script import Script

CENSORED: Final = "censored"
"""AttemptRecord.flags of a failure after which nothing was asked."""
_ONE_CALL: Final = LoopConfig(repairs=0, calls=1)


class Fate(StrEnum):
    """What became of a saved attempt."""

    SAME = "same"
    CHANGED = "changed"
    """Another script, verdict, test outcome or end than before."""
    UNUSED = "unused"
    """The loop now ends before this call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """An attempt of the journal, with the reply that it judged; None where none came."""

    attempt: AttemptRecord
    completion: CompletionRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Regraded:
    """A saved attempt and its new record; None where it is unused."""

    before: AttemptRecord
    after: AttemptRecord | None

    @property
    def fate(self) -> Fate:
        """What became of it."""
        if self.after is None:
            return Fate.UNUSED
        return Fate.SAME if fingerprint(self.after) == fingerprint(self.before) else Fate.CHANGED

    @property
    def censored(self) -> bool:
        """Whether it fails now, and nothing was asked after it."""
        return self.after is not None and CENSORED in self.after.flags


def regrade_sample(spec: SampleSpec, saved: Sequence[Saved], tools: Tools) -> Iterator[Regraded]:
    """Judge the replies of one sample, in call order; yield what became of each attempt.

    Raises:
        EngineGone: nothing can be run any more.
    """
    attempts: list[Attempt] = []
    over = False
    for number, each in enumerate(saved):
        if over:
            yield Regraded(before=each.attempt, after=None)
            continue
        notes = Notes(recording_ended=each.attempt.stop == RECORDING_ENDED)
        attempts.append(placed(attempts, _judged(each, spec, tools, notes)))
        stop, censored = _what_follows(attempts, each.attempt, tools.loop, last=number == len(saved) - 1)
        record = finish(replace(attempts[-1], stop=stop), spec, tools, notes)
        checks = max((one.repeat_no for one in each.attempt.rechecks), default=0)
        record = recheck(record, spec, replace(tools, flake_checks=checks))
        record = record.model_copy(update={"asked": each.attempt.asked})
        if censored:
            record = record.model_copy(update={"flags": (*record.flags, CENSORED)})
        if spec.arm is Arm.CONTROL:
            # Draws of the control arm do not depend on each other's verdicts.
            record = record.model_copy(update={"stop": each.attempt.stop})
        over = stop is not None
        yield Regraded(before=each.attempt, after=record)


def _what_follows(
    attempts: list[Attempt], before: AttemptRecord, loop: LoopConfig, *, last: bool
) -> tuple[Stop | None, bool]:
    """Give why no call follows, and whether one should and is not there."""
    if before.arm is Arm.CONTROL:
        return None, False
    following = next_call(attempts, loop)
    if isinstance(following, Stop):
        return following, False
    # A run that was cut off here before is cut off here still.
    return None, last and before.stop is not None


def _judged(saved: Saved, spec: SampleSpec, tools: Tools, notes: Notes) -> Attempt:
    if saved.completion is None:
        return _unanswered(saved.attempt)
    request = _request(saved.completion)
    reply = _SavedReply(saved.completion)
    parts = stages(spec, replace(tools, llm=reply), notes, Guard(spec.task, (), blind=True))
    # A loop of one call: extracted, cleaned, run and judged exactly as in a run.
    start = Start(call=request.call, messages=request.messages, sampling=request.sampling)
    (attempt,) = run_loop(start, parts, _ONE_CALL)
    return replace(attempt, request=request, feedback=saved.attempt.feedback, stop=None)


class _SavedReply:
    """Gives one reply that is known, whatever is asked."""

    def __init__(self, record: CompletionRecord) -> None:
        self._record = record

    def complete(self, _request: Request) -> tuple[Completion, str, bool]:
        """Give the reply, its key, and that it was looked up."""
        return completion_of(self._record), self._record.key, True


def _request(record: CompletionRecord) -> Request:
    call = CallId(
        task_id=record.task_id,
        template=record.template,
        sample=record.sample,
        arm=record.arm,
        call_no=record.call_no,
    )
    return Request(call=call, kind=record.kind, messages=record.messages, sampling=record.sampling)


def _unanswered(before: AttemptRecord) -> Attempt:
    """Take over an attempt to which no reply came: there is nothing to judge."""
    call = CallId(
        task_id=before.task_id,
        template=before.template,
        sample=before.sample,
        arm=before.arm,
        call_no=before.call_no,
    )
    return Attempt(
        request=Request(call=call, kind=before.kind, messages=(), sampling=Sampling()),
        completion=None,
        script=Script(code=None, outcome=before.script.outcome, reason=before.script.reason),
        shown=None,
        verdict=before.verdict,
        feedback=before.feedback,
        error=before.error,
    )
