"""What the guest learns from syntax trees, and the stub it makes of it."""

import types

import pytest

from sandbox.guest import names, stub, suite
from sandbox.guest.stub import StubModule, id_depends_on, make_stub

SCRIPT = b"""
import math
import os.path
import numpy as np
from typing import List, Optional as Maybe
from collections import *
LIMIT, (LOW, HIGH) = 1, (2, 3)
TYPED: int = 4
_private = 5
def f(): inner = 1
async def g(): pass
class C: pass
class Bad(ValueError): pass
class Colour(Enum): RED = 1
class Text(str, Enum): A = 'a'
if True:
    def branch(): pass
try:
    import nothing
except ImportError:
    fallback = None
"""


@pytest.fixture
def module():
    found = names.bound_names(SCRIPT)
    return StubModule(found["names"], found["exported"])


def test_bound_names():
    """Everything that a script binds at its top level is found, with its kind."""
    found = names.bound_names(SCRIPT)["names"]

    assert found == {
        "math": ["math", ""],
        "os": ["os", ""],
        "np": ["numpy", ""],
        "List": ["typing", "List"],
        "Maybe": ["typing", "Optional"],
        "*collections": ["collections", "*"],
        **dict.fromkeys(["LIMIT", "LOW", "HIGH", "TYPED", "_private", "fallback"], "value"),
        **dict.fromkeys(["f", "g", "branch"], "def"),
        "C": "class",
        "Text": "class",
        "Bad": "error",
        "Colour": "enum",
        "nothing": ["nothing", ""],
    }


def test_all_is_taken_where_it_is_plain():
    """`__all__` counts where it is a plain list of texts."""
    assert names.bound_names(b"__all__ = ['a', 1, 'b']")["exported"] == ["a", "b"]
    assert names.bound_names(b"__all__ = make()")["exported"] is None


def test_star_import_gives_what_the_script_would(module):
    """`from solution import *` binds public names, real imports and what star imports bring."""
    public = set(module.__all__)

    assert {"f", "C", "LIMIT", "List", "math", "OrderedDict"} <= public
    assert not {"_private", "*collections"} & public
    assert module.OrderedDict.__module__ == "collections"
    assert isinstance(module.math, types.ModuleType)


def test_calling_a_stub_is_refused_by_name(module):
    """What is called at import time is named, with what to do."""
    with pytest.raises(NotImplementedError, match=r"solution\.f was called .* must not use the module"):
        module.f(1)


USES = {
    "iterate": list,
    "add": lambda value: value + 1,
    "radd": lambda value: 1 + value,
    "compare": lambda value: value < 1,
    "len": len,
    "format": lambda value: f"{value}",
    "negate": lambda value: -value,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_computing_with_a_stub_is_refused(module, use):
    """A value of the script cannot be computed with while tests are collected."""
    with pytest.raises(NotImplementedError, match=r"solution\.LIMIT"):
        use(module.LIMIT)


def test_stub_can_be_subclassed_and_decorate(module):
    """Tests may derive from the script's classes and use its decorators when they are defined."""

    class Own(module.C):
        def double(self):
            return 2

    @module.f
    def decorated():
        return 3

    assert Own().double() == 2
    assert decorated() == 3
    assert issubclass(module.Bad, Exception)
    assert module.C | None


def test_ids_that_need_a_value_are_named(module):
    """A class or function shows by name in a test id; a value would show as itself, so it is refused."""
    assert [id_depends_on(getattr(module, name)) for name in ("f", "C", "Bad")] == ["", "", ""]
    assert id_depends_on(module.LIMIT) == "LIMIT"
    assert id_depends_on(module.Colour.RED) == ""
    assert id_depends_on(module.C.SIZE) == "C.SIZE"
    assert id_depends_on(5) == ""


def test_stub_is_not_a_class_made_from_one():
    """A class that a test derives from a stub is the test's own."""
    base = make_stub("Base", "class")

    assert stub.is_stub(base)
    assert not stub.is_stub(type(base)("Own", (base,), {}))


def test_names_that_tests_define():
    """Functions and classes at any depth and assigned names count; imported ones do not."""
    source = b"from solution import *\nimport x\ntest_a = make()\ndef test_b(): pass\nclass TestC:\n    def test_d(self): pass\n"

    assert names.test_names(source) == {"test_a", "test_b", "TestC", "test_d"}


@pytest.mark.parametrize(
    ("nodeid", "expected"),
    [
        ("test_solution.py::test_a", ("test_solution.py", "test_a")),
        ("test_solution.py::TestB::test_c[1]", ("test_solution.py", "TestB::test_c[1]")),
        ("dir/test_x.py::test_[a::b]", ("test_x.py", "test_[a::b]")),
        ("t.py::test_é\n\x1b[31m", ("t.py", r"test_\xe9\n\x1b[31m")),
        ("t.py::test_\ud83d", ("t.py", r"test_\ud83d")),
    ],
)
def test_short_ids(nodeid, expected):
    """A test id is pytest's node id without the file name, in printable ASCII."""
    assert suite.short_id(nodeid) == expected


def test_long_ids_stay_different():
    """Ids too long to keep are cut, and still tell tests apart."""
    one, other = (suite.short_id(f"t.py::test_[{'y' * 10_000}{n}]")[1] for n in (1, 2))

    assert one != other
    assert len(one) <= suite.MAX_ID
