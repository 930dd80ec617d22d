"""Explanations of what weakens a suite's text."""

import pytest

from evaluator.suites import advice
from sandbox.suite import SuiteFacts

CASES = {
    "F631": "def test_a():\n    assert (f(1) == 1, 'why')\n",
    "F811": "def test_a():\n    assert f(1)\n\ndef test_a():\n    assert f(2)\n",
    "B015": "def test_a():\n    f(1) == 1\n",
    "B017": "import pytest\ndef test_a():\n    with pytest.raises(Exception):\n        f(1)\n",
    "PT012": "import pytest\ndef test_a():\n    with pytest.raises(KeyError):\n        f(1)\n        f(2)\n",
    "PT017": "def test_a():\n    try:\n        f(1)\n    except ValueError as exc:\n        assert exc.args\n",
    "PLR0133": "def test_a():\n    assert 1 == 1\n",
    "PLR0124": "def test_a():\n    x = f(1)\n    assert x == x\n",
    "PLW0129": "def test_a():\n    assert 'always'\n",
    "S110": "def test_a():\n    try:\n        assert f(1)\n    except Exception:\n        pass\n",
}


@pytest.mark.parametrize("rule", CASES)
def test_weakness_is_named(rule):
    """Each rule is found where it applies, with its line and what it means for a test."""
    found = advice.advice(CASES[rule], None)

    (hint,) = [each for each in found if each.text == advice.RULES[rule]]
    assert hint.line > 0


def test_sound_suite_needs_no_advice():
    """A plain good suite is told nothing."""
    text = "import pytest\nfrom solution import f\n\n\ndef test_f():\n    assert f(1) == 2\n"

    assert advice.advice(text, SuiteFacts()) == ()


def test_suite_cannot_silence_it():
    """Comments and settings of the suite's own change nothing."""
    text = "# ruff: noqa\n# flake8: noqa\ndef test_a():\n    assert (f(1), 'x')  # noqa\n"

    assert [each.rule for each in advice.advice(text, None)] == ["F631"]


def test_what_was_seen_in_the_container_comes_first():
    """Tests without assertions, and those that catch their own, are named."""
    facts = SuiteFacts(assertless=("test_a",), swallowing=("test_b",))

    found = advice.advice("def test_a():\n    f(1)\n", facts)

    assert [(each.rule, each.where) for each in found] == [
        (advice.ASSERTLESS, "test_a"),
        (advice.SWALLOWING, "test_b"),
    ]


@pytest.mark.parametrize(
    "text",
    ["def f(:\n", "(" * 100_000, "x = 1 + " * 20_000 + "1", "\ud800\x00", "assert ('a', 1)\n" * 70_000, ""],
)
def test_garbage_gets_no_advice_and_does_no_harm(text):
    """Whatever a model wrote, there is an end to it."""
    assert len(advice.advice(text, None)) <= advice.MOST
