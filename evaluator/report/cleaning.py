"""What cleaning made of the replies, by model: outcomes, classes of edits, and the rules that fired."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from evaluator.runs.records import Basis
from evaluator.runs.rundata import RunData
from evaluator.statistics.draws import tables
from evaluator.statistics.ledger import Ledger, ledger_of
from repair.llm import CallKind
from repair.outcome import Verdict
from repair.script import CleanOutcome

COLUMNS: Final = (
    CleanOutcome.RAW,
    CleanOutcome.CLEANED,
    CleanOutcome.LLM_CLEANED,
    CleanOutcome.LOSSY,
    CleanOutcome.UNPARSABLE,
    CleanOutcome.NO_CODE,
)
_SHOWN_RULES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanedReplies:
    """Replies of one model to calls of all kinds."""

    model: str
    replies: int
    outcomes: dict[str, int]
    passed: dict[str, int]
    """Replies of each outcome whose script passed: what lossy edits and a model's clean-up brought."""
    rules: dict[str, int]
    """Replies on which each rule fired, the most frequent first."""
    cleanup_calls: int
    """Calls by which a model was to mend the form of a reply; they are no repair rounds."""
    larger_budget_calls: int
    """Calls that repeated a truncated reply with a larger budget."""

    def share(self, outcome: CleanOutcome) -> float | None:
        """Share of the replies with this outcome."""
        return self.outcomes.get(outcome, 0) / self.replies if self.replies else None

    @property
    def lossy_passes(self) -> int:
        """Passes that rest on code which a rule dropped or invented, or which a model mended."""
        return self.passed.get(CleanOutcome.LOSSY, 0) + self.passed.get(CleanOutcome.LLM_CLEANED, 0)

    @property
    def top_rules(self) -> str:
        """The rules that fired most, in words."""
        shown = [f"{name} {count}" for name, count in list(self.rules.items())[:_SHOWN_RULES]]
        return ", ".join(shown) + (", …" if len(self.rules) > _SHOWN_RULES else "")


def cleaned_replies(run: RunData | Ledger, basis: Basis) -> list[CleanedReplies]:
    """One entry per model, by name; of the control arm nothing."""
    _, attempts = tables(ledger_of(run))
    theirs = (pl.col("basis") == str(basis)) & pl.col("replied")
    replies = attempts.lazy().filter(theirs).select("model", "kind", "rules", "cleaned", "outcome").collect()
    return [
        _of_model(str(model), rows)
        for (model,), rows in replies.sort("model").group_by("model", maintain_order=True)
    ]


def _of_model(model: str, replies: pl.DataFrame) -> CleanedReplies:
    kinds = _counted(replies["kind"])
    rules = _counted(replies["rules"].list.unique().explode(keep_nulls=False, empty_as_null=False))
    return CleanedReplies(
        model=model,
        replies=len(replies),
        outcomes=_counted(replies["cleaned"]),
        passed=_counted(replies.filter(pl.col("outcome") == str(Verdict.PASSED))["cleaned"]),
        rules=dict(sorted(rules.items(), key=lambda item: (-item[1], item[0]))),
        cleanup_calls=kinds.get(CallKind.CLEANUP, 0),
        larger_budget_calls=kinds.get(CallKind.LENGTH, 0),
    )


def _counted(words: pl.Series) -> dict[str, int]:
    return {str(word): int(count) for word, count in sorted(words.value_counts().iter_rows())}
