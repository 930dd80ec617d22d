"""One call of a model: who is asked, what is noted, and its line in the journal. Both tracks share it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from evaluator.jobs import Part
from evaluator.keys import derived_int, text_sha256
from evaluator.runs.journal import now
from evaluator.runs.records import AttemptRecord, Basis, ModelEntry, Recheck, ScriptRecord, fields_of
from prompts.render import Pair
from repair.attempt import Attempt
from repair.errors import NotRecorded
from repair.llm import CallId, CallKind, Completion, Message, Request
from repair.script import Script
from sandbox.types import Job, Level, RunResult

Reused = Literal["completion", "shown", "holdout"]
RECORDING_ENDED: Final = "recording_ended"
"""AttemptRecord.stop of a call to which a server of recordings has no reply: the sample is unscored."""


class Asker(Protocol):
    """A model that says which key a reply has and whether it was looked up."""

    def complete(self, request: Request) -> tuple[Completion, str, bool]:
        """See `evaluator.runs.remember.RememberingLLM`."""
        ...


class Runner(Protocol):
    """A sandbox that says which key a result has and whether it was looked up."""

    def run(self, job: Job) -> tuple[RunResult, str, bool]:
        """See `evaluator.runs.remember.RememberingSandbox`."""
        ...

    def again(self, job: Job, part: Part, repeat_no: int) -> Recheck:
        """See `evaluator.runs.remember.RememberingSandbox`."""
        ...


@dataclass(slots=True)
class Notes:
    """What the stages learn about one attempt that the loop has no business knowing."""

    completion_key: str | None = None
    shown_key: str | None = None
    reused: list[Reused] = field(default_factory=list)
    recording_ended: bool = False
    asked: str = ""

    def forget(self) -> None:
        """Be ready for the next attempt."""
        self.completion_key, self.shown_key, self.reused, self.asked = None, None, [], ""

    def complete(self, llm: Asker, request: Request) -> Completion:
        """Ask, and note the key of the reply.

        Raises:
            NotRecorded: the server of recordings has no reply.
        """
        try:
            completion, self.completion_key, known = llm.complete(request)
        except NotRecorded:
            self.recording_ended = True
            raise
        if known:
            self.reused.append("completion")
        return completion

    def run(self, sandbox: Runner, job: Job) -> RunResult:
        """Run a job with the shown tests, and note the key of the result."""
        result, self.shown_key, known = sandbox.run(job)
        if known:
            self.reused.append("shown")
        return result


def seed_of(call: CallId, *, seed: int, model: str) -> int:
    """Seed of a call that draws afresh."""
    return derived_int(31, seed, model, str(call))


def opening(pairs: Iterable[Pair], system: str | None) -> tuple[Message, ...]:
    """Give the messages of a first call; `system` replaces the template's own."""
    messages = tuple(Message(role=role, content=content) for role, content in pairs)
    if system is None:
        return messages
    rest = tuple(message for message in messages if message.role != "system")
    return (Message(role="system", content=system), *rest)


def attempt_record(
    attempt: Attempt, model: ModelEntry, notes: Notes, *, basis: Basis, level: Level, has_holdout: bool
) -> AttemptRecord:
    """Make the line of an attempt."""
    completion = attempt.completion
    return AttemptRecord(
        at=now(),
        **fields_of(attempt.request.call, attempt.kind, server=model.server, model=model.label),
        completion_key=notes.completion_key,
        reply_sha256=text_sha256(completion.text if completion else ""),
        basis=basis,
        level=level,
        script=script_record(attempt.script),
        verdict=attempt.verdict,
        shown_key=notes.shown_key,
        shown=attempt.shown,
        has_holdout=has_holdout,
        reused=tuple(notes.reused),
        flags=_flags(attempt),
        suspicious=attempt.shown.suspicious if attempt.shown else (),
        feedback=attempt.feedback,
        stop=RECORDING_ENDED if notes.recording_ended else attempt.stop,
        error=attempt.error,
        taken_back=attempt.taken_back,
        asked=notes.asked,
    )


def script_record(script: Script) -> ScriptRecord:
    """Write down the code of an attempt."""
    return ScriptRecord(
        code=script.code,
        sha256=script.sha256,
        syntax_sha256=script.syntax_sha256,
        outcome=script.outcome,
        edits=script.edits,
        raw_compiles=script.raw_compiles,
        compiles=script.compiles,
        reason=script.reason,
        flags=script.flags,
    )


def _flags(attempt: Attempt) -> tuple[str, ...]:
    flags = [str(flag) for flag in attempt.shown.flags] if attempt.shown else []
    if attempt.truncated:
        flags.append("reply_truncated")
    if attempt.completion and attempt.completion.capped:
        flags.append("reply_capped")
    if attempt.kind is CallKind.LENGTH:
        flags.append("larger_budget")
    return tuple(flags)


def fingerprint(record: AttemptRecord) -> tuple[object, ...]:
    """What two lines must share to be the same attempt: times, ids and look-ups aside.

    Two runs are the same when they have the same multiset of these (docs/journal.md).
    """
    return (
        record.call_key,
        record.reply_sha256,
        record.script.sha256,
        str(record.verdict),
        None if record.holdout_verdict is None else str(record.holdout_verdict),
        _outcomes(record.shown),
        _outcomes(record.holdout),
        record.stop,
        record.taken_back,
    )


def _outcomes(result: RunResult | None) -> tuple[tuple[str, str], ...]:
    return tuple((test.id, str(test.outcome)) for test in result.tests) if result else ()
