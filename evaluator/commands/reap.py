"""mendbench reap: remove what killed benches left behind."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evaluator.cli import EXIT_OURS
from evaluator.safe_text import for_terminal, one_line

if TYPE_CHECKING:
    from evaluator.running.reaping import Reaped


@click.command("reap")
@click.option(
    "--host", "urls", multiple=True, metavar="URL", help="Look at this Docker host; may be repeated."
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Names the hosts (./bench.toml if there).",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option(
    "--all", "everything", is_flag=True, help="Also from under benches that run: their work is lost."
)
@click.option("--json", "as_json", is_flag=True, help="Write what was done as JSON.")
def command(
    urls: tuple[str, ...], config_file: Path | None, *, dry_run: bool, everything: bool, as_json: bool
) -> int:
    """Remove containers of mendbench whose owner is gone. Those of a running bench stay."""
    from evaluator.config import load_config  # noqa: PLC0415 - loads pydantic
    from evaluator.running.reaping import reap_host  # noqa: PLC0415 - loads the Docker SDK
    from evaluator.running.sandboxes import named_hosts  # noqa: PLC0415

    if everything and not dry_run:
        click.echo("mendbench: --all: runs that are under way now lose their containers", err=True)
    done = []
    for host in named_hosts(urls, load_config(config_file, {}).sandbox):
        reaped = reap_host(host, everything=everything, dry_run=dry_run)
        done.append(reaped)
        if not as_json:
            _show(reaped, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps([reaped.plain() for reaped in done], indent=1))
    return EXIT_OURS if any(reaped.problem or reaped.refused for reaped in done) else 0


def _show(reaped: "Reaped", *, dry_run: bool) -> None:
    if reaped.problem:
        click.echo(f"mendbench: {reaped.host}: {for_terminal(reaped.problem)}", err=True)
        return
    verb = "would remove" if dry_run else "removed"
    for container in reaped.removed:
        click.echo(f"{verb} {one_line(container.line())}")
    for container in reaped.refused:
        click.echo(f"mendbench: the engine did not remove {one_line(container.line())}; try again", err=True)
    kept = f"; {len(reaped.kept)} of running benches stay" if reaped.kept else ""
    click.echo(f"{reaped.host}: {verb} {len(reaped.removed)} containers{kept}")
