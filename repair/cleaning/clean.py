"""From a reply to a Script: extraction, then the edits that need a tree. Pure, never raises.

What compiles as it came is kept as it came. Nothing is deleted to make code pass, and every edit is
recorded. Hostile text can crash a parser: the bench calls this through `repair.cleaning.caged.Cleaner` only.
"""

from dataclasses import replace

from repair.cleaning.extract import Extraction, search
from repair.cleaning.oracle import Oracle, tree_sha256
from repair.cleaning.rank import AnswerKind, Candidate
from repair.script import CleanOutcome, Edit, EditClass, Script


def clean_reply(
    text: str,
    *,
    reasoning: str = "",
    required: tuple[str, ...] = (),
    kind: AnswerKind = "script",
    trees: bool = True,
) -> Script:
    """Make a Script of a reply.

    Args:
        text: the reply, as it came.
        reasoning: what the server kept apart as reasoning; never mined for an answer.
        required: names that the answer should define.
        kind: whether a script or a test suite was asked for.
        trees: whether libcst may be used on code that compiles.
    """
    found = search(text, reasoning=reasoning, required=required, kind=kind, oracle=Oracle(len(text)))
    if not found.candidates:
        return Script(code=None, outcome=CleanOutcome.NO_CODE, reason=found.reason)
    best = found.candidates[0]
    if kind == "tests" and trees and best.facts.compiles:
        best = _with_tree_edits(best, required)
    return _script(text, best, found)


def _with_tree_edits(best: Candidate, required: tuple[str, ...]) -> Candidate:
    from repair.cleaning.edits import bind_to_solution  # noqa: PLC0415 - libcst is slow to import

    bound = bind_to_solution(best.code, required)
    if bound is None:
        return best
    edit = Edit(rule="bind_to_solution", kind=EditClass.NORMALISING, detail=", ".join(bound.modules)[:80])
    return replace(best, code=bound.code, edits=(*best.edits, edit))


def _script(text: str, best: Candidate, found: Extraction) -> Script:
    return Script(
        code=best.code,
        outcome=_outcome(text, best),
        edits=best.edits,
        raw_compiles=found.raw_compiles,
        compiles=best.facts.compiles,
        reason="" if best.facts.compiles else best.facts.error,
        spans=best.spans,
        syntax_sha256=tree_sha256(best.code) if best.facts.compiles else "",
    )


def _outcome(text: str, best: Candidate) -> CleanOutcome:
    if not best.facts.compiles:
        return CleanOutcome.UNPARSABLE
    if best.lossy:
        return CleanOutcome.LOSSY
    return CleanOutcome.RAW if best.code == text and not best.edits else CleanOutcome.CLEANED
