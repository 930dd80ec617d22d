"""One suite: a model writes it in the repair loop, then the first one and the one that held are scored."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from evaluator.config import SuitesSection
from evaluator.keys import derived_int, digest, text_sha256, verdict_key
from evaluator.running.calls import Asker, Notes, Runner, attempt_record, opening, seed_of
from evaluator.runs.journal import now
from evaluator.runs.records import AttemptRecord, ModelEntry, SiblingRecord, SuiteRecord, fields_of
from evaluator.suites.judging import Aim, judge_for
from evaluator.suites.runs import run_suite, suite_job
from evaluator.suites.subjects import Subject
from prompts.render import Template
from prompts.suite_prompts import render_suite
from repair.attempt import Attempt, LoopConfig, Stages, Start
from repair.cleaning.rank import AnswerKind
from repair.llm import Arm, CallId, Completion, Request, Sampling
from repair.loop import run_loop
from repair.script import Script
from repair.suite_feedback import render_suite_feedback, render_weak_feedback
from sandbox.errors import SandboxError
from sandbox.suite import SuitePlan
from sandbox.types import ImageInfo, Job, Level, RunResult


class SuiteCleaning(Protocol):
    """What makes a test file of a reply."""

    def clean(
        self,
        completion_text: str,
        reasoning: str = "",
        required: tuple[str, ...] = (),
        kind: AnswerKind = "script",
        *,
        prompt: str = "",
        subject: str = "",
    ) -> Script:
        """See `repair.cleaning.caged.Cleaner`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterSpec:
    """One suite to be written: writer, script, number."""

    model: ModelEntry
    subject: Subject
    template: Template
    sample: int

    @property
    def name(self) -> str:
        """What progress calls it."""
        return self.subject.task_id


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterTools:
    """What all suites of a writer share."""

    llm: Asker
    sandbox: Runner
    cleaner: SuiteCleaning
    image: ImageInfo
    loop: LoopConfig
    sampling: Sampling
    suites: SuitesSection
    system: str | None = None
    seed: int = 0
    profile: str = "default"
    plain_cpu_s: float = 10.0
    plain_wall_s: float = 20.0
    aim: Aim = "passes"
    known: Callable[[str], SuiteRecord | None] = field(default=lambda _key: None)
    """Looks up what a journal holds already."""

    @property
    def plan(self) -> SuitePlan:
        """How a suite is scored."""
        return SuitePlan(
            mutants=self.suites.mutants,
            orders=self.suites.orders,
            plain_cpu_s=self.plain_cpu_s,
            plain_wall_s=self.plain_wall_s,
        )

    @property
    def hash_seed(self) -> int:
        """Of every scoring in a run."""
        return derived_int(32, self.seed, "hash")


def attempts_at(spec: WriterSpec, tools: WriterTools) -> Iterator[tuple[Attempt, AttemptRecord]]:
    """Yield each attempt at a suite with its record, as soon as it is judged.

    Raises:
        ServerFatal: no call of this model can work.
        Stopped: the run is ending.
        EngineGone: nothing can be run any more.
    """
    notes = Notes()
    for attempt in run_loop(_start(spec, tools), _stages(spec, tools, notes), tools.loop):
        record = attempt_record(
            attempt, spec.model, notes, basis="model-written", level=Level.SHARED, has_holdout=False
        )
        yield attempt, record
        notes.forget()


def write_suite(spec: WriterSpec, tools: WriterTools) -> Iterator[AttemptRecord | SuiteRecord]:
    """Yield the records of one suite: each attempt as soon as it is judged, then the scores.

    Raises:
        ServerFatal, Stopped, EngineGone: see `attempts_at`.
    """
    attempts: list[Attempt] = []
    for attempt, record in attempts_at(spec, tools):
        attempts.append(attempt)
        yield record
    for attempt in _to_score(attempts):
        yield _scored(attempt, spec, tools)


def _to_score(attempts: list[Attempt]) -> list[Attempt]:
    """The first suite, and the one that held, where there is one and a run of it."""
    ran = [attempt for attempt in attempts if attempt.script.code is not None and attempt.shown is not None]
    return [each for each in ran if each in (attempts[0], ran[-1])]


def _start(spec: WriterSpec, tools: WriterTools) -> Start:
    subject = spec.subject
    pairs = render_suite(
        spec.template,
        prompt=subject.prompt if tools.suites.show == "description" else "",
        # What stands in for the script is not to be tested.
        script="" if tools.aim == "fails" else subject.code,
        names=subject.names,
    )
    messages = opening(pairs, tools.system)
    call = CallId(task_id=subject.task_id, template=spec.template.name, sample=spec.sample, arm=Arm.REPAIR)
    return Start(call=call, messages=messages, sampling=tools.sampling)


def _stages(spec: WriterSpec, tools: WriterTools, notes: Notes) -> Stages:
    subject = spec.subject

    def ask(request: Request) -> Completion:
        return notes.complete(tools.llm, request)

    def make_suite(completion: Completion) -> Script:
        return tools.cleaner.clean(
            completion.text,
            reasoning=completion.reasoning,
            required=subject.names,
            kind="tests",
            prompt=subject.prompt,
            subject="" if tools.aim == "fails" else subject.code,
        )

    def run(code: str) -> RunResult:
        return notes.run(tools.sandbox, _quick(subject, code, tools))

    def seed(call: CallId) -> int:
        return seed_of(call, seed=tools.seed, model=spec.model.name)

    return Stages(
        ask=ask,
        make_script=make_suite,
        run=run,
        seed=seed,
        judge=judge_for(tools.aim),
        tell=render_weak_feedback if tools.aim == "fails" else render_suite_feedback,
    )


def _quick(subject: Subject, suite: str, tools: WriterTools) -> Job:
    profile = subject.profile or tools.profile
    return suite_job(subject.code, suite, tools.plan.quick, tools.hash_seed, profile)


def suite_key(main: Job, subject: Subject, tools: WriterTools) -> str:
    """Key of all runs of a suite: of the scoring, its hash seeds, and the other scripts, in order."""
    others = [(each.name, each.right, each.signature, text_sha256(each.script)) for each in subject.others]
    return digest([verdict_key(main, tools.image), tools.suites.hash_seeds, others])


def _scored(attempt: Attempt, spec: WriterSpec, tools: WriterTools) -> SuiteRecord:
    suite, subject = attempt.script.code or "", spec.subject
    main = suite_job(subject.code, suite, tools.plan, tools.hash_seed, subject.profile or tools.profile)
    key = suite_key(main, subject, tools)
    empty = SuiteRecord(
        at=now(),
        **fields_of(attempt.request.call, attempt.kind, server=spec.model.server, model=spec.model.label),
        key=key,
        suite_sha256=text_sha256(suite),
    )
    known = tools.known(key)
    if known is not None:
        same = {name: getattr(known, name) for name in ("main", "other_seeds", "siblings")}
        return empty.model_copy(update={**same, "reused": True})
    try:
        return empty.model_copy(update=_runs(suite, subject, tools))
    except SandboxError as exc:
        return empty.model_copy(update={"error": str(exc)})


def _runs(suite: str, subject: Subject, tools: WriterTools) -> dict[str, object]:
    runs = run_suite(
        lambda job: tools.sandbox.run(job)[0],
        subject.code,
        suite,
        plan=tools.plan,
        hash_seed=tools.hash_seed,
        hash_seeds=tools.suites.hash_seeds,
        others=subject.others,
        profile=subject.profile or tools.profile,
    )
    siblings = tuple(
        SiblingRecord(name=each.name, right=each.right, signature=each.signature, result=each.result)
        for each in runs.siblings
    )
    return {"main": runs.main, "other_seeds": runs.other_seeds, "siblings": siblings}
