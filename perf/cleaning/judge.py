"""What an answer is worth, against what a careful person would take of the reply."""

from enum import StrEnum

from perf.cleaning.ask import Answer
from tests.corpus.draft import same_layout, tree
from tests.corpus.table import CLEAN, Case


class Mark(StrEnum):
    """How one answer came out."""

    EXACT = "exact"
    """What a careful person would take, up to line ends, blanks at ends of lines and outer blank lines."""
    LAYOUT = "layout"
    """The same program, but text was changed or lost that is no program: comments, blank lines."""
    HARM = "harm"
    """Compiles, is another program, and nothing is said of it."""
    LOSSY = "said lossy"
    """Compiles and is another program, but is said to be lossy."""
    BROKEN = "broken"
    """compile() refuses it."""
    NONE = "none"
    """Nothing was handed back, though there was an answer."""
    CRASH = "crash"
    """An exception, the death of the process, or no answer in time."""


def judge(case: Case, answer: Answer) -> Mark:
    """Mark an answer."""
    if answer.error:
        return Mark.CRASH
    if answer.code is None:
        return Mark.EXACT if case.none_is_fine else Mark.NONE
    if any(answer.code == text for text in case.accepted):
        return Mark.EXACT
    found = tree(answer.code)
    if found is None:
        return Mark.EXACT if case.broken_is_fine else Mark.BROKEN
    equal = [text for text in case.accepted if tree(text) == found]
    if not equal:
        return Mark.LOSSY if answer.lossy else Mark.HARM
    if case.layout_free or any(same_layout(text, answer.code) for text in equal):
        return Mark.EXACT
    return Mark.LAYOUT


def untouched(case: Case, answer: Answer) -> bool:
    """Whether clean code came back byte for byte."""
    assert case.dirt == (CLEAN,)
    return answer.code == case.text
