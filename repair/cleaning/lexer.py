"""A tolerant lexer: knows strings, comments and brackets, and nothing else. Linear, never raises.

It serves where the real tokenizer gives up: on text that is not, or not yet, valid Python.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_TRIPLE = re.compile(r"\"\"\"|'''")
_TOKEN = re.compile(
    r"""\\. | \#.* | \"\"\" | ''' | "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' | [()\[\]{}]""",
    re.VERBOSE,
)
_INTERESTING = re.compile(r"[\"'#()\[\]{}\\]")
_CLOSERS = {
    '"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*+"""'),
    "'''": re.compile(r"(?:[^'\\]|\\.|'(?!''))*+'''"),
}


class State(NamedTuple):
    """Where a line begins: inside which triple quotes, how deep in brackets, after a backslash or not."""

    triple: str = ""
    depth: int = 0
    continued: bool = False

    @property
    def fresh(self) -> bool:
        """Whether a new logical line begins here."""
        return not self.triple and self.depth == 0 and not self.continued


def after_line(line: str, state: State) -> State:
    """The state behind `line`."""
    if not state.triple and not _INTERESTING.search(line):
        return state._replace(continued=False) if state.continued else state
    position, triple, depth = 0, state.triple, state.depth
    while True:
        if triple:
            closed = _CLOSERS[triple].match(line, position)
            if closed is None:
                return State(triple, depth)
            position, triple = closed.end(), ""
        position, triple, depth = _until_triple(line, position, depth)
        if not triple:
            return State("", depth, _continues(line))


def _until_triple(line: str, position: int, depth: int) -> tuple[int, str, int]:
    for token in _TOKEN.finditer(line, position):
        text = token[0]
        if _TRIPLE.fullmatch(text):
            return token.end(), text, depth
        if text in "([{":
            depth += 1
        elif text in ")]}":
            depth = max(depth - 1, 0)
    return len(line), "", depth


def _continues(line: str) -> bool:
    return line.endswith("\\") and not line.endswith("\\\\") and "#" not in line


def states(lines: list[str]) -> Iterator[State]:
    """The state before each line."""
    state = State()
    for line in lines:
        yield state
        state = after_line(line, state)


_PIECE = re.compile(
    r"""
    (?P<keep> \#[^\n]*
      | \"\"\"(?:[^"\\]|\\.|"(?!""))*+(?:\"\"\"|\Z)
      | '''(?:[^'\\]|\\.|'(?!''))*+(?:'''|\Z)
      | "(?:[^"\\\n]|\\.)*+"
      | '(?:[^'\\\n]|\\.)*+'
    )
    | (?P<code> [^\#"']+ | ["'] )
    """,
    re.VERBOSE | re.DOTALL,
)


def pieces(text: str) -> Iterator[tuple[bool, str]]:
    """Cut a text into (is code, piece): what is not code is a string or a comment, whole."""
    for piece in _PIECE.finditer(text):
        yield piece.lastgroup == "code", piece[0]


_ON_ONE_LINE = re.compile(
    r"""(?<!\w)(?:[rRbBuUfF]{1,2})?
    (?:\"\"\".*?\"\"\"|\'\'\'.*?\'\'\'|"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|(?<!`)`(?!`)[^`]+`(?!`)|\u201c[^\u201c\u201d]*\u201d)""",
    re.VERBOSE,
)


def quoted(text: str, start: int, end: int) -> bool:
    """Whether a stretch of one line lies in a string, or in backticks, that begins and ends on that line."""
    if not any(mark in text for mark in "\"'`\u201c"):
        return False
    spans = (match.span() for match in _ON_ONE_LINE.finditer(text))
    return any(first < start and end < last for first, last in spans)
