"""The suites of a run as readers see them: what became of each, at first and in the end."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from evaluator.runs.records import AttemptRecord, SubjectEntry, SuiteRecord
from evaluator.runs.rundata import RunData, Trajectory
from evaluator.suites.outcome import Stage, SuiteOutcome
from evaluator.suites.score import Sibling, SuiteScore, mutants, score
from sandbox.suite import VersionStatus

UNSCORED = "unscored"
_Place: TypeAlias = tuple[tuple[str, str, str, int, str, int], str]
"""Which call, and the hash of the suite that came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One suite at one point of its way."""

    outcome: str
    """A SuiteOutcome; the attempt's verdict where there is no suite; or `unscored`."""
    attempt: AttemptRecord | None
    record: SuiteRecord | None
    score: SuiteScore | None
    wrong_others: int = 0
    """Wrong scripts that it was to be tried on."""

    @property
    def scored(self) -> bool:
        """Whether it counts: no failure of ours, and no script that cannot be tested, hides its worth."""
        return self.outcome not in {UNSCORED, SuiteOutcome.SCRIPT_BROKEN}

    @property
    def value(self) -> float | None:
        """The stable mutation score; 0 where it could not be scored; None where the script has no mutants."""
        if not self.scored:
            return None
        found: float | None = self.score.mutation["stable_score"] if self.score else None
        if found is None and self.outcome == SuiteOutcome.SCORED:
            return None
        return found or 0.0

    @property
    def reached(self) -> Stage:
        """How far through the funnel it came."""
        return self.score.reached if self.score else Stage.RECEIVED

    @property
    def reveals(self) -> bool:
        """On a wrong script: whether a test fails there that every right script passes."""
        return bool(self.score and self.score.pinning["reveals_bug"])

    @property
    def pins(self) -> bool:
        """Whether a test passes here that a right script fails."""
        return bool(self.score and self.score.pinning["pins"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """All that came of asking one writer once for a suite for one script."""

    writer: str
    subject: SubjectEntry
    family: str
    sample: int
    attempts: tuple[AttemptRecord, ...]
    first: Suite
    final: Suite


def written(run: RunData) -> tuple[Written, ...]:
    """Score every suite of a run; sorted by script, writer and number. Planned ones that are missing count
    as unscored.
    """
    if "written" not in run.derived:
        run.derived["written"] = tuple(_written(run))
    known: tuple[Written, ...] = run.derived["written"]
    return known


def _written(run: RunData) -> Iterator[Written]:
    subjects = {subject.task_id: subject for subject in run.manifest.subjects}
    families = {task.task_id: task.family for task in run.manifest.tasks}
    trajectories = {
        (each.first.model, each.first.task_id, each.first.template, each.first.sample): each
        for each in run.trajectories
    }
    records = {(record.call_key, record.suite_sha256): record for record in run.suites}
    pools = _pools(run)
    for place in sorted(run.manifest.planned(), key=lambda draw: (draw[1], draw[0], draw[2], draw[3])):
        writer, task_id, _, sample = place
        found = trajectories.get(place)
        judge = _Judge(subjects[task_id], records, pools[task_id])
        first, final = _both(found, judge)
        yield Written(
            writer=writer,
            subject=subjects[task_id],
            family=families.get(task_id, task_id),
            sample=sample,
            attempts=found.attempts if found else (),
            first=first,
            final=final,
        )


_NOTHING = Suite(outcome=UNSCORED, attempt=None, record=None, score=None)


def _both(found: Trajectory | None, judge: "_Judge") -> tuple[Suite, Suite]:
    if found is None:
        return _NOTHING, _NOTHING
    held = next(
        (each for each in reversed(found.attempts) if each.script.code is not None), found.attempts[-1]
    )
    # A first suite counts although a later call failed; what held is only known at the end.
    return judge.suite(found.first), _NOTHING if found.unscored else judge.suite(held)


def _pools(run: RunData) -> dict[str, frozenset[str]]:
    """Name, by script, the mutants that some suite of the run kills."""
    killed: dict[str, set[str]] = defaultdict(set)
    for record in run.suites:
        facts = record.main.suite if record.main else None
        if facts is not None and score(record.main).outcome is SuiteOutcome.SCORED:  # type: ignore[arg-type]
            killed[record.task_id] |= {
                version.name for version in mutants(facts) if version.status is VersionStatus.KILLED
            }
    return defaultdict(frozenset, {name: frozenset(names) for name, names in killed.items()})


class _Judge:
    """Makes scores of records, for the suites of one script."""

    def __init__(
        self,
        subject: SubjectEntry,
        records: Mapping[_Place, SuiteRecord],
        pool: frozenset[str],
    ) -> None:
        self._subject, self._records, self._pool = subject, records, pool

    def suite(self, attempt: AttemptRecord) -> Suite:
        wrong = self._subject.wrong_others
        if attempt.unscored:
            return Suite(outcome=UNSCORED, attempt=attempt, record=None, score=None)
        if attempt.script.code is None:
            return Suite(
                outcome=str(attempt.verdict), attempt=attempt, record=None, score=None, wrong_others=wrong
            )
        record = self._records.get((attempt.call_key, attempt.script.sha256))
        if record is None or record.main is None:
            return Suite(outcome=UNSCORED, attempt=attempt, record=record, score=None)
        found = score(
            record.main,
            other_seeds=record.other_seeds,
            siblings=[
                Sibling(name=each.name, right=each.right, signature=each.signature, result=each.result)
                for each in record.siblings
            ],
            script_is_right=self._subject.right,
            pool=self._pool,
        )
        return Suite(
            outcome=str(found.outcome), attempt=attempt, record=record, score=found, wrong_others=wrong
        )
