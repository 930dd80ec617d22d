"""The options of every command that runs scripts; without them [sandbox] of the configuration counts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sandbox.types import PROFILES

_SECONDS = click.FloatRange(0, 3600, min_open=True)
_OPTIONS = (
    click.option("--limit-wall", type=_SECONDS, metavar="S", help="Seconds by the clock (default: 15)."),
    click.option("--limit-cpu", type=_SECONDS, metavar="S", help="Seconds of CPU time (default: 10)."),
    click.option("--profile", type=click.Choice(list(PROFILES)), help="Size of the container."),
    click.option("--runtime", help="Docker runtime, such as runsc."),
    click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="Its [sandbox] says what no option says (default: bench.toml, if it is here).",
    ),
)


def sandbox_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
