"""Values on their way between two processes: every kind, shared references and cycles, and hostile nodes."""

import collections
import contextlib
import datetime  # noqa: ICN001 -- the name of what crosses
import decimal
import fractions
import math
import pathlib
import re
import string
import types
import uuid
import zoneinfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.guest.across import containers, graph, kinds
from sandbox.guest.across.errors import CandidateEnded, CannotCross
from sandbox.guest.across.graph import Decoder, Encoder
from sandbox.guest.across.link import LinkBroken
from tests.unit.across_ends import Hostile, as_json, carried, encoded, pair

UTC = datetime.UTC
EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30), "East")
VALUES = [
    None,
    True,
    0,
    -(2**61),
    2**62,
    -(2**5000),
    10**4000,
    1.5,
    -0.0,
    math.inf,
    -math.inf,
    1e308,
    5e-324,
    1.5 - 2j,
    complex(-0.0, math.inf),
    "",
    "ä \U0001f600 \x00 '\"\\ \u2028",
    "lone \ud800 half",
    "x" * 5000,
    b"",
    bytes(range(256)),
    bytearray(b"abc"),
    (),
    (1, ("a", (None,))),
    [],
    [1, [2, [3]]],
    {},
    {"b": 1, "a": [2], (1, 2): {"c": 3}, None: 0, 1.5: b""},
    {1, "a", (2, 3)},
    set(),
    frozenset({1, frozenset({2})}),
    range(3),
    range(10**20, 0, -7),
    slice(None, 3, (1, 2)),
    ...,
    NotImplemented,
    collections.deque([1, 2], maxlen=3),
    collections.deque(),
    collections.OrderedDict([("b", 1), ("a", 2)]),
    collections.Counter("aab"),
    datetime.date(2020, 2, 29),
    datetime.time(1, 2, 3, 4, fold=1),
    datetime.time(1, 2, tzinfo=UTC),
    datetime.datetime(1999, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001 -- these are values, too
    datetime.datetime(2020, 1, 1, tzinfo=EAST, fold=1),
    datetime.timedelta(-1, 5, 7),
    UTC,
    EAST,
    zoneinfo.ZoneInfo("UTC"),
    decimal.Decimal("1.10"),
    decimal.Decimal("-Infinity"),
    decimal.Decimal("1E+999"),
    fractions.Fraction(-7, 3),
    uuid.UUID(int=5),
    pathlib.Path("/a/b"),
    pathlib.PurePosixPath("c/d"),
    re.compile("(?i)a+(?P<x>b)", re.MULTILINE),
    re.compile(b"\xff"),
]
MUTABLE = [
    list,
    dict,
    set,
    bytearray,
    collections.deque,
    collections.OrderedDict,
    collections.Counter,
    lambda: collections.defaultdict(list),
]


def looks(value):
    """A text that tells apart what `==` does not: zeros of both signs, 1 and True, the order of a dict."""
    return sorted(map(repr, value)) if isinstance(value, set | frozenset) else repr(value)


def named(value):
    """A name that is the same in every process: the order of a set is not."""
    return f"{type(value).__name__} {looks(value)}"[:50].encode("ascii", "replace").decode()


@pytest.mark.parametrize("value", VALUES, ids=named)
def test_plain_values_arrive_as_they_were(value):
    """Each value is the same on the other side, of exactly its type, alone and inside of others."""
    for wrapped in (value, [value], (value, value), {"key": value}):
        arrived = carried(wrapped)
        assert type(arrived) is type(wrapped)
        assert arrived == wrapped
        assert looks(arrived) == looks(wrapped)


def test_what_has_no_equality_arrives_as_it_was():
    """Not-a-number, views, maps, matches, arrays and scalars of numpy, factories of default values."""
    assert math.isnan(carried(math.nan))
    assert carried(decimal.Decimal("sNaN")).is_snan()
    assert bytes(carried(memoryview(b"abc"))) == b"abc"
    source = {"a": 1, "b": 2}
    held, proxy, keys, items, values = carried(
        [source, types.MappingProxyType(source), source.keys(), source.items(), source.values()]
    )
    assert (type(proxy), dict(proxy), list(keys), list(items), list(values)) == (
        types.MappingProxyType,
        source,
        ["a", "b"],
        [("a", 1), ("b", 2)],
        [1, 2],
    )
    held["c"] = 3
    assert proxy["c"] == 3
    assert len(values) == 3
    default = carried(collections.defaultdict(int, a=1))
    assert type(default) is collections.defaultdict
    assert default["new"] == 0
    assert default == {"a": 1, "new": 0}
    for found in (
        re.search("b(c)", "abcd"),
        re.match("a", "abc"),
        re.fullmatch("(?P<x>a+)", "aa"),
        re.compile("c").match("abc", 2),
    ):
        arrived = carried(found)
        assert (arrived.regs, arrived.string, arrived.re, arrived.groupdict()) == (
            found.regs,
            found.string,
            found.re,
            found.groupdict(),
        )
    assert carried(None) is None


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="<i4").reshape(2, 3),
        np.array([1.5, np.nan, -np.inf]),
        np.array(["a", "ünï"]),
        np.zeros((0, 4), dtype=bool),
        np.array(5j),
        np.array([(1, 2.5)], dtype=[("n", "i8"), ("x", "f8")]),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.arange(10)[::3],
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_arrive_as_they_were(array):
    """Numbers, texts, dates and records, of any shape and order of memory; scalars keep their type."""
    arrived = carried(array)
    assert arrived.dtype == array.dtype
    assert arrived.shape == array.shape
    assert arrived.tobytes() == array.tobytes()
    assert arrived.flags.writeable
    if array.size and array.dtype.names is None:
        scalar = array.reshape(-1)[0]
        assert type(carried(scalar)) is type(scalar)
        assert carried(scalar).tobytes() == scalar.tobytes()


def test_arrays_of_objects_do_not_arrive_as_data():
    """What holds objects is no data: its bytes would be addresses."""
    with pytest.raises(LinkBroken, match="array of objects"):
        Decoder(pair()[0], [["array", 0, ["|O", [1], 0, 8]]], b"\0" * 8)


def test_every_kind_is_tried_above():
    """No kind of node is left out of the tests that carry values."""
    source = {"a": 1}
    others = [
        *(memoryview(b""), types.MappingProxyType(source), source.keys(), source.items(), source.values()),
        *(collections.defaultdict(int), re.match("a", "a"), np.arange(2), np.int8(1), math.nan),
    ]
    seen = set()
    twice = pair()[0]
    for value in (*VALUES, *others):
        seen |= {node[0] for node in encoded(twice, value)[0]}
    shared = [1]
    encoded(twice, shared)
    seen |= {node[0] for node in encoded(twice, shared)[0]}
    assert set(kinds.BUILD) | set(containers.EMPTY) <= seen | {"nothing"}


@pytest.mark.parametrize("make", MUTABLE)
def test_a_container_may_hold_itself(make):
    """A cycle is one on the other side too, and a container that is met twice is one container."""
    one, other = make(), make()
    if isinstance(one, dict):
        one["self"] = [one]
        inner = carried(one)["self"][0]["self"][0]
        assert inner["self"][0] is inner
    elif isinstance(one, list | collections.deque):
        one.extend([one, (one,)])
        arrived = carried(one)
        assert arrived[0] is arrived
        assert arrived[1][0] is arrived
    first, again, unlike = carried([one, one, other])
    assert first is again
    assert first is not unlike


def test_depth_is_no_limit():
    """Lists and dicts may be nested deeper than the interpreter's stack."""
    deep = []
    for _ in range(20_000):
        deep = [deep, {}]
    arrived, depth = carried(deep), 0
    while arrived:
        arrived, depth = arrived[0], depth + 1
    assert depth == 20_000


def test_what_cannot_change_has_a_bound_to_its_depth():
    """Tuples that would overflow the stack of C when they are hashed do not arrive, however they are put together."""
    upwards = [["t", []], *(["t", [[index]]] for index in range(graph.MAX_DEPTH + 2))]
    for nodes in (upwards, [["t", [[index + 1]]] for index in range(graph.MAX_DEPTH + 2)] + [["t", []]]):
        with pytest.raises(CannotCross, match="deep"):
            Decoder(pair()[0], nodes, b"")
    assert len({carried(((),))}) == 1


SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=8)),
    *(
        st.complex_numbers(),
        st.fractions(),
        st.decimals(allow_nan=False),
        st.dates(),
        st.timedeltas(),
        st.uuids(),
    ),
    st.text(alphabet=string.ascii_letters + "\ud800ß", max_size=5),
)
KEYS = st.one_of(st.integers(-5, 5), st.text(max_size=3), st.tuples(st.integers(0, 3), st.text(max_size=2)))


@st.composite
def graphs(draw):
    """A graph of containers that hold scalars, earlier and later containers, and themselves."""
    count = draw(st.integers(1, 8))
    made = [draw(st.sampled_from(MUTABLE[:2] + MUTABLE[4:6]))() for _ in range(count)]
    everything = list(made)
    for _ in range(draw(st.integers(0, 4))):
        parts = draw(st.lists(st.integers(0, len(everything) - 1), max_size=3))
        everything.append(tuple(everything[part] for part in parts))
    leaves = st.one_of(
        SCALARS,
        st.sets(KEYS, max_size=4),
        st.frozensets(KEYS, max_size=4),
        st.builds(bytearray, st.binary(max_size=4)),
    )
    for container in made:
        parts = draw(
            st.lists(st.one_of(leaves, st.integers(0, len(everything) - 1).map(lambda at: (at,))), max_size=5)
        )
        values = [everything[part[0]] if type(part) is tuple else part for part in parts]
        if isinstance(container, dict):
            keys = draw(st.lists(KEYS, min_size=len(values), max_size=len(values), unique=True))
            container.update(zip(keys, values, strict=True))
        else:
            container.extend(values)
    return draw(st.sampled_from(everything))


def assert_same_graph(one, other):
    """Walk both at once: same types, same leaves, and the same containers where the same are met."""
    there, back, todo = {}, {}, [(one, other)]
    while todo:
        left, right = todo.pop()
        assert type(left) is type(right)
        if not isinstance(left, list | tuple | dict | set | frozenset | bytearray | collections.deque):
            assert looks(left) == looks(right)
            continue
        if id(left) in there:
            assert there[id(left)] == id(right)
            continue
        there[id(left)] = id(right)
        if not isinstance(left, tuple | frozenset):
            assert id(right) not in back
            back[id(right)] = id(left)
        if isinstance(left, set | frozenset | bytearray):
            assert left == right
            assert looks(left) == looks(right)
            continue
        assert len(left) == len(right)
        if isinstance(left, dict):
            assert list(map(repr, left)) == list(map(repr, right))
            left, right = left.values(), right.values()
        todo += zip(left, right, strict=True)


@given(graphs())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_graph_arrives_in_its_own_shape(value):
    """Nested values with shared references and cycles have the same shape on the other side."""
    one, other = pair()
    nodes, blob, slot = encoded(one, value)
    assert_same_graph(value, Decoder(other, nodes, blob).value(slot))


@given(st.lists(graphs(), min_size=2, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_known_goes_by_its_number(values):
    """Sent again in a later message, and sent back, a container is the one that was sent before."""
    one, other = pair()
    nodes, blob, slot = encoded(one, values)
    arrived = Decoder(other, nodes, blob).value(slot)
    again = Decoder(other, *encoded(one, values)[:2]).value(encoded(one, values)[2])
    assert again is arrived
    nodes, blob, slot = encoded(other, arrived)
    assert Decoder(one, nodes, blob).value(slot) is values


MALFORMED = [
    "no list",
    None,
    {},
    [None],
    [5],
    ["t"],
    [[]],
    [[[]]],
    [[None]],
    [["no such kind"]],
    [["__init__"]],
    [["list"]],
    [["list", 0]],
    [["list", 0, None, None]],
    [["list", "0", [], None]],
    [["list", 1.5, [], None]],
    [["list", True, [], None]],
    [["list", -1, [], None, None]],
    [["list", 0, [[7]], None]],
    [["list", 0, [[-1]], None]],
    [["list", 0, [[0, 0]], None]],
    [["list", 0, [[[0]]], None]],
    [["list", 0, [["0"]], None]],
    [["list", 0, [[]], None]],
    [["list", 0, [{}], None]],
    [["t", [{"a": 1}]]],
    [["list", 1, [], None], ["list", 1, [], None]],
    [["dict", 0, [1], None]],
    [["dict", 0, [[1], 1], None], ["list", 0, [], None]],
    [["set", 0, [[1]], None], ["list", 0, [], None]],
    [["counter", 0, [1, 2, 3], None]],
    [["ordered", 0, [[0], 2], None]],
    [["deque", 0, [], "x"]],
    [["deque", 0, [], -1]],
    [["bytearray", 0, None, None]],
    [["bytearray", 0, [0, 9], None]],
    [["bytearray", 0, [0], None]],
    [["defaultdict", 0, [], 5]],
    [["defaultdict", 0, [], [0]]],
    [["t"]],
    [["t", 5]],
    [["t", "ab"]],
    [["t", {"a": 1}]],
    [["t", [[0]]]],
    [["t", [[1]]], ["t", [[0]]]],
    [["f", [[1]]], ["list", 0, [], None]],
    [["f", [[1]]], ["dict", 0, [], None]],
    [["s"]],
    [["s", 0, 5]],
    [["s", -1, 1]],
    [["s", 0.0, 0.0]],
    [["s", None, None]],
    [["b", 2, 3]],
    [["b", 10**30, 0]],
    [["memory", 0, -1]],
    [["i", 5]],
    [["i", "zz"]],
    [["i", None]],
    [["i"]],
    [["n", "x"]],
    [["n", []]],
    [["c", "1"]],
    [["c", "x", "y"]],
    [["range", [1, 2, 0]]],
    [["range", ["a"]]],
    [["range", []]],
    [["slice", [1, 2, 3, 4]]],
    [["date", 2020, 13, 1]],
    [["date", "2020", 1, 1]],
    [["date", 2020]],
    [["time", 25, 0, 0, 0, None, 0]],
    [["time", 1, 0, 0, 0, 5, 0]],
    [["time", 1]],
    [["datetime", 2020, 1, 1, 0, 0, 0, 0, "UTC", 0]],
    [["datetime", 2020, 1, 1]],
    [["delta", 10**30, 0, 0]],
    [["delta", None]],
    [["zone", 5, None]],
    [["zone", [1], 5], ["delta", 0, 0, 0]],
    [["zone", [1], None], ["delta", 5, 0, 0]],
    [["decimal", "x"]],
    [["decimal", [1, 2]]],
    [["fraction", [1, 0]]],
    [["fraction", ["x"]]],
    [["pattern", "(", 0]],
    [["pattern", "a", "b"]],
    [["pattern", 5, 0]],
    [["match", "a", "a", "match", 0]],
    [["match", [1], "b", "finditer"], ["pattern", "a", 0]],
    [["match", [1], 5, "search"], ["pattern", "a", 0]],
    [["match", [1], "b", None], ["pattern", "a", 0]],
    [["zoneinfo", "../../etc/passwd"]],
    [["zoneinfo", "No/Where"]],
    [["zoneinfo", 5]],
    [["zoneinfo", "a\0b"]],
    [["uuid", "xyz"]],
    [["uuid", 5]],
    [["path", 5]],
    [["purepath", None]],
    [["proxy", 5]],
    [["keys", 5]],
    [["items", [1]], ["list", 0, [], None]],
    [["values", "abc"]],
    [["@", 5]],
    [["@", "1"]],
    [["@", None]],
    [["@", [0]]],
    [["array", 0, None]],
    [["array", 0, ["no type", [1], 0, 0]]],
    [["array", 0, ["<i8", [10**9], 0, 0]]],
    [["array", 0, ["<i8", "x", 0, 0]]],
    [["array", 0, [[["a"]], [1], 0, 0]]],
    [["array", 0, [[[5, "<i8"]], [1], 0, 0]]],
    [["array", 0, ["<i8,O", [0], 0, 0]]],
    [["array", "x", ["<i8", [0], 0, 0]]],
    [["scalar", ["<i8", [3], 0, 0]]],
    [["scalar", []]],
    [["yours", 1]],
    [["yours", "1"]],
    [["yours"]],
    [["type", "os", "system"]],
    [["type", "builtins", "eval"]],
    [["type", [], {}]],
    [["type", "csv", "no such"]],
    [["type", "socket", "__doc__"]],
    [["class", 5]],
    [["class", "x"]],
    [["class", 5, 1, 2]],
    [["class", 5, *[None] * 17]],
    [
        [
            "class",
            5,
            "A",
            "A",
            "m",
            None,
            [5],
            None,
            [],
            [],
            "class",
            None,
            [],
            False,
            None,
            None,
            None,
            None,
            None,
        ]
    ],
    [
        [
            "class",
            5,
            "A",
            "A",
            "m",
            None,
            [[1]],
            None,
            [],
            [],
            "class",
            None,
            [],
            False,
            None,
            None,
            None,
            None,
            None,
        ],
        ["type", "builtins", "bool"],
    ],
    [
        [
            "class",
            5,
            "A",
            "A",
            "m",
            None,
            [[0]],
            None,
            [],
            [],
            "class",
            None,
            [],
            False,
            None,
            None,
            None,
            None,
            None,
        ]
    ],
    [["function", 5]],
    [["function", None, *[None] * 7]],
    [["function", 5, "f", "f", None, "m", 0, 7, 7]],
    [["callable", 5, "f", "f", None, "m", 0, 7, 7]],
    [["method", 5, "x"]],
    [["bound", 5, 5]],
    [["object", 5]],
    [["object", 5, 7]],
    [["object", None, [1]], ["type", "builtins", "int"]],
    [["data", 5, [1], 5], ["type", "builtins", "int"]],
    [["data", 5, [1], "x"], ["type", "builtins", "int"]],
    [["data", 5, 5, 5]],
    [["held", 5, [1], 0, [1]], ["type", "builtins", "int"]],
    [["held", 5, [1], 0, [[9]]], ["type", "builtins", "list"]],
    [["member", [1], "RED", None], ["type", "builtins", "int"]],
    [["member", [1], "RED", None], ["type", "enum", "Enum"]],
    [["member", None, None, None]],
    [["error", 0, 5, 5, 5, None, None, False, [], []]],
    [["error", 0, [1], [2], [2], None, None, False, [2], [2]], ["type", "builtins", "int"], ["t", []]],
    [["error", 0, [1], 5, [2], None, None, False, [2], [2]], ["type", "builtins", "ValueError"], ["t", []]],
    [["error", 0, [1], [2], [2], 5, None, False, [2], [2]], ["type", "builtins", "ValueError"], ["t", []]],
    [["error", 0, [1], [2], 7, None, None, False, [2], [2]], ["type", "builtins", "ValueError"], ["t", []]],
    [["error", 0, [1], [2], [2], None, None, False, 5, 5], ["type", "builtins", "ValueError"], ["t", []]],
    [["again", 5, None, None, False, None, None]],
    [["wrap", "eval", ["1"]]],
    [["wrap", "property", 5]],
    [["signature", 5]],
    [["signature", [1]], ["t", ["xy", 5]]],
    [["expression", "typing", "Any", 5]],
    [["library", "os", "system"]],
    [["descriptor", 5, "x"]],
    [["generator", None, True]],
    [["coroutine", "x", True]],
    [["module", "x", "y"]],
    [["logger"]],
]


@pytest.mark.parametrize("nodes", MALFORMED, ids=lambda nodes: str(nodes)[:60])
def test_malformed_nodes_are_the_other_sides_fault(nodes):
    """Whatever is wrong with a message, one of two errors says so: never another one."""
    with Hostile() as hostile:
        try:
            made = Decoder(hostile.peer, as_json(nodes), b"abc").values(
                [[index] for index in range(len(nodes))]
            )
        except (LinkBroken, CannotCross):
            return
    pytest.fail(f"it was taken: {made}")


@pytest.mark.parametrize("slot", [[0], [], [None], ["x"], [0, 0], [[0]], [-1], [True]])
def test_slots_that_lead_nowhere_are_refused(slot):
    """A slot must name a node of its message."""
    with pytest.raises(LinkBroken):
        Decoder(pair()[0], [], b"").value(slot)


KINDS = sorted(
    {*kinds.BUILD, *containers.EMPTY}
    | {
        nodes[0][0]
        for nodes in MALFORMED
        if nodes
        and isinstance(nodes, list)
        and isinstance(nodes[0], list)
        and nodes[0]
        and isinstance(nodes[0][0], str)
    }
)
JUNK = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(-3, 9), st.floats(), st.text(max_size=4), st.just(10**30)),
        st.sampled_from(
            [
                "RED",
                "class",
                "enum",
                "builtins",
                "ValueError",
                "int",
                "typing",
                "List",
                "solution",
                "match",
                "<i8",
                "0x1",
            ]
        ),
        st.integers(0, 6).map(lambda at: [at]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=6,
)
NODES = st.lists(
    st.one_of(
        st.builds(lambda kind, rest: [kind, *rest], st.sampled_from(KINDS), st.lists(JUNK, max_size=10)),
        st.sampled_from([nodes[0] for nodes in MALFORMED if isinstance(nodes, list) and nodes]),
        st.sampled_from(
            [["type", "builtins", name] for name in ("int", "list", "dict", "ValueError", "object", "type")]
        ),
        st.just(
            [
                "class",
                4,
                "A",
                "A",
                "m",
                None,
                [],
                None,
                ["__eq__", "__hash__"],
                [],
                "class",
                [0],
                [],
                False,
                None,
                [0],
                [0],
                [0],
                [0],
            ]
        ),
        st.just(["object", 9, [2]]),
        st.just(["t", []]),
    ),
    max_size=7,
)


@given(NODES, st.binary(max_size=12))
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_message_raises_anything_else(nodes, blob):
    """Of nodes put together at random come values, or one of the two errors."""
    with Hostile() as hostile:
        hostile.link.close()
        # The last one where a value asks something while it is made: nobody is there to answer.
        with contextlib.suppress(LinkBroken, CannotCross, CandidateEnded):
            Decoder(hostile.peer, nodes, blob)


def test_too_many_nodes_are_refused(monkeypatch):
    """The number of nodes has a bound, which holds before any is looked at."""
    monkeypatch.setattr(graph, "MAX_NODES", 5)
    with pytest.raises(LinkBroken, match="too long"):
        Decoder(pair()[0], [["t", []]] * 6, b"")


def test_an_encoder_keeps_what_it_has_seen():
    """A temporary that is gone does not lend its number to the next one."""
    encoder = Encoder(pair()[0])
    slots = encoder.slots([object] for _ in range(50))
    assert len({slot[0] for slot in slots}) == 50
