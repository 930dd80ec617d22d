"""summary.json, every number of a run with its counts and interval; and the writer of all reports."""

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import polars as pl

from evaluator.report.cleaning import cleaned_replies
from evaluator.report.html import html_report
from evaluator.report.junit import junit_report
from evaluator.report.markdown import markdown_report
from evaluator.report.notes import notes
from evaluator.report.rounded import rounded
from evaluator.report.words import banners
from evaluator.runs.records import Basis, Manifest
from evaluator.runs.rundata import RunData
from evaluator.statistics.draws import tables
from evaluator.statistics.ledger import Ledger, ledger_of
from evaluator.statistics.metrics import (
    BASES,
    Group,
    groups,
    leaderboard,
    unscored_share,
    why_unranked,
)
from evaluator.statistics.spending import Cost
from repair.llm import Arm

SUMMARY_VERSION: Final = 1


def summarise(run: RunData | Ledger) -> dict[str, Any]:
    """Make the whole summary: JSON-ready, sorted, the same for the same run."""
    ledger = ledger_of(run)
    by_model, by_batch, by_template = groups(run), groups(run, by="batch"), groups(run, by="template")
    by_level = groups(run, by="level")
    draws, _ = tables(ledger)
    summary = {
        "type": "summary",
        "schema_version": SUMMARY_VERSION,
        "run": _run_facts(run.manifest),
        "recorded_demo": run.manifest.recorded_demo,
        "banners": [f"{banner}. {note}" for banner, note in banners(run.manifest)],
        "invalid": list(run.manifest.invalid),
        "notes": notes(run, by_model),
        "bases": {
            basis: _basis(
                _of(basis, by_model),
                _of(basis, by_batch),
                _of(basis, by_template),
                _of(basis, by_level),
                draws.filter(pl.col("basis") == basis),
            )
            | {"cleaning": [asdict(each) for each in cleaned_replies(ledger, basis)]}
            for basis in BASES
            if _of(basis, by_model)
        },
        "control_samples": ledger.attempts.filter(pl.col("arm") == str(Arm.CONTROL))["sid"].n_unique(),
    }
    even: dict[str, Any] = rounded(summary)
    return even


def write_reports(run: RunData, folder: Path) -> list[Path]:
    """Write summary.json, report.md, report.html and junit.xml; the same run gives the same bytes.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if run.manifest.track == "suites":
        from evaluator.report.writers_page import writers_reports  # noqa: PLC0415 - few runs need it

        return [write_file(folder / name, text.encode()) for name, text in writers_reports(run).items()]
    texts = {
        "summary.json": (json.dumps(summarise(run), indent=1, sort_keys=True) + "\n").encode(),
        "report.md": markdown_report(run).encode(),
        "report.html": html_report(run).encode(),
        "junit.xml": junit_report(run),
    }
    return [write_file(folder / name, content) for name, content in texts.items()]


def write_summary(ledger: Ledger, folder: Path) -> Path:
    """Write summary.json alone."""
    text = json.dumps(summarise(ledger), indent=1, sort_keys=True) + "\n"
    return write_file(folder / "summary.json", text.encode())


def write_file(path: Path, content: bytes) -> Path:
    """Replace a file in one step."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def _run_facts(manifest: Manifest) -> dict[str, Any]:
    facts = manifest.model_dump(
        mode="json", exclude={"tasks", "warnings", "invalid", "recorded_demo", "type", "draws"}
    )
    return {**facts, "batches": sorted({task.batch for task in manifest.tasks}), "tasks": len(manifest.tasks)}


def _of(basis: Basis, listed: Iterable[Group]) -> list[Group]:
    return [group for group in listed if group.basis == basis]


def _basis(
    by_model: Sequence[Group],
    by_batch: Sequence[Group],
    by_template: Sequence[Group],
    by_level: Sequence[Group],
    draws: pl.DataFrame,
) -> dict[str, Any]:
    rows = leaderboard(by_model)
    return {
        "levels": _levels(draws),
        "tasks": draws["task_id"].n_unique(),
        "families": draws["family"].n_unique(),
        "unranked": why_unranked(rows),
        "leaderboard": [{"rank": row.rank, **group_json(row.group)} for row in rows],
        "by_batch": [group_json(group) for group in by_batch],
        "by_template": [group_json(group) for group in by_template],
        "by_level": [group_json(group) for group in by_level],
        "verdicts": _verdicts(draws),
    }


def group_json(group: Group) -> dict[str, Any]:
    """Turn a group's numbers into JSON-ready data, derived costs included."""
    data = asdict(group)
    data["pass_at_k"] = {str(k): rate for k, rate in data["pass_at_k"].items()}
    data["cost"] = {**data["cost"], **derived_cost(group.cost)}
    data["unscored_share"] = unscored_share(group)
    return data


def derived_cost(cost: Cost) -> dict[str, float | None]:
    """Share calls, tokens and seconds among samples and among solved tasks."""
    amounts = {
        "calls": cost.calls,
        "tokens": cost.tokens,
        "model_s": cost.model_s,
        "sandbox_s": cost.sandbox_s,
    }
    per_sample = {f"{name}_per_sample": cost.per_sample(amount) for name, amount in amounts.items()}
    per_solved = {f"{name}_per_solved": cost.per_solved(amount) for name, amount in amounts.items()}
    return per_sample | per_solved | {"repair_tokens_per_solved": cost.repair_tokens_per_solved}


def _levels(draws: pl.DataFrame) -> list[str]:
    found: list[str] = draws.filter(pl.col("sid").is_not_null())["level"].unique().sort().to_list()
    return found


def _verdicts(draws: pl.DataFrame) -> list[dict[str, Any]]:
    keys = ("model", "batch", "task_id")
    counts = draws.group_by(keys).agg(
        first=pl.col("first_outcome").value_counts(), final=pl.col("final").value_counts()
    )
    return [
        {
            **{name: row[name] for name in keys},
            "first": dict(sorted((one["first_outcome"], one["count"]) for one in row["first"])),
            "final": dict(sorted((one["final"], one["count"]) for one in row["final"])),
        }
        for row in counts.sort(keys).iter_rows(named=True)
    ]
