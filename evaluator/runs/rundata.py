"""A run as readers see it: the manifest, and the records that count."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluator.runs.records import AttemptRecord, CompletionRecord, Manifest, SuiteRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """All attempts of one sample, in call order."""

    attempts: tuple[AttemptRecord, ...]

    @property
    def first(self) -> AttemptRecord:
        """Attempt 0: what pass@k is about."""
        return self.attempts[0]

    @property
    def complete(self) -> bool:
        """Whether the loop came to its end; False where the run was cut off."""
        return self.attempts[-1].stop is not None

    @property
    def unscored(self) -> bool:
        """Whether a failure of ours hides the outcome."""
        return not self.complete or any(attempt.unscored for attempt in self.attempts)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData:
    """One run, read back from its folder."""

    manifest: Manifest
    trajectories: tuple[Trajectory, ...]
    completions: Mapping[str, CompletionRecord]
    """By completion key."""
    suites: tuple[SuiteRecord, ...] = ()
    """The scored suites, where the models wrote suites; of two lines for one call the later counts."""
    derived: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was worked out of the above once (see `evaluator.statistics.ledger.ledger_of`)."""

    @property
    def attempts(self) -> tuple[AttemptRecord, ...]:
        """Every attempt that counts, trajectory by trajectory."""
        return tuple(attempt for trajectory in self.trajectories for attempt in trajectory.attempts)


def trajectories(attempts: Iterable[AttemptRecord]) -> tuple[Trajectory, ...]:
    """Group attempts into trajectories, sorted by their key; of two lines for one call the later counts.

    A later line for a call makes the lines of the calls after it obsolete that came before it.
    """
    by_sample: dict[tuple[str, str, str, int, str], dict[int, AttemptRecord]] = {}
    for attempt in attempts:
        calls = by_sample.setdefault(attempt.sample_key, {})
        for later in [number for number in calls if number > attempt.call_no]:
            del calls[later]
        calls[attempt.call_no] = attempt
    return tuple(
        Trajectory(attempts=tuple(calls[number] for number in sorted(calls)))
        for _, calls in sorted(by_sample.items())
        if 0 in calls
    )
