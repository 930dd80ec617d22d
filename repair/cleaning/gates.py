"""Limits that a text must keep before any parser sees it: linear, by text alone.

Parsers are not safe on degenerate text, which is ordinary output of a weak model: libcst crashes on
deep nesting and freezes on long chains of operators.
"""

import re

MAX_BYTES = 256 * 1024
MAX_LINES = 10_000
MAX_DEPTH = 200
MAX_INDENT = 100
"""Levels of indentation; at least one column each."""
MAX_RUN = 1_000
"""Operators, attributes, calls or subscripts in a row; also `elif` branches in one text."""

_OPERATORS = (*"-+*/%@&|^~<>=!.", "and", "or", "not", "if", "else", "in", "is", "await", "lambda")
_SPACES_PER_LEVEL = 8
_INDENT = re.compile(rf"^[ \t]{{{MAX_INDENT * _SPACES_PER_LEVEL},}}\S", re.MULTILINE)
_ELIF = re.compile(r"^[ \t]*elif\b", re.MULTILINE)
_TOKEN = re.compile(
    r"""
      \#[^\n]*
    | \"\"\"(?:[^"\\]|\\.|"(?!""))*+(?:\"\"\"|\Z) | '''(?:[^'\\]|\\.|'(?!''))*+(?:'''|\Z)
    | "(?:[^"\\\n]|\\.)*+" | '(?:[^'\\\n]|\\.)*+'
    | (?P<open>[(\[{]) | (?P<close>[)\]}]) | (?P<reset>[,;]) | (?P<line>\n)
    | (?P<run>[-+*/%@&|^~<>=!.]+ | \b(?:and|or|not|if|else|in|is|await|lambda|for)\b)
    """,
    re.VERBOSE | re.DOTALL,
)


def too_large(text: str) -> bool:
    """Whether the text has more bytes or lines than a parser shall see."""
    if len(text) > MAX_BYTES or text.count("\n") + text.count("\r") > MAX_LINES:
        return True
    return not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES


def refusal(text: str) -> str:
    """Why no parser may see the text, in one word; empty if one may."""
    if too_large(text):
        return "too_large"
    if _is_indented_far(text) or _indent_levels(text) > MAX_INDENT or _elifs(text) > MAX_RUN:
        return "too_deep"
    return _runs(text)


def _is_indented_far(text: str) -> bool:
    return len(text) > MAX_INDENT * _SPACES_PER_LEVEL and _INDENT.search(text) is not None


def _elifs(text: str) -> int:
    return len(_ELIF.findall(text)) if text.count("elif") > MAX_RUN else 0


def _indent_levels(text: str) -> int:
    if text.count("\n") <= MAX_INDENT:
        return 0
    widths = {len(line) - len(line.lstrip(" \t")) for line in text.split("\n")}
    return len(widths) if len(widths) > MAX_INDENT else 0


def _harmless(text: str) -> bool:
    """Whether there are too few signs in all for a long chain of them: true of nearly every reply."""
    opened = sum(map(text.count, "([{"))
    return opened < MAX_DEPTH and (len(text) < MAX_RUN or opened + sum(map(text.count, _OPERATORS)) < MAX_RUN)


def _runs(text: str) -> str:
    if _harmless(text):
        return ""
    run = [0]
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "run":
            run[-1] += len(token[0]) if token[0][0] in "-+~!." else 1
        elif kind == "open":
            run[-1] += 1
            run.append(0)
        elif kind == "close":
            _close(run)
        elif kind == "reset" or (kind == "line" and len(run) == 1):
            run[-1] = 0
        if len(run) > MAX_DEPTH or run[-1] > MAX_RUN:
            return "too_deep" if len(run) > MAX_DEPTH else "too_long_chain"
    return ""


def _close(run: list[int]) -> None:
    if len(run) > 1:
        run.pop()
