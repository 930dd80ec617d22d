"""Salvage without libcst: cut a text into top-level statements and keep those that stand.

Used for code between lines of prose (dropping prose loses nothing) and for code that is cut off or
broken in one place (dropping a broken statement is lossy, and marked so).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from repair.cleaning.lexer import State, after_line
from repair.cleaning.lines import Line, Lines, Span, join_lines, size_of, spans_of
from repair.cleaning.oracle import Oracle, free_names

_HARD_START = re.compile(
    r"(?:(?:async\s+)?def\s+\w+\s*[(\[]|class\s+\w+\s*[(:\[]|import\s+\w|from\s+[\w.]+\s+import\s|@\w|if\s+__name__\b)"
)
_CONTINUES = re.compile(r"(?:else|elif|except|finally|case)\b|[)\]}]")
_CODE_LIKE = re.compile(
    r"(?:(?:async\s+)?def\s+\w+\s*\(|class\s+\w+\s*[(:]|import\s+[\w.]+(?:\s*$|\s*,|\s+as\s)"
    r"|from\s+[\w.]+\s+import\s|@\w[\w.]*(?:\(|\s*$)"
    r"|(?:if|for|while|with|elif|else|try|except|finally|match|async for|async with)\b.*:\s*(?:#.*)?$"
    r"|[A-Za-z_][\w.]*(?:\[.*\])?\s*(?:[-+*/%|&^]|//|\*\*|<<|>>)?=(?!=)\s*\S|[A-Za-z_][\w.]*\(.*\)?\s*(?:#.*)?$"
    r"|(?:return|raise|assert|yield|await|del|global|nonlocal)\s+\S|(?:return|pass|break|continue)\s*$"
    r"|print\s+[\"'\w][\w.]*(?:$|[,%.(\[\"'])"
    r"|%{1,2}[A-Za-z]+\b|![A-Za-z]+ )"
)
_DEFINES = re.compile(r"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)
_SENTENCE = re.compile(
    r"(?!(?:True|False|None)\b)[A-Z][a-z']*,? (?!(?:if|for|in|is|and|or|not)\b)[a-z']+"
    r"(?:[,.:]? [\w'`]|[.:]?$)|[A-Z][a-z]*!(?: |$)"
)
"""Two words in a row are no Python, and need no compiler to say so."""
_HEADING = re.compile(r"[A-Z][A-Za-z]*:[ \t]*[\r\n]")
"""No keyword with a capital has a colon: `Assistant:`."""
_PEEK = 400
_PROSE_END = re.compile(r"[.:!?]\s*$")


class Kind(Enum):
    """What a top-level piece of text is."""

    CODE = auto()
    REMARK = auto()
    """Blank lines and comments."""
    PROSE = auto()
    BROKEN = auto()
    """Looks like code, and does not compile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One top-level statement, or what stands in the place of one."""

    lines: Lines
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvage:
    """The statements that stand, and what had to go."""

    lines: Lines
    prose: tuple[Span, ...]
    prose_chars: int
    broken: tuple[Span, ...]
    broken_chars: int
    tail_only: bool
    """Nothing but the end of the text was broken, as after a cut at the token limit."""

    @property
    def rule(self) -> str:
        """The name of what dropped the broken statements."""
        return "cut_off_tail" if self.tail_only else "broken_statements"


def is_hopeless(text: str) -> bool:
    """Whether a look says, without a compiler, that the text is no Python: most replies are not."""
    start = text[:_PEEK].lstrip()
    plainly = start.startswith(("```", "<", ">", "**")) or _HEADING.match(start) is not None
    return plainly or starts_as_prose(text) or _is_fenced(text)


def _is_fenced(text: str) -> bool:
    """Whether a fence stands at the margin where no string can be open."""
    above, fence, _ = text.partition("\n```")
    return bool(fence) and not any(sign in above for sign in ('"""', "'''", "\\\n"))


def starts_as_prose(text: str) -> bool:
    """Whether the first line has words in a row, as no Python has."""
    return _SENTENCE.match(text[:_PEEK].lstrip().partition("\n")[0]) is not None


def chunks(lines: Lines, oracle: Oracle) -> list[Chunk]:
    """Cut into top-level statements and judge each of them."""
    return [Chunk(lines=part, kind=_kind(part, oracle)) for part in _split(lines)]


def _split(lines: Lines) -> list[list[Line]]:
    parts: list[list[Line]] = []
    state, decorated = State(), False
    for line in lines:
        if state.depth and not state.triple and _HARD_START.match(line.text):
            state = State()
        if not parts or (state.fresh and not decorated and _begins(line, parts[-1])):
            parts.append([])
        parts[-1].append(line)
        if state.fresh:
            decorated = line.text.startswith("@") or (decorated and not line.text.strip())
        state = after_line(line.text, state)
    return parts


def _begins(line: Line, part: list[Line]) -> bool:
    first = line.text[:1]
    if not line.text.strip():
        return False
    if first in " \t":
        return False
    if first == "#":
        return True
    return not _CONTINUES.match(line.text) or part[0].text.startswith("#")


def _kind(part: list[Line], oracle: Oracle) -> Kind:
    meaningful = [line for line in part if line.text.strip() and not line.text.startswith("#")]
    if not meaningful:
        return Kind.REMARK
    if _SENTENCE.match(meaningful[0].text):
        return Kind.PROSE
    facts = oracle.facts(join_lines(part))
    if facts.compiles:
        return Kind.CODE if facts.substance or _is_docstring(meaningful[0]) else Kind.PROSE
    return Kind.BROKEN if any(_looks_broken(line.text.lstrip()) for line in meaningful) else Kind.PROSE


def _looks_broken(text: str) -> bool:
    return bool(_CODE_LIKE.match(text))


def _is_docstring(line: Line) -> bool:
    return line.text.lstrip("rRuUbB").startswith(('"""', "'''"))


def looks_like_code(lines: Iterable[Line]) -> bool:
    """Whether any line could only be code: what a refusal in prose does not have."""
    return any(_CODE_LIKE.match(line.text.lstrip()) and not _is_sentence(line.text) for line in lines)


def _is_sentence(text: str) -> bool:
    """`from the list import a` and `return the sum.` are English."""
    return len(text.split()) > 4 and bool(_PROSE_END.search(text)) and not re.search(r"[()=\[\]]", text)  # noqa: PLR2004 - a few words


def attempted_names(text: str) -> frozenset[str]:
    """Names that the text tries to define, whether or not it compiles."""
    return frozenset(_DEFINES.findall(text))


def salvage(lines: Lines, oracle: Oracle) -> Salvage | None:
    """Keep the statements that compile; None if there are none, or if they need what was dropped."""
    parts = chunks(lines, oracle)
    solid = [number for number, part in enumerate(parts) if part.kind is Kind.CODE]
    if not solid:
        return None
    kept = [part for number, part in enumerate(parts) if _stays(parts, number, solid)]
    kept_lines = [line for part in kept for line in part.lines]
    broken = [number for number, part in enumerate(parts) if part.kind is Kind.BROKEN]
    if broken and _needs_dropped(kept_lines, [parts[number] for number in broken]):
        return None
    return Salvage(
        lines=kept_lines,
        prose=_where(parts, Kind.PROSE),
        prose_chars=sum(size_of(part.lines) for part in parts if part.kind is Kind.PROSE),
        broken=_where(parts, Kind.BROKEN),
        broken_chars=sum(size_of(parts[number].lines) for number in broken),
        tail_only=len(broken) == 1 and broken[0] > solid[-1],
    )


def _where(parts: Sequence[Chunk], kind: Kind) -> tuple[Span, ...]:
    return spans_of([line for part in parts if part.kind is kind for line in part.lines])


def _stays(parts: Sequence[Chunk], number: int, solid: list[int]) -> bool:
    kind = parts[number].kind
    if kind is not Kind.REMARK or solid[0] < number < solid[-1]:
        return kind is not Kind.PROSE and kind is not Kind.BROKEN
    between = parts[number : solid[0]] if number < solid[0] else parts[solid[-1] + 1 : number + 1]
    return all(part.kind is Kind.REMARK and not part.lines[0].text.startswith("##") for part in between)


def _needs_dropped(kept: list[Line], broken: list[Chunk]) -> bool:
    attempted: set[str] = set()
    for part in broken:
        attempted |= attempted_names(join_lines(part.lines))
    return bool(attempted) and bool(attempted & free_names(join_lines(kept)))
