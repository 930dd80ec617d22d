"""run.json: what a run was made of. Holds no secret."""

import os
import platform
import secrets
import shutil
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from evaluator.jobs import PARTS, JobMaker, basis
from evaluator.keys import text_sha256
from evaluator.running.plan import Plan
from evaluator.runs.journal import now
from evaluator.runs.records import Manifest, TaskEntry
from prompts.tasks import Task
from sandbox.types import ImageInfo, Level

_PACKAGES = (
    "docker",
    "openai",
    "libcst",
    "tenacity",
    "structlog",
    "pydantic",
    "numpy",
    "polars",
    "scipy",
    "statsmodels",
    "matplotlib",
)
REDACTED = "redacted"


def new_run_id() -> str:
    """Name a run: sortable by time, unique by chance."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def make_manifest(
    plan: Plan, run_id: str, image: ImageInfo, jobs: JobMaker, warnings: Iterable[str] = ()
) -> Manifest:
    """Write down everything that is fixed for a run."""
    return Manifest(
        run_id=run_id,
        created=now(),
        version=version(),
        recorded_demo=plan.recorded_demo,
        replayed=plan.replayed,
        config=redact(plan.config.model_dump(mode="json")),
        tasks=tuple(task_entry(task, jobs) for task in plan.tasks),
        templates={template.name: template.sha256 for template in plan.templates},
        models=tuple(model.entry for model in plan.models),
        repair_model=plan.repairer.entry if plan.repairer else None,
        samples=plan.config.bench.samples,
        draws=plan.draws,
        image=image,
        levels=levels(plan.tasks, jobs),
        host=host_facts(),
        packages=packages(),
        git=git_state(),
        warnings=tuple(warnings),
    )


def task_entry(task: Task, jobs: JobMaker) -> TaskEntry:
    """Write down what the numbers need of a task."""
    return TaskEntry(
        task_id=task.task_id,
        batch=task.batch,
        family=task.family,
        sha256=task.sha256,
        basis=basis(task),
        has_holdout=task.holdout is not None,
        tags=task.tags,
        difficulty=task.difficulty or "",
        level=jobs.deciding_level(task),
        tests_sha256=text_sha256(task.tests) if task.tests_by and task.tests else "",
    )


def levels(tasks: Iterable[Task], jobs: JobMaker) -> tuple[Level, ...]:
    """Return the levels at which the parts of these tasks are graded, sorted."""
    parts = [(task, part) for task in tasks for part in PARTS if part == "shown" or task.holdout]
    return tuple(sorted({jobs.level(task, part) for task, part in parts}))


def packages() -> dict[str, str]:
    """The versions of the libraries that results may depend on."""
    return {name: metadata.version(name) for name in _PACKAGES}


def version() -> str:
    """The installed version of mendbench."""
    return metadata.version("mendbench")


def redact(config: dict[str, Any]) -> dict[str, Any]:
    """Take the credentials out of the servers' addresses: the only secrets that a configuration can hold."""
    models = [{**model, "base_url": _redact_url(model["base_url"])} for model in config["models"]]
    repair = config["repair"]
    return {
        **config,
        "models": models,
        "repair": {**repair, "model": _redacted(repair["model"])},
        "test_writer": _redacted(config.get("test_writer")),
    }


def _redacted(model: Any) -> Any:
    """Redact a model's section; a mere name, or none, has no address."""
    return {**model, "base_url": _redact_url(model["base_url"])} if isinstance(model, dict) else model


def _redact_url(text: str) -> str:
    parts = urlsplit(text)
    if "@" not in parts.netloc:
        return text
    return urlunsplit(parts._replace(netloc=f"{REDACTED}@{parts.netloc.rpartition('@')[2]}"))


def host_facts() -> dict[str, str]:
    """The machine, as far as results may depend on it."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cpus": str(os.cpu_count() or 0),
    }


def git_state() -> dict[str, str]:
    """The commit that is checked out, and whether anything was changed; nothing where there is no git."""
    git, folder = shutil.which("git"), Path(__file__).resolve().parent
    if git is None:
        return {}

    def ask(*words: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own words to the git that is on the path
            [git, "-C", str(folder), *words], capture_output=True, text=True, check=False, timeout=10
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    commit = ask("rev-parse", "HEAD")
    if not commit:
        return {}
    return {"commit": commit, "dirty": "yes" if ask("status", "--porcelain") else "no"}
