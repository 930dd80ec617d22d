"""Tags and commands that models use as fences: `[PYTHON]`, `<solution>`, LaTeX, Org, `<<EOF`."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from repair.cleaning.lexer import quoted
from repair.cleaning.lines import Line, Lines
from repair.cleaning.scan import Block, Label

_ATTRIBUTES = r"(?:[ \t]+[\w:-]+=(?:\"[^\"<>]*\"|'[^'<>]*'|[\w.-]+))*"
_NAMES = (
    "solution|answer|code|python|execute|script|final_answer|file|artifact|program|source|document|parameter"
    "|py|code_block|python_code|implementation|response|tests?"
)
_TAG = re.compile(
    r"[ \t]*(?P<open>"
    rf"<(?P<xml>{_NAMES}){_ATTRIBUTES}[ \t]*>(?P<cdata>[ \t]*<!\[CDATA\[)?"
    r"|<parameter=(?P<call>\w+)>"
    rf"|<pre{_ATTRIBUTES}>(?:[ \t]*<code{_ATTRIBUTES}>)?"
    r"|\[(?P<square>PYTHON|CODE|TESTS?|SOLUTION|ANSWER|BEGIN)(?:=\w+)?\]"
    r"|\{(?P<brace>code)(?::\w+)?(?:\|[^{}]*)?\}"
    r"|\\begin\{(?P<latex>verbatim\*?|lstlisting|minted|code|python|pythoncode)\}(?:\[[^\]]*\])?(?:\{\w+\})?"
    r"|\#\+BEGIN_SRC(?P<org>[ \t]+python[^\n]*)?$"
    r"|<\|file_sep\|>(?P<sep>[\w./-]*\.py)$"
    r"|(?P<quotes>\'\'\'|\"\"\"|``)(?:python|py)[\d.]*[ \t]*$"
    r")(?P<rest>.*)$",
    re.IGNORECASE,
)
_GLUED_TAG = re.compile(
    r"[^`\"'<>\[\]#]{1,200}[ \t:](?P<open><(?P<xml>solution|answer|python|final_answer)>)(?P<rest>.*)$",
    re.IGNORECASE,
)
_HEREDOC = re.compile(
    r"[ \t]*(?:[$%#][ ]+)?(?:sudo[ ]+)?(?P<command>cat|tee|python[\d.]*)\b[^<>'\"]*"
    r"(?:>[ ]*(?P<before>\S+)[ ]*)?"
    r"<<-?[ ]*(?P<quote>['\"\\]?)(?P<word>\w+)['\"]?[ ]*(?:>>?[ ]*(?P<after>\S+))?[ \t]*$"
)
_FOREIGN = frozenset({"tests", "test", "execute"})
_SIGN = re.compile(r"^[ \t]*(?:[<\[{\\]|\#\+|(?:'''|``|\"\"\")py)|<[sapf]\w{5}|<<", re.IGNORECASE)
_FIRST_SIGNS = frozenset("[{\\#'`\"")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """An opening tag, what closes it, and what stands behind it on its line."""

    info: str
    label: Label
    ends: tuple[str, ...]
    rest: int
    alone: bool = False
    """What closes it stands alone on its line."""


def tagged_blocks(lines: Lines) -> list[Block]:
    """Find what stands between `[PYTHON]` and `[/PYTHON]`, `<solution>` and `</solution>`, and the like."""
    blocks: list[Block] = []
    at = 0
    while at < len(lines):
        text = lines[at].text
        opened = _opened(text) if "<" in text or text.lstrip(" \t")[:1] in _FIRST_SIGNS else None
        block = None if opened is None else _tagged(lines, at, opened)
        if block is None:
            at += 1
            continue
        blocks.append(block)
        at = block.last + 1
    return blocks


def enclosed(lines: Lines) -> Block | None:
    """The block, where a tag stands on the first of the lines and what closes it on the last."""
    if not lines or lines[0].text.lstrip()[:1] not in "<[{\\#'\"`":
        return None
    opened = _opened(lines[0].text)
    if opened is None or not any(lines[-1].text.strip().casefold().endswith(end) for end in opened.ends):
        return None
    block = _tagged(lines, 0, opened)
    return block if block is not None and block.closed and block.last == len(lines) - 1 else None


def heredocs(lines: Lines) -> list[Block]:
    """The files that shell commands write, and the programs that they run, from between `<<EOF` and `EOF`."""
    return [block for block in tagged_blocks(lines) if block.info.startswith("<<")]


def _opened(text: str) -> _Opened | None:
    if not _SIGN.search(text):
        return None
    if "<<" in text:
        return _heredoc(text)
    match = _TAG.match(text) or _GLUED_TAG.match(text)
    if match is None:
        return None
    groups = match.groupdict()
    name = next((groups[key] for key in ("xml", "call", "square") if groups.get(key)), "")
    label = Label.FOREIGN if name.casefold() in _FOREIGN else Label.PYTHON
    return _Opened(
        info=match["open"].strip(),
        label=label,
        ends=tuple(_ends(match)),
        rest=match.start("rest"),
        alone=bool(groups.get("quotes")),
    )


def _ends(match: re.Match[str]) -> Iterator[str]:
    groups = match.groupdict()
    if groups.get("xml"):
        yield from ([f"]]></{groups['xml'].casefold()}>"] if groups.get("cdata") else [])
        yield f"</{groups['xml'].casefold()}>"
    elif groups.get("call"):
        yield "</parameter>"
    elif groups.get("square"):
        yield from ["[done]", "[end]"] if groups["square"].casefold() == "begin" else []
        yield f"[/{groups['square'].casefold()}]"
    elif groups.get("brace"):
        yield "{code}"
    elif groups.get("latex"):
        yield f"\\end{{{groups['latex'].casefold()}}}"
    elif match["open"].lstrip().startswith("#"):
        yield "#+end_src"
    elif groups.get("quotes"):
        yield groups["quotes"]
    elif groups.get("sep"):
        yield from ("<|/ file |>", "<|file_sep|>", "<|endoftext|>")
    else:
        yield from ("</code></pre>", "</pre>", "</code>")


def _heredoc(text: str) -> _Opened | None:
    match = _HEREDOC.match(text)
    if match is None:
        return None
    file = match["before"] or match["after"] or ""
    python = (
        match["command"].startswith("python")
        or file.endswith(".py")
        or (match["command"] == "tee" and ".py" in text)
    )
    label = Label.PYTHON if python else Label.FOREIGN if "." in file else Label.NONE
    return _Opened(info=f"<<{match['word']}", label=label, ends=(match["word"],), rest=len(text), alone=True)


def _tagged(lines: Lines, at: int, opened: _Opened) -> Block | None:
    """The block to the tag's closing one, or to the end. A closing tag inside a string closes nothing."""
    body: list[Line] = []
    last, closed = len(lines) - 1, False
    for number in range(at, len(lines)):
        line = lines[number].drop(opened.rest) if number == at else lines[number]
        place = _closes(line.text, opened)
        body.append(line if place is None else line.keep(place))
        if place is not None:
            last, closed = number, True
            break
    if not closed and opened.alone:
        return None
    kept = [line for line in body if line.text.strip() or line not in (body[0], body[-1])]
    if opened.info.startswith("<pre") and not any("<" in line.text for line in kept):
        kept = [line._replace(text=html.unescape(line.text)) for line in kept]
    return Block(
        label=opened.label, info=opened.info, lines=kept, first=at, last=last, closed=closed, tag=True
    )


def _closes(text: str, opened: _Opened) -> int | None:
    if opened.alone:
        return 0 if text.strip() == opened.ends[0] else None
    folded = text.casefold()
    for end in opened.ends:
        place = folded.find(end)
        if place >= 0 and not quoted(text, place, place + len(end)):
            return place
    return None
