"""What text alone can tell of a reply that no parser may see. Linear, at the speed of a search."""

import re
from dataclasses import dataclass
from itertools import islice

from repair.cleaning.gates import MAX_BYTES, too_large
from repair.cleaning.rules import edit
from repair.cleaning.scan import Label, label_of
from repair.script import CleanOutcome, Script

MAX_CODE_CHARS = 1024 * 1024
"""Larger texts do not go into a container."""

_FENCE = re.compile(r"(?<![`~])(`{3,}+|~{3,}+)([^`\r\n]{0,200})\r?$", re.MULTILINE)
_MAX_INDENT = 8
_MAX_FENCES = 5_000
_END_OF_REASONING = ("</think>", "</thinking>")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Region:
    """A fenced block by its offsets: fences included, and body alone."""

    outer: tuple[int, int]
    inner: tuple[int, int]
    label: Label


def shortened(reply: str, required: tuple[str, ...]) -> str | None:
    """The fenced block that most likely is the answer, fences included, if it is small enough to parse."""
    small = [
        region
        for region in _regions(reply)
        if region.label is not Label.FOREIGN and not too_large(reply[slice(*region.outer)])
    ]
    best = _best(reply, small, required)
    return None if best is None else reply[slice(*best.outer)]


def text_only(reply: str, required: tuple[str, ...], *, reason: str) -> Script:
    """The largest block, or else the whole reply: unparsed, for the guest to judge."""
    best = _best(reply, [region for region in _regions(reply) if region.label is not Label.FOREIGN], required)
    span = best.inner if best is not None else (0, len(reply))
    code = reply[slice(*span)]
    if len(code) > MAX_CODE_CHARS or not code.strip():
        return Script(code=None, outcome=CleanOutcome.UNPARSABLE, reason=reason)
    dropped = len(reply) - len(code)
    edits = (
        (edit("largest_block", dropped_chars=dropped, spans=((0, span[0]), (span[1], len(reply)))),)
        if best
        else ()
    )
    return Script(code=code, outcome=CleanOutcome.UNPARSABLE, edits=edits, reason=reason, spans=(span,))


def _regions(reply: str) -> list[_Region]:
    if "```" not in reply and "~~~" not in reply:
        return []
    start = max(reply.rfind(tag) for tag in _END_OF_REASONING) + 1
    regions: list[_Region] = []
    opened: re.Match[str] | None = None
    for fence in islice(_FENCE.finditer(reply, start), _MAX_FENCES):
        if not _at_line_start(reply, fence.start()):
            continue
        if opened is None or (fence[2].strip() and label_of(fence[2]) is Label.PYTHON):
            opened = fence
        elif not fence[2].strip() and fence[1].startswith(opened[1]):
            inner = (min(opened.end() + 1, fence.start()), fence.start())
            regions.append(
                _Region(outer=(opened.start(), fence.end()), inner=inner, label=label_of(opened[2]))
            )
            opened = None
    return regions


def _at_line_start(reply: str, place: int) -> bool:
    before = reply[max(reply.rfind("\n", 0, place) + 1, place - _MAX_INDENT - 1) : place]
    return not before.strip() and len(before) <= _MAX_INDENT


def _best(reply: str, regions: list[_Region], required: tuple[str, ...]) -> _Region | None:
    def merit(region: _Region) -> tuple[int, int]:
        start, end = region.inner
        defined = sum(f" {name}" in reply[start:end] for name in required) if end - start <= MAX_BYTES else 0
        return defined, end - start

    return max(regions, key=merit, default=None)
