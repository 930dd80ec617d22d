"""Text as lines that remember where in the reply they stood, so that every cut can be audited."""

import re
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import accumulate
from typing import NamedTuple

_LINE_END = re.compile(r"\r\n|\r|\n")


class Line(NamedTuple):
    """One line without its line end; `start` and `end` are offsets into the reply."""

    text: str
    start: int
    end: int

    def drop(self, count: int) -> "Line":
        """Leave out the first `count` characters."""
        return Line(self.text[count:], self.start + count, self.end)

    def keep(self, count: int) -> "Line":
        """Keep only the first `count` characters."""
        return Line(self.text[:count], self.start, self.start + count)


_to_line = partial(tuple.__new__, Line)  # as Line._make, in a third of the time
Lines = Sequence[Line]
Span = tuple[int, int]


def split_lines(text: str) -> list[Line]:
    """Split at LF, CRLF and CR only: other separators of Unicode are no line ends to Python."""
    lines: list[Line] = []
    start = 0
    if "\r" not in text:
        parts = text.removesuffix("\n").split("\n") if text else []
        ends = list(accumulate(map(len, parts), lambda end, size: end + 1 + size))
        starts = [0, *(end + 1 for end in ends)]
        return list(map(_to_line, zip(parts, starts, ends, strict=False)))
    for end in _LINE_END.finditer(text):
        lines.append(Line(text[start : end.start()], start, end.start()))
        start = end.end()
    if start < len(text):
        lines.append(Line(text[start:], start, len(text)))
    return lines


def resplit(text: str, span: Span) -> list[Line]:
    """Lines of a text that was decoded out of `span`: each one answers for the whole of it."""
    return [Line(line.text, *span) for line in split_lines(text)]


def join_lines(lines: Iterable[Line]) -> str:
    """Make a source text: LF line ends, one at the end."""
    text = "\n".join(line.text for line in lines)
    return f"{text}\n" if text else ""


def spans_of(lines: Lines) -> tuple[Span, ...]:
    """The stretches of the reply that the lines cover; stretches one line end apart are one."""
    spans: list[Span] = []
    first, last = 0, -3  # further from any line than one line end
    for _, start, end in lines:
        if first <= start <= last + 2:
            last = max(last, end)
        elif end > start:
            spans.append((first, last))
            first, last = start, end
    return (*spans[1:], (first, last)) if spans else ()


def gaps(before: Lines, after: Lines) -> tuple[Span, ...]:
    """The stretches of `before` that `after` does not cover."""
    if not before:
        return ()
    found: list[Span] = []
    at = before[0].start
    for start, end in spans_of(after):
        if start > at:
            found.append((at, start))
        at = max(at, end)
    return (*found, (at, before[-1].end)) if before[-1].end > at else tuple(found)


def size_of(lines: Lines) -> int:
    """Characters of the lines, line ends counted as one each."""
    return sum([len(line[0]) for line in lines]) + len(lines)


def trim_blank(lines: Lines) -> Lines:
    """Drop blank lines at both ends."""
    first, last = 0, len(lines)
    while first < last and not lines[first].text.strip():
        first += 1
    while last > first and not lines[last - 1].text.strip():
        last -= 1
    return lines[first:last]
