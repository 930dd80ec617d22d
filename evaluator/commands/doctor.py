"""mendbench doctor: says whether this machine is fit."""

import json
from dataclasses import asdict

import click

from evaluator.cli import EXIT_OURS
from evaluator.safe_text import one_line

_MARKS = {"ok": "ok  ", "note": "note", "bad": "BAD "}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True)
def command(*, as_json: bool) -> int:
    """Look at engine, image, disk and model servers, and run good and evil programs for real."""
    from evaluator.doctor import examine  # noqa: PLC0415 - loads the Docker SDK
    from evaluator.manifest import new_run_id  # noqa: PLC0415
    from sandbox.engine import DockerSandbox  # noqa: PLC0415

    findings = []
    for finding in examine(lambda: DockerSandbox(run_id=new_run_id())):
        findings.append(finding)
        if not as_json:
            click.echo(f"{_MARKS[finding.state]} {one_line(finding.what, 300)}")
            for line in finding.mend.splitlines():
                click.echo(f"     → {one_line(line, 300)}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    return EXIT_OURS if any(finding.state == "bad" for finding in findings) else 0
