"""mendbench tasks: list them, and prove them."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.jobs import JobMaker, basis
from evaluator.running.manifest import new_run_id
from evaluator.running.sandboxes import open_sandbox, sandbox_section, total_slots
from evaluator.running.scheduler import side_by_side
from evaluator.safe_text import one_line
from prompts.tasks import Task, batch_root, load

if TYPE_CHECKING:
    from evaluator.controls.check import ControlReport

_PATH = click.argument("path", required=False, type=click.Path(path_type=Path))
_BATCH = click.option("--batch", multiple=True, help="Only this batch; may be repeated.")
_TASK = click.option("--task", multiple=True, help="Only this task (id, name or pattern); may be repeated.")
_JSON = click.option("--json", "as_json", is_flag=True)


@click.group("tasks")
def command() -> None:
    """List tasks, or check that they test what they ask for.

    PATH is a task file, a batch (a folder of .md files) or a folder of batches; default: the shipped ones.
    """


@command.command("list")
@_PATH
@_BATCH
@_TASK
@_JSON
def list_tasks(path: Path | None, batch: tuple[str, ...], task: tuple[str, ...], *, as_json: bool) -> int:
    """List the tasks with what they bring."""
    tasks = load(path or batch_root(), batch or None, task or None)
    if as_json:
        click.echo(json.dumps([_facts(item) for item in tasks], indent=1))
        return 0
    console = Console()
    if not console.is_terminal:
        for item in tasks:
            facts = _facts(item)
            click.echo("\t".join(_cell(value) for key, value in facts.items() if key != "sha256"))
        return 0
    table = Table()
    for name in ("task", "basis", "holdout", "right", "wrong", "difficulty", "tags"):
        table.add_column(name, no_wrap=name != "tags")
    for item in tasks:
        facts = _facts(item)
        table.add_row(*(Text(one_line(_cell(value))) for key, value in facts.items() if key != "sha256"))
    console.print(table)
    return 0


@command.command("check")
@_PATH
@_BATCH
@_TASK
@_JSON
@click.option("--slots", type=int, default=None, help="Containers at a time (default: one per core).")
def check_tasks(
    path: Path | None, batch: tuple[str, ...], task: tuple[str, ...], slots: int | None, *, as_json: bool
) -> int:
    """Run the controls of each task: references pass, empty and wrong solutions fail.

    References are tried at both levels of grading; tests that need `grading: shared` are named.
    """
    from evaluator.controls.check import check_task  # noqa: PLC0415 - only this command needs it

    tasks = load(path or batch_root(), batch or None, task or None)
    section = sandbox_section({})
    maker = JobMaker(section=section)
    with open_sandbox(section, new_run_id(), slots=slots) as sandbox:
        check = partial(check_task, sandbox=sandbox, jobs=maker, both_levels=True)
        reports = side_by_side(check, tasks, total_slots(section, slots))
    if as_json:
        click.echo(json.dumps([_verdict(report) for report in reports], indent=1))
    else:
        for report in reports:
            level = f" (level {report.level})" if report.level else ""
            click.echo(f"{'ok  ' if not report.problems else 'FAIL'} {report.task_id}{level}")
            for problem in (*report.problems, *report.notes):
                click.echo(f"     {one_line(problem, 400)}")
    return 1 if any(report.problems for report in reports) else 0


def _verdict(report: "ControlReport") -> dict[str, object]:
    return {
        "task_id": report.task_id,
        "ok": report.ok,
        "level": report.level,
        "needs_shared": {part: list(tests) for part, tests in report.needs_shared.items()},
        "problems": list(report.problems),
        "notes": list(report.notes),
    }


def _facts(task: Task) -> dict[str, object]:
    return {
        "task_id": task.task_id,
        "basis": basis(task),
        "holdout": task.holdout is not None,
        "references": len(task.references),
        "wrong": len(task.wrong),
        "difficulty": task.difficulty,
        "tags": list(task.tags),
        "sha256": task.sha256,
    }


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(str(item) for item in value)
        case _:
            return str(value)
