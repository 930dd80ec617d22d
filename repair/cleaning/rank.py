"""Which candidate is the answer, and which of its neighbours belong to it."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from repair.cleaning.bytecode import loaded_names
from repair.cleaning.fallback import attempted_names
from repair.cleaning.lines import Span
from repair.cleaning.oracle import Facts, Oracle, free_names, imported_names
from repair.cleaning.rules import edit
from repair.cleaning.scan import Label
from repair.script import Edit, EditClass

AnswerKind = Literal["script", "tests"]

_MAX_JOINED = 32
_MAX_GAP = 160
_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


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
        return any(one.kind is EditClass.LOSSY for one in self.edits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an answer is expected to be."""

    required: frozenset[str]
    kind: AnswerKind
    signatures: frozenset[tuple[str, tuple[str, ...]]] = frozenset()
    """Required functions whose parameters the prompt names."""


def rank(found: list[Candidate], wanted: Wanted) -> tuple[Candidate, ...]:
    """Best first. With required names the last that defines them wins, without the largest."""
    if len(found) < 2:  # noqa: PLR2004 - nothing to compare
        return tuple(found)
    if wanted.required:
        return _sorted(found, lambda one: (*_merit(one, wanted), one.position, -_loss(one)))
    ranked = _sorted(found, lambda one: (*_merit(one, wanted), len(one.code), -_loss(one)))
    return tuple(_corrected_first(list(ranked), wanted))


def _sorted(found: list[Candidate], merit: Callable[[Candidate], tuple[int, ...]]) -> tuple[Candidate, ...]:
    return tuple(sorted(found, key=merit, reverse=True))


def _corrected_first(ranked: list[Candidate], wanted: Wanted) -> list[Candidate]:
    """A later block that does the work of the largest one is its correction."""
    if len(ranked) < 2 or not ranked[0].facts.compiles:  # noqa: PLR2004 - two to compare
        return ranked
    best = ranked[0]
    later = [
        one
        for one in ranked[1:]
        if one.position > best.position
        and _same_work(best, one)
        and _merit(one, wanted) == _merit(best, wanted)
    ]
    last = max(later, key=lambda one: one.position, default=best)
    return [last, *(one for one in ranked if one is not last)]


def _same_work(best: Candidate, later: Candidate) -> bool:
    """It defines all of the same; where nothing is defined, most lines are the same."""
    if best.facts.definitions:
        return later.facts.definitions >= best.facts.definitions
    own, other = ({line.strip() for line in one.code.split("\n")} for one in (best, later))
    return 2 * len(own & other) > max(len(own), len(other))


def _merit(one: Candidate, wanted: Wanted) -> tuple[int, ...]:
    return (
        _tier(one, wanted),
        _fit(one, wanted),
        int(not wanted.signatures or wanted.signatures <= one.facts.signatures),
        min(one.label, 1),
    )


def _tier(one: Candidate, wanted: Wanted) -> int:
    """How much of what is required is there. An attempt that does not compile beats a mere example."""
    facts, required = one.facts, wanted.required
    if not facts.compiles:
        attempted = attempted_names(one.code)
        return 30 if (required & attempted if required else attempted) else 0
    if not required:
        return (40 if _drops(one) else 60) if facts.definitions else 20
    if required <= facts.names:
        if _imports(one, required) or _elided(one):
            return 39
        return 40 if _drops(one) else 60 - 10 * bool(required & facts.stubs)
    return 30 + min(len(required & facts.names), 9) if required & facts.names else 10


_DROPPING = frozenset({"cut_off_tail", "broken_statements"})


def _drops(one: Candidate) -> bool:
    """Whether statements went; what was only rewritten is all there."""
    return any(done.rule in _DROPPING for done in one.edits)


def _imports(one: Candidate, required: frozenset[str]) -> bool:
    """An example of use that imports what it should define."""
    if required <= one.facts.definitions or one.facts.tree is None:
        return False
    return bool(required & imported_names(one.facts.tree) - one.facts.definitions)


_ELISION = re.compile(
    r"#\s*(?:\.{3}|\u2026)|#[^\n]*\b(?:rest of|existing|remaining|previous|same as before|unchanged)\b[^\n]*"
    r"(?:\.{3}|\u2026|\bcode\b|\bsame\b|\bhere\b|\babove\b|\bbefore\b)",
    re.IGNORECASE,
)


def _elided(one: Candidate) -> bool:
    """Whether a comment stands for code that was left out: `# ... existing code ...`."""
    return "#" in one.code and _ELISION.search(one.code) is not None


def _fit(one: Candidate, wanted: Wanted) -> int:
    tests = _tests_in(one)
    if wanted.kind == "tests":
        return int(tests > 0)
    return int(not tests or tests < len(one.facts.definitions))


def _tests_in(one: Candidate) -> int:
    return sum(name.startswith(("test", "Test")) for name in one.facts.definitions)


def _loss(one: Candidate) -> int:
    order = (EditClass.LOSSLESS, EditClass.NORMALISING, EditClass.LOSSY)
    return max((order.index(done.kind) for done in one.edits), default=0)


# --- joining


def joined(ranked: tuple[Candidate, ...], wanted: Wanted, oracle: Oracle) -> list[Candidate]:
    """Put the best block together with its other parts, and those that define what they leave free."""
    if len(ranked) < 2 or not ranked[0].facts.compiles:  # noqa: PLR2004 - two to join
        return []
    chosen, others = [ranked[0]], [one for one in ranked[1 : _MAX_JOINED + 1] if _joinable(one)]
    for part in _parts(ranked[0], others, wanted):
        if not part.facts.names & frozenset().union(*(one.facts.names for one in chosen)):
            others.remove(part)
            chosen.append(part)
    if len(chosen) == 1 and not any(
        (_named(ranked[0]) | wanted.required) & one.facts.names - ranked[0].facts.names for one in others
    ):
        return []
    while True:
        missing = _missing(chosen, wanted)
        more = _provider(others, missing, chosen)
        if more is None:
            break
        others.remove(more)
        chosen.append(more)
    return [_merged(chosen, oracle)] if len(chosen) > 1 else []


def _parts(best: Candidate, others: list[Candidate], wanted: Wanted) -> Iterator[Candidate]:
    """Other parts of the same program: blocks next to the best, with a word or two between.

    Those above may only define, those below must use what the best defines. What does not is an
    alternative, or the answer to something else; what runs anything is an example.
    """
    if wanted.kind == "tests":
        yield from (one for one in others if _has_tests(one))
    if wanted.kind == "tests" or not best.facts.definitions:
        return
    quiet = sorted(filter(_only_binds, others), key=lambda one: one.position)
    above, below, parts = best, best, []
    for one in reversed([one for one in quiet if one.position < best.position]):
        if _gap(one, above) <= _MAX_GAP and not free_names(one.code) - best.facts.names - _bound(quiet):
            above = one
            parts.append(one)
    # All blocks above, or none: among drafts, and answers to other things, none is a part.
    rivals = any(one.facts.definitions & best.facts.definitions for one in others)
    if not rivals and len(parts) == sum(one.position < best.position for one in others):
        yield from parts
    for one in [one for one in quiet if one.position > best.position]:
        if _gap(below, one) <= _MAX_GAP and free_names(one.code) & best.facts.names:
            below = one
            yield one


def _gap(first: Candidate, second: Candidate) -> int:
    """Characters between two candidates, fences included."""
    return second.position - first.spans[-1][1] if first.spans else _MAX_GAP + 1


def _bound(found: list[Candidate]) -> frozenset[str]:
    return frozenset().union(*(one.facts.names for one in found))


def _only_binds(one: Candidate) -> bool:
    """Imports, definitions, constants and a guarded main; data in small letters is an example."""
    return one.facts.tree is not None and not _has_tests(one) and all(map(_binds, one.facts.tree.body))


def _has_tests(one: Candidate) -> bool:
    return _tests_in(one) > 0


def _binds(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return all(isinstance(each, ast.Name) and each.id.lstrip("_")[:1].isupper() for each in node.targets)
    guard = isinstance(node, ast.If) and "__name__" in ast.dump(node.test)
    return guard or isinstance(node, ast.Import | ast.ImportFrom | _DEFINITIONS)


def without_quotes(found: list[Candidate]) -> list[Candidate]:
    """Leave out what quotes another block: its last lines, explained, or its first ones, cut off."""
    whole = [one.code.strip() for one in found if one.facts.compiles and one.label is not Label.FOREIGN]
    return [one for one in found if not _is_quote(one, whole[:_MAX_JOINED])]


def _is_quote(one: Candidate, whole: list[str]) -> bool:
    text = one.code.strip()
    if any(done.rule == "unclosed_fence" for done in one.edits):
        return any(len(text) < len(other) and other.startswith(text) for other in whole)
    if any(len(text) < len(other) and f"\n{text}" in other for other in whole):
        return True
    lines = {line.strip() for line in text.split("\n")}
    return not one.facts.definitions and any(
        len(text) < len(other) and lines <= {line.strip() for line in other.split("\n")} for other in whole
    )


def _named(one: Candidate) -> frozenset[str]:
    """Every name that the code could take from elsewhere, and more: a quick look before the exact one."""
    if one.facts.code is None:
        return frozenset()
    return loaded_names(one.facts.code)


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
    code = "\n\n\n".join(one.code.rstrip("\n") for one in parts) + "\n"
    edits = tuple(done for one in parts for done in one.edits)
    join = edit("joined_blocks", detail=f"{len(parts)} blocks")
    return Candidate(
        code=code,
        facts=oracle.facts(code),
        edits=(*edits, join),
        spans=tuple(span for one in parts for span in one.spans),
        label=chosen[0].label,
        position=max(one.position for one in parts) + 1,
    )
