"""From a reply to a Script: extraction, then the edits that need a tree. Pure, never raises.

What compiles as it came is kept as it came. Nothing is deleted to make code pass, and every edit is
recorded. Hostile text can crash a parser: the bench calls this through `repair.cleaning.caged.Cleaner` only.
"""

from dataclasses import dataclass, replace

from repair.cleaning.bytecode import code_sha256
from repair.cleaning.extract import Extraction, search
from repair.cleaning.gates import too_large
from repair.cleaning.imports import missing_imports, with_imports
from repair.cleaning.notes import another_name, flags
from repair.cleaning.oracle import Oracle, quietly
from repair.cleaning.prompts import signatures
from repair.cleaning.rank import AnswerKind, Candidate
from repair.cleaning.reasoning import reasoning_in
from repair.cleaning.rules import edit
from repair.script import CleanOutcome, Script


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for, as far as it decides what the answer is."""

    required: tuple[str, ...] = ()
    """Names that the answer should define."""
    kind: AnswerKind = "script"
    """Whether a script or a test suite was asked for."""
    prompt: str = ""
    """The task's text: code that a body without its `def` goes on from."""
    subject: str = ""
    """The script under test, where tests were asked for."""
    mine_reasoning: bool = False
    """Whether reasoning may be searched where the answer is empty; lossy."""


def clean_reply(text: str, *, reasoning: str = "", asked: Asked | None = None, trees: bool = True) -> Script:
    """Make a Script of a reply.

    Args:
        text: the reply, as it came.
        reasoning: what the server kept apart as reasoning; not mined for an answer unless `asked` says so.
        asked: what was asked for.
        trees: whether libcst may be used on code that compiles.
    """
    asked = asked or Asked()
    with quietly():
        script = _cleaned(text, reasoning, asked, trees=trees)
        for _ in range(_MAX_ROUNDS):
            code = script.code
            if (
                script.outcome is not CleanOutcome.UNPARSABLE
                or code is None
                or code == text
                or too_large(code)
            ):
                break
            text, script = code, _after(script, _cleaned(code, "", asked, trees=trees))
    return script


_MAX_ROUNDS = 4


def _after(before: Script, again: Script) -> Script:
    """What is broken is looked at once more, without what was around it, until nothing changes."""
    if again.code == before.code:
        return before
    outcome = CleanOutcome.CLEANED if again.outcome is CleanOutcome.RAW else again.outcome
    # The edits of a second look have no place in the reply: their spans are left out.
    edits = (*before.edits, *(replace(done, spans=()) for done in again.edits))
    return replace(again, outcome=outcome, edits=edits, raw_compiles=False, spans=before.spans)


def _cleaned(text: str, reasoning: str, asked: Asked, *, trees: bool) -> Script:
    found = _search(text, reasoning, asked)
    if not found.candidates:
        return Script(code=None, outcome=CleanOutcome.NO_CODE, reason=found.reason)
    best, tests = found.candidates[0], ""
    if best.facts.compiles:
        best = _with_imports(best) if asked.kind == "script" else best
        best, tests = _with_tree_edits(best, asked) if trees else (best, "")
    return _script(text, asked, best, found, tests)


def _search(text: str, reasoning: str, asked: Asked) -> Extraction:
    found = _searched(text, reasoning, asked)
    if found.candidates or not asked.mine_reasoning:
        return found
    mined = _searched(reasoning or reasoning_in(text), "", asked)
    best = [replace(one, edits=(edit("mined_reasoning"), *one.edits), spans=()) for one in mined.candidates]
    return replace(mined, candidates=tuple(best), raw_compiles=False, reason=found.reason)


def _searched(text: str, reasoning: str, asked: Asked) -> Extraction:
    return search(
        text,
        reasoning=reasoning,
        # The script's names tell which module tests mean, not which block is the tests: a copy has them, too.
        required=asked.required if asked.kind == "script" else (),
        kind=asked.kind,
        oracle=Oracle(len(text)),
        prompt=asked.prompt,
    )


def _with_imports(best: Candidate) -> Candidate:
    lines = missing_imports(best.code, best.facts)
    if not lines:
        return best
    code = with_imports(best.code, lines)
    facts = Oracle(len(code)).facts(code)
    if not facts.compiles:
        return best
    done = edit("missing_imports", detail="; ".join(lines)[:200])
    return replace(best, code=code, facts=facts, edits=(*best.edits, done))


def _with_tree_edits(best: Candidate, asked: Asked) -> tuple[Candidate, str]:
    """Edits by libcst. What does not compile after one is left as it was before."""
    if asked.kind == "tests":
        return _suite(best, asked), ""
    if not best.edits or not _has_tests(best):
        return best, ""
    from repair.cleaning.split import split_tests  # noqa: PLC0415 - libcst is slow to import

    parts = split_tests(best.code, frozenset(asked.required))
    if parts is None:
        return best, ""
    kept = _edited(best, parts.script, "split_tests", f"{parts.count} statements")
    return kept, "" if kept is best else parts.tests


def _has_tests(best: Candidate) -> bool:
    return any(name.startswith(("test", "Test")) for name in best.facts.definitions)


def _suite(best: Candidate, asked: Asked) -> Candidate:
    from repair.cleaning.edits import bind_to_solution  # noqa: PLC0415 - libcst is slow to import

    if asked.subject:
        from repair.cleaning.split import without_copies  # noqa: PLC0415 - libcst is slow to import

        bare = without_copies(best.code, asked.subject)
        best = best if bare is None else _edited(best, bare, "split_script", "")
    bound = bind_to_solution(best.code, asked.required)
    if bound is None:
        return best
    return _edited(best, bound.code, "bind_to_solution", ", ".join(bound.modules)[:80])


def _edited(best: Candidate, code: str, rule: str, detail: str) -> Candidate:
    facts = Oracle(len(code)).facts(code)
    if not facts.compiles or code == best.code:
        return best
    done = edit(rule, detail=detail, dropped_chars=len(best.code) - len(code))
    return replace(best, code=code, facts=facts, edits=(*best.edits, done))


def _script(text: str, asked: Asked, best: Candidate, found: Extraction, tests: str) -> Script:
    return Script(
        code=best.code,
        outcome=_outcome(text, best),
        edits=best.edits,
        raw_compiles=found.raw_compiles,
        compiles=best.facts.compiles,
        reason="" if best.facts.compiles else best.facts.error,
        spans=best.spans,
        tests=tests,
        flags=_flags(best, asked),
        syntax_sha256=code_sha256(best.facts.code) if best.facts.code else "",
    )


def _flags(best: Candidate, asked: Asked) -> tuple[str, ...]:
    if not best.facts.compiles:
        return ()
    seen = flags(best.facts)
    if asked.kind == "tests" or not asked.required or best.facts.names >= set(asked.required):
        return seen
    return (*seen, *another_name(best.facts, asked.required, signatures(asked.prompt, asked.required)))


def _outcome(text: str, best: Candidate) -> CleanOutcome:
    if not best.facts.compiles:
        return CleanOutcome.UNPARSABLE
    if best.lossy:
        return CleanOutcome.LOSSY
    return CleanOutcome.RAW if best.code == text and not best.edits else CleanOutcome.CLEANED
