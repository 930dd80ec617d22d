"""Repairs of form for one candidate that does not compile. Each is small, named and ordered.

A repair is kept only if the text compiles at the end: what it cannot help, it leaves alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from repair.cleaning.dialects import cell_magic, notebook_magics, python_2
from repair.cleaning.escapes import (
    escaped_newlines,
    escaped_outside_strings,
    html_escaped,
    is_escaped_comment,
    markdown_escapes,
)
from repair.cleaning.indent import dedent, expanded, first_line_dedent, first_line_space
from repair.cleaning.oracle import Facts, Oracle, same_tree, starts_with_language_name
from repair.cleaning.rules import edit
from repair.cleaning.typography import invisible_characters, lone_surrogates, typographic_characters
from repair.script import Edit

Mend = Callable[[str], str]

_MAX_LAYERS = 3
_MAX_PASSES = 2
"""One wrapping may be inside another that comes later in the order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """One repair of form."""

    name: str
    apply: Mend
    tentative: bool = False
    """Would spoil other texts: kept only if it is the last repair needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """A text, what is known of it, and the repairs that made it."""

    text: str
    facts: Facts
    edits: tuple[Edit, ...] = ()


def mend(text: str, oracle: Oracle) -> Mended:
    """Apply repairs one after the other until the text compiles; else give it back as it was."""
    mended = _mended(text, oracle)
    for _ in range(_MAX_LAYERS):
        if not mended.facts.compiles or not disguised(mended.text):
            break
        again = _mended(mended.text, oracle)
        mended = replace(again, edits=(*mended.edits, *again.edits))
    return mended


def _mended(text: str, oracle: Oracle) -> Mended:
    original = _undisguised(Mended(text=text, facts=oracle.facts(text)), oracle)
    best = original
    for _ in range(_MAX_PASSES):
        before = best
        for rule in REPAIRS:
            if best.facts.compiles:
                return best
            after = _applied(best, rule, oracle)
            best = best if rule.tentative and not after.facts.compiles else after
        if best.text == before.text:
            break
    best = best if best.facts.compiles else _tabs(best, oracle)
    return best if best.facts.compiles else original


def disguised(text: str) -> bool:
    """Whether the text may compile and yet be wrapped: a bare `python`, or `a &lt; b`, is valid Python."""
    return starts_with_language_name(text) or escaped_outside_strings(text) or is_escaped_comment(text)


def _undisguised(before: Mended, oracle: Oracle) -> Mended:
    after = before
    if starts_with_language_name(after.text):
        after = _applied(after, LANGUAGE_LINE, oracle)
    if after.facts.compiles and escaped_outside_strings(after.text):
        plain = _applied(after, HTML_ESCAPED, oracle)
        after = plain if plain.facts.compiles else after
    if is_escaped_comment(after.text):
        plain = _applied(after, ESCAPED_NEWLINES, oracle)
        after = plain if plain.facts.compiles else after
    return after


def _applied(before: Mended, rule: Repair, oracle: Oracle) -> Mended:
    after = rule.apply(before.text)
    if after == before.text:
        return before
    done = edit(rule.name, dropped_chars=len(before.text) - len(after))
    return Mended(text=after, facts=oracle.facts(after), edits=(*before.edits, done))


_REST = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


def language_line(text: str) -> str:
    """Drop first lines that only name the language; they would compile, as bare names."""
    while starts_with_language_name(text):
        text = _REST.sub("", text.lstrip(), count=1)
    return text


def _tabs(before: Mended, oracle: Oracle) -> Mended:
    """Tabs and spaces mixed: four columns or eight; lossy if both fit and differ."""
    if "\t" not in before.text:
        return before
    fitting = [text for width in (8, 4) if oracle.facts(text := expanded(before.text, width)).compiles]
    if not fitting:
        return before
    certain = all(same_tree(fitting[0], other) for other in fitting[1:])
    done = edit("mixed_tabs", lossy=not certain)
    return Mended(text=fitting[0], facts=oracle.facts(fitting[0]), edits=(*before.edits, done))


LANGUAGE_LINE = Repair(name="language_line", apply=language_line)
HTML_ESCAPED = Repair(name="html_escaped", apply=html_escaped)
ESCAPED_NEWLINES = Repair(name="escaped_newlines", apply=escaped_newlines)
REPAIRS: tuple[Repair, ...] = (
    Repair(name="invisible_characters", apply=invisible_characters),
    Repair(name="lone_surrogates", apply=lone_surrogates),
    ESCAPED_NEWLINES,
    Repair(name="cell_magic", apply=cell_magic),
    Repair(name="first_line_space", apply=first_line_space, tentative=True),
    Repair(name="dedent", apply=dedent),
    HTML_ESCAPED,
    Repair(name="typographic_characters", apply=typographic_characters),
    Repair(name="markdown_escapes", apply=markdown_escapes),
    Repair(name="first_line_dedent", apply=first_line_dedent, tentative=True),
    Repair(name="notebook_magics", apply=notebook_magics, tentative=True),
    Repair(name="python_2", apply=python_2, tentative=True),
)
