"""Passes over the whole reply, before any code is looked for: what is not the answer is set aside."""

import re
from collections.abc import Callable

from repair.cleaning.fallback import looks_like_code
from repair.cleaning.lexer import pieces, quoted
from repair.cleaning.lines import Line, Lines, trim_blank
from repair.cleaning.reasoning import drop_channels, drop_reasoning
from repair.cleaning.typography import lone_surrogates, without_colours
from repair.cleaning.view import Covered, View, changed

_ECHO = re.compile(r"^\s*#{2,}\s*(?:Instruction|Input|Question)s?\s*:?", re.IGNORECASE)
_SIGNS_OF_ECHO = ("nstruction", "Input", "INPUT", "input", "uestion", "QUESTION")
_RESPONSE = re.compile(
    r"^\s*#{2,}\s*(?:Response|Answer)\s*(?::\s*|:?\s*$)(?=$|```|class\b|def\b|import\b|from\b|@)",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"<\|im_start\|>\s*(?:user|system)|<\|start_header_id\|>\s*user|<start_of_turn>\s*user|<\|user\|>"
    r"|^\s*\[INST\]|^\s*#{2,}\s*Instruction|^\s*(?:Human|User|USER):\s*$"
    r"|^(?:Human|User|USER): [A-Z]\w* ?\w*[:,?! ]",
)
_END = re.compile(
    r"<\|(?:im_end|endoftext|eot_id|end_of_turn|end_of_text|end|eom_id|EOT|return|start|/ file )\|>"
    "|(?:EOT: true)?</s>|<end_of_turn>|<eos>|<\uff5cend\u2581of\u2581sentence\uff5c>|<\uff5cUser\uff5c>",
)
_SIGNS_OF_TURNS = (
    "<|",
    "</s>",
    "_of_turn>",
    "<eos>",
    "[INST]",
    "nstruction",
    "Human:",
    "User:",
    "USER:",
    "<\uff5c",
)
_TOKEN = re.compile(
    r"<\|/?[ ]?[A-Za-z_][\w ]{0,30}\|>|</?s>"
    r"|<(?:start|end)_of_turn>(?:model|user)?|<eos>|<bos>|\[/?INST\]|<</?SYS>>"
    "|<\uff5c[^<>\\s]{1,30}\uff5c>|^(?:assistant|Assistant:)\\s*$",
)
_CODE = re.compile(
    r"^\s*(?:>>> )?(?:(?:async\s+)?def\s+\w+\s*\(|class\s+\w+|import\s+\w|from\s+[\w.]+\s+import\s|`{3}|~{3})"
)


def drop_echo(view: View, covered: Covered) -> View:
    """Some models repeat the instruction; the answer comes after `### Response:`."""
    if not any(sign in view.reply for sign in _SIGNS_OF_ECHO) and not starts_with_response(view.reply):
        return view
    # The prompt may have been cut off before its last line.
    echoed = starts_with_response(view.reply)
    for number, line in enumerate(view.lines):
        if "##" not in line.text:
            continue
        response = _RESPONSE.match(line.text) if echoed else None
        if (response or _ECHO.match(line.text)) and covered(line.start):
            continue
        if response is not None:
            glued = [line.drop(response.end())] if response.end() < len(line.text) else []
            rest = [*glued, *view.lines[number + 1 :]]
            return view.changed("echoed_prompt", rest) if _has_code(rest) else view
        if not echoed and _ECHO.match(line.text):
            if _has_code(view.lines[:number]) or looks_like_code(view.lines[:number]):
                return view  # the answer was there before: this is another turn
            echoed = True
    return view


def starts_with_response(reply: str) -> bool:
    """Whether `### Response:` comes first: a comment, to Python."""
    first = reply[:200].lstrip().partition("\n")[0]
    return first.startswith("##") and _RESPONSE.match(first) is not None


def drop_next_turn(view: View, covered: Covered) -> View:
    """Cut at the first sign, after some code, that the model goes on with another turn."""
    if not any(sign in view.reply for sign in _SIGNS_OF_TURNS):
        return view
    seen_code = False
    for number, line in enumerate(view.lines):
        place = _turn_end(line) if seen_code or _CODE.match(line.text) else None
        if place is not None and not covered(line.start + place):
            head = [*view.lines[:number], line.keep(place)]
            return view.changed("next_turn", head)
        seen_code = seen_code or bool(_CODE.match(line.text)) or _is_body(line)
    return view


def _is_body(line: Line) -> bool:
    return line.text[:1] in {" ", "\t"} and looks_like_code([line])


def _turn_end(line: Line) -> int | None:
    if not any(sign in line.text for sign in ("<", "[", "##", ":")):
        return None
    match = _TURN.search(line.text) or _END.search(line.text)
    return match.start() if match and not quoted(line.text, match.start(), match.end()) else None


def _has_code(lines: Lines) -> bool:
    return any(_CODE.match(line.text) for line in lines)


def strip_ansi(view: View, covered: Covered) -> View:
    """Take out colour codes and the like, which some terminals' servers leave in a reply."""
    if "\x1b" not in view.reply:
        return view
    if not any("\x1b" in line.text and not covered(line.start) for line in view.lines):
        return view
    return changed(view, "ansi_codes", without_colours)


def drop_invalid(view: View, covered: Covered) -> View:
    """Byte order marks, NUL and halves of characters: nothing that has them compiles."""
    del covered
    if view.reply.isascii() and "\x00" not in view.reply:
        return view
    if not _INVALID.search(view.reply):
        return view
    for rule, change in (("invisible_characters", _visible), ("lone_surrogates", lone_surrogates)):
        view = changed(view, rule, change)
    return view


_INVALID = re.compile("\x00|[\ud800-\udfff]|\\A\\s*\ufeff")


def _visible(text: str) -> str:
    return text.lstrip("\ufeff").replace("\x00", "")


def drop_edge_tokens(view: View, covered: Covered) -> View:
    """The tokens that begin and end a text, at its beginning and end: no code can have them there."""
    for number, edge in ((0, _FIRST_TOKEN), (-1, _LAST_TOKEN)):
        lines = trim_blank(view.lines)
        match = edge.search(lines[number].text) if lines else None
        if match is None or covered(lines[number].start + match.start()) or not lines:
            continue
        line = lines[number]
        rest = line.drop(match.end()) if number == 0 else line.keep(match.start())
        view = view.changed("special_tokens", [rest, *lines[1:]] if number == 0 else [*lines[:-1], rest])
    return view


_FIRST_TOKEN = re.compile(
    r"^\s*(?:(?:<s>|<bos>|<\|(?:begin_of_text|endoftext|startoftext|im_start|assistant|start)\|>"
    "|<\uff5cbegin\u2581of\u2581sentence\uff5c>|<\uff5cAssistant\uff5c>)(?:assistant\\s*$)?[ ]?)+"
)
_LAST_TOKEN = re.compile(
    r"(?:<\|(?:im_end|endoftext|eot_id|end|end_of_turn|return|EOT|/ file )\|>"
    "|</s>|<eos>|\\[/INST\\]|<end_of_turn>|<\uff5cend\u2581of\u2581sentence\uff5c>)\\s*$"
)


STRICT: tuple[Callable[[View, Covered], View], ...] = (
    strip_ansi,
    drop_invalid,
    drop_channels,
    drop_reasoning,
    drop_echo,
    drop_next_turn,
    drop_edge_tokens,
)
"""Applied always: after these, what is left is the answer."""


def strip_tokens(view: View) -> View:
    """Take out the tokens by which a chat template marks turns."""
    if not any(sign in view.reply for sign in _SIGNS_OF_TOKENS):
        return view
    return changed(view, "special_tokens", _without_tokens)


_SIGNS_OF_TOKENS = ("<|", "s>", "_of_turn>", "<bos>", "INST]", "SYS>", "<\uff5c", "ssistant")


def _without_tokens(text: str) -> str:
    return _TOKEN.sub(lambda match: match[0] if quoted(text, *match.span()) else "", text)


_ODD_INDENT = re.compile(r"^[ \t]*[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000][\s\u200b]*")
_UNSEEN = re.compile(r"[\u200b-\u200f\u2060\ufeff\xad]")


def straighten(view: View) -> View:
    """Odd spaces that indent, and characters that nobody sees, outside of strings that end on their line."""
    if view.reply.isascii() or not _ODD.search(view.reply):
        return view
    return changed(view, "typographic_characters", lambda text: text if text.isascii() else _straight(text))


_ODD = re.compile(r"[\u00a0\xad\u1680\u2000-\u200f\u202f\u205f\u2060\u3000\ufeff]")


def _straight(text: str) -> str:
    text = _ODD_INDENT.sub(lambda match: " " * len(match[0]), text)
    return "".join(_UNSEEN.sub("", piece) if is_code else piece for is_code, piece in pieces(text))


TOLERANT: tuple[Callable[[View], View], ...] = (strip_tokens, straighten)
"""Applied only where the code does not compile without."""
