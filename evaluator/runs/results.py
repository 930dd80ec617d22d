"""Samples as the numbers see them: every planned draw, what became of it, and what it cost."""

from dataclasses import dataclass

from evaluator.runs.records import AttemptRecord, Basis, CompletionRecord, TaskEntry
from evaluator.runs.rundata import RunData, Trajectory
from repair.llm import Arm
from repair.outcome import Verdict

UNSCORED = "unscored"
HOLDOUT_FAILED = "holdout_failed"
"""The shown tests passed, the holdout did not: a false accept."""
HOLDOUT_NOT_RUN = "holdout_not_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one attempt cost. Times in seconds."""

    tokens: int | None
    """Prompt and completion; None where the server reported no usage or no reply came."""
    model_s: float
    sandbox_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One planned draw of the repair arm; `trajectory` is None where the run was cut off before it."""

    model: str
    task_id: str
    batch: str
    family: str
    template: str
    number: int
    basis: Basis
    level: str
    """Level of grading; empty where a run of before it was written down has no attempt."""
    trajectory: Trajectory | None
    spent: tuple[Spent, ...] = ()

    @property
    def attempts(self) -> tuple[AttemptRecord, ...]:
        """All attempts, in call order."""
        return self.trajectory.attempts if self.trajectory else ()

    @property
    def cell(self) -> tuple[str, str]:
        """What weighs one in every mean: the task under one template."""
        return (self.task_id, self.template)

    @property
    def first_scored(self) -> bool:
        """Whether attempt 0 was judged: all that pass@k asks for."""
        return bool(self.attempts) and not self.attempts[0].unscored

    @property
    def scored(self) -> bool:
        """Whether the whole trajectory was judged."""
        return self.trajectory is not None and not self.trajectory.unscored

    @property
    def held(self) -> AttemptRecord | None:
        """The attempt whose script held in the end."""
        return held(self.attempts)

    @property
    def success(self) -> bool:
        """Whether the script that held in the end is a success."""
        return succeeded(self.attempts)

    @property
    def final(self) -> str:
        """What the sample came to, in one word: a verdict, `holdout_failed` or `unscored`."""
        if not self.scored:
            return UNSCORED
        return outcome(self.held or self.attempts[-1])

    @property
    def suspicious(self) -> tuple[str, ...]:
        """Flags of suspicious code in any of its attempts, sorted."""
        return tuple(sorted({flag for attempt in self.attempts for flag in attempt.suspicious}))


def held(attempts: tuple[AttemptRecord, ...]) -> AttemptRecord | None:
    """Return the last attempt whose script was not taken back: the state carried on when a reply has none."""
    return next((a for a in reversed(attempts) if a.script.code is not None and not a.taken_back), None)


def succeeded(attempts: tuple[AttemptRecord, ...]) -> bool:
    """Whether the script that held after these attempts is a success."""
    last = held(attempts)
    return last is not None and last.success


def outcome(attempt: AttemptRecord) -> str:
    """One word for an attempt: its verdict, or that only the holdout failed or is missing."""
    if attempt.unscored:
        return UNSCORED
    if attempt.verdict is Verdict.PASSED and not attempt.success:
        return HOLDOUT_NOT_RUN if attempt.holdout_verdict is None else HOLDOUT_FAILED
    return str(attempt.verdict)


def truncated(attempt: AttemptRecord, completion: CompletionRecord | None) -> bool:
    """Whether the reply was cut off before its end."""
    by_server = completion is not None and (completion.finish_reason == "length" or completion.capped)
    return by_server or attempt.verdict is Verdict.TRUNCATED or "reply_truncated" in attempt.flags


def samples(run: RunData) -> tuple[Sample, ...]:
    """List every planned sample and every recorded one, sorted; the control arm is left out."""
    found = {
        (t.first.model, t.first.task_id, t.first.template, t.first.sample): t
        for t in run.trajectories
        if t.first.arm is Arm.REPAIR
    }
    keys = set(found) | set(run.manifest.planned())
    tasks = {task.task_id: task for task in run.manifest.tasks}
    return tuple(_sample(run, key, tasks.get(key[1]), found.get(key)) for key in sorted(keys))


def _sample(
    run: RunData, key: tuple[str, str, str, int], task: TaskEntry | None, trajectory: Trajectory | None
) -> Sample:
    model, task_id, template, number = key
    basis: Basis = task.basis if task else "own"
    return Sample(
        model=model,
        task_id=task_id,
        batch=task.batch if task else task_id.partition("/")[0],
        family=(task.family if task else "") or task_id,
        template=template,
        number=number,
        basis=trajectory.first.basis if trajectory else basis,
        level=_level(task, trajectory),
        trajectory=trajectory,
        spent=tuple(spent(run, a) for a in trajectory.attempts) if trajectory else (),
    )


def _level(task: TaskEntry | None, trajectory: Trajectory | None) -> str:
    if trajectory is not None:
        return str(trajectory.first.level)
    return str(task.level) if task is not None and task.level is not None else ""


def spent(run: RunData, attempt: AttemptRecord) -> Spent:
    """Add up what one attempt cost, looked-up results included."""
    completion = run.completions.get(attempt.completion_key or "")
    runs = [result for result in (attempt.shown, attempt.holdout) if result is not None]
    return Spent(
        tokens=_tokens(completion),
        model_s=completion.seconds if completion else 0.0,
        sandbox_s=sum(result.wall_s for result in runs),
    )


def _tokens(completion: CompletionRecord | None) -> int | None:
    if completion is None or completion.prompt_tokens is None or completion.completion_tokens is None:
        return None
    return completion.prompt_tokens + completion.completion_tokens
