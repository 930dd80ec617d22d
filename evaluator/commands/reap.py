"""mendbench reap: remove what a bench left behind."""

from contextlib import closing

import click


@click.command("reap")
def command() -> int:
    """Remove containers of mendbench whose owner is gone. Those of a running bench stay."""
    from sandbox.connect import connect  # noqa: PLC0415 - loads the Docker SDK
    from sandbox.reaper import reap  # noqa: PLC0415

    with closing(connect()) as client:
        removed = reap(client)
    click.echo(f"{len(removed)} containers removed")
    return 0
