"""Sums over many marked answers."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from perf.cleaning.ask import Answer
from perf.cleaning.judge import Mark
from perf.stats import percentile
from tests.corpus.draft import Grade
from tests.corpus.table import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A reply, the answer to it, and its mark."""

    case: Case
    answer: Answer
    mark: Mark

    @property
    def counts_for_harm(self) -> bool:
        """Whether the answer claims to be as good as the reply: not lossy, and there is one."""
        return self.answer.code is not None and not self.answer.lossy and not self.answer.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Shares from 0 to 1, of `n` replies."""

    n: int
    shares: dict[str, float]
    harm_of_claimed: float
    """Of the answers that are not said to be lossy."""
    unstable: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    def share(self, mark: Mark) -> float:
        """One share."""
        return self.shares.get(mark, 0.0)

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "n": self.n,
            **{mark.value: round(self.share(mark), 5) for mark in Mark},
            "harm_of_claimed": round(self.harm_of_claimed, 5),
            "unstable": self.unstable,
            "p50_ms": round(self.p50_ms, 3),
            "p99_ms": round(self.p99_ms, 3),
            "max_ms": round(self.max_ms, 1),
        }


def sums(found: Sequence[Marked]) -> Sums:
    """Sum up. At least one."""
    times = [each.answer.ms for each in found]
    counts = Counter(each.mark for each in found)
    claimed = sum(each.counts_for_harm for each in found)
    return Sums(
        n=len(found),
        shares={mark: count / len(found) for mark, count in counts.items()},
        harm_of_claimed=counts[Mark.HARM] / claimed if claimed else 0.0,
        unstable=sum(not each.answer.stable for each in found),
        p50_ms=percentile(times, 50),
        p99_ms=percentile(times, 99),
        max_ms=max(times),
    )


def grouped(found: Iterable[Marked], keys: Callable[[Marked], Iterable[str]]) -> dict[str, Sums]:
    """Sum up by keys; one answer may count for several."""
    groups: dict[str, list[Marked]] = defaultdict(list)
    for each in found:
        for key in keys(each):
            groups[key].append(each)
    return {key: sums(group) for key, group in groups.items()}


def strict(found: Iterable[Marked]) -> list[Marked]:
    """Those whose dirt a person can take away without a guess."""
    return [each for each in found if each.case.grade is not Grade.LOSSY]
