"""The benchmark of the cleaner: strategies in processes that may die, sums and demands."""

import sys

import pytest

from perf.cleaning import demands
from perf.cleaning.ask import Answer, Host, command
from perf.cleaning.figures import Marked, grouped, strict, sums
from perf.cleaning.judge import Mark, judge
from tests.corpus.draft import Asked, Grade
from tests.corpus.table import CLEAN, Case

DIES_ON_X = """
import json, os, sys, time
for line in sys.stdin:
    text = json.loads(line)["text"]
    if text == "die": os._exit(9)
    if text == "sleep": time.sleep(60)
    print(json.dumps({"code": text.upper(), "lossy": False, "ms": 1.0, "stable": True}), flush=True)
"""
BLOCKS = "First:\n```python\na = 1\n```\nthen\n```python\nb = (\n```\nand\n```\ndef longer():\n    pass\n```\nlast\n```\nc\n```\n"


def case(text="x = 1\n", dirt=(CLEAN,), grade=Grade.LOSSLESS, **more):
    """A reply that is its own answer, unless told otherwise."""
    return Case(
        **{
            "id": "t",
            "gold": "t",
            "dirt": dirt,
            "grade": grade,
            "text": text,
            "accepted": ("x = 1\n",),
            "asked": Asked(),
        }
        | more
    )


def marked(one, **answer):
    """A reply with its answer and mark."""
    found = Answer(**answer)
    return Marked(case=one, answer=found, mark=judge(one, found))


def test_a_strategy_that_dies_or_hangs_is_a_crash_and_starts_anew():
    """Death and silence are findings; the next reply is answered."""
    with Host([sys.executable, "-c", DIES_ON_X], wall_s=3.0) as host:
        answers = [host.ask(text) for text in ("a", "die", "b", "sleep", "c")]

    assert [answer.code for answer in answers] == ["A", None, "B", None, "C"]
    assert [bool(answer.error) for answer in answers] == [False, True, False, True, False]
    assert judge(case(), answers[1]) is Mark.CRASH


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("as is", BLOCKS),
        ("first block", "a = 1\n"),
        ("last block", "c\n"),
        ("longest block", "def longer():\n    pass\n"),
        ("longest that parses", "def longer():\n    pass\n"),
        ("last that parses", "c\n"),
        ("markdown-it-py, longest block", "def longer():\n    pass\n"),
    ],
)
def test_strategies_take_what_their_names_say(strategy, expected):
    """Each in a process of its own, over the same line protocol as ours."""
    with Host(command(strategy), wall_s=30.0) as host:
        answer = host.ask(BLOCKS)

    assert answer.error == ""
    assert answer.code == expected


def test_ours_answers_and_is_asked_twice():
    """The cleaner itself: a fenced reply with half an emoji gives its code, and the code gives itself."""
    with Host(command("ours"), wall_s=30.0) as host:
        answer = host.ask("Here \ud83d:\n\n```python\nx = 1\n```\n", twice=True)

    assert answer.error == ""
    assert judge(case(), answer) is Mark.EXACT
    assert answer.stable
    assert answer.ms > 0


def test_harm_is_a_share_of_what_is_claimed():
    """Lossy answers, crashes and no answers claim nothing; other programs without a word are harm."""
    one = case()
    found = [
        marked(one, code="x = 1\n"),
        marked(one, code="x = 2\n"),
        marked(one, code="x = 2\n", lossy=True),
        marked(one, code=None),
        marked(one, error="died"),
    ]

    assert [each.mark for each in found] == [Mark.EXACT, Mark.HARM, Mark.LOSSY, Mark.NONE, Mark.CRASH]
    assert sums(found).harm_of_claimed == 0.5
    assert sums(found).share(Mark.CRASH) == 0.2


def test_groups_count_an_answer_for_each_of_its_classes():
    """A stack tells on each class in it; lossy classes are set apart."""
    found = [
        marked(case(dirt=("a", "b")), code="x = 1\n"),
        marked(case(dirt=("b",), grade=Grade.LOSSY), code="x = 2\n"),
    ]
    groups = grouped(found, lambda each: each.case.dirt)

    assert (groups["a"].n, groups["b"].n) == (1, 2)
    assert groups["b"].share(Mark.EXACT) == 0.5
    assert strict(found) == found[:1]


def test_demands_hold_for_a_perfect_run_and_only_for_that():
    """Each demand is missed by the answer that offends it."""
    good = [marked(case(), code="x = 1\n", ms=0.1) for _ in range(20)]

    assert all(gate.passed for gate in demands.evaluate(good, {"prose": 0.5}))
    for answer, missed in (
        ({"code": "x = 1"}, "byte for byte"),
        ({"code": "x = 2\n"}, "exact"),
        ({"code": "x = 2\n"}, "harm"),
        ({"code": "x = 1\n", "stable": False}, "cleaned again"),
        ({"error": "died"}, "crashes"),
        ({"code": "x = 1\n", "ms": 500.0}, "99th"),
    ):
        gates = demands.evaluate([*good, marked(case(), **answer)], {"prose": 0.5})

        assert [gate.what for gate in gates if not gate.passed and missed in gate.what]
    for prose in ({"prose": 1.5}, {"prose": 0.1, "other": None}):
        assert [gate.passed for gate in demands.evaluate(good, prose)].count(False) == 1
