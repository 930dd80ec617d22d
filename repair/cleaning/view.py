"""The part of a reply that may hold the answer, and what was done to see it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from repair.cleaning.lines import Lines, Span, gaps, size_of, spans_of
from repair.cleaning.rules import edit
from repair.script import Edit


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The part of the reply that may hold the answer, and what was done to see it."""

    lines: Lines
    reply: str
    """The whole reply, for a quick look at what it cannot have."""
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


def changed(view: View, rule: str, change: Callable[[str], str]) -> View:
    lines = [line._replace(text=change(line.text)) for line in view.lines]
    touched = [old for old, new in zip(view.lines, lines, strict=True) if old != new]
    return view.changed(rule, lines, spans_of(touched)) if touched else view
