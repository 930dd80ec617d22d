"""mendbench replay: the whole loop over replies that models gave in the past."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from evaluator.commands.bench import conduct, config_flags, kept_config
from evaluator.commands.plan_text import print_plan
from evaluator.config import Config, load_config
from evaluator.errors import RunIncompatible, UsageProblem
from evaluator.replay.histories import Histories, read_histories
from evaluator.replay.replay import replay_notes, replay_plan
from evaluator.running.plan import Plan, check_same
from evaluator.runs.folders import run_folder
from evaluator.runs.journal import read_manifest
from evaluator.runs.records import Manifest
from evaluator.scoring.samples import STDIN, check_source
from repair.feedback import Policy
from sandbox.types import GRADED

_NOT_ASKED: Final = {
    "batch": (),
    "task": (),
    "template": ("default",),
    "samples": None,
    "tasks_dir": None,
    "no_check_tasks": False,
    "holdout": None,
    "temperature": None,
    "top_p": None,
    "max_tokens": None,
    "fail_under": None,
    "runtime": None,
    "control": False,
    "flake_checks": None,
    "repair_model": None,
    "cleanup": False,
}
"""Flags of `bench` that mean nothing here."""
_MOST_REPAIRS: Final = 20


@click.command("replay")
@click.argument("file")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Default: ./bench.toml, if any."
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N histories.")
@click.option("--model", multiple=True, metavar="NAME", help="Only histories of this model; may be repeated.")
@click.option("--skip-bad", is_flag=True, help="Leave out rows that are no histories; the report says so.")
@click.option(
    "--repairs", type=int, metavar="R", help="Repair calls at most (default: as many as the longest row has)."
)
@click.option("--policy", type=click.Choice([str(policy) for policy in Policy]), help="What feedback shows.")
@click.option("--style", type=click.Choice(["chat", "fresh"]), help="How repairs are asked for.")
@click.option("--seed", type=int, help="The hash seed of all scripts derives from it.")
@click.option("--grading", type=click.Choice([str(level) for level in GRADED]), help="How tests are graded.")
@click.option("--slots", type=click.IntRange(1, 256), metavar="N", help="Containers at a time.")
@click.option(
    "--attempts-per-container", type=click.IntRange(1, 1000), default=1, show_default=True, metavar="N"
)
@click.option("--runs-dir", type=click.Path(path_type=Path), help="Default: ./runs.")
@click.option("--resume", metavar="RUN", help="Continue a replay of the same file: its id, or its folder.")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.option("-v", "--verbose", count=True)
def command(file: str, **values: Any) -> int:
    """Run the whole loop over the histories in FILE: replies that models gave, round by round, in the past.

    One row (JSON lines, or one list; also .gz) is one trajectory: {"prompt", "rounds": [{"reply" or "code"}],
    "model"?, "tests"?, "tests_kind"?, "entry_point"?, "task_key"?}. The replies are served over the OpenAI
    protocol, the n-th round to the n-th call. They answered other prompts, and every report says so. Where
    the loop asks for more than a row has, the sample ends unscored (recording_ended).
    """
    if file == STDIN:
        raise UsageProblem("a replay needs a file: it is read again to resume or to regrade")
    check_source(file)
    histories = _chosen(read_histories(file, skip_bad=values["skip_bad"]), values)
    values = {**_NOT_ASKED, **values}
    with ExitStack() as stack:
        kept = _kept(values)
        config = kept_config(kept, values) if kept else _config(histories, values)
        plan = replay_plan(config, Path(file), histories, stack)
        if kept:
            _check_same(plan, kept)
        if values["dry_run"]:
            print_plan(plan)
            return 0
        again = f"mendbench replay {file}"
        return conduct(plan, kept, values, stack, again=again, warnings=replay_notes(histories))


def _chosen(histories: Histories, values: Mapping[str, Any]) -> Histories:
    """Keep the histories of the models that were named, and of those the first ones."""
    names = set(values["model"])
    unknown = names - {row.model for row in histories.rows}
    if unknown:
        raise UsageProblem(f"no history is of model {', '.join(map(repr, sorted(unknown)))}")
    rows = [row for row in histories.rows if not names or row.model in names]
    return replace(histories, rows=tuple(rows[: values["limit"]]))


def _config(histories: Histories, values: Mapping[str, Any]) -> Config:
    longest = max(len(row.rounds) for row in histories.rows)
    given = config_flags({**values, "limit": None})
    config = load_config(values["config_file"], given)
    update: dict[str, Any] = {}
    if values["repairs"] is None:
        update["repairs"] = min(longest - 1, _MOST_REPAIRS)
    # Calls for form take rounds of a row as repairs do: the row is the bound.
    repairs = update.get("repairs", config.repair.repairs)
    update["calls"] = max(config.repair.calls, repairs + _FORM_CALLS)
    return config.model_copy(update={"repair": config.repair.model_copy(update=update)})


_FORM_CALLS: Final = 4
"""The first call, and one each of the kinds length, format and fresh."""


def _kept(values: Mapping[str, Any]) -> Manifest | None:
    if not values["resume"]:
        return None
    manifest = read_manifest(run_folder(values["resume"], values["runs_dir"]))
    if not manifest.replayed:
        raise UsageProblem(f"run {manifest.run_id} is no replay; continue it with `mendbench bench --resume`")
    return manifest


def _check_same(plan: Plan, manifest: Manifest) -> None:
    theirs = {entry.server for entry in manifest.models}
    ours = {model.entry.server for model in plan.models}
    if theirs != ours or manifest.draws != plan.draws:
        raise RunIncompatible(
            f"run {manifest.run_id} cannot be continued: it replayed other histories ({manifest.replayed}). "
            "Give the same file, and the same --limit, --model and --skip-bad."
        )
    check_same(plan, manifest)
