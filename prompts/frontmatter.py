"""The YAML head of a task file: which keys there are, and what each may hold."""

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from prompts.errors import TaskError
from prompts.strict_yaml import StrictLoader, line_of, problem_of

DIFFICULTIES = ("easy", "medium", "hard")
GRADINGS = ("process", "shared", "program")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLimits:
    """What a task asks of the sandbox in place of the usual limits; None leaves a limit as it is."""

    wall_s: float | None = None
    cpu_s: float | None = None
    file_bytes: int | None = None
    output_bytes: int | None = None
    output_hard_bytes: int | None = None
    profile: str | None = None
    """Name of a container profile: memory, processes, CPUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontMatter:
    """The head of a task file, with the line of each key that was there."""

    entry_point: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()
    difficulty: str | None = None
    family: str | None = None
    limits: TaskLimits = field(default_factory=TaskLimits)
    grading: str | None = None
    lines: Mapping[str, int] = field(default_factory=dict)


class _Wrong(Exception):
    """What is wrong with a value, without the place."""


def read_front_matter(text: str, *, path: Path, first_line: int) -> FrontMatter:
    """Read the YAML between the `---` lines; `first_line` is the line of the file that it starts on.

    Raises:
        TaskError: bad YAML, a key twice, an unknown key, or a value of the wrong type.
    """
    nodes = _top_level(text, path=path, first_line=first_line)
    values: dict[str, Any] = {}
    for key, (line, value) in nodes.items():
        try:
            values[key] = _READERS[key](value)
        except KeyError:
            raise TaskError(_unknown(key, _READERS, "front matter key"), path=path, line=line) from None
        except _Wrong as error:
            raise TaskError(f"front matter `{key}`: {error}", path=path, line=line) from None
    return FrontMatter(**values, lines={key: line for key, (line, _) in nodes.items()})


def _top_level(text: str, *, path: Path, first_line: int) -> dict[str, tuple[int, Any]]:
    """Each key with the line it stands on and its value."""
    loader = StrictLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return {}
        if not isinstance(root, yaml.MappingNode):
            raise TaskError("the front matter must be `key: value` lines", path=path, line=first_line)
        values = loader.construct_document(root)
        lines = {str(key.value): first_line + key.start_mark.line for key, _ in root.value}
        return {str(key): (lines.get(str(key), first_line), value) for key, value in values.items()}
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = first_line + (line_of(error) if isinstance(error, yaml.YAMLError) else 0)
        raise TaskError(f"bad YAML in the front matter: {problem_of(error)}", path=path, line=line) from None
    finally:
        loader.dispose()


def _unknown(key: str, known: Mapping[str, Any] | tuple[str, ...], what: str) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}"
    return f"unknown {what} `{key}`; {hint}"


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong(f"must be a text, not {value!r}")
    return value.strip()


def _texts(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(_text(item) for item in items))


def _entry_point(value: Any) -> tuple[str, ...] | None:
    names = _texts(value)
    for name in names:
        if not name.isidentifier():
            raise _Wrong(f"`{name}` is not a Python name")
    return names or None


def _one_of(choices: tuple[str, ...]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        text = _text(value)
        if text not in choices:
            raise _Wrong(f"must be one of {', '.join(choices)}, not `{text}`")
        return text

    return read


def _positive(value: Any, *, whole: bool) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong(f"must be a number, not {value!r}")
    if not math.isfinite(value) or value <= 0:
        raise _Wrong(f"must be above zero, not {value!r}")
    if whole and value != int(value):
        raise _Wrong(f"must be a whole number, not {value!r}")
    return int(value) if whole else float(value)


def _limits(value: Any) -> TaskLimits:
    if not isinstance(value, dict):
        raise _Wrong(f"must be `key: value` pairs, not {value!r}")
    known = tuple(item.name for item in fields(TaskLimits))
    chosen: dict[str, Any] = {}
    for key, item in value.items():
        if key not in known:
            raise _Wrong(_unknown(str(key), known, "limit"))
        try:
            chosen[key] = _text(item) if key == "profile" else _positive(item, whole=key.endswith("_bytes"))
        except _Wrong as error:
            raise _Wrong(f"`{key}` {error}") from None
    return TaskLimits(**chosen)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "entry_point": _entry_point,
    "tags": _texts,
    "difficulty": _one_of(DIFFICULTIES),
    "family": _text,
    "limits": _limits,
    "grading": _one_of(GRADINGS),
}
