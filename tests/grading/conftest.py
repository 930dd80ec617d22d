"""Honest tasks: ordinary tests, right scripts that pass them and wrong ones that do not."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from prompts.tasks import load, load_batch
from sandbox.types import Job, Level, Limits

FOLDER = Path(__file__).resolve().parent / "honest"
PATIENT = Limits(wall_s=120.0, cpu_s=60.0)
"""Property tests of a wrong script shrink their examples, which takes far longer across processes."""


@dataclass(frozen=True, kw_only=True)
class HonestRun:
    """One script of one task, with the tests that judge it."""

    task_id: str
    role: str
    """`reference-1`, `wrong-1`, `wrong-2`, …"""
    script: str
    tests: str

    @property
    def name(self) -> str:
        """`<theme>/<task>:<role>`."""
        return f"{self.task_id}:{self.role}"

    @property
    def right(self) -> bool:
        """Whether the script must pass."""
        return self.role.startswith("reference")

    def job(self, level: Level) -> Job:
        """Make a job of it."""
        name = self.name.replace("/", "-").replace(":", "-")
        return Job(id=name, script=self.script, tests=self.tests, level=level, limits=PATIENT)


def honest_runs(theme: str | None = None) -> Iterator[HonestRun]:
    """Yield every script of one theme, or of all: a task's references first, then its wrong ones."""
    tasks = load(FOLDER) if theme is None else load_batch(FOLDER / theme)
    for task in tasks:
        assert task.tests is not None, f"{task.task_id} has no tests"
        for kind, scripts in (("reference", task.references), ("wrong", task.wrong)):
            for number, script in enumerate(scripts, start=1):
                role = f"{kind}-{number}"
                yield HonestRun(task_id=task.task_id, role=role, script=script, tests=task.tests)


@pytest.fixture(scope="session")
def read_honest_runs():
    """Reads the runs of one theme, or of all."""
    return honest_runs
