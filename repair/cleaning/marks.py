"""What stands before every line: quote marks, numbers, prompts, the signs of a diff. All lines, or none.

Each function says how many characters go from the front of each line, with None where the line goes
as a whole; it returns nothing where the lines do not bear its mark.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from repair.cleaning.lines import Lines

Cuts = list[int | None]

_PROMPT = re.compile(r"[ ]*(?:>>>|\.\.\.)(?: |$)")
_NUMBERED = re.compile(r"[ \t]*(\d{1,6})(?:[:.)\u2192]|[ \t]*[|\u2502]|(?=[ \t]|$))")
_CELL = re.compile(r"[ ]*In ?\[[\d ]*\]:(?: |$)")
_CELL_GOES_ON = re.compile(r"[ ]*\.{3,}:(?: |$)")
_DIFF_HEADER = re.compile(r"(?:diff --git |index [0-9a-f]+|new file mode|deleted file mode|--- |\+\+\+ )")
_HUNK = re.compile(r"@@(?: -(?P<old>\d+)(?:,\d+)? \+(?P<new>\d+)(?:,\d+)?)?.*@@")
_SEARCH = re.compile(r"<{5,9} ?(?:SEARCH|ORIGINAL|HEAD)?[ \t]*$")
_DIVIDER = re.compile(r"={5,9}[ \t]*$")
_REPLACE = re.compile(r">{5,9} ?(?:REPLACE|UPDATED)?\b.*$|>{5,9}[ \t]*$")
_RULER = re.compile(r"[ \t]*(?:([-=*~_])\1{2,}(?:[ \t]*[\w .:]{1,40}[ \t]*\1{3,})?)[ \t]*$")
_LEAST_OF_EDIT = 3
_USUAL_CONTEXT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One kind of mark."""

    name: str
    cuts: Callable[[Sequence[str]], Cuts | None]
    lossy: Callable[[Sequence[str]], bool] = lambda _: False


def cut(lines: Lines, cuts: Cuts) -> Lines:
    """Take marks off."""
    return [
        line.drop(min(width, len(line.text)))
        for line, width in zip(lines, cuts, strict=True)
        if width is not None
    ]


def quote_marks(lines: Sequence[str]) -> Cuts | None:
    """`> ` before every line, as in mail; blank lines may have lost theirs."""
    if not lines or lines[0].startswith(">>>"):
        return None
    if not all(line.startswith(">") or not line.strip() for line in lines):
        return None
    width = 1 + all(line[1:2] in {" ", ""} for line in lines if line.strip())
    return [min(width, len(line)) if line.strip() else 0 for line in lines]


def line_numbers(lines: Sequence[str]) -> Cuts | None:
    """A number before every line that is not blank, one more than that before it; blank lines may count."""
    found = [_NUMBERED.match(line) for line in lines]
    last, blanks, count = None, 0, 0
    for line, match in zip(lines, found, strict=True):
        if match is None:
            if line.strip():
                return None
            blanks += 1
            continue
        number = int(match[1])
        if last is not None and number not in {last + 1, last + 1 + blanks}:
            return None
        last, blanks, count = number, 0, count + 1
    if count < 2:  # noqa: PLR2004 - one number alone is no series
        return None
    ends = [match.end() if match else 0 for match in found]
    rests = [line[end:] for line, end in zip(lines, ends, strict=True)]
    margin = _common_margin([rest for rest in rests if rest.strip()])
    return [end + min(margin, len(rest)) for end, rest in zip(ends, rests, strict=True)]


def _common_margin(rests: list[str]) -> int:
    """One tab, or as many spaces as all of them begin with."""
    if rests and all(rest.startswith("\t") for rest in rests):
        return 1
    return min((len(rest) - len(rest.lstrip(" ")) for rest in rests), default=0)


def repl_transcript(lines: Sequence[str]) -> Cuts | None:
    """Keep what was typed at `>>> `; only if the first line was, so that doctests are safe."""
    if not lines or not lines[0].lstrip(" ").startswith(">>>"):
        return None
    found = [_PROMPT.match(line) for line in lines]
    return [match.end() if match else None for match in found]


def notebook_prompts(lines: Sequence[str]) -> Cuts | None:
    """Keep what was typed at `In [1]: ` and `   ...: `; what came out goes."""
    if not lines or not _CELL.match(lines[0]):
        return None
    found = [_CELL.match(line) or _CELL_GOES_ON.match(line) for line in lines]
    return [
        match.end() if match else None if line.strip() else 0
        for line, match in zip(lines, found, strict=True)
    ]


def is_session(text: str) -> bool:
    """Whether a text begins as a session in a notebook: `In [1]: x = 1` compiles, as an annotation."""
    return text.startswith("In") and _CELL.match(text.partition("\n")[0]) is not None


def added_lines(lines: Sequence[str]) -> Cuts | None:
    """A diff that only adds is the new file."""
    body = [line for line in lines if line.strip() and not _is_header(line)]
    if not body or not all(line.startswith("+") for line in body):
        return None
    return [None if _is_header(line) else int(line.startswith("+")) for line in lines]


def edit_block(lines: Sequence[str]) -> Cuts | None:
    """A search for nothing, and what to put in its place: the new file."""
    solid = [line.strip() for line in lines if line.strip()]
    if len(solid) < _LEAST_OF_EDIT or not _SEARCH.match(solid[0]) or not _REPLACE.match(solid[-1]):
        return None
    if not _DIVIDER.match(solid[1]):
        return None
    return [
        None if _SEARCH.match(line) or _DIVIDER.match(line) or _REPLACE.match(line) else 0 for line in lines
    ]


def rulers(lines: Sequence[str]) -> Cuts | None:
    """A ruler on the first line, perhaps with words on it, and one on the last."""
    if len(lines) < _LEAST_OF_EDIT or not _RULER.match(lines[0]) or not _RULER.match(lines[-1]):
        return None
    return [None, *([0] * (len(lines) - 2)), None]


def patched_lines(lines: Sequence[str]) -> Cuts | None:
    """A diff whose one hunk begins at the first line shows the file as it is afterwards.

    One that begins further down, or has several hunks, needs a base that is not here.
    """
    hunks = [number for number, line in enumerate(lines) if _HUNK.match(line)]
    if len(hunks) != 1 or not all(_is_header(line) or not line.strip() for line in lines[: hunks[0]]):
        return None
    match = _HUNK.match(lines[hunks[0]])
    body = lines[hunks[0] + 1 :]
    if match is None or match["old"] not in {None, "0", "1"} or match["new"] not in {None, "1"}:
        return None
    if not all(line[:1] in {" ", "+", "-", "\\", ""} for line in body):
        return None
    head: Cuts = [None] * (hunks[0] + 1)
    return head + [None if line[:1] in {"-", "\\"} else int(line != "") for line in body]


def _may_go_on(lines: Sequence[str]) -> bool:
    """Whether the hunk ends as one does that shows no more than the usual context of a longer file."""
    context = 0
    for line in reversed(lines):
        if not line.startswith(" "):
            break
        context += 1
    return context == _USUAL_CONTEXT


def _is_header(line: str) -> bool:
    return bool(_DIFF_HEADER.match(line)) or line.startswith(("@@ ", "\\ No newline"))


MARKS: tuple[Mark, ...] = (
    Mark(name="quote_marks", cuts=quote_marks),
    Mark(name="repl_transcript", cuts=repl_transcript),
    Mark(name="notebook_prompts", cuts=notebook_prompts),
    Mark(name="line_numbers", cuts=line_numbers),
    Mark(name="added_lines", cuts=added_lines),
    Mark(name="edit_block", cuts=edit_block),
    Mark(name="rulers", cuts=rulers),
    Mark(name="patched_lines", cuts=patched_lines, lossy=_may_go_on),
)
