"""Recorded histories: what is read of a row, what makes a row broken, and how its tests become pytest files."""

import json
import sys
import types

import pytest

from evaluator.errors import UsageProblem
from evaluator.replay.histories import UNNAMED, read_histories
from evaluator.scoring.asserts import as_pytest

TYPED = "from typing import List, Set\nimport re\n\ndef f(x: List):\n    '''Do it.'''\n"
ROW = {"prompt": "Write f.", "rounds": [{"reply": "a"}, {"raw_reply": "b"}, {"code": "c"}]}


def write(folder, *rows):
    """Write rows, JSON or text, as lines of a file."""
    path = folder / "histories.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return str(path)


def test_a_row_with_the_least(tmp_path):
    """A prompt and replies are enough; code stands for a reply that was not kept."""
    (history,) = read_histories(write(tmp_path, ROW)).rows

    assert [each.reply.content for each in history.rounds] == ["a", "b", "c"]
    assert [each.code_only for each in history.rounds] == [False, False, True]
    assert (history.model, history.task_key, history.tests) == (UNNAMED, "recorded/row-1", None)
    assert history.tests_missing == "the row has no `tests`"


@pytest.mark.parametrize(
    ("prompt", "code", "reply"),
    [
        (TYPED, "def f(x: List): ...", "from typing import List, Set\ndef f(x: List): ..."),
        (TYPED, "def f(x: Set) -> int: ...", "from typing import List, Set\ndef f(x: Set) -> int: ..."),
        (TYPED, "from typing import List\ndef f(x: List): ...", None),
        (TYPED, "def f(x): ...", None),
        (TYPED, "def f(x: List:", None),
        (TYPED, "from __future__ import annotations\ndef f(x: List): ...", None),
        ("Write f for a List.", "def f(x: List): ...", None),
    ],
)
def test_code_gets_the_imports_of_its_prompt(tmp_path, prompt, code, reply):
    """Where code alone was kept, it gets what it uses and its prompt imports; a kept reply gets nothing."""
    row = {"prompt": prompt, "rounds": [{"code": code}, {"reply": code}]}
    (history,) = read_histories(write(tmp_path, row)).rows

    assert [each.reply.content for each in history.rounds] == [reply or code, code]


def test_a_row_with_everything(tmp_path):
    """Model, task, tokens, finish reason, reasoning and recorded verdict are kept."""
    said = {
        "round": 0,
        "reply": "x",
        "code": "y",
        "reasoning": "hm",
        "finish_reason": "length",
        "tokens_prompt": 3,
        "completion_tokens": 4,
        "verdict": "fail",
        "verdict_scope": "hidden",
    }
    row = {"prompt": "p", "model": "m", "task_key": "A/1", "entry_point": "f", "rounds": [said]}
    (history,) = read_histories(write(tmp_path, row)).rows
    (only,) = history.rounds

    assert (history.model, history.task_key, history.entry_point) == ("m", "A/1", ("f",))
    assert (only.reply.content, only.reply.reasoning, only.reply.finish_reason) == ("x", "hm", "length")
    assert (only.reply.prompt_tokens, only.reply.completion_tokens) == (3, 4)
    assert (only.verdict, only.scope, only.code, only.code_only) == ("fail", "hidden", "y", False)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("{", "not JSON"),
        ("[1]", "a history is an object"),
        ({"rounds": [{"reply": "a"}]}, "no `prompt`"),
        ({"prompt": 3, "rounds": [{"reply": "a"}]}, "`prompt` is a number"),
        ({"prompt": " ", "rounds": [{"reply": "a"}]}, "no `prompt`"),
        ({"prompt": "p"}, "no `rounds`"),
        ({"prompt": "p", "rounds": []}, "no `rounds`"),
        ({"prompt": "p", "rounds": ["a"]}, "round 0 is no object"),
        ({"prompt": "p", "rounds": [{"reply": "a"}, {"verdict": "fail"}]}, "round 1 has neither"),
        ({"prompt": "p", "rounds": [{"reply": ["a"]}]}, "round 0: `reply` is a list"),
        ({"prompt": "p", "rounds": [{"round": 1, "reply": "a"}, {"round": 0, "reply": "a"}]}, "order"),
        ({**ROW, "model": "m" * 301}, "`model` is longer"),
        ({**ROW, "model": ["m"]}, "`model` is a list"),
        ({**ROW, "entry_point": 3}, "`entry_point`"),
        ({**ROW, "tests": "def (", "tests_kind": "plain_asserts"}, "`tests`: the tests are not Python"),
        ({**ROW, "tests": "x = 1", "tests_kind": "plain_asserts"}, "`tests`: the tests hold no test"),
        ({**ROW, "tests": "def check(c): pass", "tests_kind": "humaneval_check"}, "one `entry_point`"),
    ],
)
def test_a_broken_row_is_named(tmp_path, row, why):
    """Each fault is told with the number of its line, and the good rows can be had without it."""
    path = write(tmp_path, ROW, row, ROW)

    with pytest.raises(UsageProblem, match=rf"(?s)1 rows are no histories.*line 2: .*({why}).*--skip-bad"):
        read_histories(path)
    left = read_histories(path, skip_bad=True)
    assert [history.place for history in left.rows] == ["line 1", "line 3"]
    assert len(left.faults) == 1


def test_nothing_but_broken_rows(tmp_path):
    """A file without one good row is refused in any case; of many faults the first ones are told."""
    path = write(tmp_path, *["{}"] * 9)
    for skip_bad in (False, True):
        with pytest.raises(UsageProblem, match=r"(?s)9 rows are no histories.*line 5:.*and 4 more"):
            read_histories(path, skip_bad=skip_bad)


@pytest.mark.parametrize("kind", ["stdio", "judge_only", "test_suite_target"])
def test_tests_that_cannot_be_run_here(tmp_path, kind):
    """Such a row is a history without tests, and says why."""
    (history,) = read_histories(write(tmp_path, {**ROW, "tests": "1", "tests_kind": kind})).rows
    assert history.tests is None
    assert kind in history.tests_missing


CHECK = "def check(candidate):\n    assert candidate(2) == 4\n"
SUITES = {
    "humaneval": (CHECK, "humaneval_check", ("double",)),
    "humaneval that checks itself": (f"M = dict()\n{CHECK}check(double)", "humaneval_check", ("double",)),
    "humaneval with a call": (f"M = dict()\n{CHECK}", "humaneval_check", ("double",)),
    "checks itself": (f"{CHECK}\ncheck(double)\n", "self_contained_asserts", ()),
    "test inside": (
        f"{CHECK}\ndef test_check():\n    check(double)\n\ntest_check()\n",
        "self_contained_asserts",
        ("double",),
    ),
    "asserts": ("import math\nassert double(2) == math.floor(4.2)", "plain_asserts", ()),
    "bound": ("x = double(2)\ndef g():\n    return x\nassert g() == 4", "plain_asserts", ()),
    "functions alone": ("def test_two():\n    assert double(2) == 4", "self_contained_asserts", ()),
    "pytest": ("from solution import double\n\ndef test_a():\n    assert double(2) == 4", "pytest", ()),
    "imports it anyway": (
        "import solution\n\ndef test_a():\n    assert solution.double(2) == 4",
        "plain_asserts",
        (),
    ),
    "unittest": (
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        assert double(2) == 4",
        "unittest",
        (),
    ),
}
RIGHT, WRONG = "def double(x):\n    return 2 * x", "def double(x):\n    return 3 * x"


def outcome(monkeypatch, tests, script):
    """Run every test of a file on a script: how many there are, and whether all pass."""
    module = types.ModuleType("solution")
    exec(script, vars(module))
    monkeypatch.setitem(sys.modules, "solution", module)
    names = {}
    exec(compile(tests, "tests", "exec"), names)
    found = [value for name, value in names.items() if name.startswith("test")]
    if "T" in names:
        found.append(names["T"]("test_a").test_a)
    try:
        for test in found:
            test()
    except AssertionError:
        return len(found), False
    return len(found), True


@pytest.mark.parametrize("name", SUITES)
def test_suites_become_pytest_files(monkeypatch, name):
    """Loading the file checks nothing; its one test passes on the right script and fails on a wrong one."""
    tests = as_pytest(*SUITES[name])

    assert outcome(monkeypatch, tests, RIGHT) == (1, True)
    assert outcome(monkeypatch, tests, WRONG) == (1, False)
