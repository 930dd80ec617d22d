"""The composition root of a run whose models write test suites: real parts put together, as for scripts."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from evaluator.errors import RunIncompatible
from evaluator.jobs import JobMaker
from evaluator.running.calls import fingerprint
from evaluator.running.manifest import make_manifest
from evaluator.running.pipeline import ended, open_client, settle_manifest, written_attempts
from evaluator.running.plan import Plan, PlannedModel
from evaluator.running.progress import Watcher
from evaluator.running.scheduler import Lane, Outcome, Scheduler
from evaluator.runs.journal import Journal, load_run, read_attempts, read_completions, read_suites
from evaluator.runs.records import (
    AttemptRecord,
    Draw,
    Manifest,
    ModelEntry,
    SubjectEntry,
    SuiteRecord,
    TaskEntry,
)
from evaluator.runs.remember import Known, RememberingLLM, RememberingSandbox, run_patiently
from evaluator.runs.rundata import RunData
from evaluator.suites.baseline import GhostWriter, ghostwriter_entry
from evaluator.suites.subjects import Subject, code_sha256
from evaluator.suites.writing import SuiteCleaning, WriterSpec, WriterTools, write_suite
from repair.llm import LLM
from sandbox.backend import Sandbox
from sandbox.types import ImageInfo, Level

_WALL_FACTOR = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingPlan:
    """What a run will do: its models and templates, and the scripts that suites are written for."""

    base: Plan
    subjects: tuple[Subject, ...]

    @property
    def baselines(self) -> tuple[ModelEntry, ...]:
        """Writers that are no models."""
        return tuple(ghostwriter_entry() for _ in self.base.config.suites.baselines)

    @property
    def suites(self) -> int:
        """How many suites are written."""
        samples = self.base.config.bench.samples * len(self.base.models)
        return len(self.subjects) * (samples + len(self.baselines))

    def specs(self, model: ModelEntry, samples: int) -> tuple[WriterSpec, ...]:
        """Every suite of one writer; whole passes over the scripts, so that a cut-off run is balanced."""
        (template,) = self.base.templates
        return tuple(
            WriterSpec(model=model, subject=subject, template=template, sample=sample)
            for sample in range(samples)
            for subject in self.subjects
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingParts:
    """The real parts of a run, open and ready."""

    sandbox: Sandbox
    cleaner: SuiteCleaning
    slots: int
    recorded: frozenset[str] = frozenset()


def writing_manifest(plan: WritingPlan, run_id: str, image: ImageInfo, jobs: JobMaker) -> Manifest:
    """Write down everything that is fixed for a run."""
    manifest = make_manifest(plan.base, run_id, image, jobs)
    return manifest.model_copy(
        update={
            "track": "suites",
            "tasks": tuple(_task_entry(subject) for subject in plan.subjects),
            "subjects": tuple(_subject_entry(subject) for subject in plan.subjects),
            "models": (*manifest.models, *plan.baselines),
            "baselines": tuple(entry.label for entry in plan.baselines),
            "levels": (Level.SHARED,),
            "draws": tuple(_draws(plan)),
        }
    )


def _draws(plan: WritingPlan) -> Iterator[Draw]:
    entries = [(model.entry, plan.base.config.bench.samples) for model in plan.base.models]
    for entry, samples in (*entries, *((entry, 1) for entry in plan.baselines)):
        for spec in plan.specs(entry, samples):
            yield Draw(model=entry.label, task_id=spec.name, template=spec.template.name, sample=spec.sample)


def check_same_subjects(plan: WritingPlan, manifest: Manifest) -> None:
    """Make sure that a plan continues the run of a manifest.

    Raises:
        RunIncompatible: says what differs.
    """
    ours = {entry.task_id: entry.sha256 for entry in map(_task_entry, plan.subjects)}
    theirs = {entry.task_id: entry.sha256 for entry in manifest.tasks}
    models = {entry.label: entry.server for entry in manifest.models}
    planned = {model.entry.label: model.entry.server for model in plan.base.models}
    planned |= {entry.label: entry.server for entry in plan.baselines}
    changed = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    changed += sorted(
        name for name in models.keys() | planned.keys() if models.get(name) != planned.get(name)
    )
    templates = {template.name: template.sha256 for template in plan.base.templates}
    changed += ["the template"] if templates != manifest.templates else []
    if changed:
        raise RunIncompatible(
            f"run {manifest.run_id} cannot be continued: changed since: {', '.join(changed[:5])}. "
            "Restore what it ran with, or start a new run."
        )


def _task_entry(subject: Subject) -> TaskEntry:
    return TaskEntry(
        task_id=subject.task_id,
        batch=subject.batch,
        family=subject.family,
        sha256=subject.sha256,
        basis="model-written",
        has_holdout=False,
        level=Level.SHARED,
    )


def _subject_entry(subject: Subject) -> SubjectEntry:
    return SubjectEntry(
        task_id=subject.task_id,
        of_task=subject.of_task,
        code=subject.code,
        sha256=code_sha256(subject.code),
        prompt=subject.prompt,
        authors=subject.authors,
        right=subject.right,
        right_others=sum(other.right for other in subject.others),
        wrong_others=sum(not other.right for other in subject.others),
    )


def run_writing(
    plan: WritingPlan,
    manifest: Manifest,
    folder: Path,
    parts: WritingParts,
    watcher: Watcher,
    stop: threading.Event,
) -> tuple[RunData, Outcome]:
    """Run what the journal does not hold yet, and read the run back.

    Raises:
        MendError: something of ours broke; what is in the journal stays and can be resumed.
        KeyboardInterrupt: the second Ctrl-C.
    """
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(folder))
        manifest = settle_manifest(journal, manifest, folder)
        runner = _Runner(plan, folder, journal, parts, watcher, stop)
        scheduler = Scheduler(
            runner.run_one,
            stop,
            parallel_models=plan.base.config.server.parallel_models,
            on_interrupt=watcher.interrupted,
        )
        lanes = [*runner.lanes_of_baselines(), *(runner.lane(model, stack) for model in plan.base.models)]
        stack.callback(stop.set)
        outcome = scheduler.run(lanes)
        if not outcome.interrupted:
            journal.write_manifest(ended(manifest, outcome))
        return load_run(folder), outcome


class _Runner:
    """Runs samples for the scheduler; what it shares between threads guards itself."""

    def __init__(
        self,
        plan: WritingPlan,
        folder: Path,
        journal: Journal,
        parts: WritingParts,
        watcher: Watcher,
        stop: threading.Event,
    ) -> None:
        self._plan, self._journal, self._parts = plan, journal, parts
        self._watcher, self._stop = watcher, stop
        attempts = list(read_attempts(folder))
        self._known = Known(read_completions(folder), attempts)
        scored = [record for record in read_suites(folder) if record.main is not None]
        self._scores = {record.key: record for record in scored}
        self._scored = {record.call_key: record.key for record in scored}
        self._written = written_attempts(attempts)
        self._tools: dict[str, WriterTools] = {}
        self._sandbox = RememberingSandbox(
            parts.sandbox,
            parts.sandbox.image(),
            self._known,
            slots=threading.BoundedSemaphore(parts.slots),
            pause=stop.wait,
        )

    def lane(self, model: PlannedModel, stack: ExitStack) -> Lane[WriterSpec]:
        """Open a model's client and give its samples."""
        base = self._plan.base
        recorded = model.entry.label in self._parts.recorded
        client, opened = open_client(model, base, self._stop, recorded=recorded)
        stack.enter_context(opened)
        concurrency, samples = model.section.concurrency, base.config.bench.samples
        self._tools[model.entry.label] = self._tools_of(
            model.entry, client, concurrency, extra=dict(model.section.extra_body)
        )
        return self._lane(model.entry, concurrency, samples)

    def lanes_of_baselines(self) -> list[Lane[WriterSpec]]:
        """Give the samples of the writers that are no models: one per script, and no repairs."""
        lanes = []
        scripts = {subject.task_id: subject.code for subject in self._plan.subjects}
        for entry in self._plan.baselines:
            writer = GhostWriter(scripts, lambda job: run_patiently(self._parts.sandbox, job))
            tools = self._tools_of(entry, writer, self._parts.slots, extra={})
            self._tools[entry.label] = replace(tools, loop=replace(tools.loop, repairs=0))
            lanes.append(self._lane(entry, 0, 1))
        return lanes

    def _lane(self, entry: ModelEntry, concurrency: int, samples: int) -> Lane[WriterSpec]:
        return Lane(
            server=entry.server,
            model=entry.label,
            specs=self._plan.specs(entry, samples),
            workers=concurrency + self._parts.slots,
        )

    def _tools_of(
        self, entry: ModelEntry, client: LLM, concurrency: int, *, extra: dict[str, object]
    ) -> WriterTools:
        config = self._plan.base.config
        return WriterTools(
            llm=RememberingLLM(
                client,
                entry,
                self._journal,
                self._known,
                slots=threading.BoundedSemaphore(concurrency),
                stop=self._stop,
            ),
            sandbox=self._sandbox,
            cleaner=self._parts.cleaner,
            image=self._parts.sandbox.image(),
            loop=replace(config.loop(), cleanup=False, keep_best=False),
            sampling=config.first_sampling(extra),
            suites=config.suites,
            system=config.sampling.system,
            seed=config.sampling.seed,
            profile=config.sandbox.profile,
            plain_cpu_s=config.sandbox.cpu_s,
            # Only sleep and waiting meet it: on a busy machine, work must not.
            plain_wall_s=_WALL_FACTOR * config.sandbox.wall_s,
            known=self._scores.get,
        )

    def run_one(self, spec: WriterSpec) -> None:
        """Write and score one suite."""
        started = time.monotonic()
        last: AttemptRecord | None = None
        for record in write_suite(spec, self._tools[spec.model.label]):
            if isinstance(record, SuiteRecord):
                self._write_score(record)
                continue
            last = record
            self._write_attempt(record)
            self._watcher.attempt(record)
        if last is not None:
            self._watcher.sample(spec, last, time.monotonic() - started)

    def _write_attempt(self, record: AttemptRecord) -> None:
        written = self._written.setdefault(record.sample_key, {})
        if written.get(record.call_no) == fingerprint(record):
            return
        self._journal.append(record)
        # What follows a line that was written anew must be written anew as well.
        for later in [number for number in written if number > record.call_no]:
            del written[later]

    def _write_score(self, record: SuiteRecord) -> None:
        if self._scored.get(record.call_key) != record.key:
            self._journal.append(record)
