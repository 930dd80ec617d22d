"""Repairs of form for one candidate that does not compile. Each is small, named and ordered.

A repair is kept only if the text compiles at the end: what it cannot help, it leaves alone.
"""

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from repair.cleaning.dialects import notebook_magics, python_2
from repair.cleaning.lexer import pieces, states
from repair.cleaning.oracle import Facts, Oracle, same_tree, starts_with_language_name
from repair.cleaning.rules import edit
from repair.script import Edit

Mend = Callable[[str], str]

_MAX_LAYERS = 3
_MAX_PASSES = 2
"""One wrapping may be inside another that comes later in the order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """One repair of form."""

    name: str
    apply: Mend
    tentative: bool = False
    """Would spoil other texts: kept only if it is the last repair needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """A text, what is known of it, and the repairs that made it."""

    text: str
    facts: Facts
    edits: tuple[Edit, ...] = ()


def mend(text: str, oracle: Oracle) -> Mended:
    """Apply repairs one after the other until the text compiles; else give it back as it was."""
    mended = _mended(text, oracle)
    for _ in range(_MAX_LAYERS):
        if not mended.facts.compiles or not disguised(mended.text):
            break
        again = _mended(mended.text, oracle)
        mended = replace(again, edits=(*mended.edits, *again.edits))
    return mended


def _mended(text: str, oracle: Oracle) -> Mended:
    original = _undisguised(Mended(text=text, facts=oracle.facts(text)), oracle)
    best = original
    for _ in range(_MAX_PASSES):
        before = best
        for rule in REPAIRS:
            if best.facts.compiles:
                return best
            after = _applied(best, rule, oracle)
            best = best if rule.tentative and not after.facts.compiles else after
        if best.text == before.text:
            break
    best = best if best.facts.compiles else _tabs(best, oracle)
    return best if best.facts.compiles else original


def disguised(text: str) -> bool:
    """Whether the text may compile and yet be wrapped: a bare `python`, or `a &lt; b`, is valid Python."""
    return starts_with_language_name(text) or _escaped_outside_strings(text)


def _undisguised(before: Mended, oracle: Oracle) -> Mended:
    after = before
    if starts_with_language_name(after.text):
        after = _applied(after, LANGUAGE_LINE, oracle)
    if after.facts.compiles and _escaped_outside_strings(after.text):
        plain = _applied(after, HTML_ESCAPED, oracle)
        after = plain if plain.facts.compiles else after
    return after


def _applied(before: Mended, rule: Repair, oracle: Oracle) -> Mended:
    after = rule.apply(before.text)
    if after == before.text:
        return before
    done = edit(rule.name, dropped_chars=len(before.text) - len(after))
    return Mended(text=after, facts=oracle.facts(after), edits=(*before.edits, done))


# --- lossless: the same code, without its wrapping


_REST = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


def language_line(text: str) -> str:
    """Drop first lines that only name the language; they would compile, as bare names."""
    while starts_with_language_name(text):
        text = _REST.sub("", text.lstrip(), count=1)
    return text


def dedent(text: str) -> str:
    """Take off indentation that every line has; lines inside strings follow as far as they can."""
    if text.lstrip("\n")[:1] not in {" ", "\t"}:
        return text
    lines = text.split("\n")
    inside = [bool(state.triple) for state in states(lines)]
    margins = [
        _margin(line) for line, quoted in zip(lines, inside, strict=True) if line.strip() and not quoted
    ]
    margin = _common(margins)
    return "\n".join(_shift(line, margin) for line in lines) if margin else text


def first_line_dedent(text: str) -> str:
    """The first line lost its indentation to a strip(), the others kept theirs."""
    first, _, rest = text.lstrip("\n").partition("\n")
    return f"{first}\n{dedent(rest)}"


_ONE_SPACE = re.compile(r"\n* (?=\S[^\n]*\n+(?:  )*\S)")


def first_line_space(text: str) -> str:
    """Some tokenizers begin a reply with a space, which indents its first line alone."""
    return text.lstrip() if _ONE_SPACE.match(text) else text


def _margin(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _common(margins: list[str]) -> str:
    if not margins:
        return ""
    low, high = min(margins), max(margins)
    same = next((at for at, char in enumerate(low) if char != high[at]), len(low))
    return low[:same]


def _shift(line: str, margin: str) -> str:
    own = _margin(line)[: len(margin)]
    return line[len(_common([own, margin])) :]


_PROMPT = re.compile(r"[ ]*(?:>>>|\.\.\.)(?: |$)")


def repl_transcript(text: str) -> str:
    """Keep what was typed at `>>> `; only if the first line was, so that doctests are safe."""
    lines = text.strip("\n").split("\n")
    if not lines[0].lstrip(" ").startswith(">>>"):
        return text
    typed = [line[match.end() :] for line in lines if (match := _PROMPT.match(line))]
    return "\n".join(typed) + "\n"


_NUMBERED = re.compile(r"[ \t]*(\d+)(?:[ \t]*[|:.)])?(?: |\t|$)")


def line_numbers(text: str) -> str:
    """Take line numbers off, if every line has one and they go up by one."""
    lines = [line for line in text.split("\n") if line.strip()]
    found = [_NUMBERED.match(line) for line in lines]
    numbers = [int(match[1][:9]) for match in found if match is not None]
    in_order = all(later == earlier + 1 for earlier, later in pairwise(numbers))
    if len(numbers) < max(len(lines), 2) or not in_order:
        return text
    bare = [line[match.end() :] for line, match in zip(lines, found, strict=True) if match]
    return dedent("\n".join(bare) + "\n")


_DIFF_HEADER = re.compile(r"(?:diff --git |index [0-9a-f]+|new file mode|--- |\+\+\+ |@@ |\\ No newline)")


def added_lines(text: str) -> str:
    """A diff that only adds is the new file. One that removes needs a base that is not here."""
    body = [line for line in text.split("\n") if line.strip() and not _DIFF_HEADER.match(line)]
    if not body or not all(line.startswith("+") for line in body):
        return text
    kept = [line for line in text.split("\n") if not _DIFF_HEADER.match(line)]
    return "\n".join(line.removeprefix("+") for line in kept)


_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos|nbsp|#\d{2,4}|#x[0-9a-fA-F]{2,4});")
_SURE_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos);")
_MAX_ESCAPED = 3
_MARKUP = re.compile(r"</?(?:pre|code|br|p|span|div)\b[^<>\n]{0,200}/?>", re.IGNORECASE)


def html_escaped(text: str) -> str:
    """Undo HTML escaping, once or as often as it was done."""
    if not _ENTITY.search(text) and not _MARKUP.search(text):
        return text
    plain = html.unescape(_MARKUP.sub("", text))
    for _ in range(_MAX_ESCAPED):
        plain = html.unescape(plain) if _escaped_outside_strings(plain) else plain
    return text if _escaped_outside_strings(plain) else plain


def _escaped_outside_strings(text: str) -> bool:
    if "&" not in text or not _SURE_ENTITY.search(text):
        return False
    return any(is_code and _SURE_ENTITY.search(piece) for is_code, piece in pieces(text))


_MARKDOWN_ESCAPE = re.compile(r"\\([_*\[\]()#<>{}=.+-])")


def markdown_escapes(text: str) -> str:
    """Outside strings a backslash before a sign is never Python, but often Markdown."""
    return _outside(text, lambda code: _MARKDOWN_ESCAPE.sub(r"\1", code)) if "\\" in text else text


# --- normalising: characters that cannot be valid where they stand

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
}
_WIDE = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFF01, 0xFF5F)}
_OUTSIDE_STRINGS = {**_SPACES, **_NOTHING, **_SIGNS, **_WIDE, 0x2028: "\n", 0x2029: "\n", 0x85: "\n"}
_CURLY = re.compile(
    "(?P<open>[\u201c\u201d\u201e\u201f\u2033\u00ab]{3}|[\u201c\u201d\u201e\u201f\u2033\u00ab]|``)(?P<body>[^\n]*?)"
    "(?P<close>[\u201c\u201d\u2033\u00bb]{3}|[\u201c\u201d\u2033\u00bb]|'')"
    "|(?P<open1>[\u2018\u2019\u201a\u201b\u2032\u00b4`])(?P<body1>[^\n]*?)(?P<close1>[\u2018\u2019\u2032\u00b4])"
)


def invisible_characters(text: str) -> str:
    """Take out byte order marks and NUL, which no source text may have anywhere."""
    return text.replace("\ufeff", "").replace("\x00", "")


def lone_surrogates(text: str) -> str:
    """Replace halves of characters, which cannot be encoded."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def typographic_characters(text: str) -> str:
    """Give code its ASCII back: odd spaces, curly quotes, signs. Strings and comments stay as they are."""
    if text.isascii():
        return text
    straight = _outside(text, lambda code: _CURLY.sub(_straight, code))
    return _outside(straight, lambda code: code.translate(_OUTSIDE_STRINGS))


def _outside(text: str, change: Mend) -> str:
    return "".join(change(piece) if is_code else piece for is_code, piece in pieces(text))


def _straight(match: re.Match[str]) -> str:
    double = match["body"] is not None
    quote = ('"' if double else "'") * (len(match["open"]) if double and match["open"] != "``" else 1)
    return f"{quote}{match['body'] if double else match['body1']}{quote}"


def _tabs(before: Mended, oracle: Oracle) -> Mended:
    """Tabs and spaces mixed: eight columns, as Python 2 counted, or four; lossy if both fit and differ."""
    if "\t" not in before.text:
        return before
    fitting = [text for width in (8, 4) if oracle.facts(text := _expanded(before.text, width)).compiles]
    if not fitting:
        return before
    certain = all(same_tree(fitting[0], other) for other in fitting[1:])
    done = edit("mixed_tabs", lossy=not certain)
    return Mended(text=fitting[0], facts=oracle.facts(fitting[0]), edits=(*before.edits, done))


def _expanded(text: str, width: int) -> str:
    lines = text.split("\n")
    inside = [bool(state.triple) for state in states(lines)]
    return "\n".join(
        line if quoted else _margin(line).expandtabs(width) + line[len(_margin(line)) :]
        for line, quoted in zip(lines, inside, strict=True)
    )


LANGUAGE_LINE = Repair(name="language_line", apply=language_line)
HTML_ESCAPED = Repair(name="html_escaped", apply=html_escaped)
REPAIRS: tuple[Repair, ...] = (
    Repair(name="invisible_characters", apply=invisible_characters),
    Repair(name="lone_surrogates", apply=lone_surrogates),
    Repair(name="first_line_space", apply=first_line_space, tentative=True),
    Repair(name="dedent", apply=dedent),
    Repair(name="repl_transcript", apply=repl_transcript),
    Repair(name="line_numbers", apply=line_numbers),
    Repair(name="added_lines", apply=added_lines),
    HTML_ESCAPED,
    Repair(name="typographic_characters", apply=typographic_characters),
    Repair(name="markdown_escapes", apply=markdown_escapes),
    Repair(name="first_line_dedent", apply=first_line_dedent, tentative=True),
    Repair(name="notebook_magics", apply=notebook_magics, tentative=True),
    Repair(name="python_2", apply=python_2, tentative=True),
)
