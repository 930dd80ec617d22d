"""mendbench report: the reports again, from the journal alone."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from evaluator.runs.folders import run_folder
from evaluator.runs.journal import load_run, read_manifest

if TYPE_CHECKING:
    from evaluator.runs.rundata import RunData
    from evaluator.statistics.ledger import Ledger


@click.command("report")
@click.argument("run", default="latest")
@click.option("--json", "as_json", is_flag=True, help="Print summary.json instead of the table.")
@click.option("--summary-only", is_flag=True, help="Write summary.json alone: for runs of any size.")
@click.option("--runs-dir", type=click.Path(path_type=Path), help="Default: ./runs.")
def command(run: str, runs_dir: Path | None, *, as_json: bool, summary_only: bool) -> int:
    """Make the reports of RUN (its id, its folder, or `latest`) again and print the final table."""
    from evaluator.report.summary import summarise, write_reports, write_summary  # noqa: PLC0415
    from evaluator.report.table import final_table  # noqa: PLC0415
    from evaluator.statistics.ledger_files import read_ledger  # noqa: PLC0415 - loads the statistics

    folder = run_folder(run, runs_dir)
    if read_manifest(folder).track == "suites":
        return _writers(folder, as_json=as_json)
    if summary_only:
        ledger = read_ledger(folder)
        data: RunData | Ledger = ledger
        written = [write_summary(ledger, folder)]
    else:
        records = load_run(folder)
        data, written = records, write_reports(records, folder)
    if as_json:
        click.echo(json.dumps(summarise(data), indent=1, sort_keys=True))
    else:
        final_table(data, Console())
    click.echo("reports: " + ", ".join(str(path) for path in written), err=True)
    return 0


def _writers(folder: Path, *, as_json: bool) -> int:
    from evaluator.report.summary import write_reports  # noqa: PLC0415 - loads the statistics
    from evaluator.report.writers import print_writers, summarise_writers  # noqa: PLC0415

    run = load_run(folder)
    written = write_reports(run, folder)
    if as_json:
        click.echo(json.dumps(summarise_writers(run), indent=1, sort_keys=True))
    else:
        print_writers(run, Console())
    click.echo("reports: " + ", ".join(str(path) for path in written), err=True)
    return 0
