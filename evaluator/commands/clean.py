"""mendbench clean: what the cleaner makes of replies."""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from evaluator.cli import EXIT_INTERRUPTED, EXIT_THRESHOLD, EXIT_USAGE
from evaluator.commands.sandbox_options import sandbox_options
from evaluator.errors import UsageProblem
from evaluator.explain import show
from evaluator.running.image_compile import compile_all
from evaluator.running.manifest import new_run_id
from evaluator.running.sandboxes import open_sandbox, sandbox_section
from evaluator.running.scheduler import stream
from evaluator.safe_text import for_terminal
from evaluator.scoring.clean_rows import INVALID_ROW, Reply, clean_one, invalid, read_reply, result
from evaluator.scoring.rows import BrokenRow, Raw
from evaluator.scoring.samples import check_source, read_samples
from evaluator.scoring.source_file import read_bytes
from evaluator.signals import Interrupts
from repair.cleaning.caged import Cleaner
from repair.script import Script

_MAX_BYTES: Final = 64 * 1024 * 1024
_HELD: Final = 200
_NOTE: Final = "\nfinishing what runs; Ctrl-C again ends at once\n"

Compiler = Callable[[Sequence[str]], list[str]]


@click.command("clean")
@click.argument("file")
@click.option("--jsonl", is_flag=True, help="FILE holds one reply per line; one result line for each.")
@click.option("--entry-point", multiple=True, metavar="NAME", help="What the code must define.")
@click.option("--tests", is_flag=True, help="A test suite was asked for, not a script.")
@click.option("--prompt", type=click.Path(path_type=Path), help="The task's text: signatures, a body's def.")
@click.option("--mine-reasoning", is_flag=True, help="Search reasoning where the answer is empty.")
@click.option("--explain", is_flag=True, help="Reply and result side by side, dropped parts struck out.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object.")
@click.option("--out", type=click.Path(path_type=Path), help="With --jsonl: write the lines to this file.")
@click.option("--workers", type=click.IntRange(1, 64), default=os.cpu_count() or 1, show_default=True)
@click.option(
    "--in-sandbox", is_flag=True, help="Let the image's own interpreter say what compiles (in batches)."
)
@sandbox_options
def command(file: str, **values: Any) -> int:
    """Clean the reply in FILE (`-`: standard input) and print the code.

    Exit code 0: code that compiles came out. 1: it did not. With --jsonl: 0, or 2 if a row was none.
    """
    if values["jsonl"]:
        if values["explain"]:
            raise UsageProblem("--explain shows one reply; leave out --jsonl")
        return _rows(file, values)
    reply = Reply(
        id=file,
        text=_read(file),
        required=values["entry_point"],
        prompt=_read(str(values["prompt"])) if values["prompt"] else "",
        kind="tests" if values["tests"] else "script",
        mine_reasoning=values["mine_reasoning"],
    )
    with Cleaner(workers=1) as cleaner:
        script = clean_one(reply, cleaner)
    line = result(reply.id, script)
    if values["in_sandbox"] and script.code is not None:
        with _sandbox(values) as compiler:
            line = _judged([(line, script.code)], compiler)[0]
    _print(reply, script, line, values)
    return 0 if line["compiles"] else EXIT_THRESHOLD


def _print(reply: Reply, script: Script, line: dict[str, Any], values: dict[str, Any]) -> None:
    if values["as_json"]:
        click.echo(json.dumps(line))
    elif values["explain"]:
        show(reply.text, script, Console())
    elif script.code is None:
        click.echo(f"{script.outcome}: {for_terminal(script.reason)}", err=True)
    else:
        # To a file or a pipe goes the code as it is; on a terminal nothing in it may steer.
        code = for_terminal(line["code"]) if sys.stdout.isatty() else line["code"]
        click.echo(code, nl=not code.endswith("\n"))


def _read(file: str) -> str:
    # A reply may hold anything: what is not UTF-8 is part of the dirt.
    return read_bytes(file, _MAX_BYTES).decode("utf-8", "replace")


# --- many replies


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    line: dict[str, Any]
    code: str | None


def _rows(source: str, values: dict[str, Any]) -> int:
    check_source(source)
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts(_NOTE))
        write = _target(values["out"], stack)
        compiler = stack.enter_context(_sandbox(values)) if values["in_sandbox"] else None
        cleaner = stack.enter_context(Cleaner(workers=values["workers"]))
        work = partial(_row, cleaner=cleaner, values=values)
        done = stream(work, read_samples(source), values["workers"], stopped=lambda: interrupts.seen)
        outcomes = _written(done, write, compiler, live=values["out"] is not None)
    click.echo(", ".join(f"{name} {count}" for name, count in outcomes.most_common()), err=True)
    if interrupts.seen:
        return EXIT_INTERRUPTED
    return EXIT_USAGE if outcomes[INVALID_ROW] else 0


def _target(out: Path | None, stack: ExitStack) -> Callable[[str], None]:
    if out is None:
        return click.echo
    file = stack.enter_context(out.open("w", encoding="ascii"))
    return lambda line: print(line, file=file)


def _row(raw: Raw, *, cleaner: Cleaner, values: dict[str, Any]) -> _Done:
    try:
        reply = read_reply(raw, mine_reasoning=values["mine_reasoning"])
    except BrokenRow as exc:
        return _Done(line=invalid(raw, str(exc)), code=None)
    script = clean_one(reply, cleaner)
    return _Done(line=result(reply.id, script), code=script.code)


def _written(
    done: Iterator[_Done], write: Callable[[str], None], compiler: Compiler | None, *, live: bool
) -> Counter[str]:
    console = Console(stderr=True)
    shown = Progress(
        SpinnerColumn(),
        TextColumn("{task.completed} replies"),
        TimeElapsedColumn(),
        console=console,
        disable=not (console.is_terminal and (live or not sys.stdout.isatty())),
        transient=True,
    )
    outcomes: Counter[str] = Counter()
    with shown:
        task = shown.add_task("", total=None)
        for held in _held(done, _HELD if compiler else 1):
            pairs = [(one.line, one.code) for one in held]
            for line in _judged(pairs, compiler):
                write(json.dumps(line))
                outcomes[line["outcome"]] += 1
            shown.advance(task, len(held))
    return outcomes


def _held(done: Iterator[_Done], count: int) -> Iterator[list[_Done]]:
    held: list[_Done] = []
    for one in done:
        held.append(one)
        if len(held) == count:
            yield held
            held = []
    if held:
        yield held


def _judged(
    pairs: list[tuple[dict[str, Any], str | None]], compiler: Compiler | None
) -> list[dict[str, Any]]:
    """The lines, with the sandbox's word on what compiles where it was asked."""
    if compiler is None:
        return [line for line, _ in pairs]
    texts = [code for _, code in pairs if code is not None]
    whys = iter(compiler(texts))
    return [line if code is None else _by_sandbox(line, next(whys)) for line, code in pairs]


def _by_sandbox(line: dict[str, Any], why: str) -> dict[str, Any]:
    return {**line, "compiles": not why, "compiled_by": "sandbox", "error": why}


@contextmanager
def _sandbox(values: dict[str, Any]) -> Iterator[Compiler]:
    """The compiler of the sandbox image."""
    with open_sandbox(sandbox_section(values), new_run_id(), ahead=False) as sandbox:
        sandbox.image()  # says at once what is missing
        yield lambda texts: compile_all(texts, sandbox.run)
