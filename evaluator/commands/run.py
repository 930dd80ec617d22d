"""mendbench run: one script, one throwaway container, the verdict and the facts."""

import secrets
from typing import Any

import click

from evaluator.cli import EXIT_THRESHOLD
from evaluator.commands.sandbox_options import sandbox_options
from evaluator.config import SandboxSection
from evaluator.errors import UsageProblem
from evaluator.keys import derived_int
from evaluator.running.manifest import new_run_id
from evaluator.running.sandboxes import open_sandbox, sandbox_section
from evaluator.scoring.run_text import show
from evaluator.scoring.source_file import read_source
from evaluator.scoring.verdict_line import dump, facts
from evaluator.signals import Interrupts
from repair.outcome import Verdict, attempt_verdict
from repair.reply import plain
from repair.script import CleanOutcome, Script
from sandbox.types import DEFAULT_LEVEL, Job, Level, Limits, RunResult
from sandbox.verdict import judge


@click.command("run")
@click.argument("file")
@click.option("--tests", metavar="T.py", help="A pytest file that imports the script as `solution`.")
@click.option(
    "--grading",
    type=click.Choice([str(level) for level in Level]),
    help=f"Default: {DEFAULT_LEVEL} with tests, program without.",
)
@sandbox_options
@click.option("--stdin", metavar="FILE", help="Standard input of the script.")
@click.option("--arg", multiple=True, metavar="A", help="Argument of the script; may be repeated.")
@click.option("--reply/--raw", help="FILE is a model's reply: clean it first. Default: FILE is the script.")
@click.option(
    "--entry-point", multiple=True, metavar="NAME", help="What the script must define; for --reply."
)
@click.option("--json", "as_json", is_flag=True)
def command(file: str, **values: Any) -> int:
    """Run the script FILE (`-`: standard input) in a throwaway container; say what became of it.

    Exit code 0: it passed. 1: it did not.
    """
    section = sandbox_section(values)
    level = _level(values["grading"], values["tests"], section)
    text = read_source(file)
    tests = read_source(values["tests"]) if values["tests"] else None
    stdin = read_source(values["stdin"]) if values["stdin"] else ""
    script = _script(text, values)
    job = Job(
        id=secrets.token_hex(16),
        script=script.code or "",
        tests=tests,
        level=level,
        limits=Limits(wall_s=section.wall_s, cpu_s=section.cpu_s),
        profile=section.profile,
        hash_seed=derived_int(32, 0, "hash"),
        stdin=stdin,
        argv=values["arg"],
    )
    runs = {"shown": _run(job, section)} if script.code is not None else {}
    verdict = attempt_verdict(script, judge(runs["shown"]) if runs else None, truncated=False)
    cleaned = script if values["reply"] else None
    line = {"id": file, **facts(runs, str(verdict), level=level, script=cleaned)}
    if values["as_json"]:
        click.echo(dump(line))
    else:
        show(line, runs.get("shown"), cleaned)
    return 0 if verdict is Verdict.PASSED else EXIT_THRESHOLD


def _level(grading: str | None, tests: str | None, section: SandboxSection) -> Level:
    level = Level(grading) if grading else section.grading if tests else Level.PROGRAM
    if level is Level.PROGRAM and tests:
        raise UsageProblem("--grading program runs no tests; leave out --tests, or --grading")
    if level is not Level.PROGRAM and not tests:
        raise UsageProblem(f"--grading {level} needs --tests")
    return level


def _script(text: str, values: dict[str, Any]) -> Script:
    if not values["reply"]:
        return Script(code=text, outcome=CleanOutcome.RAW)
    from repair.cleaning.caged import Cleaner  # noqa: PLC0415 - only a reply needs it

    with Cleaner(workers=1) as cleaner:
        return cleaner.clean(plain(text), required=values["entry_point"])


def _run(job: Job, section: SandboxSection) -> RunResult:
    from evaluator.runs.remember import run_patiently  # noqa: PLC0415 - not before the input is right

    # SIGTERM, too, must end this by an exception, so that the container is removed.
    with Interrupts(patience=0), open_sandbox(section, new_run_id(), ahead=False) as sandbox:
        sandbox.image()  # says at once what is missing
        return run_patiently(sandbox, job)
