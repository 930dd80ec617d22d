"""Where an answer may be: the sources of candidates, the surest first. Pure."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from repair.cleaning.completion import continuations
from repair.cleaning.data import from_data, in_data
from repair.cleaning.fallback import attempted_names, is_hopeless, looks_like_code
from repair.cleaning.lexer import states
from repair.cleaning.lines import Line, Lines, gaps, join_lines, size_of, spans_of, trim_blank
from repair.cleaning.oracle import Oracle
from repair.cleaning.rank import Candidate, Wanted, joined, rank, without_quotes
from repair.cleaning.rules import MAX_SPANS, edit
from repair.cleaning.scan import Block, Label, fenced_blocks
from repair.cleaning.scene import Scene, all_blocks, candidate, compiles, satisfies
from repair.cleaning.tags import heredocs, tagged_blocks
from repair.cleaning.unfenced import (
    from_broken_fences,
    from_inline_code,
    from_prose,
    from_quotes,
    from_repeated,
    from_stray_closer,
    from_unparsable,
    is_fence,
    salvaged,
    unfenced,
)
from repair.cleaning.view import View
from repair.script import Edit

_MAX_NESTING = 2
_WRAPPERS = frozenset({"markdown", "md", "text", "txt", "plaintext", ""})
_SHELLS = frozenset({"bash", "sh", "shell", "console", "zsh", "terminal", ""})
_ATTRIBUTE = re.compile(
    r"[\s,]*(?:[\w-]+=(?:\"[^\"]*\"|'[^']*'|[\w./-]+)|\{[^{}]*\}|[\w.:/-]+)?[\s,]*(?:[\w-]+=\S+[\s,]*)*$"
)
_LABEL = re.compile(r"\s*(?P<label>\{?\.?(?:python|py)[\d.]*\}?)[ \t]+(?=\S)", re.IGNORECASE)


def candidates(view: View, wanted: Wanted, oracle: Oracle, *, sure_only: bool = False) -> list[Candidate]:
    """Ask the sources in order; the first that gives what is wanted is enough."""
    blocks = all_blocks(view.lines, oracle)
    scene = Scene(lines=view.lines, blocks=blocks, wanted=wanted, oracle=oracle, size=size_of(view.lines))
    found: list[Candidate] = []
    for source in SOURCES:
        if sure_only and source not in _SURE:
            continue
        new = source(scene)
        if view.edits:
            new = [replace(one, edits=(*_felt(view.edits, one), *one.edits)) for one in new]
        found += new
        sure = source in _SURE and (source is not from_fences or not _code_outside(scene))
        if source is from_fences and blocks and wanted.required:
            continue
        if any(satisfies(one, wanted) for one in found) or (sure and _is_program(new, wanted)):
            return found
    return found


_OF_CHARACTERS = frozenset({"ansi_codes", "special_tokens", "typographic_characters"})


def _felt(edits: tuple[Edit, ...], one: Candidate) -> Iterator[Edit]:
    """Leave out changes of characters in lines that the candidate does not have."""
    for done in edits:
        met = any(start <= last and end >= first for start, end in done.spans for first, last in one.spans)
        if met or done.rule not in _OF_CHARACTERS or len(done.spans) == MAX_SPANS:
            yield done


def _code_outside(scene: Scene) -> bool:
    """Whether there is code beside the blocks: they may be examples in its docstrings then."""
    inside = {number for block in scene.blocks for number in range(block.first, block.last + 1)}
    return looks_like_code(line for number, line in enumerate(scene.lines) if number not in inside)


def _is_program(new: list[Candidate], wanted: Wanted) -> bool:
    """Where nothing is required, what stands where code is expected needs no definition."""
    return not wanted.required and any(
        one.facts.substance and not one.lossy and one.label is not Label.FOREIGN for one in new
    )


def from_quoted_fences(scene: Scene) -> list[Candidate]:
    """Code without a fence whose strings have fences in them."""
    if not scene.blocks or any(block.tag for block in scene.blocks):
        return []
    if not any('"""' in line.text or "'''" in line.text for line in scene.lines[: scene.blocks[-1].first]):
        return []
    quoted = [bool(state.triple) for state in states([line.text for line in scene.lines])]
    if not any(quoted[block.first] for block in scene.blocks):
        return []
    one = candidate(trim_blank(scene.lines), scene.oracle)
    if one is None or not one.facts.compiles:
        one = salvaged(unfenced(scene.lines), scene)
    return [one] if one is not None and satisfies(one, scene.wanted) and "```" in one.code else []


def from_fences(scene: Scene) -> list[Candidate]:
    """The fenced and tagged blocks, and what joining the best of them with its neighbours gives."""
    found = without_quotes([one for block in scene.blocks for one in _from_block(scene, block, depth=0)])
    found = _beside_code(scene, found) or _lone_stranger(scene)
    return [*found, *joined(rank(found, scene.wanted), scene.wanted, scene.oracle)]


def _beside_code(scene: Scene, found: list[Candidate]) -> list[Candidate]:
    """Blocks that define nothing of what was asked for are examples, where there is code beside them."""
    required = scene.wanted.required
    if not required or any(required & one.facts.names or not one.facts.compiles for one in found):
        return found
    return [] if _code_outside(scene) else found


def from_beside(scene: Scene) -> list[Candidate]:
    """Code without a fence above, between or below the blocks, if it defines what was asked for."""
    if not scene.wanted.required or not scene.blocks:
        return []
    ends = [0, *(block.last + 1 for block in scene.blocks)]
    starts = [*(block.first for block in scene.blocks), len(scene.lines)]
    found = []
    for start, end in zip(ends, starts, strict=True):
        lines = trim_blank(scene.lines[start:end])
        if not scene.wanted.required & attempted_names("\n".join(line.text for line in lines)):
            continue
        one = salvaged(unfenced(lines), scene)
        if one is not None and satisfies(one, scene.wanted):
            found.append(one)
    return found


def _lone_stranger(scene: Scene) -> list[Candidate]:
    """The only block of a reply is Python in spite of its label, if it does more than bind values."""
    if len(scene.blocks) != 1 or scene.wanted.required:
        return []
    block = scene.blocks[0]
    edits = scene.taken("fence", block.lines, block.info)
    one = candidate(block.lines, scene.oracle, edits, label=block.label)
    if one is None or one.facts.tree is None or not one.facts.substance:
        return []
    tree = one.facts.tree
    runs = any(isinstance(node, ast.Call | ast.Lambda) for node in ast.walk(tree))
    return [one] if runs and len(tree.body) > 1 else []  # one line is data


def _from_block(scene: Scene, block: Block, depth: int) -> Iterator[Candidate]:
    nested = _nested(scene, block, depth)
    if nested:
        yield from nested
        return
    rule = "tagged_block" if block.tag else "stray_closer" if block.stray else "fence"
    rule = rule if block.closed else "unclosed_fence"
    lines = _with_line_behind_label(scene, block)
    one = candidate(lines, scene.oracle, scene.taken(rule, lines, block.info), label=block.label)
    if one is not None and not one.facts.compiles and not block.closed:
        one = _without_prose(scene, block) or one
    if one is not None and _is_answer(one, block):
        yield _believed(one, block, scene.wanted)


def _without_prose(scene: Scene, block: Block) -> Candidate | None:
    """A block that nothing closed runs into the prose below it."""
    one = salvaged(block.lines, scene)
    if one is None or one.lossy:
        return None
    taken = scene.taken("unclosed_fence", block.lines, block.info)
    return replace(one, edits=(taken, *one.edits), label=block.label)


def _believed(one: Candidate, block: Block, wanted: Wanted) -> Candidate:
    """A fence with the label of another language that holds the Python that was asked for is mislabelled."""
    mislabelled = block.label is Label.FOREIGN and not block.tag and bool(wanted.required)
    defined = mislabelled and wanted.required <= one.facts.definitions
    return replace(one, label=Label.NONE) if defined else one


def _with_line_behind_label(scene: Scene, block: Block) -> Lines:
    """Some models write the first line of code onto the opening fence: what is no attribute is code."""
    if block.tag or " " not in block.info:
        return block.lines
    opener = scene.lines[block.first] if block.first < len(scene.lines) else None
    place = -1 if opener is None else opener.text.find(block.info)
    match = _LABEL.match(block.info)
    if opener is None or place < 0 or match is None or _ATTRIBUTE.match(block.info, match.end()):
        return block.lines
    return [opener.drop(place + match.end()), *block.lines]


def _is_answer(one: Candidate, block: Block) -> bool:
    """Output, shell sessions and data may compile as Python too; they are not the answer."""
    if one.label is Label.FOREIGN:
        return bool(one.facts.definitions)
    if one.facts.compiles:
        return one.facts.substance
    return (block.label is Label.PYTHON and not block.tag) or looks_like_code(block.lines)


def _nested(scene: Scene, block: Block, depth: int) -> list[Candidate]:
    """A block that wraps a whole Markdown answer, a shell command or a data object with code in it."""
    oracle, info = scene.oracle, block.info.casefold()
    first = next((line for line in block.lines if line.text.strip()), None)
    if first is None or depth >= _MAX_NESTING:
        return []
    if info in _WRAPPERS or block.tag or is_fence(first):
        inner = fenced_blocks(block.lines, compiles(oracle))
        if inner and not oracle.facts(join_lines(block.lines)).compiles:
            return [one for part in inner for one in _from_block(scene, part, depth + 1)]
    if block.tag and not oracle.facts(join_lines(block.lines)).compiles:
        tagged = tagged_blocks(block.lines)
        if tagged:
            return [one for part in tagged for one in _from_block(scene, part, depth + 1)]
    if info.split(" ")[0] in _SHELLS and any("<<" in line.text for line in block.lines):
        return [one for part in heredocs(block.lines) for one in _from_block(scene, part, depth + 1)]
    if (info.startswith("json") or block.label is not Label.FOREIGN) and _starts_data(first):
        return list(in_data(block.lines, oracle))
    return []


def _starts_data(first: Line) -> bool:
    return first.text.lstrip()[:1] in {"{", "[", '"'}


def from_whole(scene: Scene) -> list[Candidate]:
    """What is left of the reply is code; after repairs of form at most, where nothing is fenced."""
    lines = trim_blank(scene.lines)
    if scene.blocks:
        text = join_lines(lines)
        if is_hopeless(text) or not scene.oracle.facts(text).compiles:
            return []
    return _whole(lines, scene)


def from_mended_whole(scene: Scene) -> list[Candidate]:
    """What is left of the reply is code after repairs of form, and its fences led to nothing."""
    return _whole(trim_blank(scene.lines), scene) if scene.blocks else []


def _whole(lines: Lines, scene: Scene) -> list[Candidate]:
    one = candidate(lines, scene.oracle)
    return [one] if one is not None and one.facts.substance else []


Source = Callable[[Scene], list[Candidate]]

SOURCES: tuple[Source, ...] = (
    from_whole,
    from_quoted_fences,
    from_fences,
    from_beside,
    from_data,
    from_mended_whole,
    from_stray_closer,
    from_repeated,
    from_quotes,
    from_prose,
    from_broken_fences,
    from_inline_code,
    from_unparsable,
)
"""Where an answer may be, the surest place first."""
_SURE = frozenset(SOURCES[: SOURCES.index(from_mended_whole) + 1]) | {from_repeated}


def completed(view: View, prefix: str, wanted: Wanted, oracle: Oracle) -> Iterator[Candidate]:
    """The prompt's open definition with a body from the reply: all of it, or one of its blocks."""
    opened = re.findall(r"(?:def|class)[ \t]+(\w+)", prefix)
    names = wanted.required or frozenset(opened[-1:])
    blocks = [block.lines for block in all_blocks(view.lines, oracle) if block.label is not Label.FOREIGN]
    for lines in [*blocks, view.lines]:
        if names & attempted_names(join_lines(lines)):
            continue
        one = _continued(view, lines, prefix, oracle)
        if one is not None and names <= one.facts.names:
            yield one


def _continued(view: View, lines: Lines, prefix: str, oracle: Oracle) -> Candidate | None:
    for code, left in continuations(prefix, join_lines(lines)):
        facts = oracle.facts(code)
        if facts.compiles and facts.definitions - facts.stubs:
            done = edit("completion", dropped_chars=left, spans=gaps(view.lines, lines))
            spans = spans_of(lines)
            return Candidate(code=code, facts=facts, edits=(*view.edits, done), spans=spans)
    return None
