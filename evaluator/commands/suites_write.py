"""mendbench suites --writer …: which models write test suites that catch faults."""

import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from evaluator.cli import EXIT_INTERRUPTED, EXIT_OURS
from evaluator.commands.bench import nothing_scored
from evaluator.commands.plan_text import DEMO_NOTE
from evaluator.config import Config, differences, load_config, overlay
from evaluator.errors import ConfigProblem, RunIncompatible, UsageProblem
from evaluator.jobs import JobMaker
from evaluator.log import configure_logging
from evaluator.running.manifest import REDACTED, new_run_id
from evaluator.running.models import loaded_model, named_models, recorded_models
from evaluator.running.progress import LiveProgress
from evaluator.running.sandboxes import open_sandbox, reap_all, total_slots
from evaluator.runs.folders import run_folder
from evaluator.runs.journal import read_manifest
from evaluator.runs.records import Manifest
from evaluator.runs.rundata import RunData
from evaluator.safe_text import one_line
from evaluator.signals import terminate_cleanly
from evaluator.suites.baseline import GHOSTWRITER
from evaluator.suites.planning import demo_writing_plan, writing_plan
from evaluator.suites.track import (
    WritingParts,
    WritingPlan,
    check_same_subjects,
    run_writing,
    writing_manifest,
)
from repair.feedback import Policy
from sandbox.errors import MendError

AGAIN = "mendbench suites"
_OPTIONS = (
    click.option("--writer", multiple=True, metavar="NAME[@BASE_URL]", help="A model; may be repeated."),
    click.option("--api-key-env", metavar="VARIABLE", help="Environment variable with the key for --writer."),
    click.option(
        "--for",
        "source",
        metavar="WHAT",
        help="Scripts to write for: `reference` of each task (default), `attempts` of --run, or a folder.",
    ),
    click.option("--run", "of_run", metavar="RUN", help="The run whose attempts are meant."),
    click.option(
        "--with-description/--code-only",
        "described",
        default=None,
        help="Whether the writer sees the task's text beside the script (default: it does).",
    ),
    click.option("--template", metavar="NAME", help="Prompt template: a folder with a suite.md."),
    click.option(
        "--baseline",
        multiple=True,
        type=click.Choice([GHOSTWRITER]),
        help="A writer that is no model; in the demo it takes part anyway.",
    ),
    click.option("--tasks-dir", type=click.Path(path_type=Path), help="A batch, or a folder of batches."),
    click.option("--batch", multiple=True, help="Only this batch; may be repeated."),
    click.option("--task", multiple=True, help="Only this task (id, name or pattern); may be repeated."),
    click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N tasks or files."),
    click.option("--samples", type=int, metavar="N", help="Suites per writer and script (default 1)."),
    click.option("--repairs", type=int, metavar="R", help="Repair calls per suite at most (default 3)."),
    click.option("--policy", type=click.Choice([str(policy) for policy in Policy]), help="What is told."),
    click.option("--style", type=click.Choice(["chat", "fresh"]), help="How repairs are asked for."),
    click.option("--temperature", type=float),
    click.option("--top-p", type=float),
    click.option("--max-tokens", type=int),
    click.option("--seed", type=int),
    click.option("--mutants", type=click.IntRange(0, 1000), help="Mutants per script at most (default 120)."),
    click.option("--orders", type=click.IntRange(0, 100), help="Random orders (default 10)."),
    click.option("--hash-seeds", type=click.IntRange(1, 20), help="Hash seeds (default 3)."),
    click.option("--slots", type=click.IntRange(1, 256), metavar="N", help="Containers at a time."),
    click.option("--runtime", help="Docker runtime, such as runsc."),
    click.option(
        "--attempts-per-container",
        type=click.IntRange(1, 1000),
        metavar="N",
        help="Use a container that is still clean so often (default 1).",
    ),
    click.option("--config", "config_file", type=click.Path(path_type=Path), help="Default: ./bench.toml."),
    click.option("--runs-dir", type=click.Path(path_type=Path), help="Default: ./runs."),
    click.option("--resume", metavar="RUN", help="Continue a run: its id, or its folder."),
    click.option("--dry-run", is_flag=True, help="Print the plan and stop."),
    click.option("--json", "as_json", is_flag=True, help="Print summary.json instead of the table."),
    click.option("-v", "--verbose", count=True),
)


def writing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def write(values: Mapping[str, Any]) -> int:
    """Plan, run, report; give the exit code.

    Raises:
        MendError: something of ours broke; what is in the journal stays.
    """
    with ExitStack() as stack:
        plan, kept = _resumed(values, stack) if values["resume"] else (_planned(values, stack), None)
        if values["dry_run"]:
            click.echo(_plan_text(plan))
            return 0
        return _conduct(plan, kept, values, stack)


def _flags(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    described = values["described"]
    return {
        "bench": {
            "batches": values["batch"] or None,
            "tasks": values["task"] or None,
            "limit": values["limit"],
            "samples": values["samples"],
            "tasks_dir": values["tasks_dir"],
            "runs_dir": values["runs_dir"],
        },
        "sampling": {key: values[key] for key in ("temperature", "top_p", "max_tokens", "seed")},
        "repair": {key: values[key] for key in ("repairs", "policy", "style")},
        "sandbox": {"slots": values["slots"], "runtime": values["runtime"]},
        "suites": {
            "source": values["source"],
            "run": run_folder(values["of_run"], values["runs_dir"]) if values["of_run"] else None,
            "show": None if described is None else "description" if described else "code",
            "template": values["template"],
            "baselines": values["baseline"] or None,
            "mutants": values["mutants"],
            "orders": values["orders"],
            "hash_seeds": values["hash_seeds"],
        },
    }


def _planned(values: Mapping[str, Any], stack: ExitStack) -> WritingPlan:
    config = load_config(values["config_file"], _flags(values))
    models = named_models(config, values["writer"], values["api_key_env"], flag="--writer")
    if not models and not values["baseline"]:
        models = loaded_model(f"{AGAIN} --writer")
    config = config.model_copy(update={"models": models})
    if not models and not values["baseline"]:
        return demo_writing_plan(config, stack)
    return writing_plan(config, models)


def _resumed(values: Mapping[str, Any], stack: ExitStack) -> tuple[WritingPlan, Manifest]:
    manifest = read_manifest(run_folder(values["resume"], values["runs_dir"]))
    if manifest.track != "suites":
        raise UsageProblem(
            f"run {manifest.run_id} has scripts, not suites: mendbench bench --resume {manifest.run_id}"
        )
    config = _kept_config(manifest, values)
    if manifest.recorded_demo:
        plan = demo_writing_plan(config, stack)
    else:
        models = named_models(config, values["writer"], values["api_key_env"], flag="--writer")
        if any(f"{REDACTED}@" in model.base_url for model in models):
            raise UsageProblem(
                f"run {manifest.run_id} used an address with credentials, which were not written down. "
                "Name it again: --resume RUN --writer 'NAME@http://USER:PASSWORD@HOST/v1'"
            )
        plan = writing_plan(config, models)
    check_same_subjects(plan, manifest)
    return plan, manifest


def _kept_config(manifest: Manifest, values: Mapping[str, Any]) -> Config:
    source, flags = f"run {manifest.run_id}", _flags(values)
    try:
        kept = overlay(manifest.config, {}, source)
    except ConfigProblem as exc:
        raise RunIncompatible(f"{source} was planned by another version of mendbench: {exc}") from exc
    file = values["config_file"]
    changed = differences(load_config(file, flags) if file else overlay(manifest.config, flags, source), kept)
    if changed:
        raise UsageProblem(f"--resume continues {source} as it was planned; it has " + "; ".join(changed))
    return kept


def _plan_text(plan: WritingPlan) -> str:
    config = plan.base.config
    most = 1 + config.repair.repairs + 3 if config.repair.repairs else 1
    calls = len(plan.subjects) * len(plan.base.models) * config.bench.samples
    lines = [
        DEMO_NOTE if plan.base.recorded_demo else "",
        f"scripts    {len(plan.subjects)} ({one_line(config.suites.source)})",
        *(f"writer     {one_line(each.entry.label)} at {each.entry.base_url}" for each in plan.base.models),
        *(f"writer     {entry.label}" for entry in plan.baselines),
        f"suites     {plan.suites}",
        f"shown      {'script and description' if config.suites.show == 'description' else 'script alone'}",
        f"calls      {calls} to {calls * min(most, config.repair.calls)}",
    ]
    return "\n".join(line for line in lines if line)


def _conduct(plan: WritingPlan, kept: Manifest | None, values: Mapping[str, Any], stack: ExitStack) -> int:
    from repair.cleaning.caged import Cleaner  # noqa: PLC0415 - only a real run needs it

    config, errors = plan.base.config, Console(stderr=True)
    run_id = kept.run_id if kept else new_run_id()
    folder = run_folder(values["resume"], values["runs_dir"]) if kept else config.bench.runs_dir / run_id
    recorded = recorded_models(plan.base)
    reap_all(config.sandbox)
    slots = total_slots(config.sandbox, values["slots"])
    sandbox = open_sandbox(
        config.sandbox,
        run_id,
        slots=values["slots"],
        # The demo's suites are our own.
        attempts_per_container=values["attempts_per_container"] or (50 if plan.base.recorded_demo else 1),
        say=lambda why: _say(errors, why),
    )
    stack.enter_context(sandbox)
    stop = threading.Event()
    stack.enter_context(terminate_cleanly())
    jobs = JobMaker(section=config.sandbox, seed=config.sampling.seed)
    manifest = writing_manifest(plan, run_id, sandbox.image(), jobs)
    folder.mkdir(parents=True, exist_ok=True)
    configure_logging(values["verbose"], folder / "log.jsonl")
    cleaner = stack.enter_context(Cleaner(workers=slots))
    parts = WritingParts(sandbox=sandbox, cleaner=cleaner, slots=slots, recorded=recorded)
    _say(errors, f"run {run_id} → {folder}")
    note = DEMO_NOTE if plan.base.recorded_demo else ""
    try:
        with LiveProgress(errors, plan.suites, note=note, unit="suites", good="passing") as progress:
            run, outcome = run_writing(plan, manifest, folder, parts, progress, stop)
    except (MendError, OSError, KeyboardInterrupt):
        _say(errors, f"what is done is kept; continue with: {AGAIN} --resume {folder}")
        raise
    return _conclude(run, folder, dead=outcome.dead_models, interrupted=outcome.interrupted, values=values)


def _conclude(
    run: RunData, folder: Path, *, dead: Mapping[str, str], interrupted: bool, values: Mapping[str, Any]
) -> int:
    from evaluator.report.summary import write_reports  # noqa: PLC0415
    from evaluator.report.writers import print_writers, summarise_writers  # noqa: PLC0415 - the statistics

    errors = Console(stderr=True)
    if run.trajectories:
        written = write_reports(run, folder)
        if values["as_json"]:
            import json  # noqa: PLC0415

            click.echo(json.dumps(summarise_writers(run), indent=1, sort_keys=True))
        else:
            print_writers(run, Console(file=sys.stdout))
        _say(errors, "reports: " + ", ".join(str(path) for path in written))
    for label, why in sorted(dead.items()):
        _say(errors, f"model {one_line(label)} gave up: {one_line(why, 600)}", style="bold red")
    if interrupted:
        _say(errors, f"interrupted; continue with: {AGAIN} --resume {folder}", style="bold yellow")
        return EXIT_INTERRUPTED
    return EXIT_OURS if dead or nothing_scored(run) else 0


def _say(console: Console, text: str, *, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)
