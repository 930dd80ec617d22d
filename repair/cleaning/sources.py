"""Where an answer may be: the sources of candidates, the surest first. Pure."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from repair.cleaning.completion import continuations
from repair.cleaning.fallback import attempted_names, looks_like_code, salvage
from repair.cleaning.lexer import states
from repair.cleaning.lines import (
    Line,
    Lines,
    gaps,
    join_lines,
    resplit,
    size_of,
    spans_of,
    trim_blank,
)
from repair.cleaning.mend import mend
from repair.cleaning.oracle import Oracle
from repair.cleaning.rank import Candidate, Wanted, joined, rank
from repair.cleaning.rules import MAX_SPANS, edit
from repair.cleaning.scan import Block, Label, fenced_blocks, tagged_blocks
from repair.cleaning.views import View
from repair.script import Edit

_MAX_NESTING = 2
_JSON_KEYS = ("code", "solution", "script", "python", "answer", "source", "content", "program", "completion")
_WRAPPERS = frozenset({"markdown", "md", "text", "txt", "plaintext", ""})


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


def candidates(view: View, wanted: Wanted, oracle: Oracle) -> list[Candidate]:
    """Ask the sources in order; the first that gives what is wanted is enough."""
    blocks = all_blocks(view.lines, oracle)
    scene = Scene(lines=view.lines, blocks=blocks, wanted=wanted, oracle=oracle, size=size_of(view.lines))
    found: list[Candidate] = []
    for source in SOURCES:
        new = [replace(one, edits=(*_felt(view.edits, one), *one.edits)) for one in source(scene)]
        found += new
        sure = source in _SURE and (source is not from_fences or not _code_outside(scene))
        if any(satisfies(one, wanted) for one in found) or (sure and _is_program(new, wanted)):
            return found
    return found


_OF_CHARACTERS = frozenset({"ansi_codes", "special_tokens", "typographic_characters"})


def _felt(edits: tuple[Edit, ...], one: Candidate) -> Iterator[Edit]:
    """Leave out changes of characters in lines that the candidate does not have."""
    for done in edits:
        met = any(start < last and end > first for start, end in done.spans for first, last in one.spans)
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


def all_blocks(lines: Lines, oracle: Oracle) -> tuple[Block, ...]:
    """Fenced blocks and tagged ones; a tag inside a fenced block is part of its code."""
    fenced = fenced_blocks(lines, compiles(oracle))
    inside = {number for block in fenced for number in range(block.first, block.last + 1)}
    tagged = [block for block in tagged_blocks(lines) if block.first not in inside]
    return tuple(sorted([*fenced, *tagged], key=lambda block: block.first))


def satisfies(one: Candidate, wanted: Wanted) -> bool:
    if not one.facts.compiles or one.lossy:
        return False
    if wanted.required:
        return wanted.required <= one.facts.names
    return bool(one.facts.definitions)


def from_fences(scene: Scene) -> list[Candidate]:
    """The fenced and tagged blocks, and what joining the best of them with its neighbours gives."""
    found = [one for block in scene.blocks for one in _from_block(scene, block, depth=0)]
    return [*found, *joined(rank(found, scene.wanted), scene.wanted, scene.oracle)]


def _from_block(scene: Scene, block: Block, depth: int) -> Iterator[Candidate]:
    nested = _nested(scene, block, depth)
    if nested:
        yield from nested
        return
    rule = "tagged_block" if block.tag else "fence" if block.closed else "unclosed_fence"
    one = _candidate(block.lines, scene.oracle, scene.taken(rule, block.lines, block.info), label=block.label)
    if one is not None and _is_answer(one, block):
        yield one


def _is_answer(one: Candidate, block: Block) -> bool:
    """Output, shell sessions and data may compile as Python too; they are not the answer."""
    if one.label is Label.FOREIGN:
        return bool(one.facts.definitions)
    if one.facts.compiles:
        return one.facts.substance
    return (block.label is Label.PYTHON and not block.tag) or looks_like_code(block.lines)


def _nested(scene: Scene, block: Block, depth: int) -> list[Candidate]:
    """A block that wraps a whole Markdown answer, or a data object with code in it."""
    oracle = scene.oracle
    text_like = block.tag or block.info.casefold() in _WRAPPERS
    first = next((line for line in block.lines if line.text.strip()), None)
    text_like = text_like or (first is not None and _is_fence(first))
    inner = [] if depth >= _MAX_NESTING or not text_like else fenced_blocks(block.lines, compiles(oracle))
    if inner and not oracle.facts(join_lines(block.lines)).compiles:
        return [one for part in inner for one in _from_block(scene, part, depth + 1)]
    if block.info.casefold().startswith("json"):
        return list(_from_data(block.lines, oracle))
    return []


def _candidate(lines: Lines, oracle: Oracle, *edits: Edit, label: Label = Label.NONE) -> Candidate | None:
    text = join_lines(lines)
    if not text.strip():
        return None
    mended = mend(text, oracle)
    spans = spans_of(lines)
    return Candidate(
        code=mended.text,
        facts=mended.facts,
        edits=(*edits, *mended.edits),
        spans=spans,
        label=label,
        position=spans[0][0] if spans else 0,
    )


def from_data(scene: Scene) -> list[Candidate]:
    """The whole answer is a JSON object, list or string, or a YAML block, that carries the code."""
    lines = trim_blank(scene.lines)
    return [*_from_data(lines, scene.oracle), *_from_yaml(lines, scene)]


_YAML_KEY = re.compile(rf"(?P<key>{'|'.join(_JSON_KEYS)}):[ ]*[|>][-+]?[ ]*$")


def _from_yaml(lines: Lines, scene: Scene) -> Iterator[Candidate]:
    """`code: |`, and what is indented below it."""
    for number, line in enumerate(lines):
        match = _YAML_KEY.match(line.text)
        if match is None:
            continue
        below = lines[number + 1 :]
        end = next((at for at, each in enumerate(below) if each.text[:1].strip()), len(below))
        body = trim_blank(below[:end])
        one = _candidate(body, scene.oracle, scene.taken("yaml", body, match["key"]))
        if one is not None and one.facts.substance:
            yield one


def _from_data(lines: Lines, oracle: Oracle) -> Iterator[Candidate]:
    text = join_lines(lines).strip()
    if not text or text[0] not in '{["' or text[-1] not in '}]"':
        return
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return
    span = (lines[0].start, lines[-1].end)
    for key, code in _strings(value):
        done = edit("json", detail=key, dropped_chars=len(text) - len(code))
        inner = resplit(code, span)
        whole = _candidate(inner, oracle, done)
        if whole is not None and whole.facts.substance:
            yield whole
            continue
        bodies = [_candidate(block.lines, oracle, done) for block in all_blocks(inner, oracle)]
        for number, one in enumerate(bodies):
            if one is not None and one.facts.substance:
                yield replace(one, position=one.position + number)


def _strings(value: object) -> Iterator[tuple[str, str]]:
    """Strings that may be code: those under telling keys first and alone, if there are any."""
    if isinstance(value, str):
        yield "", value
    elif isinstance(value, dict):
        telling = [(key, value[key]) for key in _JSON_KEYS if isinstance(value.get(key), str)]
        yield from telling or [(str(key)[:40], item) for key, item in value.items() if isinstance(item, str)]
    elif isinstance(value, list) and len(value) == 1:
        yield from _strings(value[0])


def from_whole(scene: Scene) -> list[Candidate]:
    """What is left of the reply is code; after repairs of form at most, where nothing is fenced."""
    lines = trim_blank(scene.lines)
    if scene.blocks and not scene.oracle.facts(join_lines(lines)).compiles:
        return []
    return _whole(lines, scene)


def from_mended_whole(scene: Scene) -> list[Candidate]:
    """What is left of the reply is code after repairs of form, and its fences led to nothing."""
    return _whole(trim_blank(scene.lines), scene) if scene.blocks else []


def _whole(lines: Lines, scene: Scene) -> list[Candidate]:
    one = _candidate(lines, scene.oracle)
    return [one] if one is not None and one.facts.substance else []


def from_unparsable(scene: Scene) -> list[Candidate]:
    """What is left of the reply has code in it, though it does not compile."""
    lines = trim_blank(scene.lines)
    one = _candidate(lines, scene.oracle)
    return [one] if one is not None and not one.facts.compiles and looks_like_code(lines) else []


def from_stray_closer(scene: Scene) -> list[Candidate]:
    """Code, and then a closing fence that nothing opened."""
    first = scene.blocks[0] if scene.blocks else None
    if first is None or first.info or first.tag or scene.lines[first.first].text.strip(" `~") != "":
        return []
    lines = trim_blank(scene.lines[: first.first])
    one = _candidate(lines, scene.oracle, scene.taken("stray_closer", lines)) if lines else None
    return [one] if one is not None and one.facts.compiles and one.facts.definitions else []


def from_prose(scene: Scene) -> list[Candidate]:
    """Code without fences between lines of prose; and what stands of code that is broken."""
    found = [_unfenced_candidate(scene), *_indented(scene)]
    return [one for one in found if one is not None]


def _unfenced_candidate(scene: Scene) -> Candidate | None:
    """Salvaged lines; that fences and blocks of other languages went is on record, too."""
    lines = _without_fences(scene)
    one = _salvaged(lines, scene)
    if one is None or len(lines) == len(scene.lines) or any(done.rule == "prose_lines" for done in one.edits):
        return one
    return replace(one, edits=(scene.taken("prose_lines", lines), *one.edits))


def _without_fences(scene: Scene) -> Lines:
    """The lines outside fenced blocks of other languages, without any fence line."""
    skipped: set[int] = set()
    quoted = [bool(state.triple) for state in states([line.text for line in scene.lines])]
    for block in scene.blocks:
        foreign = block.label is Label.FOREIGN and block.closed and not quoted[block.first]
        skipped.update(range(block.first, block.last + 1) if foreign else ())
    kept = [line for number, line in enumerate(scene.lines) if number not in skipped]
    return _unfenced(kept)


def _unfenced(kept: Lines) -> Lines:
    quoted = [bool(state.triple) for state in states([line.text for line in kept])]
    return [line for line, inside in zip(kept, quoted, strict=True) if inside or not _is_fence(line)]


def _is_fence(line: Line) -> bool:
    return line.text.lstrip().startswith(("```", "~~~"))


def _salvaged(lines: Lines, scene: Scene) -> Candidate | None:
    kept = salvage(lines, scene.oracle)
    if kept is None:
        return None
    edits = []
    if kept.prose_chars:
        edits.append(edit("prose_lines", dropped_chars=kept.prose_chars, spans=kept.prose))
    if kept.broken_chars:
        edits.append(edit(kept.rule, dropped_chars=kept.broken_chars, spans=kept.broken))
    one = _candidate(kept.lines, scene.oracle, *edits)
    if one is None or not one.facts.compiles or not one.facts.substance:
        return None
    return one if not one.lossy or _worth_salvage(one, scene.wanted, tail_only=kept.tail_only) else None


def _worth_salvage(one: Candidate, wanted: Wanted, *, tail_only: bool) -> bool:
    if wanted.required:
        return wanted.required <= one.facts.names
    return tail_only and bool(one.facts.definitions)


def _indented(scene: Scene) -> Iterator[Candidate]:
    """Markdown's other kind of code block: lines indented by four, after a blank line."""
    for run in _indented_runs(scene.lines):
        lines = trim_blank(run)
        one = _candidate(lines, scene.oracle, scene.taken("indented_block", lines))
        if one is not None and one.facts.definitions:
            yield one


def _indented_runs(lines: Lines) -> Iterator[Lines]:
    run: list[Line] = []
    for line in lines:
        if not line.text.strip() or line.text.startswith(("    ", "\t")):
            run.append(line)
            continue
        if run and not run[0].text.strip():
            yield run
        run = []
    if run and not run[0].text.strip():
        yield run


def from_broken_fences(scene: Scene) -> list[Candidate]:
    """What stands of a fenced block that does not compile."""
    found: list[Candidate] = []
    for block in scene.blocks:
        if block.label is Label.FOREIGN or scene.oracle.facts(join_lines(block.lines)).compiles:
            continue
        one = _salvaged(block.lines, scene)
        if one is not None:
            edits = (scene.taken("fence", block.lines, block.info), *one.edits)
            found.append(replace(one, edits=edits, label=block.label))
    return found


Source = Callable[[Scene], list[Candidate]]

SOURCES: tuple[Source, ...] = (
    from_whole,
    from_fences,
    from_data,
    from_mended_whole,
    from_stray_closer,
    from_prose,
    from_broken_fences,
    from_unparsable,
)
"""Where an answer may be, the surest place first."""
_SURE = frozenset({from_whole, from_fences, from_mended_whole})


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
