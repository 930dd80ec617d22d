"""What a model thought before it answered: set aside, wherever the template put it."""

import re
from dataclasses import replace

from repair.cleaning.lexer import quoted
from repair.cleaning.lines import Line, Lines
from repair.cleaning.view import Covered, View

UNFINISHED = "reasoning_unfinished"

_REASONING = re.compile(
    r"</?(?:think|thinking|thoughts?|reasoning|reflection|scratchpad|analysis|seed:think)>|\[/?THINK\]"
    "|\u25c1/?think\u25b7|<\\|/?thinking\\|>|<\\|(?:begin|end)_of_thought\\|>",
    re.IGNORECASE,
)
_SIGNS_OF_REASONING = re.compile(
    r"<[/|]{0,2}(?:think|thought|reason|reflect|scratch|analysis|seed:|begin_of|end_of)", re.IGNORECASE
)
_OTHER_SIGNS = ("THINK]", "think]", "\u25b7")
_CHANNEL = re.compile(r"<\|channel\|>[ ]*(\w+)[^<>|]{0,100}(?:<\|constrain\|>\w*)?[ ]*<\|message\|>")


def drop_reasoning(view: View, covered: Covered) -> View:
    """Set reasoning aside: closed, closed without an opener, or never closed."""
    if not _SIGNS_OF_REASONING.search(view.reply) and not any(sign in view.reply for sign in _OTHER_SIGNS):
        return view
    tags = [
        (line.start + match.start(), line.start + match.end(), not _closes(match))
        for line in view.lines
        if any(sign in line.text for sign in "<[\u25c1")
        for match in _REASONING.finditer(line.text)
        if _stands_alone(line.text, match)
    ]
    tags = [tag for tag in tags if not covered(tag[0])]
    if not tags:
        return view
    cuts, unfinished = _cuts(tags, end=view.lines[-1].end + 1)
    lines = _without(view.lines, cuts)
    return replace(view.changed("reasoning", lines), unfinished=unfinished)


def _closes(match: re.Match[str]) -> bool:
    return "/" in match[0][:3] or match[0].startswith("<|end")


def _stands_alone(text: str, match: re.Match[str]) -> bool:
    """A tag in the middle of a line, or in quotes or backticks, is talked about, not used."""
    if quoted(text, match.start(), match.end()):
        return False
    before = text[: match.start()].strip()
    return _closes(match) or not before or before.endswith((">", "]", "\u25b7"))


def _cuts(tags: list[tuple[int, int, bool]], end: int) -> tuple[list[tuple[int, int]], bool]:
    cuts: list[tuple[int, int]] = []
    opened: int | None = None
    for start, stop, opens in tags:
        if opens:
            opened = start if opened is None else opened
            continue
        cuts = [(0, stop)] if opened is None else [*cuts, (opened, stop)]
        opened = None
    if opened is not None:
        cuts.append((opened, end))
    return cuts, opened is not None


def _without(lines: Lines, cuts: list[tuple[int, int]]) -> list[Line]:
    kept: list[Line] = []
    waiting = list(cuts)
    for line in lines:
        rest = line
        while waiting and waiting[0][1] <= rest.start:
            waiting.pop(0)
        while waiting and waiting[0][0] < rest.end and rest.text:
            start, stop = waiting[0]
            if start > rest.start:
                kept.append(rest.keep(start - rest.start))
            rest = rest.drop(min(stop, rest.end) - rest.start)
            if stop >= line.end:
                break
            waiting.pop(0)
        if rest.text or not line.text:
            kept.append(rest)
    return _outside(kept, cuts)


def _outside(lines: list[Line], cuts: list[tuple[int, int]]) -> list[Line]:
    """Blank lines inside a cut go with it."""
    kept: list[Line] = []
    at = 0
    for line in lines:
        while at < len(cuts) and cuts[at][1] <= line.start:
            at += 1
        if line.text or at >= len(cuts) or line.start < cuts[at][0]:
            kept.append(line)
    return kept


def drop_channels(view: View, covered: Covered) -> View:
    """Of a reply in channels the last final one is the answer; where there is none, it is unfinished."""
    if "<|channel|>" not in view.reply:
        return view
    found = [
        (number, match)
        for number, line in enumerate(view.lines)
        for match in _CHANNEL.finditer(line.text)
        if not covered(line.start + match.start())
    ]
    if not found:
        return view
    for name in ("final", "commentary"):
        number, match = next((one for one in reversed(found) if one[1][1] == name), (0, None))
        if match is not None:
            rest = [view.lines[number].drop(match.end()), *view.lines[number + 1 :]]
            return view.changed("reasoning", rest)
    return replace(view.changed("reasoning", []), unfinished=True)


_THOUGHTS = re.compile(r"<(think|thinking|thoughts?|reasoning)>(.*?)(?:</\1>|\Z)", re.IGNORECASE | re.DOTALL)


def reasoning_in(text: str) -> str:
    """What stands inside reasoning tags, for a policy that asks for it."""
    return "\n\n".join(match[2] for match in _THOUGHTS.finditer(text))
