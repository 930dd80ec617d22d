"""What a hostile script may ask of the tests' side, and what becomes of one that breaks the protocol."""

import collections
import functools
import sys
import types
from unittest import mock

import pytest

from sandbox.guest.across.errors import CandidateEnded, CannotCross, Tampered
from sandbox.guest.across.graph import Encoder
from sandbox.guest.across.permissions import OWN
from tests.unit.across_ends import Hostile, as_json


@pytest.fixture
def hostile():
    """A conversation whose other side is hostile."""
    with Hostile() as made:
        yield made


def given(hostile, value):
    """Hand a value over, as a test does; return the number under which the script may speak of it."""
    encoder = Encoder(hostile.peer)
    encoder.slot(value)
    return as_json(encoder.finish())[0][1]


def asked(hostile, verb, value, *rest, nodes=(), names=()):
    """Have the script ask something of a value that it was handed; return (good, nodes) of the answer."""
    handle = given(hostile, value)
    hostile.question(verb, [[0], *rest], [["yours", handle], *nodes], names)
    return answered(hostile)


def answered(hostile):
    """Let the tests' side answer what was asked, until it finds that the script has gone."""
    hostile.socket.shutdown(1)
    with pytest.raises(CandidateEnded):
        hostile.peer.ask("call", ())
    said = [message for message in hostile.hear() if message[0] == "a"]
    assert len(said) == 1
    return said[0][2], said[0][4]


def refused(answer):
    """Whether the answer is that this cannot cross."""
    good, nodes = answer
    return good is False and any("cannot cross" in str(node) for node in nodes)


def tampers(hostile):
    """Let the tests ask; the script must be found to have broken the protocol."""
    with pytest.raises(Tampered):
        hostile.peer.ask("call", ())
    assert len(hostile.tampered) == 1
    assert hostile.peer.dead
    return hostile.tampered[0]


def own(name, **attributes):
    """A class as if the test file had made it."""
    return type(name, (), {"__module__": OWN, **attributes})


def a_function(x, expected=42):
    """Stand for a function of the tests."""
    return x + expected


# What it may do


def test_what_was_handed_over_may_be_called_and_looked_at(hostile):
    """Calls, public attributes and special methods of an object of the tests are what callbacks are for."""
    for verb, rest, expected in (("call", (1,), 43), ("get", ("__name__",), "a_function")):
        with Hostile() as fresh:
            handle = given(fresh, a_function)
            fresh.question(verb, [[0], *rest], [["yours", handle]])
            fresh.socket.shutdown(1)
            with pytest.raises(CandidateEnded):
                fresh.peer.ask("call", ())
            (answer,) = [message for message in fresh.hear() if message[0] == "a"]
            assert answer[2:4] == [True, expected]
    thing = own("Thing", __len__=lambda _: 3)()
    handle = given(hostile, thing)
    hostile.question("op", ["__len__", [0]], [["yours", handle]])
    good, _ = answered(hostile)
    assert good is True


# Attributes


@pytest.mark.parametrize(
    "name",
    [
        "__globals__",
        "__code__",
        "__closure__",
        "__defaults__",
        "__kwdefaults__",
        "__builtins__",
        "__class__",
        "__mro__",
        "__subclasses__",
        "__reduce_ex__",
        "__getattribute__",
        "__init__",
        "_private",
        "gi_frame",
        "cr_frame",
        "ag_frame",
        "f_back",
        "f_locals",
        "tb_frame",
        "tb_next",
        "co_consts",
        "func_globals",
        5,
        None,
    ],
    ids=str,
)
@pytest.mark.parametrize("verb", ["get", "method"])
def test_inner_attributes_are_refused(hostile, verb, name):
    """No name that leads to frames, code, globals or other insides of the tests is read."""
    assert refused(asked(hostile, verb, a_function if verb == "get" else own("Thing"), name))


def test_names_of_an_error_that_lead_to_frames_are_refused(hostile):
    """An error of the tests has no traceback for the script."""
    with pytest.raises(KeyError) as caught:
        {}["expected"]
    error = type("Own", (KeyError,), {"__module__": OWN})("x").with_traceback(caught.tb)
    assert refused(asked(hostile, "get", error, "__traceback__"))


@pytest.mark.parametrize(
    "value",
    [sys, sys._getframe(), a_function.__code__, types.CellType(5)],
    ids=lambda value: type(value).__name__,
)
def test_modules_frames_code_and_cells_are_never_handed_over(hostile, value):
    """Not as an argument, not in a list, and not as an answer."""
    for each in (value, [value], {"x": (value,)}):
        with pytest.raises(CannotCross):
            given(hostile, each)
    holder = own("Holder", inner=value)()
    assert refused(asked(hostile, "get", holder, "inner"))


@pytest.mark.parametrize(
    "name",
    [
        "assert_called_once",
        "call_args",
        "mock_calls",
        "return_value",
        "side_effect",
        "reset_mock",
        "method_calls",
    ],
)
def test_the_record_of_a_mock_is_not_for_the_script(hostile, name):
    """What a mock has been called with, and what it will return, is the tests' own."""
    assert refused(asked(hostile, "get", mock.Mock(return_value=5), name))


def test_a_plain_attribute_of_a_mock_may_be_read(hostile):
    """A mock stands for an object whose methods the script calls."""
    good, _ = asked(hostile, "get", mock.Mock(), "send")
    assert good is True


# Setting and deleting


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("class", "__init__"),
        ("class", "anything"),
        ("object", "__class__"),
        ("object", "__dict__"),
        ("object", "method"),
        ("object", 5),
        ("function", "__code__"),
        ("function", "attribute"),
        ("partial", "attribute"),
        ("mock", "return_value"),
    ],
    ids=str,
)
@pytest.mark.parametrize("verb", ["set", "del"])
def test_classes_functions_and_methods_of_the_tests_cannot_be_changed(hostile, verb, target, name):
    """Only plain attributes of plain objects of the tests may be set."""
    kind = own("Thing", method=lambda _: 1)
    targets = {"class": kind, "object": kind(), "function": a_function, "mock": mock.Mock()}
    value = targets.get(target) or functools.partial(a_function, 1)
    assert refused(asked(hostile, verb, value, name, *([5] if verb == "set" else [])))


@pytest.mark.parametrize(
    "target", [own("Thing")(), types.SimpleNamespace(x=1)], ids=lambda value: type(value).__name__
)
def test_plain_attributes_of_objects_of_the_tests_may_be_set(hostile, target):
    """A visitor or a builder that a test hands over is changed by the script; that is what it is for."""
    good, _ = asked(hostile, "set", target, "x", 5)
    assert good is True
    assert target.x == 5


# What was never handed over


@pytest.mark.parametrize(
    "verb", ["call", "next", "close", "dir", "copy", "deepcopy", "get", "set", "send", "throw", "method"]
)
def test_a_handle_that_was_never_given_is_a_breach(hostile, verb):
    """The numbers of objects that the tests have kept to themselves cannot be guessed to any use."""
    hostile.question(verb, [[0], "x", 5][: 3 if verb == "set" else 2], [["yours", 12345]])
    assert "never given" in tampers(hostile)


@pytest.mark.parametrize("verb", ["call", "next", "close", "dir", "copy", "deepcopy", "get", "op", "method"])
@pytest.mark.parametrize(
    "node",
    [["type", "builtins", "type"], ["type", "builtins", "object"], ["path", "/work"], ["list", 0, [], None]],
    ids=str,
)
def test_what_both_sides_have_anyway_may_not_be_used_here(hostile, verb, node):
    """Types and values that go by name are no objects of the tests: nothing is called on them on this side."""
    slots = ["__call__", [0]] if verb == "op" else [[0], "mro"]
    hostile.question(verb, slots[: 1 if verb in {"next", "close", "dir", "copy", "deepcopy"} else 2], [node])
    assert refused(answered(hostile))


@pytest.mark.parametrize(
    "name",
    [
        ("os", "system"),
        ("subprocess", "run"),
        ("builtins", "eval"),
        ("os", "_exit"),
        ("importlib", "import_module"),
    ],
)
def test_functions_of_the_library_that_were_never_lent_are_a_breach(hostile, name):
    """Going by name, a function of the library works only if a test has handed over that very one."""
    hostile.question("call", [[0], "id"], [["library", *name]])
    assert "never given" in tampers(hostile)


def test_a_function_of_the_library_that_was_lent_comes_back_as_itself(hostile):
    """A test hands over `os.path.join`: the script may give it back, and it is the same function."""
    import os.path

    encoder = Encoder(hostile.peer)
    encoder.slot(os.path.join)
    (node,) = as_json(encoder.finish())
    assert node == ["library", "posixpath", "join"]
    hostile.question("call", [[0]], [node])
    assert refused(answered(hostile))
    assert hostile.peer.take_library(None, "posixpath", "join") is os.path.join


# Breaches


@pytest.mark.parametrize(
    ("verb", "slots", "names", "nodes", "extras"),
    [
        (5, [], [], [], None),
        (None, [], [], [], None),
        ("call", [[0]], [], [], None),
        ("call", [], ["a"], [], None),
        ("call", [], [], [5], None),
        ("call", [], [], [], 5),
        ("call", [], [], [], [[], []]),
        ("call", [], [], [], None),
        ("no_such", [1], [], [], None),
        ("derive", ["A", 1, 2], [], [], None),
        ("register", [1, 2], [], [], None),
        ("import", [1], [], [], None),
        ("__class__", [1], [], [], None),
        ("service", [], [], [], None),
        ("service", ["no such"], [], [], None),
        ("service", [5], [], [], None),
        ("call", [1, 2], [5], [], None),
        ("call", [1, 2], [[0]], [["t", []]], None),
    ],
    ids=str,
)
def test_questions_that_no_honest_side_asks_are_a_breach(hostile, verb, slots, names, nodes, extras):
    """Questions of no known kind, those that only the tests may ask, and such as lack parts."""
    hostile.question(verb, slots, nodes, names, extras=extras)
    tampers(hostile)


@pytest.mark.parametrize(
    "message",
    [
        [],
        [5],
        ["x"],
        [["q"]],
        ["q"],
        ["q", 1, "call", [], []],
        ["q", 1, "call", 5, 5, 5, 5, 5],
        ["q", *["call"] * 20],
        ["n"],
        ["n", 1],
        ["n", None, None],
        ["a", 1, True, 5, [], None],
        ["a"],
        ["a", "x", True, 5, [], None],
    ],
    ids=str,
)
def test_what_no_honest_side_says_is_a_breach(hostile, message):
    """Messages of the wrong shape, and answers before they are asked."""
    hostile.link.send(message)
    tampers(hostile)


@pytest.mark.parametrize(
    "parts",
    [
        [True, [5], [], None],
        [True, [0], [["no such kind"]], None],
        [False, 5, [], None],
        [False, None, [], None],
        ["yes", 5, [], None],
        [True, 5, [], 7],
        [True, 5, [], None, 1],
        [True, 5],
        [True, 5, 5, None],
    ],
    ids=str,
)
def test_malformed_answers_are_a_breach(hostile, parts):
    """An answer with parts missing, too many or of no sense; an error that is none."""
    # Nobody can know the number; here it is given away.
    hostile.peer.new_id = lambda: 7
    hostile.link.send(["a", 7, *parts])
    tampers(hostile)


def test_an_answer_with_another_number_is_a_breach(hostile):
    """Nobody can answer before the question: its number is drawn at random."""
    numbers = {hostile.peer.new_id() for _ in range(100)}
    assert len(numbers) == 100
    assert max(numbers) > 2**40
    hostile.link.send(["a", 0, True, 5, [], None])
    tampers(hostile)


def test_whoever_has_gone_ends_the_test(hostile):
    """A script that closes its end is no breach of the protocol; nobody waits for it."""
    hostile.link.close()
    with pytest.raises(CandidateEnded):
        hostile.peer.ask("call", ())
    assert hostile.ended == [True]
    assert hostile.tampered == []
    assert hostile.peer.dead


def test_an_error_of_the_tests_that_the_script_swallows_still_counts(hostile):
    """An assertion that fails within a callback is kept for the verdict, whoever catches it."""

    def callback():
        raise AssertionError("expected something else")

    good, _ = asked(hostile, "call", callback)
    assert good is False
    assert isinstance(hostile.peer.failed_within, AssertionError)


def test_an_ordinary_error_of_a_callback_does_not_count_by_itself(hostile):
    """A script may well be asked to catch what a callback raises."""

    def callback():
        raise KeyError("x")

    asked(hostile, "call", callback)
    assert hostile.peer.failed_within is None


def test_a_service_answers_what_it_offers():
    """Input, warnings and the like are asked for by name, and nothing else is."""
    with Hostile({"double": lambda x: 2 * x}) as made:
        made.question("service", ["double", 21])
        good, _ = answered(made)
        assert good is True


def test_too_many_arguments_are_an_answer_and_no_breach(hostile):
    """A callback that is called wrongly raises TypeError on the script's side."""
    good, nodes = asked(hostile, "call", a_function, 1, 2, 3, 4)
    assert good is False
    assert ["type", "builtins", "TypeError"] in nodes


def test_what_the_script_gives_back_is_counted(hostile):
    """An object is held for as long as the script holds it; what it gives back cannot be asked for again."""
    handle = given(hostile, a_function)
    assert handle in hostile.peer._exports
    hostile.question("call", [], [], extras=[[], [], [[handle, 1]], None])
    with pytest.raises(Tampered):
        hostile.peer.ask("call", ())
    assert handle not in hostile.peer._exports
    assert id(a_function) not in hostile.peer._handles


Pair = collections.namedtuple("Pair", "a b")  # noqa: PYI024 -- as many tests make them


def test_public_names_of_tuples_may_be_read(hostile):
    """`_fields` and its like are public, for all their looks."""
    handle_kind = type("Own", (Pair,), {"__module__": OWN})
    good, _ = asked(hostile, "get", handle_kind(1, 2), "_fields")
    assert good is True
