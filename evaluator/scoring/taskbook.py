"""The tasks that samples may name: a file of tests by task, a folder of batches, and those that ship."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.errors import UsageProblem
from evaluator.scoring.asserts import check_as_tests
from evaluator.scoring.rows import BrokenRow, Raw, names_field, text_field
from evaluator.scoring.samples import read_samples
from prompts.tasks import Task, load

_SHOWN_FAULTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A task that a sample may name."""

    task_id: str
    task: Task
    prompt: str | None = None
    """Code that completions go on from; None where the prompt is not code."""


class TaskBook:
    """Finds tasks by id; `/` in an id may be written `_`, as in the names of folders."""

    def __init__(self, known: Iterable[Known] = ()) -> None:
        self._by_id: dict[str, Known] = {}
        self._by_name: dict[str, Known | None] = {}
        for item in known:
            if item.task_id not in self._by_id:
                self._add(item)

    def _add(self, item: Known) -> None:
        self._by_id[item.task_id] = item
        name = item.task_id.replace("/", "_")
        self._by_name[name] = None if name in self._by_name else item

    def find(self, task_id: str) -> Known | None:
        """Look a task up; None where there is none, or where a folder's name fits two."""
        return self._by_id.get(task_id) or self._by_name.get(task_id)


def open_book(tasks: Path | None, shipped: Path) -> TaskBook:
    """Read what `--tasks` names (JSON lines, or a folder of tasks); shipped tasks come after it.

    Raises:
        UsageProblem: some row of the file is no task, or two share an id.
        PromptError: some task of the folder is broken.
    """
    return TaskBook([*(_given(tasks) if tasks else ()), *_of_folder(shipped)])


def _of_folder(folder: Path) -> Iterator[Known]:
    return (Known(task_id=task.task_id, task=task) for task in load(folder))


def _given(path: Path) -> Iterator[Known]:
    if path.is_dir() or path.suffix == ".md":
        return _of_folder(path)
    if not path.exists():
        raise UsageProblem(f"no such file or folder: {path}")
    return iter(_of_rows(path))


def _of_rows(path: Path) -> list[Known]:
    found: dict[str, Known] = {}
    faults: list[str] = []
    for raw in read_samples(str(path)):
        try:
            item = _known(raw, path)
        except BrokenRow as exc:
            faults.append(f"  {raw.spot.place}: {exc}")
            continue
        if found.setdefault(item.task_id, item) is not item:
            faults.append(f"  {raw.spot.place}: task {item.task_id!r} was there before")
    if faults:
        more = len(faults) - _SHOWN_FAULTS
        tail = [f"  and {more} more"] if more > 0 else []
        raise UsageProblem("\n".join([f"{path}: not a file of tasks:", *faults[:_SHOWN_FAULTS], *tail]))
    return list(found.values())


def _known(raw: Raw, path: Path) -> Known:
    if raw.why or not isinstance(raw.value, dict):
        raise BrokenRow(raw.why or "a task is an object")
    row = raw.value
    task_id = row.get("task_id", row.get("question_id"))
    if not isinstance(task_id, str | int) or isinstance(task_id, bool):
        raise BrokenRow("no `task_id`")
    names = names_field(row, "entry_point")
    batch, _, name = str(task_id).rpartition("/")
    task = Task(
        batch=batch,
        name=name,
        path=path,
        prompt="",
        tests=_tests(row, names),
        entry_point=names or None,
        family=str(task_id),
    )
    return Known(task_id=str(task_id), task=task, prompt=text_field(row, "prompt"))


def _tests(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    tests, check = text_field(row, "tests"), text_field(row, "test")
    if tests is not None:
        return tests
    if check is None or len(names) != 1 or not names[0].isidentifier():
        raise BrokenRow("neither `tests` (a pytest file) nor `test` and `entry_point`")
    try:
        return check_as_tests(check, names[0])
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        raise BrokenRow(f"`test` is not Python: {exc}") from None
