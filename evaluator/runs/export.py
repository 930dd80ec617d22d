"""A run as a tree of files to browse: model / batch / task / sample / attempt, and nothing outside it."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Protocol

from evaluator.errors import UsageProblem
from evaluator.runs.records import AttemptRecord
from evaluator.runs.results import outcome
from evaluator.runs.rundata import RunData, Trajectory
from evaluator.safe_text import Names
from repair.llm import Arm
from sandbox.types import RunResult

_INDEX: Final = "index.json"


class TaskTests(Protocol):
    """What the export wants to know of a task."""

    @property
    def tests(self) -> str | None:
        """The shown tests."""
        ...

    @property
    def holdout(self) -> str | None:
        """The tests that no model sees."""
        ...


def export_files(run: RunData, folder: Path, tasks: Mapping[str, TaskTests] | None = None) -> Path:
    """Write every attempt of a run into a new or empty folder and return its index.

    Names that are not safe as file names are replaced; the index says what each stands for. With
    `tasks` given, the tests are written beside the attempts.

    Raises:
        UsageProblem: the folder exists and is not an empty folder.
        OSError: it cannot be written.
    """
    _claim(folder)
    names = _FolderNames()
    entries = []
    for trajectory in run.trajectories:
        place = _place(folder, names, trajectory)
        place.mkdir(parents=True)
        _tests(place.parent, (tasks or {}).get(trajectory.first.task_id))
        for attempt in trajectory.attempts:
            _attempt(run, place / f"attempt-{attempt.call_no:02d}-{attempt.kind}", attempt)
        entries.append(_entry(place.relative_to(folder), trajectory))
    index = folder / _INDEX
    _write(index, _json({"run_id": run.manifest.run_id, "samples": entries}))
    return index


def _claim(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise UsageProblem(f"{folder} exists and is not an empty folder; name a new one for the export")
    folder.mkdir(parents=True, exist_ok=True)


class _FolderNames:
    """File names that are unique within their own folder."""

    def __init__(self) -> None:
        self._by_folder: dict[Path, Names] = {}

    def inside(self, folder: Path, text: str) -> Path:
        return folder / self._by_folder.setdefault(folder, Names(_INDEX))(text)


def _place(folder: Path, names: _FolderNames, trajectory: Trajectory) -> Path:
    first = trajectory.first
    batch, _, name = first.task_id.partition("/")
    task = names.inside(names.inside(names.inside(folder, first.model), batch), name or batch)
    arm = "" if first.arm is Arm.REPAIR else f"-{first.arm}"
    return names.inside(task, f"{first.template}-{first.sample}{arm}")


def _entry(place: Path, trajectory: Trajectory) -> dict[str, Any]:
    first = trajectory.first
    return {
        "folder": place.as_posix(),
        "model": first.model,
        "task_id": first.task_id,
        "template": first.template,
        "sample": first.sample,
        "arm": str(first.arm),
        "level": str(first.level),
        "attempts": [outcome(attempt) for attempt in trajectory.attempts],
        "complete": trajectory.complete,
    }


def _tests(task_folder: Path, task: TaskTests | None) -> None:
    for name, text in (("tests.py", task and task.tests), ("holdout.py", task and task.holdout)):
        if text and not (task_folder / name).exists():
            _write(task_folder / name, text)


def _attempt(run: RunData, folder: Path, attempt: AttemptRecord) -> None:
    folder.mkdir()
    completion = run.completions.get(attempt.completion_key or "")
    messages = [asdict(message) for message in completion.messages] if completion else []
    texts = {
        "reply.txt": completion.text if completion else None,
        "reasoning.txt": (completion.reasoning or None) if completion else None,
        "script.py": attempt.script.code,
        "output.txt": _output(attempt),
        "feedback.txt": attempt.feedback or None,
        "verdict.json": _json(_verdict(attempt)),
        "messages.json": _json(messages) if messages else None,
    }
    for name, text in texts.items():
        if text is not None:
            _write(folder / name, text)


def _output(attempt: AttemptRecord) -> str | None:
    runs = {"shown": attempt.shown, "holdout": attempt.holdout}
    parts = [_streams(name, result) for name, result in runs.items() if result is not None]
    return "\n".join(parts) or None


def _streams(name: str, result: RunResult) -> str:
    return f"=== {name}: stdout ===\n{result.stdout.text}\n=== {name}: stderr ===\n{result.stderr.text}\n"


def _verdict(attempt: AttemptRecord) -> dict[str, Any]:
    facts = attempt.model_dump(mode="json", exclude={"feedback", "type", "schema_version"})
    facts["script"].pop("code", None)
    for name in ("shown", "holdout"):
        if facts[name]:
            # They are in output.txt.
            facts[name] = {k: v for k, v in facts[name].items() if k not in {"stdout", "stderr"}}
    return facts


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def _write(path: Path, text: str) -> None:
    # A file of the same name cannot be there: the folder was empty and every name is unique.
    with path.open("x", encoding="utf-8", errors="backslashreplace", newline="") as file:
        file.write(text)
