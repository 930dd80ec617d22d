"""Tests out of scripts, scripts out of tests, and imports that were forgotten."""

import pytest

from repair.cleaning.clean import Asked, clean_reply
from repair.cleaning.dialects import notebook_magics, python_2
from repair.cleaning.imports import missing_imports
from repair.cleaning.oracle import Oracle
from repair.cleaning.split import split_tests, without_copies

SCRIPT = "# sums\nimport math\n\n\ndef add(a, b):  # exact\n    return math.fsum((a, b))\n"
TESTS = "import pytest\n\n\n@pytest.fixture\ndef one():\n    return 1\n\n\ndef test_add(one):\n    assert add(one, 2) == 3\n"
GUARD = "\n\nif __name__ == '__main__':\n    pytest.main()\n"


def test_tests_become_a_file_of_their_own():
    """Both parts compile, keep their formatting, and the tests import what they use."""
    parts = split_tests(f"{SCRIPT}\n\n{TESTS}{GUARD}", frozenset({"add"}))

    assert parts.script == SCRIPT
    assert parts.tests.startswith("from solution import add\n")
    assert "@pytest.fixture\ndef one():" in parts.tests
    assert "def test_add(one):\n    assert add(one, 2) == 3\n" in parts.tests


@pytest.mark.parametrize(
    "code",
    [
        SCRIPT,  # no tests
        f"{SCRIPT}\n\n{TESTS}\n\nSUITE = [test_add]\n",  # the script uses them
        "def test_add():\n    assert True\n",  # nothing else
        f"{SCRIPT}\n\ndef test_add():\n    return 1\n\n\ndef run():\n    return test_add()\n",
        "def test_cases(n):\n    return n\n",  # what was asked for is called like a test
    ],
)
def test_what_cannot_be_split_stays(code):
    """A script that needs what would go, or is nothing but tests, is left alone."""
    assert (
        split_tests(code, frozenset({"test_cases"}) if "test_cases" in code else frozenset({"add"})) is None
    )


def test_split_tests_reach_the_script():
    """A fenced answer with both gives the script, with its tests beside it; a bare one is kept to the byte."""
    both = f"{SCRIPT}\n\n{TESTS}"
    fenced = clean_reply(f"```python\n{both}```\n", asked=Asked(required=("add",)))

    assert fenced.code == SCRIPT
    assert "def test_add(one)" in fenced.tests
    assert clean_reply(both, asked=Asked(required=("add",))).code == both


def test_copies_of_the_script_go_from_its_tests():
    """A copy that means the same is replaced by an import; one that differs stays."""
    suite = f"{SCRIPT}\n\n{TESTS}"

    assert "from solution import add" in without_copies(suite, SCRIPT)
    assert "def add" not in without_copies(suite, SCRIPT)
    assert without_copies(suite.replace("fsum", "hypot"), SCRIPT) is None
    assert without_copies(TESTS, SCRIPT) is None


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("x = math.pi\n", ("import math",)),
        ("def f(xs: List[int]) -> Dict[str, int]:\n    return {}\n", ("from typing import Dict", "from typing import List")),
        ("d = defaultdict(list)\n", ("from collections import defaultdict",)),
        ("now = datetime.now()\n", ("from datetime import datetime",)),
        ("now = datetime.datetime.now()\n", ("import datetime",)),
        ("import math\nx = math.pi\n", ()),
        ("def f(math):\n    return math.pi\n", ()),
        ("from tools import *\nx = math.pi\n", ()),
        ("def f():\n    time = 1\n    return time\n", ()),
        ("try:\n    math.pi\nexcept NameError:\n    pass\n", ()),
        ("x = re\n", ()),
        ("x = unknown.y\n", ()),
    ],
)  # fmt: skip
def test_missing_imports(code, lines):
    """Only what is surely a name of the standard library, and surely unbound."""
    assert missing_imports(code, Oracle(len(code)).facts(code)) == lines


@pytest.mark.parametrize(
    "head", ['"""Doc."""\n', "from __future__ import annotations\n", "#!/usr/bin/env python\n", ""]
)
def test_imports_go_where_they_may(head):
    """Behind the docstring and `__future__`, before everything else, and the result compiles."""
    script = clean_reply(f"{head}x: List[int] = [math.floor(1.5)]\n")

    assert script.compiles
    assert [edit.rule for edit in script.edits] == ["missing_imports"]
    compile(script.code, "solution.py", "exec")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("print 'a'", "print('a')"),
        ("    print x, y", "    print(x, y)"),
        ("print", "print()"),
        ("print x,", "print(x, end=' ')"),
        ("print >>sys.stderr, x", "print(x, file=sys.stderr)"),
        ("print('a')", "print('a')"),
        ("print ('a %s') % x", "print(('a %s') % x)"),
        ("except ValueError, e:", "except ValueError as e:"),
        ("except (A, B), e:", "except (A, B) as e:"),
        ("raise ValueError, 'x'", "raise ValueError('x')"),
        ("if a <> b: pass", "if a != b: pass"),
        ("s = '<>'", "s = '<>'"),
        ('"""\nprint x\n"""', '"""\nprint x\n"""'),
    ],
)
def test_python_2(old, new):
    """Statements of Python 2 are rewritten; strings are not."""
    assert python_2(old) == new


def test_notebook_magics():
    """Magics become comments, and a block keeps a statement."""
    assert notebook_magics("%time\n!pip install x\nx = 5 % 2\n") == "# %time\n# !pip install x\nx = 5 % 2\n"
    assert notebook_magics("if x:\n    %time y\n") == "if x:\n    pass  # %time y\n"
    assert notebook_magics("In [3]: x = 1\n") == "x = 1\n"
