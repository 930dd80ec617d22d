"""Which part of a reply is the answer: candidates, ranked with compile() as the judge.

Pure: the same reply gives the same candidates. Linear: every text is compiled once, within a budget.
Parsing hostile text can crash the interpreter; outside of tests this runs in `repair.cleaning.caged`.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from repair.cleaning import views
from repair.cleaning.completion import continuations, open_prefix
from repair.cleaning.fallback import attempted_names, looks_like_code, salvage
from repair.cleaning.lexer import states
from repair.cleaning.lines import (
    Line,
    Lines,
    Span,
    gaps,
    join_lines,
    resplit,
    size_of,
    spans_of,
    split_lines,
    trim_blank,
)
from repair.cleaning.mend import disguised, mend
from repair.cleaning.oracle import Oracle
from repair.cleaning.prompts import signatures
from repair.cleaning.rank import AnswerKind, Candidate, Wanted, joined, rank
from repair.cleaning.rules import edit
from repair.cleaning.scan import Block, Label, fenced_blocks, tagged_blocks
from repair.cleaning.views import View
from repair.script import Edit

_MAX_NESTING = 2
_JSON_KEYS = ("code", "solution", "script", "python", "answer", "source", "content", "program", "completion")
_WRAPPERS = frozenset({"markdown", "md", "text", "txt", "plaintext", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """What was found, the best first, and why it is not more."""

    candidates: tuple[Candidate, ...] = ()
    raw_compiles: bool = False
    reason: str = ""


def extract(
    reply: str, *, reasoning: str = "", required: tuple[str, ...] = (), kind: AnswerKind = "script"
) -> tuple[Candidate, ...]:
    """Rank the candidates: defines what is required > compiles > last; without names, the largest."""
    return search(
        reply, reasoning=reasoning, required=required, kind=kind, oracle=Oracle(len(reply))
    ).candidates


def search(
    reply: str,
    *,
    reasoning: str,
    required: tuple[str, ...],
    kind: AnswerKind,
    oracle: Oracle,
    prompt: str = "",
) -> Extraction:
    """Find the answer. `reasoning` is what the server kept apart; it only explains an empty reply."""
    wanted = Wanted(required=frozenset(required), kind=kind, signatures=signatures(prompt, required))
    prefix = open_prefix(prompt) if prompt and kind == "script" else ""
    whole = _whole_reply(reply, oracle)
    if whole is not None and not (prefix and not _satisfies(whole, wanted)):
        raw_compiles = not whole.edits and wanted.required <= whole.facts.names
        return Extraction(candidates=(whole,), raw_compiles=raw_compiles)
    view = _answer_view(reply, oracle)
    found = rank(_candidates(view, wanted, oracle), wanted)
    if found and found[0].facts.compiles and not found[0].lossy and not prefix:
        return Extraction(candidates=found)
    calm = _calmed(view)
    if calm is not view:
        found = rank([*found, *_candidates(calm, wanted, oracle)], wanted)
    if prefix and not (found and _satisfies(found[0], wanted)):
        found = rank([*found, *_completed(calm, prefix, wanted, oracle)], wanted)
    return Extraction(candidates=found, reason="" if found else _why_nothing(reply, view, reasoning))


def _completed(view: View, prefix: str, wanted: Wanted, oracle: Oracle) -> Iterator[Candidate]:
    """The prompt's open definition with a body from the reply: all of it, or one of its blocks."""
    opened = re.findall(r"(?:def|class)[ \t]+(\w+)", prefix)
    names = wanted.required or frozenset(opened[-1:])
    blocks = [block.lines for block in _all_blocks(view.lines, oracle) if block.label is not Label.FOREIGN]
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


def _whole_reply(reply: str, oracle: Oracle) -> Candidate | None:
    """The reply as it is, if it is code; that it names its language first does not make it code."""
    raw = oracle.facts(reply)
    if not raw.compiles or not raw.substance:
        return None
    mended = mend(reply, oracle) if disguised(reply) else None
    spans = ((0, len(reply)),)
    if mended is None or not mended.facts.substance:
        return Candidate(code=reply, facts=raw, spans=spans)
    return Candidate(code=mended.text, facts=mended.facts, edits=mended.edits, spans=spans)


_REFUSAL = re.compile(
    r"\b(?:I(?:'m| am) (?:sorry|unable|not able)|I (?:can(?:no|')t|cannot|won't) "
    r"(?:help|assist|provide|write|do|create)|as an AI\b|I apologi[sz]e)",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"^[ \t]*(?:```|~~~)[ \t]*(javascript|js|typescript|ts|java|c|cpp|c\+\+|c#|csharp|go|golang|rust|ruby"
    r"|php|kotlin|swift|scala|r|lua|perl|haskell|julia)\b",
    re.IGNORECASE | re.MULTILINE,
)
_PEEK = 4_000


def _why_nothing(reply: str, view: View, reasoning: str) -> str:
    if view.unfinished or (reasoning.strip() and not reply.strip()):
        return views.UNFINISHED
    if not reply.strip():
        return "empty reply"
    other = _OTHER.search(reply[:_PEEK])
    if other is not None:
        return f"other_language: {other[1].casefold()}"
    return "refusal" if _REFUSAL.search(reply[:_PEEK]) else "no code found"


def _answer_view(reply: str, oracle: Oracle) -> View:
    view = View(lines=split_lines(reply))
    covered = _covered(view, oracle)
    for rule in views.STRICT:
        view = rule(view, covered) if view.lines else view
    return view


def _covered(view: View, oracle: Oracle) -> views.Covered:
    """Offsets inside fenced blocks that compile; found only when first asked for."""
    spans: list[Span] | None = None

    def covered(offset: int) -> bool:
        nonlocal spans
        if spans is None:
            spans = list(_solid_spans(view, oracle))
        at = bisect_right(spans, offset, key=lambda span: span[0]) - 1
        return at >= 0 and offset < spans[at][1]

    return covered


def _solid_spans(view: View, oracle: Oracle) -> Iterator[Span]:
    for block in fenced_blocks(view.lines, _compiles(oracle)):
        if (
            block.lines
            and block.label is not Label.FOREIGN
            and oracle.facts(join_lines(block.lines)).substance
        ):
            yield block.lines[0].start, block.lines[-1].end


def _compiles(oracle: Oracle) -> Callable[[str], bool]:
    return lambda text: oracle.facts(text).compiles


def _calmed(view: View) -> View:
    for rule in views.TOLERANT:
        view = rule(view)
    return view


# --- candidates


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


def _candidates(view: View, wanted: Wanted, oracle: Oracle) -> list[Candidate]:
    """Ask the sources in order; the first that gives what is wanted is enough."""
    blocks = _all_blocks(view.lines, oracle)
    scene = Scene(lines=view.lines, blocks=blocks, wanted=wanted, oracle=oracle, size=size_of(view.lines))
    found: list[Candidate] = []
    for source in SOURCES:
        found += [replace(one, edits=(*view.edits, *one.edits)) for one in source(scene)]
        if any(_satisfies(one, wanted) for one in found):
            return found
    return found


def _all_blocks(lines: Lines, oracle: Oracle) -> tuple[Block, ...]:
    """Fenced blocks and tagged ones; a tag inside a fenced block is part of its code."""
    fenced = fenced_blocks(lines, _compiles(oracle))
    inside = {number for block in fenced for number in range(block.first, block.last + 1)}
    tagged = [block for block in tagged_blocks(lines) if block.first not in inside]
    return tuple(sorted([*fenced, *tagged], key=lambda block: block.first))


def _satisfies(one: Candidate, wanted: Wanted) -> bool:
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
    inner = [] if depth >= _MAX_NESTING or not text_like else fenced_blocks(block.lines, _compiles(oracle))
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
        bodies = [_candidate(block.lines, oracle, done) for block in _all_blocks(inner, oracle)]
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
    """What is left of the reply is code, after repairs of form at most."""
    lines = trim_blank(scene.lines)
    one = _candidate(lines, scene.oracle)
    return [one] if one is not None and one.facts.substance else []


def from_unparsable(scene: Scene) -> list[Candidate]:
    """What is left of the reply has code in it, though it does not compile."""
    lines = trim_blank(scene.lines)
    one = _candidate(lines, scene.oracle)
    return [one] if one is not None and not one.facts.compiles and looks_like_code(lines) else []


def from_prose(scene: Scene) -> list[Candidate]:
    """Code without fences between lines of prose; and what stands of code that is broken."""
    found = [_salvaged(_without_fences(scene), scene), *_indented(scene)]
    return [one for one in found if one is not None]


def _without_fences(scene: Scene) -> Lines:
    """The lines outside fenced blocks of other languages, without any fence line."""
    skipped: set[int] = set()
    for block in scene.blocks:
        foreign = block.label is Label.FOREIGN and block.closed
        skipped.update(range(block.first, block.last + 1) if foreign else ())
    kept = [line for number, line in enumerate(scene.lines) if number not in skipped]
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
    from_prose,
    from_broken_fences,
    from_unparsable,
)
"""Where an answer may be, the surest place first."""
