"""Every class of dirt, in the order in which they are heaped on, and the replies made of them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.corpus.dirt import around, characters, content, fences, lines, nothing, turn, wire, wrappers
from tests.corpus.draft import Asked, Dirt, Draft, Grade, Stage
from tests.corpus.golds import Gold, golds

DIRT: tuple[Dirt, ...] = tuple(
    sorted(
        (
            *content.DIRT, *characters.DIRT, *lines.DIRT, *fences.DIRT, *wrappers.DIRT, *around.DIRT,
            *turn.DIRT, *wire.DIRT, *nothing.DIRT,
        ),
        key=lambda dirt: dirt.stage,
    )
)  # fmt: skip
CLEAN = "clean"
ALONE = frozenset(dirt.name for dirt in nothing.DIRT)
"""No answer stays no answer, whatever stands around it; stacks are made of the others."""
ONCE = frozenset({Stage.CONTENT, Stage.CHARACTERS, Stage.LINES, Stage.WRAP})
"""Stages of which a stack has one at most."""
BARE_ONLY = frozenset({"markdown_escapes", "language_line", "first_line_not_indented", "html_entities"})
"""What befalls code that stands alone: nobody puts a fence around it afterwards."""

ADDS_PROSE = frozenset({"half_an_emoji", "replacement_characters", "cut_in_prose", "endless_sentence"})
"""What puts prose around although it is about the reply as a whole."""
WHOLE_REPLY = frozenset({"json_string", "escaped_newlines"})
"""What a reply is as a whole or not at all: a value that some program wrote out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One reply, and what a careful person would take of it."""

    id: str
    gold: str
    dirt: tuple[str, ...]
    grade: Grade
    text: str
    accepted: tuple[str, ...]
    asked: Asked
    none_is_fine: bool = False
    broken_is_fine: bool = False
    layout_free: bool = False


def clean_cases() -> Iterator[Case]:
    """The programs as they are: with nothing around them."""
    for gold in golds():
        yield _case(gold, (), gold.draft(), 0)


def single_cases(seed: int) -> Iterator[Case]:
    """Every class of dirt on every program that it can happen to."""
    for dirt in DIRT:
        seen: set[str] = set()
        for gold in golds():
            case = make(gold, (dirt,), seed)
            if case is not None and case.text not in seen:
                seen.add(case.text)
                yield case


def stacked_cases(seed: int, depth: int, count: int) -> Iterator[Case]:
    """Programs under `depth` classes of dirt; every class comes up equally often."""
    rng = random.Random(f"{seed}:{depth}")
    stackable = [dirt for dirt in DIRT if dirt.name not in ALONE]
    made, turn_of = 0, 0
    while made < count:
        first = stackable[turn_of % len(stackable)]
        turn_of += 1
        for _ in range(40):
            stack = _stack(first, stackable, depth, rng)
            case = make(rng.choice(golds()), stack, rng.getrandbits(32)) if stack else None
            if case is not None:
                yield case
                made += 1
                break


def make(gold: Gold, stack: tuple[Dirt, ...], seed: int) -> Case | None:
    """Heap dirt on a program; None where some of it cannot happen to it, or shows nothing."""
    rng = random.Random(f"{gold.name}:{'+'.join(dirt.name for dirt in stack)}:{seed}")
    draft = gold.draft()
    for dirt in stack:
        dirtier = dirt.make(draft, rng)
        if dirtier is None or dirtier.text == draft.text:
            return None
        draft = dirtier
    return _case(gold, stack, draft, seed)


def _stack(first: Dirt, others: list[Dirt], depth: int, rng: random.Random) -> tuple[Dirt, ...] | None:
    chosen = [first, *rng.sample(others, depth - 1)]
    stages = [dirt.stage for dirt in chosen if dirt.stage in ONCE]
    if len({dirt.name for dirt in chosen}) < depth or len(set(stages)) < len(stages):
        return None
    if _has(chosen, BARE_ONLY) and any(dirt.stage in {Stage.WRAP, Stage.AROUND} for dirt in chosen):
        return None
    if _has(chosen, WHOLE_REPLY) and any(dirt.stage in {Stage.AROUND, Stage.TURN} for dirt in chosen):
        return None
    if _has(chosen, WHOLE_REPLY) and _has(chosen, ADDS_PROSE):
        return None
    return tuple(sorted(chosen, key=DIRT.index))


def _has(chosen: list[Dirt], names: frozenset[str]) -> bool:
    return any(dirt.name in names for dirt in chosen)


def _case(gold: Gold, stack: tuple[Dirt, ...], draft: Draft, seed: int) -> Case:
    names = tuple(dirt.name for dirt in stack)
    grades = [dirt.grade for dirt in stack]
    grade = max(grades, key=list(Grade).index, default=Grade.LOSSLESS)
    return Case(
        id=f"{gold.name}/{'+'.join(names) or CLEAN}/{seed}",
        gold=gold.name,
        dirt=names or (CLEAN,),
        grade=grade,
        text=draft.text,
        accepted=tuple(dict.fromkeys(draft.accepted)),
        asked=draft.asked,
        none_is_fine=draft.none_is_fine,
        broken_is_fine=draft.broken_is_fine,
        layout_free=draft.layout_free,
    )
