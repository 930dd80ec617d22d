"""What the sources of candidates look at, and how lines become a candidate."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from repair.cleaning.escapes import html_escaped
from repair.cleaning.fallback import looks_like_code, starts_as_prose
from repair.cleaning.gates import MAX_BYTES
from repair.cleaning.lines import Line, Lines, gaps, join_lines, resplit, size_of, spans_of, trim_blank
from repair.cleaning.marks import is_session
from repair.cleaning.mend import Mended, disguised, mend
from repair.cleaning.oracle import Oracle
from repair.cleaning.peel import peeled
from repair.cleaning.rank import Candidate, Wanted
from repair.cleaning.rules import edit
from repair.cleaning.scan import Block, Label, fenced_blocks
from repair.cleaning.tags import enclosed, tagged_blocks
from repair.script import Edit


def compiles(oracle: Oracle) -> Callable[[str], bool]:
    """The oracle as a yes or no."""
    return lambda text: oracle.facts(text).compiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What every source of candidates looks at."""

    lines: Lines
    blocks: tuple[Block, ...]
    wanted: Wanted
    oracle: Oracle
    size: int
    """Characters of the lines."""

    def taken(self, rule: str, lines: Lines, detail: str = "") -> Edit:
        """The edit that takes `lines` out of the reply."""
        dropped = self.size - size_of(lines)
        return edit(rule, detail=detail[:40], dropped_chars=dropped, spans=gaps(self.lines, lines))


def all_blocks(lines: Lines, oracle: Oracle) -> tuple[Block, ...]:
    """Fenced blocks and tagged ones; a tag inside a fenced block is part of its code."""
    fenced = _without_stray(lines, fenced_blocks(lines, compiles(oracle)), oracle)
    tagged = tagged_blocks(lines)
    if not tagged:
        return tuple(fenced)
    inside = {number for block in fenced for number in range(block.first, block.last + 1)}
    around = [block for block in tagged if block.first not in inside]
    return tuple(sorted([*fenced, *around], key=lambda block: block.first))


def _without_stray(lines: Lines, fenced: list[Block], oracle: Oracle) -> list[Block]:
    """Where all above the first fence is code, that fence closes it: the template had opened it."""
    first = fenced[0] if fenced else None
    if first is None or first.info or first.first == 0 or not is_bare(lines[first.first]):
        return fenced
    head = trim_blank(lines[: first.first])
    one = candidate(head, oracle) if head and looks_like_code(head) else None
    if one is None or not one.facts.definitions:
        return fenced
    closed = Block(
        label=Label.PYTHON, info="", lines=head, first=0, last=first.first, closed=True, stray=True
    )
    rest, offset = lines[first.first + 1 :], first.first + 1
    below = [
        replace(block, first=block.first + offset, last=block.last + offset)
        for block in fenced_blocks(rest, compiles(oracle))
    ]
    return [closed, *below]


def is_bare(line: Line) -> bool:
    """Whether a line is a fence and nothing else."""
    return bool(line.text.strip()) and not line.text.strip(" `~")


def satisfies(one: Candidate, wanted: Wanted) -> bool:
    """Whether a candidate is all that was asked for."""
    if not one.facts.compiles or one.lossy:
        return False
    if wanted.required:
        return wanted.required <= one.facts.names
    return bool(one.facts.definitions)


def candidate(lines: Lines, oracle: Oracle, *edits: Edit, label: Label = Label.NONE) -> Candidate | None:
    """Make a candidate of lines: as they are if they compile, else without marks and mended in form."""
    text = join_lines(lines)
    if not text.strip():
        return None
    spans = spans_of(lines)
    layers: tuple[Edit, ...] = ()
    if len(text) <= MAX_BYTES and (not oracle.facts(text).compiles or _is_wrapped(lines, text)):
        lines, layers = _peeled(lines, text)
        text = join_lines(lines) if layers else text
    mended = Mended(text=text, facts=oracle.facts(text)) if _is_beyond(lines, text) else mend(text, oracle)
    return Candidate(
        code=mended.text,
        facts=mended.facts,
        edits=(*edits, *layers, *mended.edits),
        spans=spans,
        label=label,
        position=spans[0][0] if spans else 0,
    )


def _is_beyond(lines: Lines, text: str) -> bool:
    """Whether no repair of form helps: no parser may see the text, or all of it is prose."""
    return len(text) > MAX_BYTES or (starts_as_prose(text) and not looks_like_code(lines))


def _is_wrapped(lines: Lines, text: str) -> bool:
    """Whether text that compiles has something around it all the same."""
    if disguised(text) or is_session(text):
        return True
    return text.lstrip()[:1] in {"[", "{", "#"} and enclosed(trim_blank(lines)) is not None


def _peeled(lines: Lines, text: str) -> tuple[Lines, tuple[Edit, ...]]:
    """Take off what stands before each line, also where it was escaped for HTML afterwards."""
    below, layers = peeled(lines)
    if layers or "&" not in text:
        return below, layers
    plain = html_escaped(text)
    below, layers = peeled(resplit(plain, (lines[0].start, lines[-1].end)))
    return below, (edit("html_escaped", dropped_chars=len(text) - len(plain)), *layers) if layers else ()
