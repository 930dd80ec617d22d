"""Markdown files → tasks. A plain Markdown file is a complete task: all of it is the prompt.

A folder of `.md` files is a batch. A folder of such folders is a collection of batches. Files and folders
whose names start with `_` or `.`, and README.md, are not tasks.
"""

import ast
import difflib
import hashlib
import json
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from prompts.errors import NothingSelected, TaskError, TaskErrors
from prompts.frontmatter import FrontMatter, TaskLimits, read_front_matter
from prompts.sections import Block, Document, split_document

__all__ = ["Task", "TaskLimits", "batch_root", "load", "load_batch", "parse"]

_NAME = re.compile(r"[a-z0-9_-]+")
_FENCE = "---"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One prompt of a batch, with its tests if it has any."""

    batch: str
    name: str
    path: Path
    prompt: str
    tests: str | None = None
    """Shown tests: their failures are what a repair loop may send back."""
    holdout: str | None = None
    """Decide success; never shown to a model in any form."""
    references: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    entry_point: tuple[str, ...] | None = None
    """Names that the script must define."""
    tags: tuple[str, ...] = ()
    difficulty: str | None = None
    family: str
    """Ties near relatives together for statistics; the task's own id, if nothing else is said."""
    limits: TaskLimits = field(default_factory=TaskLimits)
    grading: str | None = None
    tests_by: str = ""
    """The model that wrote the shown tests, where no person did."""

    @property
    def task_id(self) -> str:
        """`<batch>/<name>`."""
        return f"{self.batch}/{self.name}"

    @property
    def sha256(self) -> str:
        """Hash of all that decides what is asked and how it is judged; not of tags, difficulty and path.

        Tests that a model wrote are no part of the task.
        """
        matter = (
            self.prompt,
            None if self.tests_by else self.tests,
            self.holdout,
            self.references,
            self.wrong,
            self.entry_point,
            self.family,
            asdict(self.limits),
            self.grading,
        )
        return hashlib.sha256(json.dumps(matter).encode()).hexdigest()


def batch_root() -> Path:
    """The folder of the batches that ship with the project."""
    return Path(__file__).resolve().parent


def load(
    root: Path, batches: Sequence[str] | None = None, tasks: Sequence[str] | None = None
) -> tuple[Task, ...]:
    """Load tasks from a file, a batch or a folder of batches, in the order of their ids.

    `batches` are names of batches; `tasks` are task ids or names, `*` and `?` allowed. None means all.

    Raises:
        TaskErrors: every fault of every chosen file.
        NothingSelected: the folder holds no task, or something that was asked for is not there.
    """
    files = dict(sorted(_files(root, batches).items()))
    chosen = _select(files, tasks, root)
    found, errors = _parse_all((path, files[path]) for path in chosen)
    errors.extend(_duplicates(found))
    if errors:
        raise TaskErrors(errors)
    return tuple(sorted(found, key=lambda task: task.task_id))


def load_batch(folder: Path) -> tuple[Task, ...]:
    """Load the tasks of one batch: the `.md` files right in `folder`.

    Raises:
        TaskErrors: every fault of every file.
        NothingSelected: the folder is missing or holds no task.
    """
    paths = _task_files(folder)
    if not paths:
        raise NothingSelected(f"no tasks (*.md) in {folder}")
    found, errors = _parse_all((path, folder.resolve().name) for path in paths)
    if errors:
        raise TaskErrors(errors)
    return tuple(found)


def parse(text: str, path: Path, batch: str) -> Task:
    """Make a task of the text of one Markdown file.

    Raises:
        TaskError: anything that is wrong with it, with the line.
    """
    _check_name(path.stem, "file", path)
    _check_name(batch, "folder", path)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise TaskError("holds a NUL character; is it a text file?", path=path, line=line)
    head, body, first_line = _split_head(text, path)
    document = split_document(body, path=path, first_line=first_line)
    if not document.prompt:
        raise TaskError("no prompt: write the task above the first section", path=path, line=first_line)
    _check_code(document, path)
    return _task(head, document, path, batch)


def _task(head: FrontMatter, document: Document, path: Path, batch: str) -> Task:
    tests, holdout = document.one("Tests"), document.one("Holdout")
    if head.grading == "program" and (tests or holdout):
        message = "`grading: program` runs no tests, but the task has some; remove one or the other"
        raise TaskError(message, path=path, line=head.lines["grading"])
    return Task(
        batch=batch,
        name=path.stem,
        path=path,
        prompt=document.prompt,
        tests=tests.code if tests else None,
        holdout=holdout.code if holdout else None,
        references=tuple(block.code for block in document.all("Reference")),
        wrong=tuple(block.code for block in document.all("Wrong")),
        entry_point=head.entry_point,
        tags=head.tags,
        difficulty=head.difficulty,
        family=head.family or f"{batch}/{path.stem}",
        limits=head.limits,
        grading=head.grading,
    )


def _split_head(text: str, path: Path) -> tuple[FrontMatter, str, int]:
    """The front matter, the text below it, and the line of the file which that text starts on."""
    rows = text.split("\n")
    if rows[0].rstrip() != _FENCE:
        return FrontMatter(), text, 1
    end = next((i for i, row in enumerate(rows) if i and row.rstrip() == _FENCE), None)
    if end is None:
        raise TaskError("the front matter is never closed; end it with a line `---`", path=path, line=1)
    head = read_front_matter("\n".join(rows[1:end]), path=path, first_line=2)
    return head, "\n".join(rows[end + 1 :]), end + 2


def _check_name(name: str, what: str, path: Path) -> None:
    if not _NAME.fullmatch(name):
        message = f"bad {what} name `{name}`: use small letters, digits, `-` and `_`"
        raise TaskError(message, path=path)


def _check_code(document: Document, path: Path) -> None:
    for title, block in document.blocks:
        tree = _parse_block(title, block, path)
        if title in {"Tests", "Holdout"}:
            _check_tests(title, tree, block, path)


def _parse_block(title: str, block: Block, path: Path) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return ast.parse(block.code)
    except SyntaxError as error:
        line = block.line + max((error.lineno or 1) - 1, 0)
        message = f"the code of `## {title}` is not Python: {error.msg}"
        raise TaskError(message, path=path, line=line) from None
    except (RecursionError, MemoryError):
        message = f"the code of `## {title}` is nested too deeply"
        raise TaskError(message, path=path, line=block.line) from None


def _check_tests(title: str, tree: ast.Module, block: Block, path: Path) -> None:
    nodes = list(ast.walk(tree))
    if not any(_imports_solution(node) for node in nodes):
        message = f"`## {title}` never imports `solution`; write `from solution import …`"
        raise TaskError(message, path=path, line=block.line)
    tests = (ast.FunctionDef, ast.AsyncFunctionDef)
    if not any(isinstance(node, tests) and node.name.startswith("test") for node in nodes):
        message = f"`## {title}` defines no test; write functions called `test_…`"
        raise TaskError(message, path=path, line=block.line)


def _imports_solution(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "solution"
    return isinstance(node, ast.Import) and any(alias.name == "solution" for alias in node.names)


def _task_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("*.md") if path.is_file() and not _ignored(path))


def _ignored(path: Path) -> bool:
    return path.name.startswith(("_", ".")) or path.name.lower() == "readme.md"


def _files(root: Path, batches: Sequence[str] | None) -> dict[Path, str]:
    """Every task file under `root`, with the name of its batch."""
    if root.is_file():
        return {root: root.resolve().parent.name}
    if not root.is_dir():
        raise NothingSelected(f"no such file or folder: {root}")
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir() and not _ignored(path))]
    files = {path: folder.resolve().name for folder in folders for path in _task_files(folder)}
    if not files:
        raise NothingSelected(
            f"no tasks (*.md) in {root} or right below it (README.md and names with _ in front are none)"
        )
    for batch in batches or ():
        _require(batch, set(files.values()), "batch", root)
    return {path: batch for path, batch in files.items() if batches is None or batch in batches}


def _select(files: dict[Path, str], patterns: Sequence[str] | None, root: Path) -> list[Path]:
    if patterns is None:
        return list(files)
    ids = {path: f"{batch}/{path.stem}" for path, batch in files.items()}
    for pattern in patterns:
        if not any(_matches(task_id, pattern) for task_id in ids.values()):
            _require(pattern, set(ids.values()), "task", root)
    return [path for path, task_id in ids.items() if any(_matches(task_id, item) for item in patterns)]


def _matches(task_id: str, pattern: str) -> bool:
    return fnmatchcase(task_id, pattern) or fnmatchcase(task_id.rpartition("/")[2], pattern)


def _require(name: str, known: set[str], what: str, root: Path) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, sorted(known), n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(sorted(known))}"
    raise NothingSelected(f"no {what} `{name}` in {root}; {hint}")


def _parse_all(files: Iterable[tuple[Path, str]]) -> tuple[list[Task], list[TaskError]]:
    found: list[Task] = []
    errors: list[TaskError] = []
    for path, batch in files:
        try:
            found.append(parse(_read(path), path, batch))
        except TaskError as error:
            errors.append(error)
    return found, errors


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        message = (
            f"not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}; save the file as UTF-8"
        )
        line = error.object.count(b"\n", 0, error.start) + 1
        raise TaskError(message, path=path, line=line) from None
    except OSError as error:
        raise TaskError(f"cannot be read: {error.strerror}", path=path) from None


def _duplicates(tasks: Iterable[Task]) -> Iterator[TaskError]:
    seen: dict[str, Path] = {}
    for task in tasks:
        if task.task_id in seen:
            message = f"task id `{task.task_id}` is taken by {seen[task.task_id]}; rename one of them"
            yield TaskError(message, path=task.path)
        seen.setdefault(task.task_id, task.path)
