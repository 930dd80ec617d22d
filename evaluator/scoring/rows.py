"""Rows of samples that somebody brings along: checked one by one, so that a broken one loses no other."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from evaluator.keys import digest
from repair.reply import plain

RowId = str | int
_TRUNCATED = "length"
_TYPES: Final[Mapping[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


class BrokenRow(Exception):
    """A row cannot be judged; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a row comes from."""

    place: str
    """For people: `line 7`, `element 3`, a path."""
    line: int | None = None
    """Number of its line, from 1, where rows are lines."""
    index: int = 0
    """Its number among the rows, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A row as it was read: an object, or why there is none."""

    spot: Spot
    value: Any = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One sample. Exactly one of `solution`, `completion` and `reply` is given."""

    spot: Spot
    id: RowId
    named: bool = False
    """Whether the id is the row's own."""
    task_id: str = ""
    solution: str | None = None
    completion: str | None = None
    """Goes on where the task's prompt, or the row's own, ends."""
    reply: str | None = None
    """A model's reply as it came."""
    reasoning: str = ""
    truncated: bool = False
    """The server cut the reply off."""
    tests: str | None = None
    prompt: str | None = None
    entry_point: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that cannot be judged, and why."""

    spot: Spot
    id: RowId | None
    why: str


def read_rows(raws: Iterable[Raw]) -> Iterator[Row | BadRow]:
    """Check rows one by one; lists of samples (`code_list`) become a row each. Ids must not come twice."""
    seen: set[bytes] = set()
    index = 0
    for raw in raws:
        for value in _spread(raw):
            row = _row(replace(value, spot=replace(value.spot, index=index)))
            index += 1
            yield _once(row, seen)


def _once(row: Row | BadRow, seen: set[bytes]) -> Row | BadRow:
    if isinstance(row, BadRow) or not row.named:
        return row
    # Hashes, because there may be many rows with long ids.
    key = bytes.fromhex(digest(row.id))[:16]
    if key in seen:
        return _bad(row.spot, row.id, f"the id {row.id!r} was there before")
    seen.add(key)
    return row


def _spread(raw: Raw) -> Iterator[Raw]:
    """One row per sample of `{"question_id", "code_list": […]}`; any other row as it is."""
    value = raw.value
    if not isinstance(value, dict) or not isinstance(value.get("code_list"), list):
        yield raw
        return
    question = value.get("question_id")
    for number, code in enumerate(value["code_list"]):
        spot = replace(raw.spot, place=f"{raw.spot.place}, sample {number}")
        row = {"id": f"{question}/{number}", "task_id": question, "solution": code}
        yield Raw(spot=spot, value=row)


def _row(raw: Raw) -> Row | BadRow:
    if raw.why:
        return _bad(raw.spot, None, raw.why)
    value = raw.value
    if not isinstance(value, dict):
        return _bad(raw.spot, None, f"a row is an object, this is {_kind(value)}")
    try:
        return _checked(raw.spot, value)
    except BrokenRow as exc:
        return _bad(raw.spot, _known_id(value.get("id")), str(exc))


def _bad(spot: Spot, row_id: RowId | None, why: str) -> BadRow:
    return BadRow(spot=spot, id=row_id, why=f"{spot.place}: {why}")


def _checked(spot: Spot, value: Mapping[str, Any]) -> Row:
    task_id = _name(value, "task_id") or _name(value, "question_id")
    row_id = _known_id(value.get("id"))
    if row_id is None and value.get("id") is not None:
        raise BrokenRow(f"`id` is {_kind(value['id'])}; text or a whole number is allowed")
    reply = text_field(value, "reply")
    row = Row(
        spot=spot,
        id=f"{task_id or 'row'}#{spot.index}" if row_id is None else row_id,
        named=row_id is not None,
        task_id=task_id,
        solution=text_field(value, "solution"),
        completion=text_field(value, "completion"),
        reply=None if reply is None else plain(reply),
        reasoning=plain(text_field(value, "reasoning") or text_field(value, "reasoning_content") or ""),
        truncated=value.get("finish_reason") == _TRUNCATED,
        tests=text_field(value, "tests"),
        prompt=text_field(value, "prompt"),
        entry_point=names_field(value, "entry_point"),
    )
    return _one_text(row)


def _one_text(row: Row) -> Row:
    """Of several texts the one nearest to a script counts, as with other tools for such files."""
    if row.solution is not None:
        return replace(row, completion=None, reply=None)
    if row.completion is not None:
        return replace(row, reply=None)
    if row.reply is None:
        raise BrokenRow("no code: give `solution`, `completion` or `reply`")
    return row


def text_field(value: Mapping[str, Any], name: str) -> str | None:
    """Return a text of a row; None where it is missing or null.

    Raises:
        BrokenRow: it is something else.
    """
    text = value.get(name)
    if text is None or isinstance(text, str):
        return text
    raise BrokenRow(f"`{name}` is {_kind(text)}, not text")


def names_field(value: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return one name, or a list of names.

    Raises:
        BrokenRow: it is something else.
    """
    names = value.get(name)
    if names is None:
        return ()
    if isinstance(names, str):
        return (names,)
    if isinstance(names, list) and all(isinstance(item, str) for item in names):
        return tuple(names)
    raise BrokenRow(f"`{name}` is neither a name nor a list of names")


def _name(value: Mapping[str, Any], name: str) -> str:
    """Return the id of a task; some data sets number them."""
    task_id = _known_id(value.get(name))
    if task_id is None and value.get(name) is not None:
        raise BrokenRow(f"`{name}` is {_kind(value[name])}; text or a whole number is allowed")
    return "" if task_id is None else str(task_id)


def _known_id(value: object) -> RowId | None:
    if isinstance(value, str):
        return plain(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _kind(value: object) -> str:
    return _TYPES.get(type(value), type(value).__name__)


def parse_json(data: bytes | str) -> Any:
    """Parse one JSON value.

    Raises:
        BrokenRow: it is none; says what is wrong with it.
    """
    try:
        return json.loads(data)
    except json.JSONDecodeError as exc:
        raise BrokenRow(f"not JSON: {exc.msg} at character {exc.pos + 1}") from None
    except UnicodeDecodeError as exc:
        raise BrokenRow(f"not UTF-8: byte {exc.start} of the row") from None
    except (ValueError, RecursionError) as exc:
        raise BrokenRow(f"JSON that cannot be read: {exc}") from None
