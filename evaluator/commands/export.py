"""mendbench export: a run as a tree of files."""

import shutil
from pathlib import Path

import click

from evaluator.errors import UsageProblem
from evaluator.runs.folders import run_folder
from evaluator.runs.journal import load_run
from evaluator.runs.records import Manifest
from prompts.errors import PromptError
from prompts.tasks import Task, batch_root, load


@click.command("export")
@click.argument("run")
@click.option(
    "--format",
    "form",
    type=click.Choice(["files", "junit", "mutants"]),
    default="files",
    show_default=True,
    help="files: reply, script, tests, output and feedback of every attempt; junit: one XML file; "
    "mutants: of a run of `suites`, the standard mutation report of each suite.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Default: RUN/export, RUN/junit.xml, or RUN/mutants."
)
@click.option("--runs-dir", type=click.Path(path_type=Path), help="Default: ./runs.")
def command(run: str, form: str, out: Path | None, runs_dir: Path | None) -> int:
    """Write RUN (its id, its folder, or `latest`) in another form."""
    folder = run_folder(run, runs_dir)
    data = load_run(folder)
    if form == "junit":
        from evaluator.report.junit import junit_report  # noqa: PLC0415 - loads the statistics

        target = out or folder / "junit.xml"
        target.write_bytes(junit_report(data))
    elif form == "mutants":
        from evaluator.report.writers_export import export_mutants  # noqa: PLC0415 - loads the statistics

        if data.manifest.track != "suites":
            raise UsageProblem(
                f"run {data.manifest.run_id} has no suites: `mendbench suites` makes such runs"
            )
        target = out or folder / "mutants"
        export_mutants(data, target)
    else:
        from evaluator.runs.export import export_files  # noqa: PLC0415 - only this form needs it

        target = out or folder / "export"
        if out is None and (target / "index.json").is_file():
            shutil.rmtree(target)  # our own, of an earlier call
        export_files(data, target, tasks=_tasks(data.manifest))
    click.echo(target)
    return 0


def _tasks(manifest: Manifest) -> dict[str, Task]:
    """Load the tasks of the run again, for their tests; what has changed since is left out."""
    folder = manifest.config.get("bench", {}).get("tasks_dir")
    try:
        tasks = load(Path(folder) if folder else batch_root())
    except PromptError as exc:
        click.echo(f"the tests are left out: {exc}", err=True)
        return {}
    ran = {entry.task_id: entry.sha256 for entry in manifest.tasks}
    return {task.task_id: task for task in tasks if ran.get(task.task_id) == task.sha256}
