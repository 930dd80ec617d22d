"""mendbench bench: the main job."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from evaluator.cli import EXIT_INTERRUPTED, EXIT_OURS, EXIT_THRESHOLD
from evaluator.commands.plan_text import in_force, note, print_plan
from evaluator.config import Config, ModelSection, differences, load_config, overlay
from evaluator.errors import ConfigProblem, RunIncompatible, UsageProblem
from evaluator.log import configure_logging
from evaluator.running.manifest import REDACTED, make_manifest, new_run_id
from evaluator.running.models import demo_plan, loaded_model, named_models, recorded_models, repairing_model
from evaluator.running.pipeline import Parts, run_plan
from evaluator.running.plan import Plan, check_same, make_plan
from evaluator.running.preflight import check_controls
from evaluator.running.progress import LiveProgress
from evaluator.running.sandboxes import open_sandbox, reap_all, total_slots
from evaluator.runs.folders import refuse_suites, run_folder
from evaluator.runs.journal import read_manifest
from evaluator.runs.records import Manifest
from evaluator.runs.rundata import RunData
from evaluator.safe_text import one_line
from evaluator.signals import terminate_cleanly
from repair.feedback import Policy
from repair.llm import Arm
from sandbox.errors import MendError
from sandbox.types import GRADED


def config_flags(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Sort the flags into the sections of the configuration."""
    return {
        "bench": {
            "batches": values["batch"] or None,
            "tasks": values["task"] or None,
            "templates": values["template"] or None,
            "limit": values["limit"],
            "samples": values["samples"],
            "tasks_dir": values["tasks_dir"],
            "runs_dir": values["runs_dir"],
            "check_tasks": False if values["no_check_tasks"] else None,
            "holdout": values["holdout"],
            "flake_checks": values["flake_checks"],
            "test_writer_sees": values.get("test_writer_sees"),
        },
        "sampling": {
            "temperature": values["temperature"],
            "top_p": values["top_p"],
            "max_tokens": values["max_tokens"],
            "seed": values["seed"],
        },
        "repair": {
            **{key: values[key] for key in ("repairs", "policy", "style", "cleanup", "control")},
            "model": values["repair_model"],
        },
        "sandbox": {"slots": values["slots"], "runtime": values["runtime"], "grading": values["grading"]},
    }


@click.command("bench")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Default: ./bench.toml, if any."
)
@click.option("--model", multiple=True, metavar="NAME[@BASE_URL]", help="May be given several times.")
@click.option(
    "--repair-model",
    metavar="NAME[@BASE_URL]",
    help="Another model that repairs; each call says which model was asked.",
)
@click.option("--api-key-env", metavar="VARIABLE", help="Environment variable with the key for --model.")
@click.option("--tasks-dir", type=click.Path(path_type=Path), help="A batch, or a folder of batches.")
@click.option("--batch", multiple=True, help="Only this batch; may be repeated.")
@click.option("--task", multiple=True, help="Only this task (id, name or pattern); may be repeated.")
@click.option("--template", multiple=True, help="Prompt template; several are compared.")
@click.option("--limit", type=int, metavar="N", help="Only the first N tasks.")
@click.option("--samples", type=int, metavar="N", help="Independent draws per task, template and model.")
@click.option("--temperature", type=float)
@click.option("--top-p", type=float)
@click.option("--max-tokens", type=int)
@click.option("--seed", type=int, help="Seeds of all calls and scripts derive from it.")
@click.option("--repairs", type=int, metavar="R", help="Repair calls per sample at most (default 3).")
@click.option("--policy", type=click.Choice([str(policy) for policy in Policy]), help="What feedback shows.")
@click.option("--style", type=click.Choice(["chat", "fresh"]), help="How repairs are asked for.")
@click.option(
    "--cleanup/--no-cleanup", default=None, help="Let the model mend the form of what cannot be parsed, once."
)
@click.option(
    "--control/--no-control",
    default=None,
    help="Also draw afresh, for as many calls and tokens as repair took: what is it worth against asking "
    "again? (default: only in the recorded demo)",
)
@click.option("--holdout", type=click.Choice(["passed", "always"]), help="When the holdout runs.")
@click.option(
    "--flake-checks",
    type=click.IntRange(0, 20),
    metavar="N",
    help="Run an accepted script N more times, each with another hash seed (default 3; 0 in the demo).",
)
@click.option(
    "--grading",
    type=click.Choice([str(level) for level in GRADED]),
    help="How tests are graded where a task does not say.",
)
@click.option("--slots", type=click.IntRange(1, 256), metavar="N", help="Containers at a time.")
@click.option("--runtime", help="Docker runtime, such as runsc.")
@click.option("--runs-dir", type=click.Path(path_type=Path), help="Default: ./runs.")
@click.option("--no-check-tasks", is_flag=True, help="Do not run the tasks' controls first.")
@click.option(
    "--test-writer", metavar="NAME[@BASE_URL]", help="A model that writes tests for tasks that have none."
)
@click.option(
    "--test-writer-sees",
    type=click.Choice(["prompt", "script"]),
    help="It writes one suite per task from its text (default), or one for each script.",
)
@click.option("--resume", metavar="RUN", help="Continue a run: its id, or its folder.")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 1),
    metavar="X",
    help="Exit 1 if a model solves less than the share X (0 … 1) after repairs.",
)
@click.option("-v", "--verbose", count=True)
def command(**values: Any) -> int:
    """Run tasks on models, with repairs, and report.

    With no model named and none configured, the one model that is loaded on this machine is used; if
    there is none, replies that ship with mendbench are played (the recorded demo).
    """
    with ExitStack() as stack:
        if values["resume"]:
            plan, run = _resumed(values, stack)
        else:
            plan, run = _planned(values, stack), None
        if values["dry_run"]:
            print_plan(plan)
            return 0
        return conduct(plan, run, values, stack)


def _planned(values: Mapping[str, Any], stack: ExitStack) -> Plan:
    config = load_config(values["config_file"], config_flags(values))
    models = named_models(config, values["model"], values["api_key_env"]) or loaded_model()
    # What was found or named on the command line belongs to the record of the run.
    config = config.model_copy(update={"models": models, "test_writer": _test_writer(config, values)})
    return make_plan(_with_repairer(config), models) if models else demo_plan(config, stack)


def _with_repairer(config: Config) -> Config:
    repair = config.repair.model_copy(update={"model": repairing_model(config)})
    return config.model_copy(update={"repair": repair})


def _test_writer(config: Config, values: Mapping[str, Any]) -> ModelSection | None:
    name = values.get("test_writer")
    return (
        named_models(config, (name,), values["api_key_env"], flag="--test-writer")[0]
        if name
        else config.test_writer
    )


def _resumed(values: Mapping[str, Any], stack: ExitStack) -> tuple[Plan, Manifest]:
    folder = run_folder(values["resume"], values["runs_dir"])
    manifest = read_manifest(folder)
    refuse_suites(manifest, f"continue it with `mendbench suites --resume {values['resume']}`")
    config = kept_config(manifest, values)
    config = config.model_copy(update={"test_writer": _test_writer(config, values)})
    if manifest.replayed or manifest.regraded_from:
        raise UsageProblem(_not_of_bench(manifest))
    if manifest.recorded_demo:
        if values["model"]:
            raise UsageProblem(
                f"run {manifest.run_id} is a recorded demo; start a new run to measure a model"
            )
        plan = demo_plan(config, stack)
    else:
        models = named_models(config, values["model"], values["api_key_env"])
        repairer = repairing_model(config) if not values["repair_model"] else None
        others = [other for other in (repairer, config.test_writer) if other]
        if any(f"{REDACTED}@" in model.base_url for model in (*models, *others)):
            raise UsageProblem(
                f"run {manifest.run_id} used an address with credentials, which were not written down. "
                "Name it again: --resume RUN --model 'NAME@http://USER:PASSWORD@HOST/v1'"
            )
        if values["repair_model"]:
            again = {"repair": {"model": values["repair_model"]}}
            config = overlay(config.model_dump(mode="json"), again, f"run {manifest.run_id}")
        plan = make_plan(_with_repairer(config), models)
    check_same(plan, manifest)
    return plan, manifest


def _not_of_bench(manifest: Manifest) -> str:
    if manifest.regraded_from:
        return f"run {manifest.run_id} was made by `mendbench regrade {manifest.regraded_from}`: say so again"
    return (
        f"run {manifest.run_id} is a replay; continue it with "
        f"`mendbench replay {manifest.replayed} --resume {manifest.run_id}`"
    )


def kept_config(manifest: Manifest, values: Mapping[str, Any]) -> Config:
    """Give the configuration of a run; the same command with --resume is fine, another one is not."""
    source = f"run {manifest.run_id}"
    try:
        kept = overlay(manifest.config, {}, source)
    except ConfigProblem as exc:
        raise RunIncompatible(f"{source} was planned by another version of mendbench: {exc}") from exc
    flags, file = config_flags(values), values["config_file"]
    given = load_config(file, flags) if file else overlay(manifest.config, flags, source)
    changed = differences(given, kept)
    if changed:
        raise UsageProblem(f"--resume continues {source} as it was planned; it has " + "; ".join(changed))
    return kept


def conduct(
    plan: Plan,
    kept: Manifest | None,
    values: Mapping[str, Any],
    stack: ExitStack,
    *,
    again: str = "mendbench bench",
    warnings: Sequence[str] = (),
) -> int:
    """Run a plan, report, and give the exit code; `again` is the command that continues it.

    Raises:
        MendError: something of ours broke; what is in the journal stays.
    """
    from repair.cleaning.caged import Cleaner  # noqa: PLC0415 - only a real run needs it

    run_id = kept.run_id if kept else new_run_id()
    folder = plan.config.bench.runs_dir / run_id
    if kept:
        folder = run_folder(values["resume"], values["runs_dir"])
    errors = Console(stderr=True)
    configure_logging(values["verbose"])
    section = plan.config.sandbox
    recorded = recorded_models(plan)
    reap_all(section)
    sandbox = open_sandbox(
        section,
        run_id,
        slots=values["slots"],
        attempts_per_container=values.get("attempts_per_container") or 1,
        say=lambda why: _say(errors, why),
    )
    stack.enter_context(sandbox)
    slots = total_slots(section, values["slots"])
    stop = threading.Event()
    stack.enter_context(terminate_cleanly())
    controls = check_controls(plan, sandbox, errors, slots=slots, stop=stop)
    manifest = make_manifest(plan, run_id, sandbox.image(), controls.jobs, (*warnings, *controls.warnings))
    folder.mkdir(parents=True, exist_ok=True)
    configure_logging(values["verbose"], folder / "log.jsonl")
    cleaner = stack.enter_context(Cleaner(workers=slots))
    parts = Parts(sandbox=sandbox, cleaner=cleaner, jobs=controls.jobs, slots=slots, recorded=recorded)
    _say(errors, f"run {run_id} → {folder}")
    _say(errors, in_force(plan))
    try:
        with LiveProgress(errors, plan.samples, note=note(plan)) as progress:
            run, outcome = run_plan(plan, manifest, folder, parts, progress, stop)
    except (MendError, OSError, KeyboardInterrupt):
        _say(errors, f"what is done is kept; continue with: {again} --resume {folder}")
        raise
    interrupted = f"{again} --resume {folder}" if outcome.interrupted else ""
    return conclude(run, folder, interrupted=interrupted, dead=outcome.dead_models, values=values)


def conclude(
    run: RunData, folder: Path, *, interrupted: str, dead: Mapping[str, str], values: Mapping[str, Any]
) -> int:
    """Write the reports, say what went wrong, and give the exit code; `interrupted`: how to go on."""
    from evaluator.report.summary import write_reports  # noqa: PLC0415 - loads the statistics
    from evaluator.report.table import final_table  # noqa: PLC0415

    errors = Console(stderr=True)
    if run.trajectories:
        written = write_reports(run, folder)
        final_table(run, Console())
        _say(errors, "reports: " + ", ".join(str(path) for path in written))
    reasons = Counter(a.error for a in run.attempts if a.unscored and a.arm is Arm.REPAIR)
    for why, count in reasons.most_common(1):
        _say(
            errors,
            f"{reasons.total()} samples are unscored; {count} of them: {one_line(why, 400)}",
            style="yellow",
        )
    for label, why in sorted(dead.items()):
        _say(errors, f"model {one_line(label)} gave up: {one_line(why, 600)}", style="bold red")
    if interrupted:
        _say(errors, f"interrupted; continue with: {interrupted}", style="bold yellow")
        return EXIT_INTERRUPTED
    if dead or nothing_scored(run):
        return EXIT_OURS
    missed = _missed(run, values.get("fail_under"))
    for line in missed:
        _say(errors, line, style="bold red")
    return EXIT_THRESHOLD if missed else 0


def nothing_scored(run: RunData) -> bool:
    """Whether some model has no sample that counts."""
    scored = {item.first.model for item in run.trajectories if not item.first.unscored}
    return any(model.label not in scored for model in run.manifest.models)


def _missed(run: RunData, threshold: float | None) -> list[str]:
    """Name the models that solve less than the threshold after repairs."""
    if threshold is None:
        return []
    from evaluator.statistics.metrics import groups  # noqa: PLC0415 - loads the statistics

    return [
        f"{one_line(group.model)} solves {group.after_repair.value or 0:.0%} after repairs, "
        f"under --fail-under {threshold:.0%}"
        for group in groups(run)
        if group.after_repair.value is None or group.after_repair.value < threshold
    ]


def _say(console: Console, text: str, *, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)
