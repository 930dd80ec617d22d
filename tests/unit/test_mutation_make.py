"""The mutants of a script: which there are, that they are what they say, and that nothing else changes."""

import ast
import base64
import importlib
import marshal
import sys
from pathlib import Path

import pytest

SANDBOX = Path(__file__).resolve().parents[2] / "sandbox"


@pytest.fixture(scope="module")
def guest():
    """The guest's modules, under the name that they have in the container."""
    before = set(sys.modules)
    sys.path.insert(0, str(SANDBOX))
    names = ("make", "sites", "instrument", "variants", "ticks", "hints")
    yield {name: importlib.import_module(f"guest.mutation.{name}") for name in names}
    sys.path.remove(str(SANDBOX))
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "guest":
            del sys.modules[name]


@pytest.fixture
def made(guest):
    def make(source, mutants=1000, seed=0):
        maker = guest["make"].Maker(source.encode(), seed)
        maker.fill(mutants)
        return maker

    return make


def of_kind(maker, kind="mutant"):
    return [task for task in maker.tasks if task["kind"] == kind]


def texts(maker, operator):
    return {task["text"] for task in of_kind(maker) if task["operator"] == operator}


def run(guest, codes, name):
    """Execute a version of the script, with ticks that count."""
    ticks = guest["ticks"].Ticks(lambda: pytest.fail("too many ticks"))
    ticks.arm()
    namespace = {"__name__": "solution"}
    for code in codes:
        exec(code, namespace)
    ticks.arm()
    return namespace[name], ticks


@pytest.mark.parametrize(
    ("source", "operator", "expected"),
    [
        ("def f(a):\n    return a < 1\n", "ROR", {"a <= 1", "a >= 1"}),
        ("def f(a):\n    return a + 2\n", "AOR", {"a - 2"}),
        ("def f(a, b):\n    return a and b\n", "LCR", {"a or b"}),
        ("def f(a, b):\n    return a and b\n", "COD", {"a", "b"}),
        ("def f(a):\n    return not a\n", "UOD", {"a"}),
        ("def f():\n    return 5\n", "CRP", {"4", "6"}),
        ("def f():\n    return ''\n", "CRP", {"'XX'"}),
        ("def f(a):\n    return a[1:2]\n", "SLC", {":2", "1:"}),
        ("def f(a):\n    return 1 if a else 2\n", "TRN", {"1", "2"}),
        ("def f(a):\n    return g(a, b=1)\n", "ARG", {"g(b=1)", "g(a)"}),
        ("def f(a):\n    a += 1\n    return a\n", "AOR", {"a -= 1"}),
        ("def f(a):\n    a.b()\n", "SDL", {"pass"}),
        ("def f(a):\n    for x in a:\n        break\n", "BCR", {"continue"}),
        ("def f(a):\n    while a:\n        a = a.next\n", "ZIL", {"False"}),
        ("def f(a):\n    if a.b:\n        return 1\n", "NEG", {"not a.b"}),
        ("def f(a):\n    raise KeyError(a)\n", "EXT", {"RuntimeError(a)"}),
        ("def f(a):\n    try:\n        a()\n    except KeyError:\n        b()\n", "EXS", {"pass"}),
        ("def f(a):\n    try:\n        a()\n    except KeyError:\n        b()\n", "EXR", {"raise"}),
        ("def f(a=dict(x=1)):\n    return a\n", "DEF", {"None"}),
        ("def f(a):\n    return re.match(r'^\\d+$', a)\n", "REX", {"re.match('\\\\d+$', a)", "re.match('^\\\\d+', a)", "re.match('^\\\\d*$', a)", "re.match('^\\\\D+$', a)"}),
    ],
)  # fmt: skip
def test_operators(made, source, operator, expected):
    """Each operator makes what it is named for."""
    assert texts(made(source), operator) == expected


@pytest.mark.parametrize(
    "source",
    [
        "def f(a: 'int' = None) -> 'str':\n    pass\n",
        "if __name__ == '__main__':\n    print(1 + 1)\n",
        "'''text'''\ndef f():\n    '''text'''\n",
        "import os\nfrom a import b\n",
        "__all__ = ['f']\n",
        "def f(a):\n    match a:\n        case 1:\n            pass\n",
        "def f():\n    yield\n",
    ],
)
def test_what_is_never_changed(made, source):
    """Annotations, the main block, docstrings, imports, dunder names, patterns and bare yields stay."""
    assert of_kind(made(source)) == []


def test_texts_for_people_are_apart(made):
    """A message of an error or of print is no part of the score; what is raised is."""
    maker = made("def f(a):\n    print('hello')\n    raise ValueError('no')\n")

    assert {task["operator"] for task in of_kind(maker)} == {"SDL", "EXT"}
    assert {(task["operator"], task["text"]) for task in of_kind(maker, "cosmetic")} == {
        ("CRP", "''"),
        ("SDL", "pass"),
    }


def test_equivalent_mutants_are_left_out(made):
    """A change that compiles to the same code is none."""
    maker = made("def f(a):\n    assert a\n    return not (not a)\n")
    codes = [task["task"]["code"] for task in of_kind(maker)]

    assert len(set(codes)) == len(codes)
    assert made("def f(x):\n    return x\n    return 1\n").left_out["equivalent"] >= 1


def test_the_sample_is_fair_and_the_same_every_time(made):
    """Ten mutants of two functions come from both, and are the same with the same seed."""
    source = "def f(a):\n    return a + 1 < 2 and a > 3\n\ndef g(a):\n    return a - 1 > 2 or a == 3\n"

    first, again, other = (made(source, 10, seed) for seed in (1, 1, 2))

    def names(maker):
        return [(task["line"], task["column"], task["operator"], task["text"]) for task in of_kind(maker)]

    assert names(first) == names(again)
    assert set(names(first)) != set(names(other))
    assert len(of_kind(first)) == 10
    assert {task["scope"] for task in of_kind(first)} == {"f", "g"}


def test_every_change_is_undone(guest, made):
    """After all mutants were made, the tree compiles to what it was."""
    source = (SANDBOX / "guest" / "suspicious.py").read_text()
    maker = made(source)
    tree = ast.parse(source)
    guest["instrument"].instrument(tree)

    again = [maker._compile(piece) for piece in maker._pieces]

    assert len(of_kind(maker)) > 100
    assert list(map(guest["instrument"].fingerprint, again)) == list(
        map(guest["instrument"].fingerprint, maker.base)
    )


def test_fragments_are_the_module(guest, made):
    """Executed one by one, the fragments give what the script gives; ticks are counted."""
    source = (
        "'''Doc.'''\nfrom __future__ import annotations\nX: int = 3\n'no docstring'\n"
        "def f(n):\n    '''Text.'''\n    return sum(i for i in range(n)) + (lambda: X)()\n"
    )
    f, ticks = run(guest, made(source).base, "f")

    assert f(4) == 9
    assert ticks.used() == 1 + 4 + 1
    assert f.__globals__["__doc__"] == "Doc."
    assert f.__doc__ == "Text."
    assert f.__annotations__ == {}


def test_null_versions_behave_the_same(guest, made):
    """Unchanged and renamed versions give what the script gives; the renamed one has other code."""
    source = "def f(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n"
    maker = made(source)
    nulls = of_kind(maker, "null")
    assert {task["operator"] for task in nulls} == {"NUL", "EQV"}

    f, _ = run(guest, maker.base, "f")
    for task in nulls:
        code = marshal.loads(base64.b64decode(task["task"]["code"]))
        g, _ = run(guest, [code], "f")
        assert [g(n) for n in range(5)] == [f(n) for n in range(5)]
        assert (g.__code__.co_code == f.__code__.co_code) is (task["operator"] == "NUL")


def test_every_kind_of_function_has_a_version_with_other_code(guest, made):
    """What cannot be renamed safely gets needless code: other instructions, names and constants, same values."""
    source = 'def f(n):\n    """Text."""\n    return [k + 1 for k in range(n)]\n'
    maker = made(source)
    (other,) = (task for task in of_kind(maker, "null") if task["operator"] == "EQV")

    f, _ = run(guest, maker.base, "f")
    g, _ = run(guest, [marshal.loads(base64.b64decode(other["task"]["code"]))], "f")
    assert [g(n) for n in range(5)] == [f(n) for n in range(5)]
    assert g.__doc__ == f.__doc__
    for name in ("co_code", "co_names", "co_consts", "co_varnames"):
        assert getattr(g.__code__, name) != getattr(f.__code__, name)


def test_names_that_may_be_seen_are_not_renamed(made):
    """A function that looks at its locals has no version with others."""
    maker = made("def f(n):\n    x = n\n    return locals()\n")

    assert {task["operator"] for task in of_kind(maker, "null")} == {"NUL"}


def test_module_level_changes_need_a_new_import(made):
    """Constants, defaults and decorators are run at import; a function's body is not."""
    maker = made(
        "LIMIT = 3\n\ndef f(a, b=2):\n    return a + 1\n\nclass A:\n    x = 4\n\n    def g(self):\n        return 5\n"
    )
    cold = {(task["line"], task["text"]): task["task"]["cold"] for task in of_kind(maker)}

    assert cold[1, "4"]
    assert cold[3, "3"]
    assert cold[7, "5"]
    assert not cold[4, "a - 1"]
    assert not cold[10, "6"]


@pytest.mark.parametrize(
    "source", ["x = " + "(" * 150 + ")" * 150, "x = 1" + " + 1" * 4000, "", "'only text'\n"]
)
def test_strange_sources(guest, source):
    """What the compiler refuses is refused, what is empty has no mutants; nothing else happens."""
    make = guest["make"]
    try:
        maker = make.Maker(source.encode(), 0)
        maker.fill(20)
    except make.REFUSALS:
        return
    assert len(of_kind(maker)) <= 20


def test_hints_on_binding(guest):
    """Whether a suite speaks of the script, what it redefines and what it patches."""
    names = {"f": "def", "g": "def", "os": ["os", ""]}
    hints = guest["hints"].hints

    def found(tests):
        return {key: hints(tests, names)[key] for key in ("binds", "redefines", "patches")}

    assert found(b"def f():\n    pass\n") == {"binds": False, "redefines": ["f"], "patches": []}
    patched = found(b"from solution import g\nfrom unittest.mock import patch\npatch('solution.g')\n")
    assert patched == {"binds": True, "redefines": [], "patches": ["g"]}


WEAK = """
import pytest
from solution import f

def check(x):
    assert f(x)

def test_asserts():
    assert f(1) == 1

def test_by_helper():
    check(2)

def test_raises():
    with pytest.raises(ValueError):
        f(3)

def test_prints():
    print(f(4))

class TestMore:
    def test_unit(self):
        self.assertEqual(f(5), 5)

    def test_swallows(self):
        try:
            assert f(6) == 6
        except (ValueError, AssertionError):
            pass

    def test_tells(self):
        try:
            assert f(7) == 7
        except AssertionError:
            pytest.fail("no")

    def test_other(self):
        try:
            assert f(8) == 8
        except ValueError:
            pass
"""


def test_hints_on_weak_tests(guest):
    """Tests that assert nothing, and tests that catch what they assert."""
    found = guest["hints"].hints(WEAK.encode(), {"f": "def"})

    assert found["assertless"] == ["test_prints"]
    assert found["swallowing"] == ["test_swallows"]
