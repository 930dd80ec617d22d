"""mendbench regrade: new verdicts on saved replies, without any model."""

import json
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.text import Text

from evaluator.cli import EXIT_INTERRUPTED
from evaluator.config import Config, overlay
from evaluator.errors import ConfigProblem, RunIncompatible, UsageProblem
from evaluator.log import configure_logging
from evaluator.replay.regradable import Regrade, at_rest, plan_regrade
from evaluator.replay.regrade import CALLS, line, regrade_manifest, run_regrade, summary
from evaluator.replay.regrading import Fate, Regraded
from evaluator.report.words import REGRADE_BANNER
from evaluator.running.manifest import new_run_id
from evaluator.running.pipeline import Parts
from evaluator.running.preflight import check_controls
from evaluator.running.progress import LiveProgress
from evaluator.running.sandboxes import open_sandbox, reap_all, total_slots
from evaluator.runs.folders import refuse_suites, run_folder
from evaluator.runs.journal import read_manifest
from evaluator.runs.records import Manifest
from evaluator.runs.rundata import RunData
from evaluator.safe_text import one_line
from evaluator.signals import terminate_cleanly
from sandbox.types import GRADED

_SHOWN: Final = 20


@click.command("regrade")
@click.argument("run")
@click.option("--tasks-dir", type=click.Path(path_type=Path), help="Where the run's tasks are now.")
@click.option("--grading", type=click.Choice([str(level) for level in GRADED]), help="Grade at this level.")
@click.option("--limit-wall", type=float, metavar="S", help="Another wall-clock limit of the run.")
@click.option("--limit-cpu", type=float, metavar="S", help="Another limit of CPU time.")
@click.option("--holdout", type=click.Choice(["passed", "always"]), help="When the holdout runs.")
@click.option("--leave-out", is_flag=True, help="Leave out what cannot be judged anew; the report says so.")
@click.option("--no-check-tasks", is_flag=True, help="Do not run the tasks' controls first.")
@click.option("--slots", type=click.IntRange(1, 256), metavar="N", help="Containers at a time.")
@click.option(
    "--attempts-per-container", type=click.IntRange(1, 1000), default=1, show_default=True, metavar="N"
)
@click.option("--runs-dir", type=click.Path(path_type=Path), help="Default: ./runs.")
@click.option("--json", "as_json", is_flag=True, help="Print what became of each attempt, as JSON lines.")
@click.option("-v", "--verbose", count=True)
def command(run: str, **values: Any) -> int:
    """Judge the saved replies of RUN (its id, its folder, or `latest`) anew. No model is asked.

    Replies are cleaned, run and judged by what is there now: tasks' tests, cleaner, sandbox image, limits.
    Only what differs in any of these is run again. The result is a run of its own, which says where its
    replies come from; RUN stays as it is. Calls after one that now passes are unused; samples that fail now
    and were not repaired, because they had passed, are censored: unscored as a whole.
    """
    source = run_folder(run, values["runs_dir"])
    with at_rest(source), ExitStack() as stack:
        manifest = read_manifest(source)
        refuse_suites(manifest, f"`mendbench suites --resume {run}` scores what is missing")
        if any(task.basis == "model-written" for task in manifest.tasks):
            raise UsageProblem(
                f"run {manifest.run_id} has tests that a model wrote; they are no part of the tasks"
            )
        regrade = plan_regrade(source, _config(manifest, values), leave_out=values["leave_out"])
        return _regrade(regrade, source, values, stack)


def _config(manifest: Manifest, values: Mapping[str, Any]) -> Config:
    """Give the configuration of the run, with what is to be judged otherwise."""
    flags = {
        "bench": {
            "tasks_dir": values["tasks_dir"],
            "holdout": values["holdout"],
            "check_tasks": False if values["no_check_tasks"] else None,
        },
        "sandbox": {
            "grading": values["grading"],
            "wall_s": values["limit_wall"],
            "cpu_s": values["limit_cpu"],
        },
    }
    source = f"run {manifest.run_id}"
    try:
        return overlay(manifest.config, flags, source)
    except ConfigProblem as exc:
        raise RunIncompatible(f"{source} cannot be judged anew as it was planned: {exc}") from exc


def _regrade(regrade: Regrade, source: Path, values: Mapping[str, Any], stack: ExitStack) -> int:
    from repair.cleaning.caged import Cleaner  # noqa: PLC0415 - only a real run needs it

    run_id, errors, stop = new_run_id(), Console(stderr=True), threading.Event()
    folder = (values["runs_dir"] or source.parent) / run_id
    configure_logging(values["verbose"])
    section = regrade.plan.config.sandbox
    reap_all(section)
    sandbox = open_sandbox(
        section,
        run_id,
        slots=values["slots"],
        attempts_per_container=values["attempts_per_container"],
        # Most runs are looked up.
        ahead=False,
        say=lambda why: _say(errors, why),
    )
    stack.enter_context(sandbox)
    slots = total_slots(section, values["slots"])
    stack.enter_context(terminate_cleanly())
    controls = check_controls(regrade.plan, sandbox, errors, slots=slots, stop=stop)
    cleaner = stack.enter_context(Cleaner(workers=slots))
    parts = Parts(sandbox=sandbox, cleaner=cleaner, jobs=controls.jobs, slots=slots)
    manifest = regrade_manifest(regrade, run_id, sandbox.image(), parts, controls.warnings)
    _say(errors, f"run {run_id} → {folder}")
    with LiveProgress(errors, len(regrade.chosen), note=REGRADE_BANNER) as progress:
        data, found, outcome = run_regrade(regrade, source, manifest, folder, parts, progress)
    _show(data, found, folder, values)
    if outcome.interrupted:
        _say(errors, f"interrupted; {folder} is not whole: regrade {source} again", "bold yellow")
        return EXIT_INTERRUPTED
    return 0


def _show(data: RunData, found: list[Regraded], folder: Path, values: Mapping[str, Any]) -> None:
    from evaluator.report.summary import write_reports  # noqa: PLC0415 - loads the statistics
    from evaluator.report.table import final_table  # noqa: PLC0415

    errors = Console(stderr=True)
    written = write_reports(data, folder) if data.trajectories else ()
    if values["as_json"]:
        for each in found:
            click.echo(json.dumps(line(each)))
    else:
        final_table(data, Console())
        _changes(found)
    _say(errors, summary(found))
    _say(errors, "reports: " + ", ".join(map(str, (*written, folder / CALLS))))


def _changes(found: list[Regraded]) -> None:
    """List the attempts whose verdict is another one now."""
    changed = [each for each in found if each.fate is Fate.CHANGED and _differ(each)]
    for each in changed[:_SHOWN]:
        said = line(each)
        before, after = said["before"], said["after"]
        where = one_line(f"{said['model']} {said['task_id']} sample {said['sample']} call {said['call_no']}")
        holdouts = f" (holdout {before['holdout']} → {after['holdout']})" if before["holdout"] else ""
        click.echo(f"{where}: {before['verdict']} → {after['verdict']}{holdouts}")
    if len(changed) > _SHOWN:
        click.echo(f"and {len(changed) - _SHOWN} more: see {CALLS}")


def _differ(each: Regraded) -> bool:
    said = line(each)
    return any(said["before"][name] != said["after"][name] for name in ("verdict", "holdout"))


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)
