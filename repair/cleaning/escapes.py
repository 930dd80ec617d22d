"""Code that was escaped: for HTML, for Markdown, or as the inside of a string."""

import html
import re

from repair.cleaning.lexer import pieces
from repair.cleaning.typography import outside_strings, typographic_characters

_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos|nbsp|#\d{2,4}|#x[0-9a-fA-F]{2,4});")
_SURE_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos);")
_MAX_ESCAPED = 3
_CURLY = re.compile("[\u2018-\u201f]")
_MARKUP = re.compile(r"</?(?:pre|code|br|p|span|div)\b[^<>\n]{0,200}/?>", re.IGNORECASE)
_MARKDOWN_ESCAPE = re.compile(r"\\([_*\[\]()#<>{}=.+-])")
_SOFT_ESCAPE = re.compile(r"\\([_*])")
_IN_STRING = re.compile(r"\\([ntr\"'\\])")
_MEANS = {"n": "\n", "t": "\t", "r": "\r"}


def html_escaped(text: str) -> str:
    """Undo HTML escaping, once or as often as it was done, and take a page's tags off."""
    if _CURLY.search(text) and not escaped_outside_strings(typographic_characters(text)):
        return text  # it stands in curly quotes, which are no strings yet
    bare = _without_markup(text)
    if not _ENTITY.search(bare):
        return bare
    if _unescaped_signs(bare):
        # Only the code was escaped: entities inside its strings are its own.
        return outside_strings(bare, html.unescape)
    plain = html.unescape(bare)
    for _ in range(_MAX_ESCAPED):
        plain = html.unescape(plain) if escaped_outside_strings(plain) else plain
    return text if escaped_outside_strings(plain) else plain


def _without_markup(text: str) -> str:
    if "<" not in text or not _MARKUP.search(text):
        return text
    if "<span" in text:
        return _MARKUP.sub("", text)  # a highlighter's: they go around strings as well
    return outside_strings(text, lambda code: _MARKUP.sub("", code))


def _unescaped_signs(text: str) -> bool:
    return any(not is_code and ("<" in piece or ">" in piece) for is_code, piece in pieces(text))


def escaped_outside_strings(text: str) -> bool:
    """Whether there is HTML escaping where no string is: `a &lt; b` is valid Python, of a kind."""
    if "&" not in text or not _SURE_ENTITY.search(text):
        return False
    return any(is_code and _SURE_ENTITY.search(piece) for is_code, piece in pieces(text))


def markdown_escapes(text: str) -> str:
    r"""Outside strings a backslash before a sign is never Python, but often Markdown.

    Where no `_` stands without its backslash, the whole text was escaped, strings and comments too.
    """
    if "\\" not in text:
        return text
    outside = outside_strings(text, lambda code: _MARKDOWN_ESCAPE.sub(r"\1", code))
    if outside == text:
        return text
    always = {sign for sign in "_*" if text.count(sign) == text.count(f"\\{sign}") > 0}
    if "_" not in always and "_" in text:
        return outside
    return _SOFT_ESCAPE.sub(lambda match: match[1] if match[1] in always else match[0], outside)


def escaped_newlines(text: str) -> str:
    r"""All of the code on one line, with `\n` written out, as the inside of a string has it."""
    bare = text.strip()
    if "\n" in bare or "\\n" not in bare:
        return text
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'":
        bare = bare[1:-1]
    return _IN_STRING.sub(lambda match: _MEANS.get(match[1], match[1]), bare).rstrip("\n") + "\n"


def is_escaped_comment(text: str) -> bool:
    r"""Whether a single line begins as a comment, and has the lines below it as `\n` in itself."""
    bare = text.strip()
    return bare[:1] == "#" and "\\n" in bare and "\n" not in bare
