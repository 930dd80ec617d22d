"""What cleaning made of the replies, by model: outcomes, classes of edits, and the rules that fired."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from evaluator.results import Sample, outcome
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


def cleaned_replies(samples: Iterable[Sample]) -> list[CleanedReplies]:
    """One entry per model, by name."""
    by_model: dict[str, list[Sample]] = {}
    for sample in samples:
        by_model.setdefault(sample.model, []).append(sample)
    return [_of_model(model, listed) for model, listed in sorted(by_model.items())]


def _of_model(model: str, listed: list[Sample]) -> CleanedReplies:
    attempts = [each for sample in listed for each in sample.attempts if each.completion_key is not None]
    outcomes = Counter(str(each.script.outcome) for each in attempts)
    passed = Counter(str(each.script.outcome) for each in attempts if outcome(each) == Verdict.PASSED)
    rules = Counter(rule for each in attempts for rule in {edit.rule for edit in each.script.edits})
    kinds = Counter(each.kind for each in attempts)
    return CleanedReplies(
        model=model,
        replies=len(attempts),
        outcomes=dict(sorted(outcomes.items())),
        passed=dict(sorted(passed.items())),
        rules=dict(sorted(rules.items(), key=lambda item: (-item[1], item[0]))),
        cleanup_calls=kinds[CallKind.CLEANUP],
        larger_budget_calls=kinds[CallKind.LENGTH],
    )
