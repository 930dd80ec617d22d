"""Which part of a reply is the answer: candidates, ranked with compile() as the judge.

Pure: the same reply gives the same candidates. Linear: every text is compiled once, within a budget.
Parsing hostile text can crash the interpreter; outside of tests this runs in `repair.caged`.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from repair import views
from repair.fallback import attempted_names, looks_like_code, salvage
from repair.lines import Lines, Span, join_lines, resplit, size_of, spans_of, split_lines, trim_blank
from repair.mend import mend
from repair.oracle import Facts, Oracle, free_names, starts_with_language_name
from repair.scan import Block, Label, fenced_blocks, tagged_blocks
from repair.script import Edit, EditClass
from repair.views import View

AnswerKind = Literal["script", "tests"]

_MAX_JOINED = 32
_MAX_NESTING = 2
_JSON_KEYS = ("code", "solution", "script", "python", "answer", "source", "content", "program", "completion")
_WRAPPERS = frozenset({"markdown", "md", "text", "txt", "plaintext", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A text that may be the answer."""

    code: str
    facts: Facts
    edits: tuple[Edit, ...] = ()
    spans: tuple[Span, ...] = ()
    label: Label = Label.NONE
    position: int = 0
    """Later candidates have larger ones."""

    @property
    def lossy(self) -> bool:
        """Whether something other than wrapping was dropped."""
        return any(edit.kind is EditClass.LOSSY for edit in self.edits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """What was found, the best first, and why it is not more."""

    candidates: tuple[Candidate, ...] = ()
    raw_compiles: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an answer is expected to be."""

    required: frozenset[str]
    kind: AnswerKind


def extract(
    reply: str, *, reasoning: str = "", required: tuple[str, ...] = (), kind: AnswerKind = "script"
) -> tuple[Candidate, ...]:
    """Rank the candidates: defines what is required > compiles > last; without names, the largest."""
    return search(
        reply, reasoning=reasoning, required=required, kind=kind, oracle=Oracle(len(reply))
    ).candidates


def search(
    reply: str, *, reasoning: str, required: tuple[str, ...], kind: AnswerKind, oracle: Oracle
) -> Extraction:
    """Find the answer. `reasoning` is what the server kept apart; it only explains an empty reply."""
    wanted = Wanted(required=frozenset(required), kind=kind)
    raw = oracle.facts(reply)
    if raw.compiles and raw.substance and not starts_with_language_name(reply):
        whole = Candidate(code=reply, facts=raw, spans=((0, len(reply)),))
        return Extraction(candidates=(whole,), raw_compiles=wanted.required <= raw.names)
    view = _answer_view(reply, oracle)
    found = _rank(_candidates(view, wanted, oracle), wanted)
    if found and found[0].facts.compiles and not found[0].lossy:
        return Extraction(candidates=found)
    calm = _calmed(view)
    if calm is not view:
        found = _rank([*found, *_candidates(calm, wanted, oracle)], wanted)
    return Extraction(candidates=found, reason="" if found else _why_nothing(reply, view, reasoning))


def _why_nothing(reply: str, view: View, reasoning: str) -> str:
    if view.unfinished or (reasoning.strip() and not reply.strip()):
        return views.UNFINISHED
    return "no code found" if reply.strip() else "empty reply"


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
        return any(start <= offset < end for start, end in spans)

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


def _candidates(view: View, wanted: Wanted, oracle: Oracle) -> list[Candidate]:
    """Ask the sources in order; the first that gives what is wanted is enough."""
    found: list[Candidate] = []
    for source in SOURCES:
        found += [replace(one, edits=(*view.edits, *one.edits)) for one in source(view, wanted, oracle)]
        if any(_satisfies(one, wanted) for one in found):
            return found
    return found


def _satisfies(one: Candidate, wanted: Wanted) -> bool:
    if not one.facts.compiles or one.lossy:
        return False
    if wanted.required:
        return wanted.required <= one.facts.names
    return bool(one.facts.definitions) or one.label is Label.PYTHON


def from_fences(view: View, wanted: Wanted, oracle: Oracle) -> list[Candidate]:
    """The fenced and tagged blocks, and what joining the best of them with its neighbours gives."""
    blocks = fenced_blocks(view.lines, _compiles(oracle))
    if not blocks:
        blocks = tagged_blocks(view.lines)
    found = [one for block in blocks for one in _from_block(view, block, oracle, depth=0)]
    joined = _joined(_rank(found, wanted), wanted, oracle)
    return [*found, *joined]


def _from_block(view: View, block: Block, oracle: Oracle, depth: int) -> Iterator[Candidate]:
    nested = _nested(view, block, oracle, depth)
    if nested:
        yield from nested
        return
    dropped = size_of(view.lines) - size_of(block.lines)
    rule = "tagged_block" if block.tag else "fence" if block.closed else "unclosed_fence"
    edit = Edit(rule=rule, kind=EditClass.LOSSLESS, detail=block.info[:40], dropped_chars=max(dropped, 0))
    one = _candidate(block.lines, oracle, edit, label=block.label)
    if one is not None and _is_answer(one, block):
        yield one


def _is_answer(one: Candidate, block: Block) -> bool:
    """Output, shell sessions and data may compile as Python too; they are not the answer."""
    if one.label is Label.FOREIGN:
        return bool(one.facts.definitions)
    if one.facts.compiles:
        return one.facts.substance
    return block.label is Label.PYTHON or looks_like_code(block.lines)


def _nested(view: View, block: Block, oracle: Oracle, depth: int) -> list[Candidate]:
    """A block that wraps a whole Markdown answer, or a data object with code in it."""
    text_like = block.tag or block.info.casefold() in _WRAPPERS
    inner = [] if depth >= _MAX_NESTING or not text_like else fenced_blocks(block.lines, _compiles(oracle))
    if inner and not oracle.facts(join_lines(block.lines)).compiles:
        return [one for part in inner for one in _from_block(view, part, oracle, depth + 1)]
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


def from_data(view: View, wanted: Wanted, oracle: Oracle) -> list[Candidate]:
    """The whole answer is a JSON object, list or string that carries the code."""
    del wanted
    return list(_from_data(trim_blank(view.lines), oracle))


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
        edit = Edit(
            rule="json", kind=EditClass.LOSSLESS, detail=key, dropped_chars=max(len(text) - len(code), 0)
        )
        inner = resplit(code, span)
        blocks = fenced_blocks(inner, _compiles(oracle))
        for body in [block.lines for block in blocks] or [inner]:
            one = _candidate(body, oracle, edit)
            if one is not None and one.facts.compiles and one.facts.substance:
                yield one


def _strings(value: object) -> Iterator[tuple[str, str]]:
    """Strings that may be code: those under telling keys first and alone, if there are any."""
    if isinstance(value, str):
        yield "", value
    elif isinstance(value, dict):
        telling = [(key, value[key]) for key in _JSON_KEYS if isinstance(value.get(key), str)]
        yield from telling or [(str(key)[:40], item) for key, item in value.items() if isinstance(item, str)]
    elif isinstance(value, list) and len(value) == 1:
        yield from _strings(value[0])


def from_whole(view: View, wanted: Wanted, oracle: Oracle) -> list[Candidate]:
    """What is left of the reply is code, after repairs of form at most."""
    del wanted
    lines = trim_blank(view.lines)
    one = _candidate(lines, oracle)
    if one is None or not (one.facts.substance or (not one.facts.compiles and looks_like_code(lines))):
        return []
    return [one]


def from_prose(view: View, wanted: Wanted, oracle: Oracle) -> list[Candidate]:
    """Code without fences between lines of prose; and what stands of code that is broken."""
    found = [_salvaged(_without_fences(view, oracle), wanted, oracle), *_indented(view, oracle)]
    return [one for one in found if one is not None]


def _without_fences(view: View, oracle: Oracle) -> Lines:
    """The lines outside fenced blocks of other languages, without any fence line."""
    skipped: set[int] = set()
    for block in fenced_blocks(view.lines, _compiles(oracle)):
        foreign = block.label is Label.FOREIGN and block.closed
        skipped.update(range(block.first, block.last + 1) if foreign else ())
    return [
        line
        for number, line in enumerate(view.lines)
        if number not in skipped and not line.text.lstrip().startswith(("```", "~~~"))
    ]


def _salvaged(lines: Lines, wanted: Wanted, oracle: Oracle) -> Candidate | None:
    kept = salvage(lines, oracle)
    if kept is None:
        return None
    edits = []
    if kept.prose_chars:
        edits.append(Edit(rule="prose_lines", kind=EditClass.LOSSLESS, dropped_chars=kept.prose_chars))
    if kept.broken_chars:
        edits.append(Edit(rule="broken_statements", kind=EditClass.LOSSY, dropped_chars=kept.broken_chars))
    one = _candidate(kept.lines, oracle, *edits)
    if one is None or not one.facts.compiles or not one.facts.substance:
        return None
    return one if not one.lossy or _worth_salvage(one, wanted, tail_only=kept.tail_only) else None


def _worth_salvage(one: Candidate, wanted: Wanted, *, tail_only: bool) -> bool:
    if wanted.required:
        return wanted.required <= one.facts.names
    return tail_only and bool(one.facts.definitions)


def _indented(view: View, oracle: Oracle) -> Iterator[Candidate]:
    """Markdown's other kind of code block: lines indented by four, between blank lines."""
    run: list[int] = []
    for number, line in enumerate([*view.lines, None]):
        if line is not None and (not line.text.strip() or line.text.startswith(("    ", "\t"))):
            run.append(number)
            continue
        lines = trim_blank([view.lines[at] for at in run])
        opened = run and not view.lines[run[0]].text.strip()
        run = []
        if not lines or not opened:
            continue
        dropped = size_of(view.lines) - size_of(lines)
        one = _candidate(
            lines, oracle, Edit(rule="indented_block", kind=EditClass.LOSSLESS, dropped_chars=dropped)
        )
        if one is not None and one.facts.definitions:
            yield one


def from_broken_fences(view: View, wanted: Wanted, oracle: Oracle) -> list[Candidate]:
    """What stands of a fenced block that does not compile."""
    found: list[Candidate | None] = []
    for block in fenced_blocks(view.lines, _compiles(oracle)):
        if block.label is not Label.FOREIGN and not oracle.facts(join_lines(block.lines)).compiles:
            dropped = size_of(view.lines) - size_of(block.lines)
            edit = Edit(rule="fence", kind=EditClass.LOSSLESS, detail=block.info[:40], dropped_chars=dropped)
            one = _salvaged(block.lines, wanted, oracle)
            found.append(None if one is None else replace(one, edits=(edit, *one.edits), label=block.label))
    return [one for one in found if one is not None]


Source = Callable[[View, Wanted, Oracle], list[Candidate]]

SOURCES: tuple[Source, ...] = (from_fences, from_data, from_whole, from_prose, from_broken_fences)
"""Where an answer may be, the most telling place first."""


# --- ranking


def _rank(found: list[Candidate], wanted: Wanted) -> tuple[Candidate, ...]:
    if wanted.required:
        return tuple(sorted(found, key=lambda one: (*_merit(one, wanted), one.position), reverse=True))
    ranked = sorted(found, key=lambda one: (*_merit(one, wanted), len(one.code)), reverse=True)
    return tuple(_corrected_first(ranked, wanted))


def _corrected_first(ranked: list[Candidate], wanted: Wanted) -> list[Candidate]:
    """A later block that defines all that the largest one defines is its correction."""
    if not ranked or not ranked[0].facts.definitions:
        return ranked
    best = ranked[0]
    later = [
        one
        for one in ranked[1:]
        if one.position > best.position
        and one.facts.definitions >= best.facts.definitions
        and _merit(one, wanted) == _merit(best, wanted)
    ]
    last = max(later, key=lambda one: one.position, default=best)
    return [last, *(one for one in ranked if one is not last)]


def _merit(one: Candidate, wanted: Wanted) -> tuple[int, ...]:
    return (_tier(one, wanted), _fit(one, wanted), min(one.label, 1), -_loss(one))


def _tier(one: Candidate, wanted: Wanted) -> int:
    """How much of what is required is there. An attempt that does not compile beats a mere example."""
    facts, required = one.facts, wanted.required
    if not facts.compiles:
        attempted = attempted_names(one.code)
        return 30 if (required & attempted if required else attempted) else 0
    if not required:
        return (40 if one.lossy else 60) if facts.definitions else 20
    if required <= facts.names:
        return 40 if one.lossy else 60 - 10 * bool(required & facts.stubs)
    return 30 + min(len(required & facts.names), 9) if required & facts.names else 10


def _fit(one: Candidate, wanted: Wanted) -> int:
    tests = sum(name.startswith(("test", "Test")) for name in one.facts.definitions)
    if wanted.kind == "tests":
        return int(tests > 0)
    return int(not tests or tests < len(one.facts.definitions))


def _loss(one: Candidate) -> int:
    order = (EditClass.LOSSLESS, EditClass.NORMALISING, EditClass.LOSSY)
    return max((order.index(edit.kind) for edit in one.edits), default=0)


# --- joining


def _joined(ranked: tuple[Candidate, ...], wanted: Wanted, oracle: Oracle) -> list[Candidate]:
    """Put the best block together with those that define what it leaves free."""
    if len(ranked) < 2 or not ranked[0].facts.compiles:  # noqa: PLR2004 - two to join
        return []
    chosen, others = [ranked[0]], [one for one in ranked[1 : _MAX_JOINED + 1] if _joinable(one)]
    while True:
        missing = _missing(chosen, wanted)
        more = _provider(others, missing, chosen)
        if more is None:
            break
        others.remove(more)
        chosen.append(more)
    return [_merged(chosen, oracle)] if len(chosen) > 1 else []


def _joinable(one: Candidate) -> bool:
    return one.facts.compiles and one.label is not Label.FOREIGN


def _missing(chosen: list[Candidate], wanted: Wanted) -> frozenset[str]:
    bound = frozenset().union(*(one.facts.names for one in chosen))
    used = frozenset().union(*(free_names(one.code) for one in chosen))
    return (used | wanted.required) - bound


def _provider(others: list[Candidate], missing: frozenset[str], chosen: list[Candidate]) -> Candidate | None:
    taken = frozenset().union(*(one.facts.names for one in chosen))
    for one in others:
        if one.facts.names & missing and not one.facts.definitions & taken:
            return one
    return None


def _merged(chosen: list[Candidate], oracle: Oracle) -> Candidate:
    """In the order of the reply, so that imports and helpers come where the model put them."""
    parts = sorted(chosen, key=lambda one: one.position)
    code = "\n\n".join(one.code.rstrip("\n") for one in parts) + "\n"
    edits = tuple(edit for one in parts for edit in one.edits)
    join = Edit(rule="joined_blocks", kind=EditClass.LOSSLESS, detail=f"{len(parts)} blocks")
    return Candidate(
        code=code,
        facts=oracle.facts(code),
        edits=(*edits, join),
        spans=tuple(span for one in parts for span in one.spans),
        label=chosen[0].label,
        position=max(one.position for one in parts) + 1,
    )
