"""The scripts that suites are written for: references of tasks, what models wrote in a run, or files."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from evaluator.errors import UsageProblem
from evaluator.runs.rundata import RunData
from evaluator.scoring.source_file import read_source
from evaluator.suites.runs import OtherScript
from prompts.tasks import Task
from repair.llm import Arm
from sandbox.types import RunResult, TestOutcome

_DEFINED = re.compile(r"^(?:async[ \t]+def|def|class)[ \t]+([A-Za-z][A-Za-z0-9_]*)", re.MULTILINE)
_ASSIGNED = re.compile(r"^([A-Z][A-Z0-9_]*)[ \t]*(?::[^=\n]+)?=(?!=)", re.MULTILINE)
_MARK = 12
_MOST_OTHERS = 10
"""Scripts of a run that a suite is tried on, right ones and wrong ones each."""
REFERENCE = "reference"
FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One script under test, and what else is known of its task."""

    task_id: str
    """Its own id: the task's, with a mark of the script where a task has several."""
    of_task: str
    batch: str
    family: str
    code: str
    names: tuple[str, ...]
    prompt: str = ""
    authors: tuple[str, ...] = ()
    right: bool = True
    profile: str | None = None
    """Size of the container, where its task says one."""
    others: tuple[OtherScript, ...] = ()
    """Right and wrong scripts for the same task."""

    @property
    def sha256(self) -> str:
        """Hash of all that decides what a suite for it is worth, and of what its writer sees."""
        matter = (self.code, self.prompt, self.names, self.right, [asdict(other) for other in self.others])
        return hashlib.sha256(json.dumps(matter).encode()).hexdigest()


def code_sha256(code: str) -> str:
    """Hash a script."""
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def of_references(tasks: Sequence[Task], run: RunData | None = None) -> tuple[Subject, ...]:
    """Take the first reference of each task.

    Raises:
        UsageProblem: no task has a reference.
    """
    made = tuple(
        Subject(
            task_id=task.task_id,
            of_task=task.task_id,
            batch=task.batch,
            family=task.family,
            code=task.references[0],
            names=_names(task, task.references[0]),
            prompt=task.prompt,
            authors=(REFERENCE,),
            profile=task.limits.profile,
            others=(*others_of_task(task, leave_out=0), *_others_of_run(run, task, task.references[0])),
        )
        for task in tasks
        if task.references
    )
    if not made:
        raise UsageProblem("none of these tasks has a `## Reference`: name others, or use --for")
    return made


def of_attempts(tasks: Sequence[Task], run: RunData) -> tuple[Subject, ...]:
    """Take the scripts that models' samples held in the end; equal ones once, with all their authors.

    Raises:
        UsageProblem: the run holds no script for any of the tasks that can be imported.
    """
    made: list[Subject] = []
    for task in tasks:
        for code, (authors, right) in sorted(_held(run, task).items()):
            made.append(
                Subject(
                    task_id=f"{task.task_id}@{code_sha256(code)[:_MARK]}",
                    of_task=task.task_id,
                    batch=task.batch,
                    family=task.family,
                    code=code,
                    names=_names(task, code),
                    prompt=task.prompt,
                    authors=tuple(sorted(authors)),
                    right=right,
                    profile=task.limits.profile,
                    others=(*others_of_task(task), *_others_of_run(run, task, code)),
                )
            )
    if not made:
        raise UsageProblem(
            f"run {run.manifest.run_id} holds no script for these tasks that can be imported: "
            "name its tasks with --task or --batch"
        )
    return tuple(made)


def of_folder(folder: Path) -> tuple[Subject, ...]:
    """Take every .py file right in a folder; NAME.md beside NAME.py is its description.

    Raises:
        UsageProblem: there is none, or one cannot be read.
    """
    if not folder.is_dir():
        raise UsageProblem(f"--for {folder}: neither `reference`, `attempts`, nor a folder of .py files")
    files = [path for path in sorted(folder.glob("*.py")) if not path.name.startswith(("_", ".", "test_"))]
    if not files:
        raise UsageProblem(f"{folder}: no .py files here (names with _, . or test_ in front do not count)")
    return tuple(_of_file(path) for path in files)


def _of_file(path: Path) -> Subject:
    code, text = read_source(str(path)), path.with_suffix(".md")
    batch = path.parent.name or "files"
    return Subject(
        task_id=f"{batch}/{path.stem}",
        of_task="",
        batch=batch,
        family=f"{batch}/{path.stem}",
        code=code,
        names=_defined(code),
        prompt=text.read_text(encoding="utf-8", errors="replace").strip() if text.is_file() else "",
        authors=(FILE,),
    )


def others_of_task(task: Task, *, leave_out: int | None = None) -> tuple[OtherScript, ...]:
    """Give a task's references, but for one of them, and its wrong scripts."""
    found = [
        OtherScript(name=f"{task.task_id} {what} {number}", script=text, right=what == REFERENCE)
        for what, texts in ((REFERENCE, task.references), ("wrong", task.wrong))
        for number, text in enumerate(texts, 1)
        if not (what == REFERENCE and number - 1 == leave_out)
    ]
    return tuple(found)


def _names(task: Task, code: str) -> tuple[str, ...]:
    return task.entry_point or _defined(code)


def _defined(code: str) -> tuple[str, ...]:
    # By the lines alone: the script may be a model's, and this process must not parse it.
    return tuple(dict.fromkeys((*_DEFINED.findall(code), *_ASSIGNED.findall(code))))[:40]


def _held(run: RunData, task: Task) -> dict[str, tuple[set[str], bool]]:
    found: dict[str, tuple[set[str], bool]] = {}
    for trajectory in run.trajectories:
        if trajectory.first.task_id != task.task_id or trajectory.first.arm is not Arm.REPAIR:
            continue
        last = next((each for each in reversed(trajectory.attempts) if each.script.code is not None), None)
        if last is None or last.script.code is None or last.unscored or not _imports(last.shown):
            continue
        authors, _ = found.setdefault(last.script.code, (set(), last.success))
        authors.add(last.model)
    return found


def _imports(shown: RunResult | None) -> bool:
    return shown is not None and shown.compiled.ok and shown.exception is None and bool(shown.tests)


def _others_of_run(run: RunData | None, task: Task, code: str) -> Iterator[OtherScript]:
    """Yield the scripts of a run's attempts; wrong ones once for each way to fail, right ones once each."""
    if run is None:
        return
    seen = {code}
    signatures: set[str] = set()
    counts = {True: 0, False: 0}
    for attempt in run.attempts:
        text, right = attempt.script.code, attempt.success
        if attempt.task_id != task.task_id or text is None or text in seen or not _imports(attempt.shown):
            continue
        signature = "" if right else _signature(attempt.shown, attempt.holdout)
        if attempt.unscored or signature in signatures or counts[right] == _MOST_OTHERS:
            continue
        seen.add(text)
        signatures |= {signature} - {""}
        counts[right] += 1
        name = f"{attempt.model} sample {attempt.sample} call {attempt.call_no}"
        yield OtherScript(name=name, script=text, right=right, signature=signature)


def _signature(*runs: RunResult | None) -> str:
    failed = [
        f"{number}:{test.id}"
        for number, result in enumerate(runs)
        for test in (result.tests if result else ())
        if test.outcome is not TestOutcome.PASSED
    ]
    return hashlib.sha256("\n".join(failed).encode()).hexdigest()[:16] if failed else ""
