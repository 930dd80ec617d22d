"""Replies in, results of cleaning out: what `mendbench clean` prints, one JSON object per reply."""

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from evaluator.scoring.rows import BrokenRow, Raw, names_field, text_field
from repair.cleaning.caged import Cleaner
from repair.reply import plain
from repair.script import Script

INVALID_ROW: Final = "invalid_row"
HOST: Final = f"host (Python {platform.python_version()})"
"""Who compiled the code, where the sandbox was not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One reply to clean, and what was asked for."""

    id: str | int
    text: str
    reasoning: str = ""
    required: tuple[str, ...] = ()
    prompt: str = ""
    subject: str = ""
    kind: Literal["script", "tests"] = "script"
    mine_reasoning: bool = False


def read_reply(raw: Raw, *, mine_reasoning: bool = False) -> Reply:
    """Check one row: `reply`, and if given `id`, `reasoning`, `entry_point`, `prompt`, `kind`, `subject`.

    Raises:
        BrokenRow: it is none.
    """
    row = raw.value
    if raw.why or not isinstance(row, dict):
        raise BrokenRow(raw.why or "a row is an object")
    text = text_field(row, "reply")
    if text is None:
        raise BrokenRow("no `reply`")
    row_id = row.get("id")
    return Reply(
        id=row_id if isinstance(row_id, str | int) else raw.spot.index,
        text=text,
        reasoning=text_field(row, "reasoning") or text_field(row, "reasoning_content") or "",
        required=names_field(row, "entry_point"),
        prompt=text_field(row, "prompt") or "",
        subject=text_field(row, "subject") or "",
        kind=_kind(row.get("kind")),
        mine_reasoning=mine_reasoning,
    )


def _kind(given: object) -> Literal["script", "tests"]:
    match given:
        case None | "script":
            return "script"
        case "tests":
            return "tests"
        case _:
            raise BrokenRow("`kind` is neither `script` nor `tests`")


def clean_one(reply: Reply, cleaner: Cleaner) -> Script:
    """Clean one reply.

    Raises:
        CleanerError: no child can be started.
    """
    return cleaner.clean(
        reply.text,
        plain(reply.reasoning),
        reply.required,
        reply.kind,
        prompt=reply.prompt,
        subject=reply.subject,
        mine_reasoning=reply.mine_reasoning,
    )


def result(reply_id: str | int, script: Script, *, compiled_by: str = HOST) -> dict[str, Any]:
    """The line of a cleaned reply."""
    return {
        "id": reply_id,
        "outcome": str(script.outcome),
        "code": None if script.code is None else plain(script.code),
        "rules": [edit.rule for edit in script.edits],
        "compiles": script.compiles,
        "compiled_by": compiled_by,
        "raw_compiles": script.raw_compiles,
        "edits": [asdict(replace(edit, detail=plain(edit.detail))) for edit in script.edits],
        "spans": script.spans,
        "tests": plain(script.tests),
        "flags": script.flags,
        "reason": plain(script.reason),
    }


def invalid(raw: Raw, why: str) -> dict[str, Any]:
    """The line of a row that is none."""
    row_id = raw.value.get("id") if isinstance(raw.value, Mapping) else None
    known = row_id if isinstance(row_id, str | int) else raw.spot.index
    return {"id": known, "outcome": INVALID_ROW, "code": None, "error": f"{raw.spot.place}: {why}"}
