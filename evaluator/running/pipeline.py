"""The composition root of a run: real parts are put together here and nowhere else."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from evaluator.config import api_key
from evaluator.errors import NotItsTurn, RunIncompatible
from evaluator.jobs import JobMaker
from evaluator.running.calls import fingerprint
from evaluator.running.control import budget_of, run_control
from evaluator.running.plan import Plan, PlannedModel
from evaluator.running.progress import Watcher
from evaluator.running.rechecks import recheck
from evaluator.running.sample import Repairer, SampleSpec, Tools, run_sample
from evaluator.running.scheduler import Lane, Outcome, Scheduler
from evaluator.running.test_writer import TestWriter, wanting, with_tests_of_scripts, with_tests_of_tasks
from evaluator.running.turns import Turns
from evaluator.runs.journal import (
    Journal,
    load_run,
    now,
    read_attempts,
    read_completions,
    read_manifest,
    read_suites,
)
from evaluator.runs.records import AttemptRecord, Manifest
from evaluator.runs.remember import Known, RememberingLLM, RememberingSandbox
from evaluator.runs.rundata import RunData, trajectories
from evaluator.suites.writing import SuiteCleaning, WriterTools
from repair.llm import LLM
from sandbox.backend import Sandbox

if TYPE_CHECKING:
    from prompts.tasks import Task

_GAVE_UP = "gave up on model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The real parts of a run, open and ready."""

    sandbox: Sandbox
    cleaner: SuiteCleaning
    jobs: JobMaker
    slots: int
    recorded: frozenset[str] = frozenset()
    """Labels of models whose server plays recordings."""


def open_client(
    model: PlannedModel, plan: Plan, stop: threading.Event, *, recorded: bool
) -> tuple[LLM, ExitStack]:
    """Open the client of a model, with retries around it; the stack closes it.

    `recorded` servers are told which call each request is; nobody else is.

    Raises:
        ConfigProblem: the key that the model's section names is not in the environment.
    """
    from repair.openai_client import ClientLimits, OpenAIClient  # noqa: PLC0415 - slow to import
    from repair.retry import RetryingLLM  # noqa: PLC0415 - comes with it

    server = plan.config.server
    limits = ClientLimits(
        connect_s=server.connect_s,
        stall_s=server.stall_s,
        deadline_s=server.deadline_s,
        max_reply_bytes=server.max_reply_bytes,
    )
    stack = ExitStack()
    client = OpenAIClient(
        base_url=model.section.base_url,
        model=model.section.name,
        api_key=api_key(model.section),
        limits=limits,
        trust_env=server.trust_env and not recorded,
        send_call_id=recorded,
    )
    stack.callback(client.close)
    return RetryingLLM(client, attempts=server.attempts, total_s=server.retry_total_s, stop=stop), stack


def run_plan(
    plan: Plan, manifest: Manifest, folder: Path, parts: Parts, watcher: Watcher, stop: threading.Event
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
        if plan.test_writer is not None and wanting(plan):
            plan, manifest = runner.have_tests_written(plan.test_writer, manifest, stack)
        lanes = [runner.open_lane(model, stack) for model in plan.models]
        scheduler = Scheduler(
            runner.run_one,
            stop,
            parallel_models=plan.config.server.parallel_models,
            on_interrupt=watcher.interrupted,
        )
        # Whatever ends this, workers that still run must begin nothing new while their clients close.
        stack.callback(stop.set)
        outcome = scheduler.run(lanes)
        while not stop.is_set() and (due := runner.turns.next_lanes(lanes)):
            outcome = scheduler.run(due)
        if not outcome.interrupted:
            journal.write_manifest(ended(manifest, outcome))
        return load_run(folder), outcome


def settle_manifest(journal: Journal, manifest: Manifest, folder: Path) -> Manifest:
    """Write the manifest of a new run; on resume keep the one that is there."""
    if not (folder / "run.json").exists():
        journal.write_manifest(manifest)
        return manifest
    kept = read_manifest(folder).model_copy(update={"finished": None})
    if kept.image.identity != manifest.image.identity:
        raise RunIncompatible(
            f"run {kept.run_id} ran in image {kept.image.identity[:12]}, but the sandbox image is now "
            f"{manifest.image.identity[:12]}: verdicts would not be comparable. Start a new run, or go back "
            "to the version of mendbench that made it."
        )
    made, ours = (f"{each.version} {each.git.get('commit', '')[:12]}".strip() for each in (kept, manifest))
    if made != ours:
        note = f"made by mendbench {made}, resumed by {ours}: cleaning or feedback may differ"
        kept = kept.model_copy(update={"warnings": tuple(dict.fromkeys((*kept.warnings, note)))})
    journal.write_manifest(kept)
    return kept


def ended(manifest: Manifest, outcome: Outcome) -> Manifest:
    """Note that a run came to its end, and which models gave up."""
    dead = tuple(f"{_GAVE_UP} {label}: {why}" for label, why in sorted(outcome.dead_models.items()))
    # A model that gave up before a resume may have worked since.
    warnings = (*(text for text in manifest.warnings if not text.startswith(_GAVE_UP)), *dead)
    return manifest.model_copy(update={"finished": now(), "warnings": warnings})


class _Runner:
    """Runs samples for the scheduler; what it shares between threads guards itself."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        journal: Journal,
        parts: Parts,
        watcher: Watcher,
        stop: threading.Event,
    ) -> None:
        self._plan, self._journal, self._parts, self._watcher, self._stop = (
            plan,
            journal,
            parts,
            watcher,
            stop,
        )
        attempts = list(read_attempts(folder))
        self._known = Known(read_completions(folder), attempts)
        self._suites = list(read_suites(folder))
        for record in self._suites:
            if record.key and record.main:
                self._known.add_run(record.key, record.main)
        self._written = written_attempts(attempts)
        self._tested: Callable[[Task, str], Task] = lambda task, _code: task
        self._tools: dict[str, Tools] = {}
        self._told: set[tuple[object, ...]] = set()
        self._repairing: tuple[LLM, threading.BoundedSemaphore] | None = None
        self.turns = Turns(plan)
        self._sandbox = RememberingSandbox(
            parts.sandbox,
            parts.sandbox.image(),
            self._known,
            slots=threading.BoundedSemaphore(parts.slots),
            pause=stop.wait,
        )
        self._log = structlog.get_logger(__name__)

    def have_tests_written(
        self, model: PlannedModel, manifest: Manifest, stack: ExitStack
    ) -> tuple[Plan, Manifest]:
        """Give tasks that have no tests those of the test writer, and write down what rests on them."""
        config, jobs = self._plan.config, self._parts.jobs
        by_script = config.bench.test_writer_sees == "script"
        tools = WriterTools(
            llm=self._open(model, stack),
            sandbox=self._sandbox,
            cleaner=self._parts.cleaner,
            image=self._parts.sandbox.image(),
            loop=replace(config.loop(), cleanup=False, keep_best=False),
            sampling=config.first_sampling(model.section.extra_body),
            suites=config.suites,
            seed=config.sampling.seed,
            profile=config.sandbox.profile,
            aim="collects" if by_script else "fails",
        )
        writer = TestWriter(
            model.entry,
            tools,
            self._journal,
            {(record.call_key, record.suite_sha256) for record in self._suites},
        )
        if by_script:
            self._tested = writer.for_script
            self._plan, manifest = with_tests_of_scripts(self._plan, manifest, model.entry.label, jobs)
        else:
            threads = model.section.concurrency
            self._plan, manifest = with_tests_of_tasks(self._plan, manifest, writer, jobs, threads)
        self._journal.write_manifest(manifest)
        return self._plan, manifest

    def _open(
        self, model: PlannedModel, stack: ExitStack, its_turn: Callable[[], bool] = lambda: True
    ) -> RememberingLLM:
        recorded = model.entry.label in self._parts.recorded
        client, opened = open_client(model, self._plan, self._stop, recorded=recorded)
        stack.enter_context(opened)
        return RememberingLLM(
            client,
            model.entry,
            self._journal,
            self._known,
            slots=threading.BoundedSemaphore(model.section.concurrency),
            stop=self._stop,
            its_turn=its_turn,
        )

    def open_lane(self, model: PlannedModel, stack: ExitStack) -> Lane[SampleSpec]:
        """Open a model's client and give its samples."""
        config = self._plan.config
        self._tools[model.entry.label] = Tools(
            llm=self._open(model, stack, its_turn=lambda: self.turns.lets_measured(model)),
            repairer=self._repairer(model, stack),
            sandbox=self._sandbox,
            cleaner=self._parts.cleaner,
            jobs=self._parts.jobs,
            loop=config.loop(),
            sampling=config.first_sampling(model.section.extra_body),
            system=config.sampling.system,
            holdout_always=config.bench.holdout == "always",
            flake_checks=self._plan.flake_checks,
            seed=config.sampling.seed,
            tested=self._tested,
        )
        return Lane(
            server=model.entry.server,
            model=model.entry.label,
            specs=self._plan.specs(model),
            # Enough to keep the model's slots busy while scripts run.
            workers=model.section.concurrency + self._parts.slots,
        )

    def _repairer(self, model: PlannedModel, stack: ExitStack) -> Repairer | None:
        """Give who repairs this model's scripts, where it is another one; all share one client."""
        other = self._plan.repairer
        if other is None or other.is_same(model):
            return None
        if self._repairing is None:
            recorded = other.entry.label in self._parts.recorded
            client, opened = open_client(other, self._plan, self._stop, recorded=recorded)
            stack.enter_context(opened)
            self._repairing = client, threading.BoundedSemaphore(other.section.concurrency)
        client, slots = self._repairing
        asker = RememberingLLM(
            client,
            model.entry,
            self._journal,
            self._known,
            slots=slots,
            stop=self._stop,
            asked=other.entry,
            its_turn=self.turns.lets_repairer,
        )
        return Repairer(label=other.entry.label, llm=asker, extra=dict(other.section.extra_body))

    def run_one(self, spec: SampleSpec) -> None:
        """Run one sample to its end, or until it has to wait for another model's turn."""
        try:
            self._run_one(spec)
        except NotItsTurn:
            self.turns.wait(spec)

    def _run_one(self, spec: SampleSpec) -> None:
        started = time.monotonic()
        tools = self._tools[spec.model.label]
        repaired = [self._noted(recheck(record, spec, tools)) for record in run_sample(spec, tools)]
        budget = budget_of(repaired, self._known.completion) if self._plan.control else None
        if budget is not None:
            for record in run_control(spec, tools, budget):
                self._noted(record)
        if repaired:
            self._watcher.sample(spec, repaired[-1], time.monotonic() - started)

    def _noted(self, record: AttemptRecord) -> AttemptRecord:
        self._write(record)
        if record.call_key not in self._told:
            self._told.add(record.call_key)
            self._watcher.attempt(record)
        return record

    def _write(self, record: AttemptRecord) -> None:
        written = self._written.setdefault(record.sample_key, {})
        if written.get(record.call_no) == fingerprint(record):
            return
        self._journal.append(record)
        # What follows a line that was written anew must be written anew as well.
        for later in [number for number in written if number > record.call_no]:
            del written[later]
        self._log.debug(
            "attempt_finished",
            model=record.model,
            task=record.task_id,
            call=record.call_no,
            kind=str(record.kind),
            verdict=str(record.verdict),
        )


def written_attempts(
    attempts: Sequence[AttemptRecord],
) -> dict[tuple[object, ...], dict[int, tuple[object, ...]]]:
    """What the journal already says, by sample and call; failures of ours do not count as said."""
    return {
        trajectory.first.sample_key: {
            attempt.call_no: fingerprint(attempt) for attempt in trajectory.attempts if not attempt.unscored
        }
        for trajectory in trajectories(attempts)
    }
