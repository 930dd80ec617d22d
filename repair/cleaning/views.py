"""Passes over the whole reply, before any code is looked for: what is not the answer is set aside."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from repair.cleaning.lexer import pieces
from repair.cleaning.lines import Line, Lines, Span, gaps, size_of, spans_of
from repair.cleaning.rules import edit
from repair.script import Edit

UNFINISHED = "reasoning_unfinished"

_REASONING = re.compile(r"<(?P<close>/?)(?:think|thinking|thoughts?|reasoning|seed:think)>", re.IGNORECASE)
_ECHO = re.compile(r"^\s*#{2,}\s*(?:Instruction|Input|Question)s?\s*:?", re.IGNORECASE)
_RESPONSE = re.compile(
    r"^\s*#{2,}\s*(?:Response|Answer)\s*(?::\s*|:?\s*$)(?=$|```|class\b|def\b|import\b|from\b|@)",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"<\|im_start\|>\s*(?:user|system)|<\|start_header_id\|>\s*user|<start_of_turn>\s*user|<\|user\|>"
    r"|^\s*\[INST\]|^\s*#{2,}\s*Instruction|^\s*(?:Human|User):\s*$|^(?:Human|User): [A-Z]\w* ?\w*[:,?! ]",
)
_END = re.compile(
    r"<\|(?:im_end|endoftext|eot_id|end_of_turn|end_of_text|end|eom_id|EOT)\|>|</s>|<end_of_turn>|<eos>"
    "|<\uff5cend\u2581of\u2581sentence\uff5c>|<\uff5cUser\uff5c>",
)
_TOKEN = re.compile(
    r"<\|/?[ ]?[A-Za-z_][\w ]{0,30}\|>|</?s>"
    r"|<(?:start|end)_of_turn>(?:model|user)?|<eos>|<bos>|\[/?INST\]|<</?SYS>>"
    "|<\uff5c[^<>\\s]{1,30}\uff5c>|^(?:assistant|Assistant:)\\s*$",
)
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")
_CODE = re.compile(
    r"^\s*(?:>>> )?(?:(?:async\s+)?def\s+\w+\s*\(|class\s+\w+|import\s+\w|from\s+[\w.]+\s+import\s|`{3}|~{3})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The part of the reply that may hold the answer, and what was done to see it."""

    lines: Lines
    edits: tuple[Edit, ...] = ()
    unfinished: bool = False
    """The reply ends inside its reasoning."""

    def changed(self, rule: str, lines: Lines, spans: Iterable[Span] | None = None) -> "View":
        """The view without what `rule` took away, which stood at `spans` (default: what is missing now)."""
        where = gaps(self.lines, lines) if spans is None else spans
        done = edit(rule, dropped_chars=size_of(self.lines) - size_of(lines), spans=where)
        return replace(self, lines=lines, edits=(*self.edits, done))


Covered = Callable[[int], bool]
"""Whether an offset of the reply lies inside a fenced block that compiles: tags there are code."""


def drop_reasoning(view: View, covered: Covered) -> View:
    """Set reasoning aside: closed, closed without an opener, or never closed."""
    tags = [
        (line.start + match.start(), line.start + match.end(), not match["close"])
        for line in view.lines
        if "<" in line.text
        for match in _REASONING.finditer(line.text)
        if _stands_alone(line.text, match)
    ]
    tags = [tag for tag in tags if not covered(tag[0])]
    if not tags:
        return view
    cuts, unfinished = _cuts(tags, end=view.lines[-1].end + 1)
    lines = _without(view.lines, cuts)
    return replace(view.changed("reasoning", lines), unfinished=unfinished)


def _stands_alone(text: str, match: re.Match[str]) -> bool:
    """A tag in the middle of a line, or in quotes or backticks, is talked about, not used."""
    before, after = text[: match.start()].strip(), text[match.end() :].strip()
    if match["close"]:
        return not (before[-1:] in {"`", '"', "'"} and after[:1] in {"`", '"', "'"})
    return not before or before.endswith(">")


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


def drop_echo(view: View, covered: Covered) -> View:
    """Some models repeat the instruction; the answer comes after `### Response:`."""
    echoed = False
    for number, line in enumerate(view.lines):
        if "##" not in line.text or covered(line.start):
            continue
        response = _RESPONSE.match(line.text) if echoed else None
        if response is not None:
            glued = [line.drop(response.end())] if response.end() < len(line.text) else []
            rest = [*glued, *view.lines[number + 1 :]]
            return view.changed("echoed_prompt", rest) if _has_code(rest) else view
        if not echoed and _ECHO.match(line.text):
            if _has_code(view.lines[:number]):
                return view  # the answer was there before: this is another turn
            echoed = True
    return view


def drop_next_turn(view: View, covered: Covered) -> View:
    """Cut at the first sign, after some code, that the model goes on with another turn."""
    seen_code = False
    for number, line in enumerate(view.lines):
        place = _turn_end(line) if seen_code or _CODE.match(line.text) else None
        if place is not None and not covered(line.start + place):
            head = [*view.lines[:number], line.keep(place)]
            return view.changed("next_turn", head)
        seen_code = seen_code or bool(_CODE.match(line.text))
    return view


def _turn_end(line: Line) -> int | None:
    if not any(sign in line.text for sign in ("<", "[", "##", ":")):
        return None
    match = _TURN.search(line.text) or _END.search(line.text)
    return match.start() if match and not _quoted(line.text, match.start(), match.end()) else None


def _quoted(text: str, start: int, end: int) -> bool:
    return text[start - 1 : start] in {'"', "'", "`"} and text[end : end + 1] in {'"', "'", "`"}


def _has_code(lines: Lines) -> bool:
    return any(_CODE.match(line.text) for line in lines)


def strip_ansi(view: View, covered: Covered) -> View:
    """Take out colour codes and the like, which some terminals' servers leave in a reply."""
    if not any("\x1b" in line.text and not covered(line.start) for line in view.lines):
        return view
    return _substituted(view, "ansi_codes", _ANSI, "\x1b")


STRICT: tuple[Callable[[View, Covered], View], ...] = (
    strip_ansi,
    drop_reasoning,
    drop_echo,
    drop_next_turn,
)
"""Applied always: after these, what is left is the answer."""


def strip_tokens(view: View) -> View:
    """Take out the tokens by which a chat template marks turns."""
    return _substituted(view, "special_tokens", _TOKEN, "")


def _substituted(view: View, rule: str, pattern: re.Pattern[str], needs: str) -> View:
    lines = [
        line._replace(text=pattern.sub("", line.text)) if needs in line.text else line for line in view.lines
    ]
    touched = [old for old, new in zip(view.lines, lines, strict=True) if old != new]
    return view.changed(rule, lines, spans_of(touched)) if touched else view


_ODD_INDENT = re.compile(r"^[ \t]*[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000][\s\u200b]*")
_UNSEEN = re.compile(r"[\u200b-\u200f\u2060\ufeff\xad]")


def straighten(view: View) -> View:
    """Odd spaces that indent, and characters that nobody sees, outside of strings that end on their line."""
    lines = [line if line.text.isascii() else line._replace(text=_straight(line.text)) for line in view.lines]
    touched = [old for old, new in zip(view.lines, lines, strict=True) if old != new]
    return view.changed("typographic_characters", lines, spans_of(touched)) if touched else view


def _straight(text: str) -> str:
    text = _ODD_INDENT.sub(lambda match: " " * len(match[0]), text)
    return "".join(_UNSEEN.sub("", piece) if is_code else piece for is_code, piece in pieces(text))


TOLERANT: tuple[Callable[[View], View], ...] = (strip_tokens, straighten)
"""Applied only where the code does not compile without."""


_THOUGHTS = re.compile(r"<(think|thinking|thoughts?|reasoning)>(.*?)(?:</\1>|\Z)", re.IGNORECASE | re.DOTALL)


def reasoning_in(text: str) -> str:
    """What stands inside reasoning tags, for a policy that asks for it."""
    return "\n\n".join(match[2] for match in _THOUGHTS.finditer(text))
