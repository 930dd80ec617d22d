"""What a reader must know before believing the numbers of a run."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from evaluator.metrics import UNSCORED_LIMIT, Group, unscored_share
from evaluator.results import Sample, samples
from evaluator.rundata import RunData


def notes(run: RunData, by_model: Sequence[Group]) -> list[str]:
    """List what a reader must know before believing the numbers; the manifest's warnings first."""
    found = list(run.manifest.warnings)
    if run.manifest.finished is None:
        found.append("The run did not come to its end: what was not run is counted as unscored.")
    found += [_unscored_note(group) for group in by_model if group.unscored]
    found += [
        f"{group.model}: the server reported no token usage for {group.cost.calls_without_usage} of "
        f"{group.cost.calls} calls; token counts are lower bounds."
        for group in by_model
        if group.cost.calls_without_usage
    ]
    return found + _repeat_notes(run)


def _unscored_note(group: Group) -> str:
    share = unscored_share(group)
    over = "; above the limit for ranking" if share > UNSCORED_LIMIT else ""
    return f"{group.model}: {group.unscored} of {group.planned} samples are unscored ({share:.1%}{over})."


def _repeat_notes(run: RunData) -> list[str]:
    replies: defaultdict[str, defaultdict[tuple[str, str], list[str]]]
    replies = defaultdict(lambda: defaultdict(list))
    cold: set[str] = set()
    for sample in samples(run):
        if sample.first_scored:
            first = sample.attempts[0]
            replies[sample.model][sample.cell].append(first.reply_sha256)
            completion = run.completions.get(first.completion_key or "")
            if completion is not None and completion.sampling.temperature == 0:
                cold.add(sample.model)
    found: list[str] = []
    for model, cells in sorted(replies.items()):
        repeated = [hashes for hashes in cells.values() if len(hashes) > 1]
        same = sum(len(set(hashes)) < len(hashes) for hashes in repeated)
        if repeated and model in cold:
            found.append(f"{model}: several samples per task at temperature 0 are not independent draws.")
        if same:
            found.append(
                f"{model}: identical first replies for {same} of {len(repeated)} tasks drawn twice+."
            )
    return found


def levels(listed: Iterable[Sample]) -> list[str]:
    """Return the levels of grading that these samples were judged at, sorted."""
    return sorted({str(attempt.level) for sample in listed for attempt in sample.attempts})
