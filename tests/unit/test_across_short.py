"""The short form of messages: what it carries, what it leaves to the long form, and what it refuses."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.guest.across import short
from sandbox.guest.across.errors import CandidateEnded, Tampered
from sandbox.guest.across.link import LinkBroken
from sandbox.guest.across.mirror import Ref
from tests.unit.across_ends import Hostile, Script, pair

ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-short.LARGE_INT + 1, short.LARGE_INT - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(max_codepoint=127), max_size=40),
    st.text(max_size=40).filter(str.isprintable),
)
SCRIPT = """
import sys

class Thing:
    def __init__(self, number=0):
        self.number = number
    def plus(self, other, *, times=1):
        return self.number + other * times

def echo(*args, **kwargs):
    return (args, kwargs) if kwargs else args[0]

def call(function, *args):
    return function(*args)
"""


def kinds(script):
    """Note the kind of each message that the tests' side gets."""
    found, receive = [], script.peer.link.receive

    def noting():
        message, blob = receive()
        found.append(message[0])
        return message, blob

    script.peer.link.receive = noting
    return found


@pytest.fixture
def alone(monkeypatch):
    """Have the tests' side believe that there is one thread, whatever runs the tests."""
    monkeypatch.setattr("sandbox.guest.across.peer._more_threads", lambda: 0)


@given(st.lists(ATOMS, max_size=5), st.dictionaries(st.text(max_size=5), ATOMS, max_size=3))
def test_plain_values_arrive_as_they_are(values, kwargs):
    """Of the same type, with the same sign of zero, in the same order, under the same names."""
    names = {name: value for name, value in kwargs.items() if name.isascii()}
    text = short.question(7, "call", values, names, pair()[0])
    message = json.loads(text)
    assert text.isascii()
    assert message[:3] == ["c", 7, "call"]
    got, named = short.arguments(message, {}) if names else (short.unpack(message[3], {}), {})
    assert repr(got) == repr(values)
    assert repr(named) == repr(names)


@pytest.mark.parametrize(
    "value",
    [
        2**62,
        -(2**62),
        math.inf,
        math.nan,
        "é\n",
        "é\ud800",
        "\ud800",
        "x" * short.LONG_TEXT,
        1j,
        b"",
        (),
        [],
        {},
        int,
        len,
        object(),
        KeyError("x"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_not_plain_is_left_to_the_long_form(value):
    """Alone, among others and under a name."""
    peer = pair()[0]
    assert short.pack((value,), peer) is None
    assert short.question(1, "call", (1, value, 2), {}, peer) is None
    assert short.question(1, "call", (1,), {"a": value}, peer) is None


def test_objects_of_another_process_are_left_to_the_long_form():
    """Which says that they are stale."""
    one, other = pair()
    assert short.pack((Ref(one, 5),), one) == "[5]"
    assert short.pack((Ref(one, 5),), other) is None


@pytest.mark.parametrize("slot", [[], [1, 2], [5], ["1"], [None], [1.0], [[1]], {}, {"a": 1}], ids=str)
def test_a_slot_that_leads_nowhere_breaks_the_link(slot):
    """Only objects that were handed over can be meant."""
    with pytest.raises(LinkBroken):
        short.unpack([slot], {1: ["x", 1]})
    with pytest.raises(LinkBroken):
        short.known(slot, {1: ["x", 1]})


@pytest.mark.parametrize(
    "message",
    [
        ["c"],
        ["c", 1],
        ["c", 1, "call"],
        ["c", 1, "call", 5],
        ["c", 1, "call", {}],
        ["c", 1, "call", []],
        ["c", 1, "call", [[99]]],
        ["c", 1, "call", [{}]],
        ["c", 1, "call", [1], 5],
        ["c", 1, "call", [1], [5]],
        ["c", 1, "call", [1], ["a", "b"]],
        ["c", 1, "call", [1], [], None],
        ["c", 1, "derive", ["A", 1, 2]],
        ["c", 1, "import", [1]],
        ["c", 1, 5, [1]],
        ["c", "1", "service", ["double", 1]],
        ["c", [1], "service", ["double", 1]],
        ["r"],
        ["r", 7],
        ["r", 7, [5]],
        ["r", 7, {}],
        ["r", 7, 5, 5],
        ["r", 8, 5],
        ["r", [7], 5],
        ["r", "7", 5],
        ["a", [7], True, 5, [], None],
        [{}, 7, 5],
    ],
    ids=str,
)
def test_malformed_short_messages_are_a_breach(message):
    """Parts missing or too many, of no sense, to nobody, or what the script may not ask."""
    with Hostile({"double": lambda x: 2 * x}) as hostile:
        hostile.peer.new_id = lambda: 7
        hostile.link.send(message)
        with pytest.raises(Tampered):
            hostile.peer.ask("call", ())
        assert len(hostile.tampered) == 1
        assert hostile.peer.dead


def test_a_short_question_is_judged_as_a_long_one(alone):
    """What the script may not ask it may not ask shortly either; what it may is answered."""
    for verb, rest, good in (("call", [2], True), ("get", ["__globals__"], False)):
        with Hostile() as hostile:
            handle = hostile.peer.export(_double)
            hostile.link.send(["c", 5, verb, [[handle], *rest]])
            hostile.socket.shutdown(1)
            with pytest.raises(CandidateEnded):
                hostile.peer.ask("call", ())
            (answer,) = [message for message in hostile.hear() if message[0] == "a"]
            assert answer[1:3] == [5, good]
            assert not good or answer[3] == 4


def _double(x):
    return 2 * x


def test_calls_with_plain_values_are_short(alone, tmp_path):
    """Functions, classes, methods, names and callbacks: the answers are the same as ever."""
    with Script(tmp_path, SCRIPT, {"Thing"}) as script:
        module, found = script.module, kinds(script)
        echo, thing = module.echo, module.Thing(4)
        found.clear()
        assert [echo(value) for value in (1, 'a\n"', None, True, 2.5, -0.0)][:5] == [
            1,
            'a\n"',
            None,
            True,
            2.5,
        ]
        assert thing.plus(2) == 6
        assert thing.plus(2, times=3) == 10
        assert echo(thing) is thing
        assert found[:8] == ["r"] * 8
        found.clear()
        assert echo(1, name="x") == ((1,), {"name": "x"})
        assert found == ["a"]


def test_what_a_call_changes_is_told_though_the_call_is_plain(alone, tmp_path):
    """A list that both sides hold keeps both sides to the long form, until it is gone."""
    with Script(tmp_path, "held = []\ndef add(x): held.append(x); return len(held)\n") as script:
        held, add = script.module.held, script.module.add
        assert [add(1), add(2)] == [1, 2]
        assert held == [1, 2]
        held.append(3)
        assert add(4) == 4
        assert held == [1, 2, 3, 4]
        del held
        assert add(5) == 5
        assert script.module.held == [1, 2, 3, 4, 5]
