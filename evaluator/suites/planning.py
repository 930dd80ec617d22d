"""From a configuration to a plan: which scripts, which writers, or the recorded demo."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from evaluator.config import Config, ModelSection
from evaluator.errors import UsageProblem
from evaluator.running.models import DEMO_CONCURRENCY
from evaluator.running.plan import Plan, PlannedModel, planned_models
from evaluator.runs.folders import refuse_suites
from evaluator.runs.journal import load_run
from evaluator.runs.rundata import RunData
from evaluator.suites.baseline import GHOSTWRITER
from evaluator.suites.subjects import Subject, of_attempts, of_folder, of_references
from evaluator.suites.track import WritingPlan
from prompts.suite_prompts import SUITE_TEMPLATE, load_suite_template
from prompts.tasks import Task, batch_root, load

DEMO_BATCH = "basics"
"""What the demo plays when nothing is asked for. All batches together take more than a few minutes."""


def writing_plan(config: Config, models: tuple[ModelSection, ...]) -> WritingPlan:
    """Load what the configuration names.

    Raises:
        PromptError: a task or the template is missing or broken.
        UsageProblem: there is no script to write for, or a model is named twice.
    """
    return _plan(config, planned_models(models, None))


def demo_writing_plan(config: Config, stack: ExitStack) -> WritingPlan:
    """Serve the recorded suites for as long as `stack` lives, and plan a run over them.

    Raises:
        UsageProblem: something is asked for that was not recorded.
    """
    from evaluator.replay.recorded import RecordedServer  # noqa: PLC0415 - only the demo needs it
    from prompts.recordings import load_recordings, recordings_sha256, writers_root  # noqa: PLC0415

    recordings = load_recordings(writers_root())
    recorded = sorted({call.rsplit("/", 4)[0] for replies in recordings.values() for call in replies})
    plan = _demo_scripts(config, recorded)
    server = stack.enter_context(RecordedServer(recordings))
    sections = [
        ModelSection(name=name, base_url=server.base_url, concurrency=DEMO_CONCURRENCY)
        for name in sorted(recordings)
    ]
    # The port differs from run to run; the replies are what the server is.
    models = planned_models(sections, f"recorded:{recordings_sha256(recordings)[:16]}")
    return replace(plan, base=replace(plan.base, models=models, recorded_demo=True))


def _demo_scripts(config: Config, recorded: list[str]) -> WritingPlan:
    bench = config.bench
    if not bench.tasks and not bench.batches:
        some = tuple(task for task in recorded if task.startswith(f"{DEMO_BATCH}/"))
        config = config.model_copy(update={"bench": bench.model_copy(update={"tasks": some})})
    suites = config.suites.model_copy(update={"baselines": (GHOSTWRITER,)})
    plan = _plan(config.model_copy(update={"suites": suites}), ())
    missing = [each.task_id for each in plan.subjects if each.task_id not in recorded]
    if missing or config.bench.samples != 1 or suites.template != SUITE_TEMPLATE:
        what = f"no suite for {missing[0]}" if missing else f"one suite per task, for `{SUITE_TEMPLATE}`"
        raise UsageProblem(
            f"no writer was named, no model is loaded on this machine, and the recorded demo has {what} "
            f"(it knows {', '.join(recorded)}). Name a model: --writer NAME@http://HOST:PORT/v1"
        )
    return plan


def _plan(config: Config, models: tuple[PlannedModel, ...]) -> WritingPlan:
    template = load_suite_template(config.suites.template)
    base = Plan(config=config, tasks=(), templates=(template,), models=models)
    return WritingPlan(base=base, subjects=_subjects(config))


def _subjects(config: Config) -> tuple[Subject, ...]:
    suites, limit = config.suites, config.bench.limit
    if suites.source not in {"reference", "attempts"}:
        return of_folder(Path(suites.source))[:limit]
    run = load_run(suites.run) if suites.run else None
    if run is not None:
        refuse_suites(run.manifest, "name one of `mendbench bench`")
    if suites.source == "reference":
        return of_references(_tasks(config, None), run)
    if run is None:
        raise UsageProblem("--for attempts needs the run that they are from: --run RUN, or --run latest")
    return of_attempts(_tasks(config, run), run)


def _tasks(config: Config, run: RunData | None) -> tuple[Task, ...]:
    """The tasks that are asked for; those of the run, where its attempts are meant."""
    bench = config.bench
    root, names = bench.tasks_dir, bench.tasks or None
    if run is not None and not bench.batches and names is None:
        names = tuple(entry.task_id for entry in run.manifest.tasks)
        kept = run.manifest.config.get("bench", {}).get("tasks_dir")
        root = root or (Path(kept) if kept else None)
    return load(root or batch_root(), bench.batches or None, names)[: bench.limit]
