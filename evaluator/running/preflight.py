"""Before a token is spent: do the tasks test what they ask for? Passing controls are remembered."""

import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from evaluator.controls.check import ControlReport, check_task
from evaluator.errors import Stopped, UsageProblem
from evaluator.jobs import PARTS, JobMaker
from evaluator.keys import digest
from evaluator.running.plan import Plan
from evaluator.running.scheduler import side_by_side
from evaluator.runs.journal import write_atomically
from prompts.tasks import Task, batch_root
from sandbox.backend import Sandbox
from sandbox.types import ImageInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """What the controls found: how to make jobs, and what to warn of."""

    jobs: JobMaker
    warnings: tuple[str, ...] = ()


def check_controls(
    plan: Plan, sandbox: Sandbox, console: Console, *, slots: int, stop: threading.Event
) -> Controls:
    """Run the controls of every task that has not passed them in this image before.

    Raises:
        UsageProblem: some task does not test what it asks for, or cannot be run; says which and how.
    """
    maker = JobMaker(section=plan.config.sandbox, seed=plan.config.sampling.seed)
    for task in plan.tasks:
        for part in PARTS:
            maker.job(task, "", part)  # raises what is wrong with a task's limits or level
    if not plan.config.bench.check_tasks:
        return Controls(jobs=maker, warnings=("the tasks' controls were not run (check_tasks = false)",))
    image = sandbox.image()
    cache = _Cache(user_cache_path("mendbench") / "controls.json")
    keys = {task.task_id: _key(task, maker, image) for task in plan.tasks}
    due = [task for task in plan.tasks if cache.get(keys[task.task_id]) is None]
    reports = _check_all(due, sandbox, maker, slots, stop, console)
    _refuse_failing(reports)
    cache.add({keys[report.task_id]: _kept(report) for report in reports})
    kept = {task.task_id: cache.get(keys[task.task_id]) or {} for task in plan.tasks}
    may_skip = {
        (task_id, part): tuple(parts.get(part, ())) for task_id, parts in kept.items() for part in PARTS
    }
    return Controls(jobs=JobMaker(section=maker.section, seed=maker.seed, may_skip=may_skip))


def _check_all(
    tasks: Sequence[Task],
    sandbox: Sandbox,
    maker: JobMaker,
    slots: int,
    stop: threading.Event,
    console: Console,
) -> list[ControlReport]:
    if not tasks:
        return []
    console.print(Text(f"checking the controls of {len(tasks)} tasks (once per task and image)"))
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        line = bar.add_task("controls", total=len(tasks))

        def check(task: Task) -> ControlReport:
            if stop.is_set():
                raise Stopped
            report = check_task(task, sandbox, jobs=maker, wrong=not _shipped(task))
            bar.advance(line)
            done = int(bar.tasks[0].completed)
            if not console.is_terminal and (done % 5 == 0 or done == len(tasks)):
                console.print(Text(f"controls {done}/{len(tasks)}"))
            return report

        return side_by_side(check, tasks, slots)


def _shipped(task: Task) -> bool:
    # Their wrong solutions are tried by the project's own tests; here it is the machine that is in question.
    return task.path.resolve().is_relative_to(batch_root())


def _refuse_failing(reports: Iterable[ControlReport]) -> None:
    problems = [f"  {report.task_id}: {text}" for report in reports for text in report.problems]
    if problems:
        raise UsageProblem(
            "some tasks do not test what they ask for; results on them would mean nothing:\n"
            + "\n".join(problems)
            + "\nMend them (`mendbench tasks check` shows more), leave them out, or say --no-check-tasks."
        )


def _key(task: Task, maker: JobMaker, image: ImageInfo) -> str:
    section = maker.section
    limits = [section.wall_s, section.cpu_s, section.profile, str(section.grading)]
    return digest(["controls", task.sha256, image.identity, image.guest_version, limits])


def _kept(report: ControlReport) -> dict[str, list[str]]:
    return {part: list(ids) for part, ids in report.may_skip.items()}


class _Cache:
    """Controls that passed, by content; losing the file costs time and nothing else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, Any] = {}
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raw = {}
        if isinstance(raw, dict):
            self._entries = raw

    def get(self, key: str) -> dict[str, list[str]] | None:
        """Look up the skips of a task that passed."""
        entry = self._entries.get(key)
        return entry if isinstance(entry, dict) else None

    def add(self, entries: dict[str, dict[str, list[str]]]) -> None:
        """Remember tasks that passed."""
        self._entries.update(entries)
        if not entries:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, json.dumps(self._entries, indent=1, sort_keys=True))
        except OSError:
            return
