"""mendbench doctor: says whether this machine is fit."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evaluator.cli import EXIT_OURS
from evaluator.safe_text import one_line

if TYPE_CHECKING:
    from evaluator.doctor.finding import Finding, Wishes

_MARKS = {"ok": "ok  ", "note": "note", "bad": "BAD "}
_WIDTH = 400


@click.command("doctor")
@click.option(
    "--host", "urls", multiple=True, metavar="URL", help="Look at this Docker host; may be repeated."
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="What runs will ask for (./bench.toml if there).",
)
@click.option("--json", "as_json", is_flag=True, help="Write the findings as JSON.")
def command(urls: tuple[str, ...], config_file: Path | None, *, as_json: bool) -> int:
    """Look at engine, image, disk and model servers, and run good and evil programs for real."""
    from evaluator.doctor.examine import examine  # noqa: PLC0415 - loads the Docker SDK
    from evaluator.running.manifest import new_run_id  # noqa: PLC0415
    from sandbox.engine import DockerSandbox  # noqa: PLC0415

    wishes, findings = _wishes(urls, config_file)
    for finding in findings:
        _show(finding, as_json=as_json)
    run_id, runtime = new_run_id(), wishes.sandbox.runtime
    for finding in examine(wishes, lambda host: DockerSandbox(run_id, hosts=[host], runtime=runtime)):
        findings.append(finding)
        _show(finding, as_json=as_json)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    worst = sum(finding.state == "bad" for finding in findings)
    if not as_json:
        click.echo(f"not fit: {worst} to mend, see BAD above" if worst else "fit")
    return EXIT_OURS if worst else 0


def _wishes(urls: tuple[str, ...], config_file: Path | None) -> "tuple[Wishes, list[Finding]]":
    """Read what runs will ask for; a configuration that cannot be read is the first finding."""
    from evaluator.config import Config, load_config  # noqa: PLC0415 - loads pydantic
    from evaluator.doctor.finding import Wishes, bad  # noqa: PLC0415
    from evaluator.errors import ConfigProblem  # noqa: PLC0415
    from evaluator.running.sandboxes import named_hosts  # noqa: PLC0415

    findings = []
    try:
        config = load_config(config_file, {})
    except ConfigProblem as exc:
        config = Config()
        mend = f"{exc}\nuntil then, what follows holds for the defaults"
        findings.append(bad("config", "the configuration cannot be used", mend))
    wishes = Wishes(
        hosts=tuple(named_hosts(urls, config.sandbox)), runs_dir=config.bench.runs_dir, sandbox=config.sandbox
    )
    return wishes, findings


def _show(finding: "Finding", *, as_json: bool) -> None:
    if as_json:
        return
    click.echo(f"{_MARKS[finding.state]} {finding.check:<9} {one_line(finding.what, _WIDTH)}")
    for line in finding.mend.splitlines():
        click.echo(f"     → {one_line(line, _WIDTH)}")
