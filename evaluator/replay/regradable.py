"""What of a run can be judged anew, and what cannot and why."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from evaluator.config import Config
from evaluator.errors import RunIncompatible, RunLocked, UsageProblem
from evaluator.replay.histories import read_histories
from evaluator.replay.regrading import Saved
from evaluator.replay.replay import make_replay
from evaluator.running.plan import Plan
from evaluator.running.sample import SampleSpec, first_messages
from evaluator.runs.journal import COMPLETIONS, load_run
from evaluator.runs.records import Manifest
from evaluator.runs.rundata import RunData, Trajectory
from prompts.render import Template, load_template
from prompts.tasks import Task, batch_root, load

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Regrade:
    """A run, and what of it is judged anew."""

    run: RunData
    plan: Plan
    left_out: Mapping[str, str]
    """Task → why its replies cannot be judged anew."""

    @property
    def chosen(self) -> tuple[Trajectory, ...]:
        """The trajectories that are judged anew."""
        return tuple(each for each in self.run.trajectories if each.first.task_id not in self.left_out)

    def specs(self) -> dict[SampleSpec, tuple[Saved, ...]]:
        """Every sample with its saved attempts."""
        models = {model.label: model for model in self.run.manifest.models}
        tasks = {task.task_id: task for task in self.plan.tasks}
        templates = {template.name: template for template in self.plan.templates}
        found: dict[SampleSpec, tuple[Saved, ...]] = {}
        for each in self.chosen:
            first = each.first
            spec = SampleSpec(
                model=models[first.model],
                task=tasks[first.task_id],
                template=templates[first.template],
                sample=first.sample,
                arm=first.arm,
            )
            found[spec] = tuple(
                Saved(attempt=a, completion=self.run.completions.get(a.completion_key or ""))
                for a in each.attempts
            )
        return found


@contextmanager
def at_rest(folder: Path) -> Iterator[None]:
    """Keep others from writing to a run while it is read.

    Raises:
        RunLocked: somebody writes to it.
    """
    lock = FileLock(folder / ".lock", blocking=False)
    try:
        lock.acquire()
    except Timeout as exc:
        raise RunLocked(f"{folder}: this run is being written. Wait for its end, then regrade.") from exc
    except OSError:
        # Nobody can write to a folder that is read-only.
        yield
        return
    try:
        yield
    finally:
        lock.release()


def plan_regrade(folder: Path, config: Config, *, leave_out: bool = False) -> Regrade:
    """Read a run and find out what of it can be judged anew.

    Raises:
        RunIncompatible: names what cannot, unless it may be left out.
        UsageProblem: nothing can.
    """
    run = load_run(folder)
    if not run.trajectories:
        raise UsageProblem(f"run {run.manifest.run_id} has no attempt to judge anew")
    templates = tuple(load_template(name) for name in config.bench.templates)
    tasks = {task.task_id: task for task in _tasks(run.manifest, config)}
    refused = dict(_refused(run, tasks, {each.name: each for each in templates}, config.sampling.system))
    if refused and not leave_out:
        raise RunIncompatible(
            f"of run {run.manifest.run_id} cannot be judged anew:\n{_listed(refused)}\n"
            "Restore what it ran with, or leave these out with --leave-out."
        )
    kept = [tasks[entry.task_id] for entry in run.manifest.tasks if entry.task_id not in refused]
    if not kept:
        raise UsageProblem(f"nothing of run {run.manifest.run_id} can be judged anew:\n{_listed(refused)}")
    draws = tuple(draw for draw in run.manifest.draws if draw.task_id not in refused)
    plan = Plan(config=config, tasks=tuple(kept), templates=templates, models=(), draws=draws)
    return Regrade(run=run, plan=plan, left_out=refused)


def _tasks(manifest: Manifest, config: Config) -> Sequence[Task]:
    if manifest.replayed:
        rows = read_histories(manifest.replayed, skip_bad=True).rows
        models = {model.label for model in manifest.models}
        template = config.bench.templates[0]
        chosen = [row for row in rows if row.model in models]
        return make_replay(chosen, template, Path(manifest.replayed)).tasks
    return load(config.bench.tasks_dir or batch_root())


def _refused(
    run: RunData, tasks: Mapping[str, Task], templates: Mapping[str, Template], system: str | None
) -> Iterator[tuple[str, str]]:
    """Yield tasks whose replies cannot be judged anew, and why."""
    by_task: dict[str, list[Trajectory]] = {entry.task_id: [] for entry in run.manifest.tasks}
    for each in run.trajectories:
        by_task.setdefault(each.first.task_id, []).append(each)
    for task_id, members in by_task.items():
        task = tasks.get(task_id)
        why = "the task is not there any more"
        if task is not None:
            why = next((text for each in members if (text := _fault(run, each, task, templates, system))), "")
        if why:
            yield task_id, why


def _fault(
    run: RunData, each: Trajectory, task: Task, templates: Mapping[str, Template], system: str | None
) -> str:
    for attempt in each.attempts:
        if attempt.completion_key and attempt.completion_key not in run.completions:
            return f"the reply to call {attempt.call_no} of {attempt.model} is not in {COMPLETIONS}"
    template = templates.get(each.first.template)
    if template is None:
        return f"template {each.first.template} is not there any more"
    first = run.completions.get(each.first.completion_key or "")
    if first is not None and first.messages != first_messages(template, task, system):
        return "its replies answered another prompt: the task's prompt or the template has changed"
    return ""


def _listed(refused: Mapping[str, str]) -> str:
    lines = [f"  {task_id}: {why}" for task_id, why in list(refused.items())[:_SHOWN]]
    more = len(refused) - _SHOWN
    return "\n".join(lines + ([f"  and {more} more"] if more > 0 else []))
