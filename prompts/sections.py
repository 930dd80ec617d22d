"""A Markdown document split into the prompt and the reserved sections (Tests, Holdout, …)."""

import difflib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from prompts.errors import TaskError

RESERVED = ("Tests", "Holdout", "Reference", "Wrong")
REPEATABLE = frozenset({"Reference", "Wrong"})
_PYTHON = frozenset({"python", "py", "python3"})
_NEAR = 0.8
_TELLTALE = frozenset({"test", "tests", "holdout", "reference", "references", "wrong"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The code of a reserved section."""

    code: str
    line: int
    """Line of the file that holds the first line of the code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a task file holds below its front matter."""

    prompt: str
    blocks: tuple[tuple[str, Block], ...]
    """(reserved name, block) in the order of the file."""

    def all(self, name: str) -> tuple[Block, ...]:
        """Every block of the sections called `name`."""
        return tuple(block for title, block in self.blocks if title == name)

    def one(self, name: str) -> Block | None:
        """The only block of the section called `name`, if there is one."""
        return next(iter(self.all(name)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heading:
    title: str
    tag: str
    row: int
    """Row of the body, counted from 0."""


class _Splitter:
    """One pass over the tokens of one file. Rows count from 0 in the body, lines from 1 in the file."""

    def __init__(self, body: str, *, path: Path, first_line: int) -> None:
        self._rows = body.split("\n")
        self._path = path
        self._first_line = first_line
        tokens = MarkdownIt("commonmark").parse(body)
        self._fences = [token for token in tokens if token.level == 0 and token.type == "fence"]
        self._headings = list(_headings(tokens))

    def split(self) -> Document:
        self._refuse_open_fences()
        first = next((i for i, head in enumerate(self._headings) if _is_reserved(head)), None)
        before, after = self._headings[:first], [] if first is None else self._headings[first:]
        for heading in before:
            self._refuse_near_miss(heading)
        sections = [heading for heading in after if heading.tag == "h2"]
        self._check_sections(sections)
        end = sections[0].row if sections else len(self._rows)
        blocks = tuple((heading.title, self._block(heading, sections)) for heading in sections)
        return Document(prompt="\n".join(self._rows[:end]).strip(), blocks=blocks)

    def _error(self, message: str, row: int) -> TaskError:
        return TaskError(message, path=self._path, line=self._first_line + row)

    def _refuse_open_fences(self) -> None:
        """An open fence runs to the end of the file and would drag the tests into the prompt."""
        for fence in self._fences:
            start, end = _rows(fence)
            last = self._rows[end - 1].strip()
            if end - 1 == start or set(last) != {fence.markup[0]} or len(last) < len(fence.markup):
                raise self._error(f"this fence is never closed; end it with {fence.markup}", start)
            if _swallows_section(fence):
                message = f"this fence swallows a section; end it with {fence.markup}, or make it longer"
                raise self._error(message, start)

    def _refuse_near_miss(self, heading: _Heading) -> None:
        name = _nearest(heading.title)
        words = set(re.findall(r"[a-z]+", heading.title.lower()))
        close = heading.tag == "h2" and name is not None
        if not close and not (words & _TELLTALE and self._has_python(heading)):
            return
        meant = name or next(item for item in RESERVED if _stem(item) in {_stem(word) for word in words})
        message = (
            f"`{heading.title}` would be shown to the model as part of the prompt; "
            f"did you mean the section `## {meant}`? If not, give the heading another name"
        )
        raise self._error(message, heading.row)

    def _has_python(self, heading: _Heading) -> bool:
        end = self._end(heading, self._headings)
        return any(_language(fence) in _PYTHON for fence in self._between(heading.row, end))

    def _check_sections(self, sections: list[_Heading]) -> None:
        seen: dict[str, int] = {}
        for heading in sections:
            if heading.title not in RESERVED:
                raise self._error(_unknown_section(heading.title), heading.row)
            if heading.title in seen and heading.title not in REPEATABLE:
                line = self._first_line + seen[heading.title]
                raise self._error(f"second section `## {heading.title}`; line {line} has one", heading.row)
            seen[heading.title] = heading.row

    def _block(self, heading: _Heading, sections: list[_Heading]) -> Block:
        fences = list(self._between(heading.row, self._end(heading, sections)))
        if not fences:
            message = f"section `## {heading.title}` has no fenced block; add one that starts with ```python"
            raise self._error(message, heading.row)
        if len(fences) > 1:
            message = f"section `## {heading.title}` has {len(fences)} fenced blocks; leave exactly one"
            raise self._error(message, _rows(fences[1])[0])
        start, _ = _rows(fences[0])
        if _language(fences[0]) not in _PYTHON:
            raise self._error(f"the block of `## {heading.title}` must start with ```python", start)
        return Block(code=fences[0].content, line=self._first_line + start + 1)

    def _end(self, heading: _Heading, headings: list[_Heading]) -> int:
        return next((item.row for item in headings if item.row > heading.row), len(self._rows))

    def _between(self, start: int, end: int) -> Iterator[Token]:
        return (fence for fence in self._fences if start <= _rows(fence)[0] < end)


def split_document(body: str, *, path: Path, first_line: int) -> Document:
    """Split the text below the front matter; `first_line` is the line of the file that it starts on.

    Raises:
        TaskError: an unknown or misspelt section, a section without exactly one python block, an open fence.
    """
    return _Splitter(body, path=path, first_line=first_line).split()


def _headings(tokens: list[Token]) -> Iterator[_Heading]:
    """Headings of the document itself: not those in fences, lists or quotes."""
    for token, inline in itertools.pairwise(tokens):
        if token.type == "heading_open" and token.level == 0:
            yield _Heading(title=inline.content.strip(), tag=token.tag, row=_rows(token)[0])


def _rows(token: Token) -> tuple[int, int]:
    assert token.map is not None
    return token.map[0], token.map[1]


def _swallows_section(fence: Token) -> bool:
    """Whether a fence was left open and then closed by the fence of a section below it."""
    lines = fence.content.split("\n")
    headings = {f"## {name}" for name in RESERVED}
    inner = (line.strip().startswith(fence.markup) for line in lines)
    return any(line.strip() in headings for line in lines) and any(inner)


def _language(fence: Token) -> str:
    return (fence.info.split() or [""])[0].lower()


def _is_reserved(heading: _Heading) -> bool:
    return heading.tag == "h2" and heading.title in RESERVED


def _stem(word: str) -> str:
    return word.lower().rstrip("s")


def _nearest(title: str) -> str | None:
    """The reserved name that `title` nearly is, in any case and without marks."""
    plain = re.sub(r"[^a-z]+", "", title.lower())
    near = difflib.get_close_matches(plain, [name.lower() for name in RESERVED], n=1, cutoff=_NEAR)
    return near[0].capitalize() if near else None


def _unknown_section(title: str) -> str:
    near = _nearest(title)
    known = ", ".join(f"`## {name}`" for name in RESERVED)
    hint = f"did you mean `## {near}`?" if near else f"sections after the prompt are {known}"
    return f"unknown section `## {title}`; {hint}"
