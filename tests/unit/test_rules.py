"""The table of rules: each is tested alone, recorded under its name, and explained in docs/cleaning.md."""

from pathlib import Path

import pytest

from repair.cleaning import mend, views
from repair.cleaning.clean import Asked, clean_reply
from repair.cleaning.guide import guide
from repair.cleaning.marks import MARKS
from repair.cleaning.rule_examples import EXAMPLES
from repair.cleaning.rules import RULES, Stage, edit
from repair.script import CleanOutcome, EditClass

ROOT = Path(__file__).resolve().parents[2]
ALONE = [rule for rule in RULES if not rule.example.by_hand]


def cleaned(example):
    """Clean an example as it asks for."""
    asked = Asked(
        required=example.required,
        kind=example.kind,
        prompt=example.prompt,
        subject=example.subject,
        mine_reasoning=example.mine_reasoning,
    )
    return clean_reply(example.reply, asked=asked)


@pytest.mark.parametrize("rule", ALONE, ids=lambda rule: rule.name)
def test_each_rule_fires_on_its_example(rule):
    """The example comes out as promised, and the rule is on record with one of its classes."""
    script = cleaned(rule.example)
    fired = {done.rule: done for done in script.edits}

    assert script.code.strip("\n") == rule.example.code.strip("\n")
    assert fired[rule.name].kind in rule.kinds
    assert (script.outcome is CleanOutcome.LOSSY) == any(
        done.kind is EditClass.LOSSY for done in script.edits
    )


@pytest.mark.parametrize("rule", ALONE, ids=lambda rule: rule.name)
def test_the_result_of_an_example_is_clean(rule):
    """What a rule made is not touched again."""
    example = rule.example
    again = clean_reply(example.code, asked=Asked(required=example.required, kind=example.kind))

    assert (again.code, again.outcome) == (example.code, CleanOutcome.RAW)


@pytest.mark.parametrize("rule", ALONE, ids=lambda rule: rule.name)
def test_spans_lie_in_the_reply(rule):
    """Whatever is recorded points into the reply, in order."""
    script = cleaned(rule.example)
    for spans in (script.spans, *(done.spans for done in script.edits)):
        assert all(0 <= start <= end <= len(rule.example.reply) for start, end in spans)
        assert list(spans) == sorted(spans)


def test_names_are_unique_and_each_has_an_example():
    """A name stands for one rule."""
    names = [rule.name for rule in RULES]

    assert len(set(names)) == len(names)
    assert set(names) == set(EXAMPLES)


def test_the_table_has_the_order_of_the_code():
    """Rules stand in the table as they are asked."""
    forms = [rule.name for rule in RULES if rule.stage is Stage.FORM]
    replies = [rule.name for rule in RULES if rule.stage is Stage.REPLY]
    inventions = [rule.name for rule in RULES if rule.stage is Stage.INVENT]
    repairs = [repair.name for repair in mend.REPAIRS]

    marks = [rule.name for rule in RULES if rule.stage is Stage.LINES]

    assert marks == [mark.name for mark in MARKS]
    assert forms == ["language_line", *[name for name in repairs if name not in inventions], "mixed_tabs"]
    assert [name for name in repairs if name in inventions] == inventions[:2]
    assert replies[-1] == "special_tokens"
    assert [rule.__name__ for rule in views.STRICT] == [
        "strip_ansi",
        "drop_invalid",
        "drop_channels",
        "drop_reasoning",
        "drop_echo",
        "drop_next_turn",
        "drop_edge_tokens",
    ]


def test_an_edit_needs_a_rule():
    """Nothing can be recorded under a name that the table does not have."""
    with pytest.raises(KeyError):
        edit("no_such_rule")


def test_the_guide_is_the_table():
    """docs/cleaning.md is what the table says today."""
    assert (ROOT / "docs" / "cleaning.md").read_text(encoding="utf-8") == guide()
