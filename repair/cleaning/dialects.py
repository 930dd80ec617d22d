"""Python that this Python does not speak: cells of a notebook, and Python 2. Lossy, and marked so."""

import re
from collections.abc import Callable

from repair.cleaning.lexer import pieces, states

_MAGIC = re.compile(r"[ \t]*(?:%{1,2}[A-Za-z]|!\s*[A-Za-z]|\?\w)")
_SOME_MAGIC = re.compile(r"^[ \t]*(?:[%!?]|In ?\[|Out ?\[)", re.MULTILINE)
_SOME_OLD = re.compile(r"\bprint(?: |\t|$)|\bexcept [^:\n]*,|\braise [^\n]*,|<>", re.MULTILINE)
_SIGNS_OF_OLD = ("print", "except ", "raise ", "<>")
_CELL = re.compile(r"(?:In|Out)[ ]?\[[\d ]*\]:[ ]?")
_PRINT = re.compile(
    r"(?P<indent>[ \t]*(?:else:[ \t]*|(?:if|elif|for|while)\b[^\"'#]*:[ \t]+)?)"
    r"print(?P<rest>[ \t]+[^\s=(].*|[ \t]*)$"
)
_PRINT_TUPLE = re.compile(r"(?P<indent>[ \t]*)print[ \t]*(?P<rest>\(.*\)[ \t]*[%,].*)$")
_CHEVRON = re.compile(r"[ \t]*>>[ \t]*(?P<file>[\w.]+)[ \t]*,?(?P<rest>.*)$")
_EXCEPT = re.compile(r"(?P<head>[ \t]*except\b[^:\"'#]*?),[ \t]*(?P<name>[A-Za-z_]\w*)[ \t]*:")
_RAISE = re.compile(r"(?P<head>[ \t]*raise[ \t]+[A-Za-z_][\w.]*)[ \t]*,[ \t]*(?P<rest>[^#]+?)[ \t]*$")


_CELL_MAGIC = re.compile(r"\s*%%(?:writefile|file|python3?|py|capture|time|timeit|script|bash)\b[^\n]*\n")


def cell_magic(text: str) -> str:
    """Take off a first line that says what the notebook shall do with the cell below it."""
    return _CELL_MAGIC.sub("", text, count=1) if _CELL_MAGIC.match(text) else text


def notebook_magics(text: str) -> str:
    """Comment out `%magic` and `!shell` lines, and take `In [3]:` off."""
    if not _SOME_MAGIC.search(text):
        return text
    return _by_line(text, _without_magic)


def _without_magic(line: str) -> str:
    line = _CELL.sub("", line, count=1) if _CELL.match(line) else line
    if not _MAGIC.match(line):
        return line
    bare = line.lstrip(" \t")
    return f"{line[: len(line) - len(bare)]}pass  # {bare}" if line != bare else f"# {bare}"


def python_2(text: str) -> str:
    """Rewrite the statements that Python 3 took away."""
    if not any(sign in text for sign in _SIGNS_OF_OLD) or not _SOME_OLD.search(text):
        return text
    after = _by_line(text, _modern)
    if "<>" not in after:
        return after
    return "".join(piece.replace("<>", "!=") if is_code else piece for is_code, piece in pieces(after))


def _by_line(text: str, change: Callable[[str], str]) -> str:
    lines = text.split("\n")
    return "\n".join(
        line if state.triple else change(line) for line, state in zip(lines, states(lines), strict=True)
    )


def _modern(line: str) -> str:
    if "print" in line:
        return _print(line)
    if "except" in line:
        return _EXCEPT.sub(r"\g<head> as \g<name>:", line, count=1)
    if "raise" in line:
        return _RAISE.sub(r"\g<head>(\g<rest>)", line, count=1)
    return line


def _print(line: str) -> str:
    match = _PRINT.match(line) or _PRINT_TUPLE.match(line)
    if match is None:
        return line
    rest, ending = match["rest"].strip(), ""
    chevron = _CHEVRON.match(rest)
    if chevron is not None:
        rest, ending = chevron["rest"].strip(), f", file={chevron['file']}"
    if rest.endswith(","):
        rest, ending = rest[:-1].rstrip(), f"{ending}, end=' '"
    return f"{match['indent']}print({rest}{ending if rest else ending.removeprefix(', ')})"
