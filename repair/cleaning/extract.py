"""Which part of a reply is the answer: candidates, ranked with compile() as the judge.

Pure: the same reply gives the same candidates. Linear: every text is compiled once, within a budget.
Parsing hostile text can crash the interpreter; outside of tests this runs in `repair.cleaning.caged`.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

from repair.cleaning import views
from repair.cleaning.completion import open_prefix
from repair.cleaning.data import in_data
from repair.cleaning.fallback import is_hopeless
from repair.cleaning.lines import (
    Span,
    join_lines,
    split_lines,
    trim_blank,
)
from repair.cleaning.marks import is_session
from repair.cleaning.mend import disguised, mend
from repair.cleaning.oracle import Oracle
from repair.cleaning.peel import peeled
from repair.cleaning.prompts import signatures
from repair.cleaning.rank import AnswerKind, Candidate, Wanted, rank
from repair.cleaning.reasoning import UNFINISHED
from repair.cleaning.scan import Label, fenced_blocks
from repair.cleaning.scene import compiles, satisfies
from repair.cleaning.sources import candidates, completed
from repair.cleaning.tags import enclosed
from repair.cleaning.view import Covered, View


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
    if whole is not None and not (prefix and not satisfies(whole, wanted)):
        raw_compiles = not whole.edits and wanted.required <= whole.facts.names
        return Extraction(candidates=(whole,), raw_compiles=raw_compiles)
    sure = rank(_from_data_alone(reply, oracle), wanted)
    if sure and satisfies(sure[0], wanted) and not prefix:
        return Extraction(candidates=sure)
    view = _answer_view(reply, oracle)
    calm = _calmed(view)
    found = rank(candidates(view, wanted, oracle, sure_only=calm is not view), wanted)
    if found and satisfies(found[0], wanted) and not prefix:
        return Extraction(candidates=found)
    if calm is not view:
        found = rank([*found, *candidates(calm, wanted, oracle)], wanted)
    if prefix and not (found and satisfies(found[0], wanted)):
        found = rank([*found, *completed(calm, prefix, wanted, oracle)], wanted)
    return Extraction(candidates=found, reason="" if found else _why_nothing(reply, view, reasoning))


def _whole_reply(reply: str, oracle: Oracle) -> Candidate | None:
    """The reply as it is, if it is code; that it names its language first does not make it code."""
    if is_hopeless(reply):
        return None
    raw = oracle.facts(reply)
    if not raw.compiles or not raw.substance:
        return None
    if _is_disguised(reply):
        return None
    mended = mend(reply, oracle) if disguised(reply) else None
    spans = ((0, len(reply)),)
    if mended is None or not mended.facts.substance:
        return Candidate(code=reply, facts=raw, spans=spans)
    return Candidate(code=mended.text, facts=mended.facts, edits=mended.edits, spans=spans)


def _from_data_alone(reply: str, oracle: Oracle) -> list[Candidate]:
    """The whole reply is data: nothing in its strings is a tag or a turn."""
    bare = reply.strip()
    if bare[:1] not in {"{", "[", '"', "'"} or bare[-1:] not in {"}", "]", '"', "'"}:
        return []
    return list(in_data(trim_blank(split_lines(reply)), oracle))


def _is_disguised(reply: str) -> bool:
    """`[BEGIN]`, `{code}` and `In [1]: x` are Python, of a kind, and `#+BEGIN_SRC` is a comment."""
    start = reply[:_PEEK].lstrip()
    if is_session(start):
        return True
    if views.starts_with_response(reply):
        return True
    return start[:1] in {"[", "{", "#"} and enclosed(trim_blank(split_lines(reply))) is not None


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
        return UNFINISHED
    if not reply.strip():
        return "empty reply"
    other = _OTHER.search(reply[:_PEEK])
    if other is not None:
        return f"other_language: {other[1].casefold()}"
    return "refusal" if _REFUSAL.search(reply[:_PEEK]) else "no code found"


def _answer_view(reply: str, oracle: Oracle) -> View:
    view = View(lines=split_lines(reply), reply=reply)
    covered = _covered(view, oracle)
    for rule in views.STRICT:
        view = rule(view, covered) if view.lines else view
    lines, layers = peeled(view.lines)
    return replace(view, lines=lines, edits=(*view.edits, *layers)) if layers else view


def _covered(view: View, oracle: Oracle) -> Covered:
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
    for block in fenced_blocks(view.lines, compiles(oracle)):
        if (
            block.lines
            and block.label is not Label.FOREIGN
            and oracle.facts(join_lines(block.lines)).substance
        ):
            yield block.lines[0].start, block.lines[-1].end


def _calmed(view: View) -> View:
    for rule in views.TOLERANT:
        view = rule(view)
    return view
