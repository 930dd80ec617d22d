"""mendbench suites: what test suites are worth, and which models write good ones."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from evaluator.cli import EXIT_THRESHOLD
from evaluator.commands.sandbox_options import sandbox_options
from evaluator.commands.suites_write import write, writing_options
from evaluator.config import SandboxSection
from evaluator.errors import UsageProblem
from evaluator.keys import derived_int
from evaluator.running.manifest import new_run_id
from evaluator.running.sandboxes import open_sandbox, sandbox_section
from evaluator.scoring.source_file import read_source
from evaluator.scoring.verdict_line import dump
from evaluator.signals import Interrupts
from evaluator.suites.advice import advice
from evaluator.suites.mutation_report import mutation_report
from evaluator.suites.outcome import SuiteOutcome
from evaluator.suites.runs import OtherScript, SuiteRuns, run_suite
from evaluator.suites.score import SuiteScore, mutants, score
from evaluator.suites.subjects import others_of_task
from evaluator.suites.text import show
from sandbox.suite import SuitePlan, VersionStatus


@click.group("suites", invoke_without_command=True)
@writing_options
@click.pass_context
def command(context: click.Context, /, **values: Any) -> int:
    """Have models write pytest suites for scripts, and rank the writers by the faults that those catch.

    With no writer named, the one model that is loaded on this machine is used; if there is none, suites
    that ship with mendbench are played (the recorded demo): those for the batch `basics`, or for the --batch
    or --task that is named. `suites score` scores one suite of yours.
    """
    if context.invoked_subcommand is None:
        return write(values)
    given = [
        name
        for name in values
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise UsageProblem(f"--{given[0].replace('_', '-')} belongs to `mendbench suites` without `score`")
    return 0


@command.command("score")
@click.option("--script", required=True, metavar="S.py", help="The script under test.")
@click.option("--suite", required=True, metavar="T.py", help="A pytest file that imports it as `solution`.")
@click.option("--reply/--raw", help="The suite is a model's reply: clean it first.")
@click.option("--right", multiple=True, metavar="FILE", help="Another right script; may be repeated.")
@click.option("--wrong", multiple=True, metavar="FILE", help="A wrong script for the task; may be repeated.")
@click.option("--task", metavar="ID", help="A task whose references and wrong scripts are taken as well.")
@click.option("--wrong-script", is_flag=True, help="S.py itself is known to be wrong.")
@click.option("--mutants", type=click.IntRange(0, 1000), default=120, show_default=True)
@click.option("--orders", type=click.IntRange(0, 100), default=10, show_default=True)
@click.option("--hash-seeds", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the sample of mutants.")
@sandbox_options
@click.option("--report", type=click.Path(path_type=Path), help="Write the mutation report (JSON) here.")
@click.option("--json", "as_json", is_flag=True)
def score_command(**values: Any) -> int:
    """Score one suite by what it catches: coverage, mutants, wrong scripts, stability.

    Exit code 0: it could be scored. 1: it could not (it fails, is flaky, does not collect, …).
    """
    section = sandbox_section(values)
    script = read_source(values["script"])
    suite, edits = _suite(read_source(values["suite"]), reply=values["reply"])
    others = [*_files(values["right"], right=True), *_files(values["wrong"], right=False)]
    others += _of_task(values["task"]) if values["task"] else []
    plan = SuitePlan(
        mutants=values["mutants"],
        orders=values["orders"],
        seed=values["seed"],
        plain_cpu_s=section.cpu_s,
        plain_wall_s=section.wall_s,
    )
    runs = _run(section, script, suite, plan=plan, others=others, hash_seeds=values["hash_seeds"])
    result = score(
        runs.main,
        other_seeds=runs.other_seeds,
        siblings=runs.siblings,
        script_is_right=not values["wrong_script"],
    )
    if values["report"]:
        values["report"].write_text(dump(mutation_report(runs.main, script, suite)) + "\n", encoding="utf-8")
    hints = advice(suite, runs.main.suite)
    if values["as_json"]:
        line = _line(values["suite"], result, runs, edits)
        click.echo(dump({**line, "hints": [asdict(hint) for hint in hints]}))
    else:
        show(result, runs.main, hints)
    return 0 if result.outcome is SuiteOutcome.SCORED else EXIT_THRESHOLD


def _suite(text: str, *, reply: bool) -> tuple[str, list[str]]:
    if not reply:
        return text, []
    from repair.cleaning.caged import Cleaner  # noqa: PLC0415 - only a reply needs it
    from repair.reply import plain  # noqa: PLC0415

    with Cleaner(workers=1) as cleaner:
        cleaned = cleaner.clean(plain(text), kind="tests")
    if cleaned.code is None:
        raise UsageProblem(f"the reply holds no suite: {cleaned.reason or 'no code'}")
    return cleaned.code, [edit.rule for edit in cleaned.edits]


def _files(names: tuple[str, ...], *, right: bool) -> list[OtherScript]:
    return [OtherScript(name=name, script=read_source(name), right=right) for name in names]


def _of_task(name: str) -> list[OtherScript]:
    from prompts.tasks import batch_root, load  # noqa: PLC0415 - only where a task is named

    return [other for task in load(batch_root(), None, (name,)) for other in others_of_task(task)]


def _run(section: SandboxSection, script: str, suite: str, **facts: Any) -> SuiteRuns:
    from evaluator.runs.remember import run_patiently  # noqa: PLC0415 - not before the input is right

    # SIGTERM, too, must end this by an exception, so that the container is removed.
    with Interrupts(patience=0), open_sandbox(section, new_run_id(), ahead=False) as sandbox:
        sandbox.image()  # says at once what is missing
        run = partial(run_patiently, sandbox)
        seed = derived_int(32, 0, "hash")
        return run_suite(run, script, suite, profile=section.profile, hash_seed=seed, **facts)


def _line(name: str, result: SuiteScore, runs: SuiteRuns, edits: list[str]) -> dict[str, Any]:
    facts = runs.main.suite
    alive = (
        [version for version in mutants(facts) if version.status is not VersionStatus.KILLED] if facts else []
    )
    return {
        "id": name,
        "level": str(runs.main.level),
        **asdict(result),
        "reason": facts.reason if facts and facts.failed else runs.main.tests_error,
        "tests": [{"id": test.id, "outcome": str(test.outcome)} for test in runs.main.tests],
        "survivors": [version.name for version in alive],
        "seconds": {"wall": runs.main.wall_s, "cpu": runs.main.cpu_s},
        "flags": [str(flag) for flag in runs.main.flags],
        "clean": edits,
    }
