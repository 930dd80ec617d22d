"""One sample: the repair loop over real parts, the holdout beside it, one journal line per attempt."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Protocol

from evaluator.jobs import JobMaker, Part, basis
from evaluator.keys import derived_int, text_sha256
from evaluator.running.guard import Guard
from evaluator.runs.journal import now
from evaluator.runs.records import AttemptRecord, ModelEntry, Recheck, ScriptRecord
from prompts.render import Template, render
from prompts.tasks import Task
from repair.attempt import Attempt, LoopConfig, Stages, Start
from repair.errors import NotRecorded
from repair.llm import Arm, CallId, CallKind, Completion, Message, Request, Sampling
from repair.loop import run_loop
from repair.outcome import Verdict
from repair.script import Script
from sandbox.errors import SandboxError
from sandbox.types import Job, RunResult
from sandbox.verdict import RunVerdict, judge

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


class Cleaning(Protocol):
    """What makes a script of a reply."""

    def clean(
        self, completion_text: str, reasoning: str = "", required: tuple[str, ...] = (), *, prompt: str = ""
    ) -> Script:
        """See `repair.cleaning.caged.Cleaner`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSpec:
    """One independent draw."""

    model: ModelEntry
    task: Task
    template: Template
    sample: int
    arm: Arm = Arm.REPAIR

    @property
    def name(self) -> str:
        """What progress calls it."""
        return self.task.task_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What all samples of a model share."""

    llm: Asker
    sandbox: Runner
    cleaner: Cleaning
    jobs: JobMaker
    loop: LoopConfig
    sampling: Sampling
    system: str | None = None
    holdout_always: bool = False
    flake_checks: int = 0
    """How often an accepted script is run again."""
    seed: int = 0
    repairer: "Repairer | None" = None
    """Who is asked for repairs, where that is another model."""
    tested: Callable[[Task, str], Task] = field(default=lambda task, _code: task)
    """Gives the task with the tests for a script, where those are written script by script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repairer:
    """Another model that repairs."""

    label: str
    llm: Asker
    extra: Mapping[str, Any]
    """Server-specific parameters of its calls."""


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


def run_sample(spec: SampleSpec, tools: Tools) -> Iterator[AttemptRecord]:
    """Yield the records of one sample's attempts, each as soon as its verdict is known.

    Raises:
        ServerFatal: no call of this model can work.
        Stopped: the run is ending.
        EngineGone: nothing can be run any more.
    """
    notes = Notes()
    start = start_of(spec, tools)
    parts = stages(spec, tools, notes, Guard(spec.task, start.messages))
    for attempt in run_loop(start, parts, tools.loop):
        yield finish(attempt, spec, tools, notes)
        notes.forget()


def first_messages(template: Template, task: Task, system: str | None) -> tuple[Message, ...]:
    """Give the messages of a first call; `system` replaces the template's own."""
    messages = tuple(Message(role=role, content=content) for role, content in render(template, task))
    if system is None:
        return messages
    rest = tuple(message for message in messages if message.role != "system")
    return (Message(role="system", content=system), *rest)


def start_of(spec: SampleSpec, tools: Tools) -> Start:
    """Say where a sample begins: its first call."""
    messages = first_messages(spec.template, spec.task, tools.system)
    call = CallId(
        task_id=spec.task.task_id, template=spec.template.name, sample=spec.sample, arm=spec.arm, call_no=0
    )
    return Start(call=call, messages=messages, sampling=tools.sampling)


def stages(spec: SampleSpec, tools: Tools, notes: Notes, guard: Guard) -> Stages:
    """Give the loop its real parts; what they learn goes into `notes`.

    `guard` looks at everything that is sent.
    """

    def ask(request: Request) -> Completion:
        guard.check(request)
        llm, other = tools.llm, tools.repairer if request.by_repairer else None
        if other is not None:
            llm, notes.asked = other.llm, other.label
            request = replace(request, sampling=replace(request.sampling, extra=other.extra))
        try:
            completion, notes.completion_key, known = llm.complete(request)
        except NotRecorded:
            notes.recording_ended = True
            raise
        if known:
            notes.reused.append("completion")
        guard.heard(completion.text)
        return completion

    def make_script(completion: Completion) -> Script:
        script = tools.cleaner.clean(
            completion.text,
            reasoning=completion.reasoning,
            required=spec.task.entry_point or (),
            prompt=spec.task.prompt,
        )
        guard.heard(script.code or "")
        return script

    def run(code: str) -> RunResult:
        result, notes.shown_key, known = tools.sandbox.run(
            tools.jobs.job(tools.tested(spec.task, code), code)
        )
        if known:
            notes.reused.append("shown")
        return result

    def seed(call: CallId) -> int:
        return derived_int(31, tools.seed, spec.model.name, str(call))

    return Stages(ask=ask, make_script=make_script, run=run, seed=seed, allowed=guard.allows)


def finish(attempt: Attempt, spec: SampleSpec, tools: Tools, notes: Notes) -> AttemptRecord:
    """Run the holdout where it is due, and make the record of an attempt."""
    record = _record(attempt, spec, tools, notes)
    wanted = attempt.verdict is Verdict.PASSED or tools.holdout_always
    if spec.task.holdout is None or attempt.script.code is None or not wanted or attempt.shown is None:
        return record
    try:
        result, key, known = tools.sandbox.run(tools.jobs.job(spec.task, attempt.script.code, "holdout"))
    except SandboxError as exc:
        update: Mapping[str, object] = {"holdout_verdict": RunVerdict.SANDBOX_ERROR, "error": str(exc)}
        return record.model_copy(update=update)
    reused = (*record.reused, "holdout") if known else record.reused
    return record.model_copy(
        update={"holdout_key": key, "holdout": result, "holdout_verdict": judge(result), "reused": reused}
    )


def _record(attempt: Attempt, spec: SampleSpec, tools: Tools, notes: Notes) -> AttemptRecord:
    call, completion, script = attempt.request.call, attempt.completion, attempt.script
    return AttemptRecord(
        at=now(),
        server=spec.model.server,
        model=spec.model.label,
        task_id=call.task_id,
        template=call.template,
        sample=call.sample,
        arm=call.arm,
        call_no=call.call_no,
        kind=attempt.kind,
        completion_key=notes.completion_key,
        reply_sha256=text_sha256(completion.text if completion else ""),
        basis=basis(spec.task),
        level=tools.jobs.deciding_level(spec.task),
        script=script_record(script),
        verdict=attempt.verdict,
        shown_key=notes.shown_key,
        shown=attempt.shown,
        has_holdout=spec.task.holdout is not None,
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
