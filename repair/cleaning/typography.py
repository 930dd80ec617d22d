"""Characters that cannot be valid where they stand, and what a person typed there. Normalising."""

import re
import unicodedata
from collections.abc import Callable

from repair.cleaning.lexer import pieces

_SPACES = dict.fromkeys([0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
_NOTHING = dict.fromkeys([0x00, 0x08, 0x7F, 0xAD, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF])
_SIGNS = {
    0x2212: "-",
    0x2013: "-",
    0xD7: "*",
    0xF7: "/",
    0x2264: "<=",
    0x2265: ">=",
    0x2260: "!=",
    0x2192: "->",
    0x2026: "...",
}
_WIDE = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFF01, 0xFF5F)}
_OUTSIDE_STRINGS = {**_SPACES, **_NOTHING, **_SIGNS, **_WIDE, 0x2028: "\n", 0x2029: "\n", 0x85: "\n"}
_CURLY = re.compile(
    "(?P<open>[\u201c\u201d\u201e\u201f\u2033\u00ab]{3}|[\u201c\u201d\u201e\u201f\u2033\u00ab]|``)(?P<body>[^\n]*?)"
    "(?P<close>[\u201c\u201d\u2033\u00bb]{3}|[\u201c\u201d\u2033\u00bb]|'')"
    "|(?P<open1>[\u2018\u2019\u201a\u201b\u2032\u00b4`])(?P<body1>[^\n]*?)(?P<close1>[\u2018\u2019\u2032\u00b4])"
)


_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")


def without_colours(text: str) -> str:
    """Take out the control sequences of a terminal."""
    return _ANSI.sub("", text) if "\x1b" in text else text


def invisible_characters(text: str) -> str:
    """Take out the byte order mark in front, and NUL, which no source text may have anywhere."""
    return text.lstrip("\ufeff").replace("\x00", "")


def lone_surrogates(text: str) -> str:
    """Replace halves of characters, which cannot be encoded."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def typographic_characters(text: str) -> str:
    """Give code its ASCII back: odd spaces, curly quotes, signs. Strings and comments stay as they are."""
    if text.isascii():
        return text
    straight = outside_strings(text, lambda code: _CURLY.sub(_straight, code))
    return outside_strings(straight, lambda code: code.translate(_OUTSIDE_STRINGS))


def outside_strings(text: str, change: Callable[[str], str]) -> str:
    """Change what is neither string nor comment."""
    return "".join(change(piece) if is_code else piece for is_code, piece in pieces(text))


def _straight(match: re.Match[str]) -> str:
    double = match["body"] is not None
    quote = ('"' if double else "'") * (len(match["open"]) if double and match["open"] != "``" else 1)
    return f"{quote}{match['body'] if double else match['body1']}{quote}"
