"""mendbench report: the reports again, from the journal alone."""

import json
from pathlib import Path

import click
from rich.console import Console

from evaluator.folders import run_folder
from evaluator.journal import load_run


@click.command("report")
@click.argument("run", default="latest")
@click.option("--json", "as_json", is_flag=True, help="Print summary.json instead of the table.")
@click.option("--runs-dir", type=click.Path(path_type=Path), help="Default: ./runs.")
def command(run: str, runs_dir: Path | None, *, as_json: bool) -> int:
    """Make the reports of RUN (its id, its folder, or `latest`) again and print the final table."""
    from evaluator.report.summary import summarise, write_reports  # noqa: PLC0415 - loads the statistics
    from evaluator.report.table import final_table  # noqa: PLC0415

    folder = run_folder(run, runs_dir)
    data = load_run(folder)
    written = write_reports(data, folder)
    if as_json:
        click.echo(json.dumps(summarise(data), indent=1, sort_keys=True))
    else:
        final_table(data, Console())
    click.echo("reports: " + ", ".join(str(path) for path in written), err=True)
    return 0
