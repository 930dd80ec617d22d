"""What a reader must know before believing the numbers of a run."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import polars as pl

from evaluator.report.words import BASIS_TITLES
from evaluator.runs.results import Sample
from evaluator.runs.rundata import RunData
from evaluator.statistics.draws import tables
from evaluator.statistics.ledger import Ledger, ledger_of
from evaluator.statistics.metrics import UNSCORED_LIMIT, Group, unscored_share
from repair.attempt import LoopConfig
from repair.llm import Arm


def notes(run: RunData | Ledger, by_model: Sequence[Group]) -> list[str]:
    """List what a reader must know before believing the numbers; the manifest's warnings first."""
    found = list(run.manifest.warnings)
    if run.manifest.finished is None:
        found.append("The run did not come to its end: what was not run is counted as unscored.")
    if run.manifest.repair_model is not None:
        found.append(
            f"Repairs were asked of {run.manifest.repair_model.label}: what holds after repair is the work "
            "of two models, and counts under the one that made the first call."
        )
    found += _mixed_levels(by_model)
    found += _test_writer(run)
    found += [_unscored_note(group) for group in by_model if group.unscored]
    found += [_suspicious_note(group) for group in by_model if group.suspicious_samples]
    found += [
        f"{group.model}: {group.flaky.n} of {group.flaky.N} accepted scripts failed when run again. "
        "They count as accepted."
        for group in by_model
        if group.flaky.n
    ]
    found += [
        f"{group.model}: the server reported no token usage for {group.cost.calls_without_usage} of "
        f"{group.cost.calls} calls; token counts are lower bounds."
        for group in by_model
        if group.cost.calls_without_usage
    ]
    return found + _repeat_notes(run) + _control_notes(run)


def _test_writer(run: RunData | Ledger) -> list[str]:
    """Say who wrote the tests of tasks that have none, and what that means."""
    writer = run.manifest.config.get("test_writer")
    tasks = sum(task.basis == "model-written" for task in run.manifest.tasks)
    if not writer or not tasks:
        return []
    if run.manifest.config.get("bench", {}).get("test_writer_sees") == "script":
        how = "for each script, seeing it: scripts of different models met different tests"
    else:
        how = "from the text alone, one suite for all models"
    return [f"The tests of {tasks} tasks were written by the model {writer['name']}, {how}."]


def _mixed_levels(by_model: Sequence[Group]) -> list[str]:
    mixed: dict[str, set[str]] = defaultdict(set)
    for group in by_model:
        mixed[group.basis].update(group.levels)
    return [
        f"{BASIS_TITLES[basis]}: tasks are graded at different levels ({', '.join(sorted(found))}). Rates "
        "over all of them hold verdicts that are not worth the same; the rates by level keep them apart."
        for basis, found in mixed.items()
        if len(found) > 1
    ]


def _suspicious_note(group: Group) -> str:
    flags = ", ".join(f"{flag} {count}" for flag, count in group.suspicious.items())
    return (
        f"{group.model}: the code of {group.suspicious_samples} of {group.planned} samples is flagged as "
        f"suspicious ({flags}); {group.suspicious_successes} of them succeed with it. "
        "No verdict depends on a flag."
    )


def _unscored_note(group: Group) -> str:
    share = unscored_share(group)
    over = "; above the limit for ranking" if share > UNSCORED_LIMIT else ""
    return f"{group.model}: {group.unscored} of {group.planned} samples are unscored ({share:.1%}{over})."


def _repeat_notes(run: RunData | Ledger) -> list[str]:
    draws, _ = tables(ledger_of(run))
    by_cell = (
        draws.filter("first_scored")
        .group_by("model", "cell")
        .agg(n=pl.len(), different=pl.col("reply").n_unique(), cold=pl.col("cold").any())
    )
    by_model = by_cell.group_by("model").agg(
        repeated=(pl.col("n") > 1).sum(),
        same=((pl.col("n") > 1) & (pl.col("different") < pl.col("n"))).sum(),
        cold=pl.col("cold").any(),
    )
    found: list[str] = []
    for model, repeated, same, cold in by_model.sort("model").iter_rows():
        if repeated and cold:
            found.append(f"{model}: several samples per task at temperature 0 are not independent draws.")
        if same:
            found.append(f"{model}: identical first replies for {same} of {repeated} tasks drawn twice+.")
    return found


def _control_notes(run: RunData | Ledger) -> list[str]:
    rows = ledger_of(run).attempts.filter(pl.col("arm") == str(Arm.CONTROL))
    if not len(rows):
        return []
    found = []
    if run.manifest.config.get("sampling", {}).get("temperature") == 0:
        found.append(
            "Control arm: at temperature 0 every draw would be the same; those after the first are drawn at "
            f"{LoopConfig().fresh_temperature}."
        )
    again = rows.filter("replied").group_by("model", "sid").agg(n=pl.len(), new=pl.col("reply").n_unique())
    by_model = again.group_by("model").agg(pl.col("n").sum(), pl.col("new").sum()).sort("model")
    found += [
        f"{model}: {n - new} of {n} control draws repeat an earlier reply of their sample."
        for model, n, new in by_model.iter_rows()
        if new < n
    ]
    failed = rows.group_by("model", "sid").agg(pl.col("unscored").any()).filter("unscored").sort("model")
    found += [
        f"{model}: {count} control trajectories are unscored and left out of the comparison with repair."
        for model, count in failed.group_by("model", maintain_order=True).len().iter_rows()
    ]
    return found


def levels(listed: Iterable[Sample]) -> list[str]:
    """Return the levels of grading that these samples were judged at, sorted."""
    return sorted({sample.level for sample in listed if sample.attempts})


def levels_of(run: RunData | Ledger, basis: str) -> list[str]:
    """Return the levels of grading that samples of one basis were judged at, sorted."""
    draws, _ = tables(ledger_of(run))
    judged = draws.filter(pl.col("basis") == basis, pl.col("sid").is_not_null())
    found: list[str] = judged["level"].unique().sort().to_list()
    return found
