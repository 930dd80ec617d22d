"""Finds fenced blocks, line by line, in Markdown as models write it.

On well-formed CommonMark the blocks are those of a Markdown parser. Beyond that it understands
fences that are glued to prose or code, unclosed ones, stray closers, fences nested in docstrings.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from repair.cleaning.lexer import State, after_line
from repair.cleaning.lines import Line, Lines, join_lines

Compiles = Callable[[str], bool]

_MAX_BACKTRACKS = 4
_NEAR = 5
_PYTHON = re.compile(r"(?:python|py|ipython|pycon|gpython|cpython|pyi|jupyter|sage)[\d.]*", re.IGNORECASE)
_QUOTE = re.compile(r"[ ]{0,3}(?:>[ ]?)+")
_QUOTE_MARK = re.compile(r"[ ]{0,3}>[ ]?")
_LIST_ITEM = re.compile(r"[ ]{0,3}(?:[-*+]|\d{1,9}[.)])[ \t]+(?=`{3}|~{3})")
_OPENER = re.compile(r"(?P<indent>[ \t]*)(?P<mark>`{3,}+(?!.*`)|~{3,}+)(?P<info>.*)$")
_GLUED_OPENER = re.compile(r"^[^`]*[^`\s][ \t]*(?P<mark>`{3,})[ \t]*(?P<info>[\w{][^`]*)?$")
_CLOSER = re.compile(r"(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})[ \t]*$")
_GLUED_CLOSER = re.compile(r"^(?P<code>[^`]*[^`\s])[ \t]*(?P<mark>`{3,})[ \t]*$")
_TEXT_BEHIND = re.compile(r"^(?P<mark>`{3,}+|~{3,}+)(?=[^\w{`~]|\w+ \w)[^`]*$")
_INLINE = re.compile(r"^[ \t]*(?P<mark>`{3,})(?P<info>\w*)[ \t]+(?P<code>[^`]+)(?P=mark)[ \t]*$")
_CODE_AFTER_LABEL = re.compile(
    r"\s*(?P<label>python3?|py)[ \t]+(?=(?:def|class|import|from|async def|@)\b|@)", re.IGNORECASE
)
_DIFFS = frozenset({"diff", "patch", "udiff"})


class Label(IntEnum):
    """What an opening fence promises; better promises are larger."""

    FOREIGN = 0
    NONE = 1
    PYTHON = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block. `lines` is its body; `first` and `last` are the line numbers it spans."""

    label: Label
    info: str
    lines: Lines
    first: int
    last: int
    closed: bool
    tag: bool = False
    stray: bool = False
    """Its opening fence was no part of the reply."""


def label_of(info: str) -> Label:
    """Read an info string: `python`, `Py`, `{.python}`, `python title=…`, `python:main.py`, `main.py`."""
    return _USUAL[info] if info in _USUAL else _read_label(info)


def _read_label(info: str) -> Label:
    words = [word for word in re.split(r"[\s:,{}()=\"']+|(?<![\w])\.", info.strip()) if word]
    if not words:
        return Label.NONE
    if (
        _PYTHON.fullmatch(words[0])
        or words[0].casefold().startswith(("python", "pycon"))
        or words[0].endswith(".py")
    ):
        return Label.PYTHON
    return Label.NONE if words[0].casefold() in _DIFFS else Label.FOREIGN


_USUAL = {info: _read_label(info) for info in ("", "python", "Python", "py", "bash", "text", "json")}


@dataclass(slots=True, kw_only=True)
class _Fence:
    mark: str
    info: str
    indent: int
    first: int
    strip: int = -1
    """How many spaces lines lose at most: as many as the fence has, unless the code does not follow it."""
    quotes: int = 0
    """How many `>` stand before each line."""
    body: list[Line]

    def closes(self, mark: str) -> bool:
        return mark[0] == self.mark[0] and len(mark) >= len(self.mark)


class _Scanner:
    """One pass over the lines; goes back at most `_MAX_BACKTRACKS` times, so it stays linear."""

    def __init__(self, lines: Lines, compiles: Compiles) -> None:
        self._lines = lines
        self._compiles = compiles
        self._backtracks = 0

    def blocks(self) -> Iterator[Block]:
        at = 0
        while at < len(self._lines):
            if "```" not in self._lines[at].text and "~~~" not in self._lines[at].text:
                at += 1
                continue
            found = self._inline(at) or self._fenced(at)
            if found is None:
                at += 1
                continue
            yield found
            at = found.last + 1

    def _inline(self, at: int) -> Block | None:
        line = self._lines[at]
        match = _INLINE.match(line.text)
        if match is None:
            return None
        body = line.keep(match.end("code")).drop(match.start("code"))
        info = match["info"]
        return Block(label=label_of(info), info=info, lines=[body], first=at, last=at, closed=True)

    def _fenced(self, at: int) -> Block | None:
        fence = _open(self._lines, at)
        return None if fence is None else self._body(fence)

    def _body(self, fence: _Fence) -> Block:
        """Run to the closing fence. One inside triple quotes closes only if nothing better comes."""
        state, doubtful, python = State(), None, label_of(fence.info) is not Label.FOREIGN
        sign, stripped = fence.mark[0] * 2, bool(fence.quotes or fence.indent)
        for number in range(fence.first + 1, len(self._lines)):
            line = _strip(self._lines[number], fence) if stripped else self._lines[number]
            text = line.text
            if not (state.triple or sign in text or '"""' in text or "'''" in text):
                fence.body.append(line)
                continue
            if doubtful is not None and state.triple:
                fence.body.append(line)
                state = after_line(line.text, state)
                continue
            ended = self._end(line, number, fence, quoted=bool(state.triple))
            if ended is None:
                fence.body.append(line)
                state = after_line(line.text, state) if python and _has_quotes(line.text, state) else state
            elif not (python and state.triple) or self._backtracks >= _MAX_BACKTRACKS:
                return self._settle(ended, doubtful)
            else:
                doubtful = doubtful or ended
                fence.body.append(line)
        return self._settle(_block(fence, fence.body, len(self._lines) - 1, closed=False), doubtful)

    def _settle(self, ended: Block, doubtful: Block | None) -> Block:
        if doubtful is None or self._compiles(join_lines(ended.lines)):
            return ended
        self._backtracks += 1
        return doubtful

    def _end(self, line: Line, number: int, fence: _Fence, *, quoted: bool) -> Block | None:
        """The block that ends at this line, if one may."""
        if fence.mark[0] * 3 not in line.text:
            # Two backticks alone on a line are no Python: a closing fence that lost one.
            lost = fence.mark == "```" and not quoted and line.text.strip() == "``"
            return _block(fence, list(fence.body), number, closed=True) if lost else None
        closer = _CLOSER.match(line.text)
        if closer is not None:
            near = len(closer["indent"].expandtabs(4)) <= max(3, fence.indent)
            fits = near and fence.closes(closer["mark"])
            return _block(fence, list(fence.body), number, closed=True) if fits else None
        if quoted:
            return None
        if self._opens_next(line, fence):
            return _block(fence, list(fence.body), number - 1, closed=False)
        behind = _TEXT_BEHIND.match(line.text)
        if behind is not None and fence.closes(behind["mark"]):
            return _block(fence, list(fence.body), number, closed=True)
        glued = None if fence.info.casefold() in _DIFFS else _GLUED_CLOSER.match(line.text)
        if glued is not None and fence.closes(glued["mark"]):
            return _block(fence, [*fence.body, line.keep(glued.end("code"))], number, closed=True)
        return None

    def _opens_next(self, line: Line, fence: _Fence) -> bool:
        opener = _OPENER.match(line.text)
        if opener is None or not fence.closes(opener["mark"]):
            return False
        return label_of(opener["info"]) is Label.PYTHON


def _has_quotes(text: str, state: State) -> bool:
    return bool(state.triple) or '"""' in text or "'''" in text


def _open(lines: Lines, number: int) -> _Fence | None:
    line = lines[number]
    quote = _QUOTE.match(line.text)
    inner = line.drop(quote.end()) if quote else line
    item = _LIST_ITEM.match(inner.text)
    width = item.end() if item else 0
    opener = _OPENER.match(inner.text, width)
    if opener is None:
        return _open_glued(line, number)
    fence = _Fence(
        mark=opener["mark"],
        info=opener["info"].strip(),
        indent=width + len(opener["indent"]),
        first=number,
        quotes=quote[0].count(">") if quote else 0,
        body=[],
    )
    below = next((each for each in lines[number + 1 : number + 1 + _NEAR] if each.text.strip()), None)
    if below is not None and not fence.quotes and _margin(below.text) < fence.indent:
        fence.strip = 0
    _take_code_behind_label(inner, opener.start("info"), fence)
    return fence


def _take_code_behind_label(line: Line, start: int, fence: _Fence) -> None:
    """Some models write the first line of code onto the opening fence."""
    match = _CODE_AFTER_LABEL.match(line.text, start)
    if match is not None:
        fence.info = match["label"]
        fence.body.append(line.drop(match.end()))


def _open_glued(line: Line, number: int) -> _Fence | None:
    """Prose, then a fence at the end of the same line. Without a label it must follow a colon."""
    match = _GLUED_OPENER.match(line.text)
    if match is None:
        return None
    info = (match["info"] or "").strip()
    if label_of(info) is not Label.PYTHON and not line.text[: match.start("mark")].rstrip().endswith(":"):
        return None
    return _Fence(mark=match["mark"], info=info, indent=0, first=number, body=[])


def _strip(line: Line, fence: _Fence) -> Line:
    """Take off the quote marks and the indentation that the opening fence had."""
    for _ in range(fence.quotes):
        quote = _QUOTE_MARK.match(line.text)
        line = line.drop(quote.end()) if quote else line
    width = fence.indent if fence.strip < 0 else fence.strip
    return line.drop(min(_margin(line.text), width)) if width else line


def _margin(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _block(fence: _Fence, body: list[Line], last: int, *, closed: bool) -> Block:
    return Block(
        label=label_of(fence.info), info=fence.info, lines=body, first=fence.first, last=last, closed=closed
    )


def fenced_blocks(lines: Lines, compiles: Compiles) -> list[Block]:
    """Find the fenced blocks, in order. `compiles` is asked only where a closing fence is in doubt."""
    return list(_Scanner(lines, compiles).blocks())
