"""From a task and a script to a job for the sandbox."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from evaluator.config import SandboxSection
from evaluator.errors import ConfigProblem
from evaluator.keys import derived_int
from evaluator.runs.records import Basis
from prompts.tasks import Task
from sandbox.types import PROFILES, Job, Level, Limits

Part = Literal["shown", "holdout"]
PARTS: tuple[Part, ...] = ("shown", "holdout")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMaker:
    """Makes the jobs of a run: limits of the task over limits of the run, one hash seed for all.

    One hash seed per run: no model is luckier with set order than another, equal scripts are the same
    job, and a container may be made before it is known what will run in it.
    """

    section: SandboxSection = field(default_factory=SandboxSection)
    seed: int = 0
    may_skip: Mapping[tuple[str, Part], tuple[str, ...]] = field(default_factory=dict)
    """Ids that the reference skips, by task and part."""

    def job(self, task: Task, script: str, part: Part = "shown", *, repeat_no: int = 0) -> Job:
        """Make the job that runs `script` with one part of the task's tests.

        A repetition has a hash seed of its own.

        Raises:
            ConfigProblem: the task names a profile that does not exist.
        """
        tests = task.tests if part == "shown" else task.holdout
        return Job(
            id=secrets.token_hex(16),
            script=script,
            tests=tests,
            level=self.level(task, part),
            limits=self._limits(task),
            profile=self._profile(task),
            hash_seed=derived_int(32, self.seed, "hash", *([repeat_no] if repeat_no else [])),
            may_skip=self.may_skip.get((task.task_id, part), ()),
        )

    def level(self, task: Task, part: Part = "shown") -> Level:
        """How far the tests of this part are kept from the script: the task's own word, else the run's."""
        tests = task.tests if part == "shown" else task.holdout
        if tests is None or task.grading == Level.PROGRAM:
            return Level.PROGRAM
        return Level(task.grading) if task.grading else self.section.grading

    def deciding_level(self, task: Task) -> Level:
        """How far the tests that decide success are kept from the script: the holdout, if there is one."""
        return self.level(task, "shown" if task.holdout is None else "holdout")

    def _limits(self, task: Task) -> Limits:
        base = Limits(wall_s=self.section.wall_s, cpu_s=self.section.cpu_s)
        own = {key: value for key, value in asdict(task.limits).items() if value is not None}
        own.pop("profile", None)
        return replace(base, **own)

    def _profile(self, task: Task) -> str:
        name = task.limits.profile or self.section.profile
        if name not in PROFILES:
            raise ConfigProblem(f"{task.path}: profile {name!r} is not one of {', '.join(PROFILES)}")
        return name


def basis(task: Task) -> Basis:
    """What a verdict on this task rests on."""
    if task.tests_by:
        return "model-written"
    return "own" if task.tests or task.holdout else "program"
