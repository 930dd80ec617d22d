"""Questions that an object of the script answers for itself: near misses, and what answers are worth."""

import collections
import datetime  # noqa: ICN001 -- the name of what crosses
import decimal
import fractions
import math
import random
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.guest.across.decoys import decoys
from sandbox.guest.across.mirror import INFO, MirrorObject, MirrorType, Ref
from sandbox.guest.across.questions import NEAR, Questions, far_misses, is_plain

VALUES = [
    True,
    False,
    0,
    7,
    -(10**30),
    0.0,
    1.5,
    -1e308,
    1e-300,
    math.inf,
    -math.inf,
    1 + 2j,
    "",
    "x",
    "hello",
    "lone \ud800",
    b"",
    b"abc",
    bytearray(b"abc"),
    [],
    [1, "a", None],
    [[1], [2]],
    (),
    (1,),
    set(),
    {1, 2},
    frozenset({"a"}),
    {},
    {"a": 1, "b": [2]},
    {1: None},
    fractions.Fraction(1, 3),
    decimal.Decimal("1.10"),
    decimal.Decimal(0),
    datetime.date(2020, 2, 29),
    datetime.date.max,
    datetime.date.min,
    datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    datetime.timedelta(days=1),
]
ODD = [
    None,
    ...,
    range(3),
    uuid.UUID(int=1),
    math.nan,
    decimal.Decimal("NaN"),
    collections.deque([1]),
    collections.Counter("ab"),
    datetime.time(1),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:40])
def test_decoys_are_of_the_same_type_and_never_equal(value):
    """Other values of the very same type, none of them twice, whatever chance says."""
    for _ in range(20):
        found = decoys(value)
        assert all(type(each) is type(value) for each in found)
        assert not any(each == value for each in found)
        assert len({repr(each) for each in found}) == len(found)


@pytest.mark.parametrize("value", [7, -(10**30), 1.5, "hello", [1, "a", None], {"a": 1, "b": [2]}], ids=ascii)
def test_usual_values_have_many_decoys(value):
    """Who guesses which one is real is wrong more often than not."""
    assert len(decoys(value)) >= 5


PLAIN = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(),
        st.binary(),
        st.dates(),
        st.timedeltas(),
        st.fractions(),
        st.complex_numbers(allow_nan=False, max_magnitude=1e100),
    ),
    lambda inner: st.one_of(
        st.lists(inner), st.tuples(inner, inner), st.dictionaries(st.text(max_size=3), inner)
    ),
    max_leaves=8,
)


@given(PLAIN)
@settings(max_examples=300, deadline=None)
def test_no_decoy_is_equal(value):
    """Whatever is compared: no decoy is equal to it, and asking for them raises nothing."""
    assert not any(each == value for each in decoys(value))


@pytest.mark.parametrize("value", [5, 1.5, (1, 2), None], ids=str)
def test_far_misses_are_nothing_that_was_put_anywhere(value):
    """What a container is asked beside is large and drawn anew each time."""
    first, second = far_misses(value), far_misses(value)
    assert len(first) > 1
    assert {str(miss) for miss in first} != {str(miss) for miss in second}
    assert value not in first


def test_a_seed_of_the_tests_does_not_foretell_the_misses():
    """`random.seed`, which the script may know, has no part in what is asked."""
    drawn = set()
    for _ in range(5):
        random.seed(1)
        drawn.add(str(decoys(10**6)) + str(far_misses(5)))
    assert len(drawn) > 1


class _Peer:
    """Has no part in these questions."""


@pytest.fixture
def thing():
    """A mirror of an object of the script's class `Thing`."""
    ref = Ref(_Peer(), 1)
    kind = MirrorType.make(
        "Thing", (MirrorObject,), {INFO: ref, "__mendbench_made__": True, "__module__": "solution"}
    )
    return object.__new__(kind)


@pytest.fixture
def flags():
    """What was flagged."""
    return []


def test_equality_with_plain_data_is_not_asked_of_a_class_that_the_tests_do_not_name(thing, flags):
    """The expected value is not handed to a script whose class nobody expected; and it is flagged."""
    questions = Questions(frozenset({"Other"}), flags.append)
    for name in ("__eq__", "__ne__"):
        assert questions.misses(name, thing, (5,)) == []
    assert flags == ["equality_of_its_own"] * 2
    assert questions.misses("__lt__", thing, (5,)) == []
    assert flags[2:] == ["order_of_its_own"]


def test_a_class_that_the_tests_name_is_asked_beside_decoys(thing, flags):
    """Its own equality counts, if it can tell the expected value from others."""
    questions = Questions(frozenset({"Thing"}), flags.append)
    assert len(questions.misses("__eq__", thing, (5,))) > NEAR
    assert questions.misses("__lt__", thing, (5,)) is None
    assert questions.misses("__add__", thing, (5,)) is None
    assert flags == []


def test_containers_and_arithmetic_are_asked_beside_others(thing, flags):
    """`in` is asked about what was never put in; differences about other numbers."""
    questions = Questions(frozenset(), flags.append)
    assert len(questions.misses("__contains__", thing, (5,))) > 1
    assert len(questions.misses("__rsub__", thing, (5,))) == NEAR
    assert questions.misses("__radd__", thing, (5,)) is None
    assert questions.misses("__len__", thing, ()) is None
    assert questions.misses("__getitem__", thing, (5,)) is None


def test_between_two_objects_of_the_script_its_word_is_taken(thing, flags):
    """Such a comparison tells the script nothing that it does not know."""
    questions = Questions(frozenset(), flags.append)
    assert questions.misses("__eq__", thing, (thing,)) is None
    assert not is_plain(thing)
    assert is_plain([thing])
    assert flags == []


ERROR = None
"""How an answer that was raised is passed on."""


@pytest.mark.parametrize(
    ("name", "real", "others", "follows"),
    [
        ("__eq__", True, [True, True, True], "tampered"),
        ("__eq__", True, [True, False, True], "failed"),
        ("__eq__", True, [True, *[False] * 8], ""),
        ("__eq__", True, [False, False, False], ""),
        ("__eq__", False, [False, False, False], ""),
        ("__eq__", False, [True, True, True], ""),
        ("__eq__", NotImplemented, [NotImplemented] * 3, ""),
        ("__eq__", 1, [1, 1, 1], "tampered"),
        ("__eq__", "yes", ["yes"] * 3, "tampered"),
        ("__eq__", 0, [0, 0, 0], ""),
        ("__eq__", ERROR, [ERROR] * 3, ""),
        ("__ne__", False, [False, False, False], "tampered"),
        ("__ne__", False, [True, False, True], ""),
        ("__ne__", False, [True, True, True], ""),
        ("__ne__", True, [True, True, True], ""),
        ("__ne__", 0, [0, 0, 0], "tampered"),
        ("__contains__", True, [True, True, True], "failed"),
        ("__contains__", True, [True, False, True], ""),
        ("__contains__", False, [False, False, False], ""),
        ("__sub__", 0.0, [0.0, 0.0, 0.0], "failed"),
        ("__truediv__", 1.0, [1.0, 1.0, 0.5], "failed"),
        ("__sub__", 0.0, [6, 7, 5], ""),
        ("__sub__", 5, [5, 5, 5], ""),
    ],
)
def test_cannot_tell(name, real, others, follows):
    """What follows from the answers: only who says the same of all of them has not looked."""
    assert Questions(frozenset(), print).cannot_tell(name, real, others) == follows
