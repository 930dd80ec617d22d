"""What goes around all of the code, or stands before each of its lines, taken off layer by layer."""

from repair.cleaning.fallback import looks_like_code
from repair.cleaning.lines import Lines, gaps, size_of, trim_blank
from repair.cleaning.marks import MARKS, Cuts, cut
from repair.cleaning.rules import edit
from repair.cleaning.scan import Label
from repair.cleaning.tags import enclosed
from repair.script import Edit

_MAX_LAYERS = 3
_MARK_SIGNS = frozenset(">+-@dI<=*~_")


def peeled(lines: Lines) -> tuple[Lines, tuple[Edit, ...]]:
    """Take layers off while there are any; what is below must look like code, or be fenced."""
    done: list[Edit] = []
    for _ in range(_MAX_LAYERS):
        found = _without_tag(lines) or _without_marks(lines)
        if found is None:
            break
        lines, one = found
        done.append(one)
    return lines, tuple(done)


def _without_tag(lines: Lines) -> tuple[Lines, Edit] | None:
    trimmed = trim_blank(lines)
    block = enclosed(trimmed)
    if block is None or block.label is Label.FOREIGN or not block.lines:
        return None
    return block.lines, _taken("tagged_block", lines, block.lines, detail=block.info)


def _without_marks(lines: Lines) -> tuple[Lines, Edit] | None:
    trimmed = trim_blank(lines)
    if not trimmed or not _may_be_marked(trimmed[0].text):
        return None
    margin = min(len(line.text) - len(line.text.lstrip(" ")) for line in trimmed if line.text.strip())
    texts = [line.text[margin:] for line in trimmed]
    for mark in MARKS:
        cuts = mark.cuts(texts)
        if cuts is not None:
            below = cut(trimmed, _shifted(cuts, margin))
            lossy = mark.lossy(texts)
            return (below, _taken(mark.name, lines, below, lossy=lossy)) if _is_worth(below) else None
    return None


def _may_be_marked(first: str) -> bool:
    start = first.lstrip(" ")[:1]
    return start in _MARK_SIGNS or start.isdecimal()


def _shifted(cuts: Cuts, margin: int) -> Cuts:
    return [None if width is None else width + margin for width in cuts]


def _is_worth(below: Lines) -> bool:
    if looks_like_code(below) or any(line.text.lstrip().startswith(("```", "~~~")) for line in below):
        return True
    texts = [line.text for line in trim_blank(below)]
    return any(mark.cuts(texts) is not None for mark in MARKS)


def _taken(rule: str, before: Lines, after: Lines, *, detail: str = "", lossy: bool = False) -> Edit:
    dropped = size_of(before) - size_of(after)
    return edit(rule, detail=detail[:40], dropped_chars=dropped, spans=gaps(before, after), lossy=lossy)
