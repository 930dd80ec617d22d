"""One sample: the repair loop over real parts, the holdout beside it, one journal line per attempt."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from evaluator.jobs import JobMaker, basis
from evaluator.running.calls import Asker, Notes, Runner, attempt_record, opening, seed_of
from evaluator.running.guard import Guard
from evaluator.runs.records import AttemptRecord, ModelEntry
from prompts.render import Template, render
from prompts.tasks import Task
from repair.attempt import Attempt, LoopConfig, Stages, Start
from repair.llm import Arm, CallId, Completion, Message, Request, Sampling
from repair.loop import run_loop
from repair.outcome import Verdict
from repair.script import Script
from sandbox.errors import SandboxError
from sandbox.types import RunResult
from sandbox.verdict import RunVerdict, judge


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
    return opening(render(template, task), system)


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
        completion = notes.complete(llm, request)
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
        return notes.run(tools.sandbox, tools.jobs.job(tools.tested(spec.task, code), code))

    def seed(call: CallId) -> int:
        return seed_of(call, seed=tools.seed, model=spec.model.name)

    return Stages(ask=ask, make_script=make_script, run=run, seed=seed, allowed=guard.allows)


def finish(attempt: Attempt, spec: SampleSpec, tools: Tools, notes: Notes) -> AttemptRecord:
    """Run the holdout where it is due, and make the record of an attempt."""
    record = attempt_record(
        attempt,
        spec.model,
        notes,
        basis=basis(spec.task),
        level=tools.jobs.deciding_level(spec.task),
        has_holdout=spec.task.holdout is not None,
    )
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
