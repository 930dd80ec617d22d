"""Code outside of fences, between prose or broken; and what stands of it. Pure."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from repair.cleaning.fallback import looks_like_code, salvage
from repair.cleaning.lexer import states
from repair.cleaning.lines import Line, Lines, join_lines, trim_blank
from repair.cleaning.rank import Candidate, Wanted
from repair.cleaning.rules import edit
from repair.cleaning.scan import Label
from repair.cleaning.scene import Scene, candidate

_MAX_PERIODS = 8
_LEAST_LINES = 2
_BACKTICKS = re.compile(r"(?<!`)`([^`\n]{5,400})`(?!`)")
_MAX_INLINE = 200


def from_unparsable(scene: Scene) -> list[Candidate]:
    """What is left of the reply has code in it, though it does not compile."""
    lines = trim_blank(scene.lines)
    one = candidate(lines, scene.oracle)
    return [one] if one is not None and not one.facts.compiles and looks_like_code(lines) else []


def from_stray_closer(scene: Scene) -> list[Candidate]:
    """Code, and then a closing fence that nothing opened."""
    first = scene.blocks[0] if scene.blocks else None
    if first is None or first.info or first.tag or scene.lines[first.first].text.strip(" `~") != "":
        return []
    lines = trim_blank(scene.lines[: first.first])
    one = candidate(lines, scene.oracle, scene.taken("stray_closer", lines)) if lines else None
    return [one] if one is not None and one.facts.compiles and one.facts.definitions else []


def from_repeated(scene: Scene) -> list[Candidate]:
    """The same code again and again, cut off at last: all that follows the first time is a repetition."""
    lines = trim_blank(scene.lines)
    solid = [line for line in lines if line.text.strip()]
    texts = [line.text.rstrip() for line in solid]
    starts = [at for at in range(_LEAST_LINES, len(texts)) if texts[at] == texts[0]][:_MAX_PERIODS]
    for period in starts:
        if not _repeats(texts, period):
            continue
        once = trim_blank([line for line in lines if line.start < solid[period].start])
        one = candidate(once, scene.oracle, scene.taken("repeated_code", once))
        if one is not None and one.facts.compiles and one.facts.substance:
            return [one]
    return []


def _repeats(texts: list[str], period: int) -> bool:
    """Whether all lines from `period` on are those from the first on, the last one perhaps cut off."""
    last = len(texts) - 1
    again = all(texts[at] == texts[at % period] for at in range(period, last))
    return again and texts[last % period].startswith(texts[last])


def from_quotes(scene: Scene) -> list[Candidate]:
    """A run of lines with `> ` before each, as in mail, and prose around it."""
    found = [
        candidate(run, scene.oracle, scene.taken("prose_lines", run)) for run in _quoted_runs(scene.lines)
    ]
    return [one for one in found if one is not None and one.facts.compiles and one.facts.substance]


def _quoted_runs(lines: Lines) -> Iterator[Lines]:
    run: list[Line] = []
    for line in lines:
        if line.text.startswith(">") and not line.text.startswith(">>>"):
            run.append(line)
            continue
        if len(run) >= _LEAST_LINES:
            yield run
        run = []
    if len(run) >= _LEAST_LINES:
        yield run


def from_inline_code(scene: Scene) -> list[Candidate]:
    """A line between single backticks in a sentence, if it binds all that was asked for."""
    found: list[Candidate] = []
    lines = (line for line in scene.lines if "`" in line.text)
    quoted = ((line, match) for line in lines for match in _BACKTICKS.finditer(line.text))
    for line, match in islice(quoted, _MAX_INLINE):
        inner = [line.keep(match.end(1)).drop(match.start(1))]
        one = candidate(inner, scene.oracle, scene.taken("inline_code", inner))
        if one is not None and one.facts.names and scene.wanted.required <= one.facts.names:
            found.append(one)
    # Where no name says which of them is meant, only one alone is.
    return found if scene.wanted.required or len(found) == 1 else []


def from_prose(scene: Scene) -> list[Candidate]:
    """Code without fences between lines of prose; and what stands of code that is broken."""
    found = [_unfenced_candidate(scene), *_indented(scene)]
    return [one for one in found if one is not None]


def _unfenced_candidate(scene: Scene) -> Candidate | None:
    """Salvaged lines; that fences and blocks of other languages went is on record, too."""
    lines = _without_fences(scene)
    one = salvaged(lines, scene)
    if one is None or len(lines) == len(scene.lines) or any(done.rule == "prose_lines" for done in one.edits):
        return one
    return replace(one, edits=(scene.taken("prose_lines", lines), *one.edits))


def _without_fences(scene: Scene) -> Lines:
    """The lines outside fenced blocks of other languages, without any fence line."""
    if not any("```" in line.text or "~~~" in line.text for line in scene.lines) and not scene.blocks:
        return scene.lines
    skipped: set[int] = set()
    quoted = [bool(state.triple) for state in states([line.text for line in scene.lines])]
    for block in scene.blocks:
        foreign = block.label is Label.FOREIGN and block.closed and not quoted[block.first]
        skipped.update(range(block.first, block.last + 1) if foreign else ())
    kept = [line for number, line in enumerate(scene.lines) if number not in skipped]
    return unfenced(kept)


def unfenced(kept: Lines) -> Lines:
    """Lines without those of fences, but for those inside strings."""
    quoted = [bool(state.triple) for state in states([line.text for line in kept])]
    return [line for line, inside in zip(kept, quoted, strict=True) if inside or not is_fence(line)]


def is_fence(line: Line) -> bool:
    """Whether a fence stands at the beginning of the line, indented or not."""
    return line.text.lstrip().startswith(("```", "~~~"))


def salvaged(lines: Lines, scene: Scene) -> Candidate | None:
    """A candidate of what stands of some lines."""
    if not looks_like_code(lines):
        return None
    kept = salvage(lines, scene.oracle)
    if kept is None:
        return None
    edits = []
    if kept.prose_chars:
        edits.append(edit("prose_lines", dropped_chars=kept.prose_chars, spans=kept.prose))
    if kept.broken_chars:
        edits.append(edit(kept.rule, dropped_chars=kept.broken_chars, spans=kept.broken))
    one = candidate(kept.lines, scene.oracle, *edits)
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
        if not looks_like_code(lines):
            continue
        one = candidate(lines, scene.oracle, scene.taken("indented_block", lines))
        if one is None or not one.facts.substance:
            continue
        if one.facts.definitions or scene.wanted.required <= one.facts.names:
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
        one = salvaged(block.lines, scene)
        if one is not None:
            edits = (scene.taken("fence", block.lines, block.info), *one.edits)
            found.append(replace(one, edits=edits, label=block.label))
    return found
