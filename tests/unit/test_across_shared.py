"""Containers that both sides hold: changes, what is given up, and what is counted."""

import collections

import numpy as np
import pytest

from sandbox.guest.across import shared
from sandbox.guest.across.graph import Decoder, Encoder
from sandbox.guest.across.link import LinkBroken
from tests.unit.across_ends import as_json, encoded, pair

CHANGES = {
    "append": (lambda: [1, 2], lambda x: x.append(3)),
    "sort": (lambda: [3, 1, 2], list.sort),
    "clear": (lambda: [1, 2], list.clear),
    "itself": (lambda: [1], lambda x: x.append(x)),
    "insert": (lambda: {"a": 1}, lambda x: x.update(b=[2])),
    "reorder": (lambda: {"a": 1, "b": 2}, lambda x: x.update(a=x.pop("a"))),
    "symmetric difference": (lambda: {1, 2}, lambda x: x.symmetric_difference_update({2, 3})),
    "bytes": (lambda: bytearray(b"ab"), lambda x: x.extend(b"c")),
    "deque": (lambda: collections.deque([1, 2], maxlen=2), lambda x: x.append(3)),
    "move to end": (lambda: collections.OrderedDict(a=1, b=2), lambda x: x.move_to_end("a")),
    "default": (lambda: collections.defaultdict(list), lambda x: x["new"].append(1)),
    "count": (lambda: collections.Counter("ab"), lambda x: x.update("bc")),
    "array": (lambda: np.zeros((2, 2)), lambda x: x.__setitem__((0, 1), 5.0)),
}


def send(one, other, *values):
    """One message from one side to the other: values, and what is told beside them."""
    encoder = Encoder(one)
    extras = one.extras(encoder)
    slots = encoder.slots(values)
    nodes, extras, slots = as_json(encoder.finish()), as_json(extras), as_json(slots)
    decoder = Decoder(other, nodes, bytes(encoder.blob))
    other.accept_extras(extras, decoder)
    return decoder.values(slots)


def looks(value):
    """Contents and order."""
    return sorted(value) if isinstance(value, set) else repr(value)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_on_either_side_reaches_the_other(name):
    """What one side does to a container, the other has after the next message, whoever made it."""
    make, change = CHANGES[name]
    for change_there in (False, True):
        one, other = pair()
        value = make()
        (there,) = send(one, other, value)
        assert type(there) is type(value)
        change(there if change_there else value)
        send(*((other, one) if change_there else (one, other)))
        assert looks(there) == looks(value)
        assert looks(value) != looks(make())


def test_what_has_not_changed_is_not_sent():
    """No message tells of containers that are as they were."""
    one, other = pair()
    value = [1, [2]]
    (there,) = send(one, other, value)
    assert one.extras(Encoder(one)) is None
    value[1].append(3)
    changes = one.extras(Encoder(one))[0]
    assert [number for number, _ in changes] == [one.shared_containers.number_of(value[1])]
    assert there == [1, [2]]


def test_elements_are_compared_by_identity():
    """An element that was replaced by an equal one has changed: nothing of the script's is asked."""
    one, other = pair()

    class Anything:
        def __eq__(self, _):
            raise AssertionError

        __hash__ = None

    value = [1.0, 2]
    (there,) = send(one, other, value)
    value[0] = 1
    send(one, other)
    assert type(there[0]) is int
    assert not shared.is_same([Anything()], shared.state([Anything()]))


def test_a_container_keeps_its_identity_for_as_long_as_somebody_holds_it():
    """It goes back and forth as one object, until one side has let go of it."""
    one, other = pair()
    value = [1]
    (there,) = send(one, other, value)
    (back,) = send(other, one, there)
    assert back is value
    (again,) = send(one, other, value)
    assert again is there


def test_what_nobody_holds_any_more_is_forgotten_on_both_sides():
    """The table of either side gets no larger than what is in use."""
    one, other = pair()
    value = [1]
    there = send(one, other, value)
    there.clear()
    assert len(one.shared_containers.entries) == len(other.shared_containers.entries) == 1
    send(other, one)
    assert not one.shared_containers
    assert not other.shared_containers
    assert one.shared_containers._numbers == other.shared_containers._numbers == {}


def test_a_change_made_just_before_letting_go_arrives():
    """The script's side sorts a list and returns: nobody there holds it when the answer is sent."""
    one, other = pair()
    value = [3, 1, 2]

    def call():
        (there,) = send(one, other, value)
        there.sort()

    call()
    send(other, one)
    assert value == [1, 2, 3]
    assert not one.shared_containers


def test_of_too_many_the_oldest_go_on_as_copies():
    """The table has a bound: past it the two sides have each their own."""
    one, other = pair()
    values = [[number] for number in range(shared.MOST + 10)]
    there = [send(one, other, value)[0] for value in values]
    send(one, other)
    assert len(one.shared_containers.entries) == len(other.shared_containers.entries) == shared.MOST
    values[-1].append("new")
    values[0].append("old")
    send(one, other)
    assert there[-1] == [shared.MOST + 9, "new"]
    assert there[0] == [0]


def test_numbers_of_the_two_sides_do_not_meet():
    """Each side gives numbers that the other never gives."""
    one, other = pair()
    first = {encoded(one, [1])[0][0][1] for _ in range(20)}
    second = {encoded(other, [1])[0][0][1] for _ in range(20)}
    assert len(first) == len(second) == 20
    assert not first & second


@pytest.mark.parametrize(
    "extras",
    [
        5,
        [],
        [[], []],
        [5, [], [], None],
        [[5], [], [], None],
        [[[1]], [], [], None],
        [[[1, 2, 3]], [], [], None],
        [[[1, None]], [], [], None],
        [[[1, 5]], [], [], None],
        [[[1, [[7]]]], [], [], None],
        [[], [], [], [7]],
    ],
    ids=str,
)
def test_malformed_changes_break_the_link(extras):
    """Lists of changes that are none, of the wrong length, or that lead nowhere."""
    one, other = pair()
    there = send(one, other, [1])
    with pytest.raises(LinkBroken):
        other.accept_extras(extras, Decoder(other, [], b""))
    assert there == [[1]]


@pytest.mark.parametrize(
    "value", [[1], {"a": 1}, {1}, bytearray(b"a"), np.zeros(2)], ids=lambda v: type(v).__name__
)
def test_changes_that_do_not_fit_the_container_break_the_link(value):
    """Odd numbers of keys and values, what cannot be hashed, bytes that are not there, other shapes."""
    one, other = pair()
    (there,) = send(one, other, value)
    number = one.shared_containers.number_of(value)
    nodes = [["list", 0, [], None]]
    content = {list: 5, dict: [1, 2, 3], set: [[0]], bytearray: [0, 9], np.ndarray: ["<f8", [3], 0, 24]}[
        type(value)
    ]
    with pytest.raises(LinkBroken):
        other.accept_extras([[[number, content]], [], [], None], Decoder(other, nodes, b"\0" * 8))
    assert there is not None


def test_what_is_told_of_unknown_containers_and_handles_is_overheard():
    """The other side may have let go of something in the meantime: that is no fault."""
    one, other = pair()
    other.accept_extras(
        [[[99, []]], [98, "x", None], [[5, 1], [1], "x", [None, None]], None], Decoder(other, [], b"")
    )
    assert not other.shared_containers
    assert one is not other


def test_a_container_cannot_be_given_a_number_in_use():
    """Else one side could make the other mistake one list for another."""
    one, other = pair()
    nodes, blob, slot = encoded(one, [1])
    held = Decoder(other, nodes, blob).value(slot)
    with pytest.raises(LinkBroken, match="in use"):
        Decoder(other, nodes, blob)
    assert held == [1]
