"""summary.json, every number of a run with its counts and interval; and the writer of all reports."""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from evaluator.metrics import (
    BASES,
    Cost,
    Group,
    groups,
    leaderboard,
    unscored_share,
    why_unranked,
)
from evaluator.records import Basis, Manifest
from evaluator.report.html import html_report
from evaluator.report.junit import junit_report
from evaluator.report.markdown import markdown_report
from evaluator.report.notes import levels, notes
from evaluator.report.words import banners
from evaluator.results import UNSCORED, Sample, outcome, samples
from evaluator.rundata import RunData
from repair.llm import Arm

SUMMARY_VERSION: Final = 1
_DIGITS: Final = 6


def summarise(run: RunData) -> dict[str, Any]:
    """Make the whole summary: JSON-ready, sorted, the same for the same run."""
    by_model, by_batch, by_template = groups(run), groups(run, by="batch"), groups(run, by="template")
    by_level = groups(run, by="level")
    listed = samples(run)
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
                [sample for sample in listed if sample.basis == basis],
            )
            for basis in BASES
            if _of(basis, by_model)
        },
        "control_samples": sum(t.first.arm is Arm.CONTROL for t in run.trajectories),
    }
    rounded: dict[str, Any] = _rounded(summary)
    return rounded


def write_reports(run: RunData, folder: Path) -> list[Path]:
    """Write summary.json, report.md, report.html and junit.xml; the same run gives the same bytes.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "summary.json": (json.dumps(summarise(run), indent=1, sort_keys=True) + "\n").encode(),
        "report.md": markdown_report(run).encode(),
        "report.html": html_report(run).encode(),
        "junit.xml": junit_report(run),
    }
    return [_write(folder / name, content) for name, content in texts.items()]


def _write(path: Path, content: bytes) -> Path:
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
    listed: Sequence[Sample],
) -> dict[str, Any]:
    rows = leaderboard(by_model)
    return {
        "levels": levels(listed),
        "tasks": len({sample.task_id for sample in listed}),
        "families": len({sample.family for sample in listed}),
        "unranked": why_unranked(rows),
        "leaderboard": [{"rank": row.rank, **group_json(row.group)} for row in rows],
        "by_batch": [group_json(group) for group in by_batch],
        "by_template": [group_json(group) for group in by_template],
        "by_level": [group_json(group) for group in by_level],
        "verdicts": _verdicts(listed),
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
    return per_sample | {f"{name}_per_solved": cost.per_solved(amount) for name, amount in amounts.items()}


def _verdicts(listed: Sequence[Sample]) -> list[dict[str, Any]]:
    counts: dict[tuple[str, str, str], tuple[Counter[str], Counter[str]]] = {}
    for sample in listed:
        first, final = counts.setdefault((sample.model, sample.batch, sample.task_id), (Counter(), Counter()))
        first[outcome(sample.attempts[0]) if sample.attempts else UNSCORED] += 1
        final[sample.final] += 1
    return [
        {
            "model": model,
            "batch": batch,
            "task_id": task_id,
            "first": dict(sorted(first.items())),
            "final": dict(sorted(final.items())),
        }
        for (model, batch, task_id), (first, final) in sorted(counts.items())
    ]


def _rounded(value: Any) -> Any:
    # The last digits of a mean differ between processors; six are more than any reader needs.
    match value:
        case float():
            return round(value, _DIGITS)
        case dict():
            return {str(key): _rounded(item) for key, item in value.items()}
        case list() | tuple():
            return [_rounded(item) for item in value]
        case _:
            return value
