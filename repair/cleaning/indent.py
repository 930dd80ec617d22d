"""Indentation that was lost, added or mixed."""

from repair.cleaning.lexer import states

_MOST_SPACES = 4
_LEVEL = 4


def dedent(text: str) -> str:
    """Take off indentation that every line has; lines inside strings follow as far as they can."""
    if text.lstrip("\n")[:1] not in {" ", "\t"}:
        return text
    lines = text.split("\n")
    margin = _common(_margins(lines))
    return "\n".join(_shift(line, margin) for line in lines) if margin else text


def first_line_dedent(text: str) -> str:
    """The first line lost its indentation to a strip(), the others kept theirs."""
    first, _, rest = text.lstrip("\n").partition("\n")
    return f"{first}\n{dedent(rest)}"


def first_line_space(text: str) -> str:
    """Some tokenizers begin a reply with a space or two, which indent its first line alone."""
    bare = text.lstrip("\n")
    width = len(bare) - len(bare.lstrip(" "))
    if not 0 < width < _MOST_SPACES or bare[width : width + 1] == "\t":
        return text
    lines = bare[width:].split("\n")
    fresh = [line for line, state in zip(lines, states(lines), strict=True) if line.strip() and state.fresh]
    margins = [len(_margin(line).expandtabs(_LEVEL)) for line in fresh[1:]]
    opens = lines[0].rstrip().endswith(":")
    if opens and margins and margins[0] <= width:
        return bare[width:]  # its body would stand no deeper than itself
    if margins and min(margins) > 0 and any(margin % _LEVEL for margin in margins):
        return text
    return bare[width:]


def expanded(text: str, width: int) -> str:
    """Spaces for the tabs that indent, outside of strings."""
    lines = text.split("\n")
    inside = [bool(state.triple) for state in states(lines)]
    return "\n".join(
        line if quoted else _margin(line).expandtabs(width) + line[len(_margin(line)) :]
        for line, quoted in zip(lines, inside, strict=True)
    )


def _margins(lines: list[str]) -> list[str]:
    return [
        _margin(line)
        for line, state in zip(lines, states(lines), strict=True)
        if line.strip() and not state.triple
    ]


def _margin(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _common(margins: list[str]) -> str:
    if not margins:
        return ""
    low, high = min(margins), max(margins)
    same = next((at for at, char in enumerate(low) if char != high[at]), len(low))
    return low[:same]


def _shift(line: str, margin: str) -> str:
    own = _margin(line)[: len(margin)]
    return line[len(_common([own, margin])) :]
