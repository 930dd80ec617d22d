"""Recorded multi-round histories: one row is one trajectory of a model, with its prompt and its replies."""

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evaluator.errors import UsageProblem
from evaluator.scoring.asserts import RUNNABLE, as_pytest, needed_names
from evaluator.scoring.rows import BrokenRow, Raw, names_field, text_field
from evaluator.scoring.samples import read_samples
from prompts.recordings import Reply
from repair.reply import plain

UNNAMED: Final = "recorded"
"""Stands for the model of rows that name none."""
_SHOWN_FAULTS: Final = 5
_BATCH: Final = "recorded"
_MODEL_CHARS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One reply of a history, and what its source said about it."""

    reply: Reply
    verdict: str = ""
    """The recorded verdict in its source's words; nothing here depends on it."""
    scope: str = ""
    """Which tests that verdict was about: `hidden`, `visible`, …"""
    detail: str = ""
    """What its source says of the verdict."""
    code: str | None = None
    """The code that its source took out of the reply, where it was kept."""
    code_only: bool = False
    """The reply was not kept; that code stands for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One trajectory: what was asked, and what the model replied, round by round."""

    place: str
    """Where in the file it stands, for people."""
    row: int
    """Its number among the rows, from 0."""
    task_key: str
    model: str
    prompt: str
    tests: str | None
    """A pytest file; None where none can be run."""
    tests_missing: str = ""
    """Why there are no tests."""
    entry_point: tuple[str, ...] = ()
    rounds: tuple[Round, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """The rows of a file: good ones, and what is wrong with the others."""

    rows: tuple[History, ...]
    faults: tuple[str, ...] = ()


def read_histories(source: str, *, skip_bad: bool = False) -> Histories:
    """Read a file of histories (JSON lines or one list, also `.gz`; `-` is standard input).

    Raises:
        UsageProblem: there is none, or some row is broken (`skip_bad`: or all are); names the rows.
    """
    found, faults = parse_histories(read_samples(source))
    if faults and not (skip_bad and found):
        more = len(faults) - _SHOWN_FAULTS
        tail = [f"  and {more} more"] if more > 0 else []
        listed = "\n".join([f"  {fault}" for fault in faults[:_SHOWN_FAULTS]] + tail)
        advice = "" if skip_bad else "\nMend them, or leave them out with --skip-bad."
        raise UsageProblem(f"{source}: {len(faults)} rows are no histories:\n{listed}{advice}")
    return Histories(rows=tuple(found), faults=tuple(faults))


def parse_histories(raws: Iterable[Raw]) -> tuple[list[History], list[str]]:
    """Check rows one by one; return the good ones, and what is wrong with each of the others."""
    found: list[History] = []
    faults: list[str] = []
    for number, raw in enumerate(raws):
        try:
            found.append(_history(raw, number))
        except BrokenRow as exc:
            faults.append(f"{raw.spot.place}: {exc}")
    return found, faults


def _history(raw: Raw, number: int) -> History:
    if raw.why or not isinstance(raw.value, dict):
        raise BrokenRow(raw.why or "a history is an object")
    row = raw.value
    prompt, model = plain(text_field(row, "prompt") or ""), _text(row, "model") or UNNAMED
    if not prompt.strip():
        raise BrokenRow("no `prompt`")
    if len(model) > _MODEL_CHARS:
        raise BrokenRow(f"`model` is longer than {_MODEL_CHARS} characters")
    names = names_field(row, "entry_point")
    tests, missing = _tests(row, names)
    return History(
        place=raw.spot.place,
        row=number,
        task_key=_text(row, "task_key") or _text(row, "task_id") or f"{_BATCH}/row-{number + 1}",
        model=model,
        prompt=prompt,
        tests=tests,
        tests_missing=missing,
        entry_point=names or _wanted(row.get("tests"), tests),
        rounds=_rounds(row.get("rounds"), prompt),
    )


def _tests(row: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str | None, str]:
    """Give the tests as a pytest file, or why there are none."""
    tests, kind = plain(text_field(row, "tests") or ""), _text(row, "tests_kind")
    if not tests.strip():
        return None, f"tests of kind {kind} cannot be run here" if kind else "the row has no `tests`"
    kind = kind or _guessed(tests, names)
    if kind not in RUNNABLE:
        return None, f"tests of kind {kind} cannot be run here"
    try:
        return as_pytest(tests, kind, names), ""
    except ValueError as exc:
        raise BrokenRow(f"`tests`: {exc}") from None


def _guessed(tests: str, names: tuple[str, ...]) -> str:
    check = re.search(r"^def check\(", tests, re.MULTILINE) and len(names) == 1
    return "humaneval_check" if check and not re.search(r"^check\(", tests, re.MULTILINE) else "plain_asserts"


def _wanted(source: object, tests: str | None) -> tuple[str, ...]:
    """Guess the names that a script must define: those that its tests use and do not have."""
    return needed_names(source) if tests is not None and isinstance(source, str) else ()


def _rounds(value: object, prompt: str) -> tuple[Round, ...]:
    if not isinstance(value, list) or not value:
        raise BrokenRow("no `rounds`: a list with a reply each is wanted")
    _in_order(value)
    return tuple(_round(number, item, prompt) for number, item in enumerate(value))


def _in_order(rounds: Sequence[object]) -> None:
    numbers = [item.get("round") for item in rounds if isinstance(item, dict)]
    known = [number for number in numbers if isinstance(number, int)]
    if known != sorted(known):
        raise BrokenRow("`rounds` are not in the order of their numbers")


def _round(number: int, item: object, prompt: str) -> Round:
    if not isinstance(item, dict):
        raise BrokenRow(f"round {number} is no object")
    try:
        replies = [text_field(item, name) for name in ("reply", "raw_reply")]
        code, finish = text_field(item, "code"), text_field(item, "finish_reason")
        reasoning = text_field(item, "reasoning") or text_field(item, "reasoning_content") or ""
    except BrokenRow as exc:
        raise BrokenRow(f"round {number}: {exc}") from None
    said = next((text for text in replies if text is not None), None)
    if said is None and code is None:
        raise BrokenRow(f"round {number} has neither `reply` (or `raw_reply`) nor `code`")
    return Round(
        reply=Reply(
            content=_lent(prompt, code or "") if said is None else said,
            reasoning=reasoning,
            finish_reason=finish or "stop",
            prompt_tokens=_count(item, "prompt_tokens", "tokens_prompt"),
            completion_tokens=_count(item, "completion_tokens", "tokens_completion"),
        ),
        verdict=_text(item, "verdict"),
        scope=_text(item, "verdict_scope"),
        detail=_text(item, "verdict_detail"),
        code=code,
        code_only=said is None,
    )


def _lent(prompt: str, code: str) -> str:
    """Put in front of code what it uses and its prompt, a piece of code, imports.

    Harnesses that keep the code alone run it behind the prompt.
    """
    try:
        asked, free = ast.parse(prompt), set(needed_names(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code
    imports = (node for node in asked.body if isinstance(node, ast.Import | ast.ImportFrom))
    lines = [
        ast.unparse(node)
        for node in imports
        if free & {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    ]
    # Nothing may stand before an import from __future__.
    return code if "__future__" in code else "\n".join([*lines, code])


def _count(item: Mapping[str, Any], *names: str) -> int | None:
    values = (item.get(name) for name in names)
    return next((v for v in values if isinstance(v, int) and not isinstance(v, bool) and v >= 0), None)


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return plain(text_field(row, name) or "")
