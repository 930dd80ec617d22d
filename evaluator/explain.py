"""A reply and what was made of it, side by side, with what was dropped struck out."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.safe_text import one_line, visible
from repair.cleaning.lines import Line, split_lines
from repair.script import EditClass, Script

_MAX_LINES = 3_000
_MAX_CHARS = 400
_STYLES = {EditClass.LOSSLESS: "green", EditClass.NORMALISING: "yellow", EditClass.LOSSY: "bold red"}
_DROPPED, _KEPT, _ADDED, _CHANGED = "-", " ", "+", "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One line of the view. `sign`: `-` dropped, `~` in part or changed, `+` not of the reply."""

    sign: str
    left: Text
    right: Text


def show(reply: str, script: Script, console: Console) -> None:
    """Print the view. Whatever a model wrote is made harmless; without colours the signs tell the same."""
    table = Table(expand=True, show_lines=False, pad_edge=False)
    table.add_column("", width=1, no_wrap=True)
    table.add_column("reply", ratio=1, overflow="fold")
    table.add_column(Text(f"result: {script.outcome}"), ratio=1, overflow="fold")
    for row in _rows(reply, script):
        table.add_row(row.sign, row.left, row.right)
    console.print(table)
    for line in _edits(script):
        console.print(line)


def _edits(script: Script) -> Iterator[Text]:
    for edit in script.edits:
        detail = f" ({one_line(edit.detail, 120)})" if edit.detail else ""
        dropped = f", {edit.dropped_chars} characters dropped" if edit.dropped_chars else ""
        yield Text(f"{edit.kind:12}{edit.rule}{detail}{dropped}", style=_STYLES[edit.kind])
    if script.reason:
        yield Text(f"reason      {one_line(script.reason)}")
    if script.flags:
        yield Text(f"seen        {one_line('; '.join(script.flags))}")


def _rows(reply: str, script: Script) -> Iterator[_Row]:
    lines = split_lines(reply)[:_MAX_LINES]
    code = (script.code or "").split("\n")
    code = (code[:-1] if code and not code[-1] else code)[:_MAX_LINES]
    kept = [_kept(line, script) for line in lines]
    for left, right in _aligned(kept, code):
        line = lines[left] if left is not None else None
        shown = Text(_safe(code[right])) if right is not None else Text()
        if line is None:
            yield _Row(sign=_ADDED, left=Text(), right=shown)
            continue
        whole = right is not None and line.text == code[right]
        sign = _KEPT if whole else _CHANGED if right is not None else _DROPPED if line.text.strip() else _KEPT
        yield _Row(sign=sign, left=Text(_safe(line.text)) if whole else _struck(line, script), right=shown)


def _kept(line: Line, script: Script) -> str:
    """What of a line the result was taken from."""
    return "".join(line.text[start - line.start : end - line.start] for start, end in _parts(line, script))


def _parts(line: Line, script: Script) -> Iterator[tuple[int, int]]:
    for start, end in script.spans:
        if start < line.end and end > line.start:
            yield max(start, line.start), min(end, line.end)


def _struck(line: Line, script: Script) -> Text:
    text, at = Text(), line.start
    for start, end in _parts(line, script):
        text.append(_safe(line.text[at - line.start : start - line.start]), style="strike red")
        text.append(_safe(line.text[start - line.start : end - line.start]))
        at = max(end, at)
    text.append(_safe(line.text[at - line.start :]), style="strike red")
    return text


def _safe(text: str) -> str:
    shown = visible(text[:_MAX_CHARS].expandtabs(4)).replace("\n", "\\n")
    return shown + ("…" if len(text) > _MAX_CHARS else "")


def _aligned(kept: list[str], code: list[str]) -> Iterator[tuple[int | None, int | None]]:
    """Pairs of line numbers of reply and result; None where one has no counterpart."""
    left_side, right_side = [line.strip() for line in kept], [line.strip() for line in code]
    matcher = SequenceMatcher(None, left_side, right_side, autojunk=False)
    for tag, left, left_end, right, right_end in matcher.get_opcodes():
        paired = tag == "equal" or (tag == "replace" and all(left_side[left:left_end]))
        both = min(left_end - left, right_end - right) if paired else 0
        yield from ((left + step, right + step) for step in range(both))
        yield from ((number, None) for number in range(left + both, left_end))
        yield from ((None, number) for number in range(right + both, right_end))
