"""Two peers in two processes: what a test sees of a script's functions, classes, objects and errors."""

import asyncio
import collections
import dataclasses
import enum
import functools
import inspect
import re
from unittest import mock

import pytest
from hypothesis.internal import scrutineer

from sandbox.guest.across import untraced
from sandbox.guest.across.errors import CandidateEnded, CannotCross, StaleObject, Tampered
from sandbox.guest.across.incoming import MOST_KEPT
from tests.unit.across_ends import Script

SCRIPT = """
import collections, dataclasses, enum, functools, math, os

LIMIT = 10
CACHE = {}

class MyError(ValueError):
    "Mine."
    def __init__(self, text, code=0):
        super().__init__(text)
        self.code = code

class Worse(MyError):
    pass

def add(a: int, b: int = 2, *rest: float, scale=1.5, **more) -> int:
    "Adds."
    return a + b

def sort_it(items):
    items.sort()

def fail(kind=MyError):
    raise kind("bad", code=7)

def chain():
    try:
        1 / 0
    except ZeroDivisionError as exc:
        raise KeyError("k") from exc

def apply(function, *args, **kwargs):
    return function(*args, **kwargs)

def catch(function):
    try:
        return function()
    except Exception as exc:
        return type(exc).__name__, exc

def same(value):
    return value

def is_same(one, other):
    return one is other

def gen(n):
    try:
        for i in range(n):
            got = yield i
            if got:
                CACHE["got"] = got
        return "end"
    finally:
        CACHE["closed"] = True

def endless():
    n = 0
    while True:
        yield n
        n += 1

def counter():
    n = 0
    def inc():
        nonlocal n
        n += 1
        return n
    return inc

@functools.lru_cache
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

async def later(x):
    return x * 2

class Shape:
    "A shape."
    count = 0
    empty = ""
    def __init__(self, name):
        self.name = name
        Shape.count += 1
    def area(self):
        return 0
    def describe(self):
        return f"{self.name}:{self.area()}"
    @property
    def upper(self):
        return self.name.upper()
    @upper.setter
    def upper(self, value):
        self.name = value.lower()
    @staticmethod
    def double(x):
        return 2 * x
    @classmethod
    def make(cls, name):
        return cls(name)
    def __repr__(self):
        return f"Shape({self.name!r})"
    def __eq__(self, other):
        return isinstance(other, Shape) and other.name == self.name
    def __hash__(self):
        return hash(self.name)
    def __len__(self):
        return len(self.name)
    def __getitem__(self, at):
        return self.name[at]
    def __contains__(self, part):
        return part in self.name
    def __call__(self, x):
        return self.name * x
    def __add__(self, other):
        return Shape(self.name + other.name)
    def __enter__(self):
        return self
    def __exit__(self, kind, value, trace):
        return kind is KeyError

class Square(Shape):
    def __init__(self, side):
        super().__init__("sq")
        self.side = side
    def area(self):
        return self.side ** 2

@dataclasses.dataclass(order=True)
class Point:
    x: int
    y: int = 0
    tags: list = dataclasses.field(default_factory=list)

class Color(enum.Enum):
    RED = 1
    BLUE = "b"
    def nice(self):
        return self.name.lower()

class Level(enum.IntEnum):
    LOW = 1
    HIGH = 9

Pair = collections.namedtuple("Pair", "left right")

class Temp(float):
    def fahrenheit(self):
        return self * 9 / 5 + 32

class Stack(list):
    def push(self, item):
        self.append(item)
    @property
    def top(self):
        return self[-1]

class Lie(int):
    def __eq__(self, other):
        return True
    __hash__ = int.__hash__

class AlwaysEqual:
    def __eq__(self, other):
        return True

class Bag:
    def __init__(self):
        self.items = []
    def get(self):
        return self.items
    def add(self, item):
        self.items.append(item)

def partial():
    return functools.partial(add, 2)

def end(code):
    os._exit(code)
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """The script in a process of its own."""
    with Script(tmp_path_factory.mktemp("script"), SCRIPT, named={"Shape", "Point", "Pair", "Stack"}) as made:
        yield made


@pytest.fixture
def solution(script):
    """Its module, as a test sees it."""
    return script.module


def test_functions_and_constants(solution):
    """Calls of all kinds, constants, and what a function says of itself."""
    assert solution.add(1) == 3
    assert solution.add(b=1, a=1, other=5) == 2
    assert solution.LIMIT == 10
    assert (
        str(inspect.signature(solution.add)) == "(a: int, b: int = 2, *rest: float, scale=1.5, **more) -> int"
    )
    assert (solution.add.__name__, solution.add.__doc__, solution.add.__module__) == (
        "add",
        "Adds.",
        "solution",
    )
    assert solution.add.__defaults__ == (2,)
    assert solution.add.__annotations__ == {"a": int, "b": int, "rest": float, "return": int}
    assert inspect.isfunction(solution.add)
    assert solution.add is solution.add
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        solution.add()
    with pytest.raises(AttributeError, match="no_such"):
        _ = solution.no_such
    assert {"add", "LIMIT", "Shape"} <= set(dir(solution))


def test_arguments_that_are_changed_in_place(solution):
    """What the script does to a list, the test's own list has, nested ones too, and cycles stay cycles."""
    items = [3, 1, 2]
    assert solution.sort_it(items) is None
    assert items == [1, 2, 3]
    loop = [1]
    loop.append(loop)
    assert solution.same(loop) is loop
    one = [1]
    assert solution.is_same(one, one)
    assert not solution.is_same(one, [1])
    bag = solution.Bag()
    held = bag.get()
    bag.add(1)
    assert held == [1]
    held.append(2)
    assert bag.get() == [1, 2]
    assert bag.get() is held
    solution.CACHE["a"] = 1
    assert solution.CACHE["a"] == 1


def test_errors(solution):
    """Builtin errors are builtin ones; the script's own have their bases, arguments, attributes and causes."""
    with pytest.raises(solution.MyError, match="bad") as caught:
        solution.fail()
    assert caught.value.code == 7
    assert caught.value.args == ("bad",)
    assert isinstance(caught.value, ValueError)
    assert type(caught.value) is solution.MyError
    with pytest.raises(solution.MyError):
        solution.fail(solution.Worse)
    assert issubclass(solution.Worse, solution.MyError)
    with pytest.raises(KeyError) as caught:
        solution.chain()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert [frame.name for frame in caught.traceback][-1:] == ["chain"]

    def raises_own():
        raise solution.MyError("from the test", 3)

    name, error = solution.catch(raises_own)
    assert (name, error.code) == ("MyError", 3)


def test_an_error_of_the_test_keeps_its_identity(solution):
    """What a callback raises arrives as the very object that was raised."""

    class Boom(Exception):
        pass

    boom = Boom("x")

    def raiser():
        raise boom

    with pytest.raises(Boom) as caught:
        solution.apply(raiser)
    assert caught.value is boom


def test_callbacks(solution):
    """Functions, builtins, methods, objects and mocks of the test are called by the script."""
    assert solution.apply(lambda x, y=1: x + y, 4, y=2) == 6
    assert solution.apply(len, [1, 2]) == 2
    assert solution.apply(str.upper, "a") == "A"
    assert solution.apply([3, 1].index, 1) == 1
    callback = mock.Mock(return_value=3)
    assert solution.apply(callback, 1, [2], k=None) == 3
    callback.assert_called_once_with(1, [2], k=None)
    assert solution.apply(solution.add, 1, 1) == 2
    assert solution.same(callback) is callback


def test_generators(solution):
    """Lazy, infinite, resumed with values, closed; and they are generators."""
    found = solution.gen(3)
    assert inspect.isgenerator(found)
    assert next(found) == 0
    assert found.send("hello") == 1
    assert solution.CACHE["got"] == "hello"
    assert list(found) == [2]
    solution.CACHE.pop("closed")
    found = solution.gen(3)
    next(found)
    found.close()
    assert solution.CACHE["closed"] is True
    endless = solution.endless()
    assert [next(endless) for _ in range(5)] == [0, 1, 2, 3, 4]
    found = solution.gen(0)
    with pytest.raises(StopIteration) as caught:
        next(found)
    assert caught.value.value == "end"
    assert solution.apply(lambda: list(solution.gen(2))) == [0, 1]


def test_coroutines(solution):
    """A coroutine function is one, and runs in the test's loop."""
    assert inspect.iscoroutinefunction(solution.later)
    assert asyncio.run(solution.later(4)) == 8


def test_objects(solution):
    """Attributes, properties, methods of every kind and operators of an object of the script."""
    shape = solution.Shape("ab")
    assert (shape.name, shape.upper, repr(shape), str(shape)) == ("ab", "AB", "Shape('ab')", "Shape('ab')")
    shape.upper = "XY"
    shape.extra = 5
    assert (shape.name, shape.extra, shape[0], len(shape), shape(2)) == ("xy", 5, "x", 2, "xyxy")
    del shape.extra
    assert not hasattr(shape, "extra")
    assert "x" in shape
    assert "q" not in shape
    assert (shape + shape).name == "xyxy"
    assert solution.Shape.double(4) == 8
    assert type(solution.Square.make(3)) is solution.Square
    assert solution.Shape.area(solution.Square(3)) == 0
    assert shape.describe() == "xy:0"
    assert {shape: 1}[solution.Shape("xy")] == 1
    assert vars(shape) == {"name": "xy"}
    assert solution.same(shape) is shape
    with pytest.raises(AttributeError, match="nothing"):
        _ = shape.nothing
    with solution.Shape("a") as entered:
        assert entered.name == "a"
        raise KeyError
    with pytest.raises(ValueError), solution.Shape("a"):
        raise ValueError


def test_classes(solution):
    """Names, bases, signatures, class attributes, and what `isinstance` says."""
    before = solution.Shape.count
    square = solution.Square(3)
    assert solution.Shape.count == before + 1
    assert isinstance(square, solution.Shape)
    assert issubclass(solution.Square, solution.Shape)
    assert not isinstance(solution.Shape("x"), solution.Square)
    assert solution.Shape.__doc__ == "A shape."
    assert (solution.Square.__name__, solution.Square.__module__) == ("Square", "solution")
    assert str(inspect.signature(solution.Shape)) == "(name)"
    assert hasattr(square, "__len__")
    assert not hasattr(square, "__iter__")
    assert callable(square)
    assert inspect.isclass(solution.Shape)


def test_a_class_of_the_test_that_derives_from_one_of_the_script(solution):
    """The script calls the methods that the test has overridden, and the test reaches those beneath."""

    class Mine(solution.Square):
        def __init__(self, side):
            super().__init__(side)
            self.extra = 5

        def area(self):
            return super().area() + self.extra

    mine = Mine(3)
    assert mine.describe() == "sq:14"
    assert isinstance(mine, Mine)
    assert isinstance(mine, solution.Shape)
    assert solution.same(mine) is mine


def test_data_classes(solution):
    """The functions of `dataclasses`, comparison, order, repr and patterns work on one of the script."""
    point = solution.Point(1, 2)
    assert point == solution.Point(1, 2)
    assert point < solution.Point(2)
    assert repr(point) == "Point(x=1, y=2, tags=[])"
    assert dataclasses.is_dataclass(solution.Point)
    assert dataclasses.asdict(point) == {"x": 1, "y": 2, "tags": []}
    assert dataclasses.astuple(point) == (1, 2, [])
    assert dataclasses.replace(point, y=5).y == 5
    assert [field.name for field in dataclasses.fields(point)] == ["x", "y", "tags"]
    match point:
        case solution.Point(1, y):
            assert y == 2
        case _:
            pytest.fail("it has not matched")


def test_enumerations(solution):
    """Members are single objects with names and values; methods are the script's."""
    assert solution.Color.RED is solution.Color(1) is solution.Color["RED"]
    assert issubclass(solution.Color, enum.Enum)
    assert [(member.name, member.value) for member in solution.Color] == [("RED", 1), ("BLUE", "b")]
    assert solution.Color.BLUE.nice() == "blue"
    assert solution.same(solution.Color.RED) is solution.Color.RED
    assert solution.Level.HIGH > solution.Level.LOW == 1
    with pytest.raises(ValueError):
        solution.Color(5)


def test_classes_with_data_of_builtins(solution):
    """A named tuple, a float and a list with methods are what they derive from, and have their methods."""
    pair = solution.Pair(1, right=[2])
    assert pair == (1, [2])
    assert isinstance(pair, tuple)
    assert (pair.left, pair._replace(left=5), pair._asdict()) == (1, (5, [2]), {"left": 1, "right": [2]})
    assert solution.Pair._fields == ("left", "right")
    temp = solution.Temp(100.0)
    assert temp == 100.0
    assert isinstance(temp, float)
    assert temp.fahrenheit() == 212.0
    stack = solution.Stack()
    stack.push(1)
    stack.append(2)
    assert (stack.top, list(stack), len(stack)) == (2, [1, 2], 2)
    assert stack == [1, 2]
    assert solution.same(stack) is stack


def test_closures_and_wrapped_functions(solution):
    """A closure keeps its state; a cache can be asked about."""
    count = solution.counter()
    assert [count(), count(), solution.counter()()] == [1, 2, 1]
    assert solution.fib(10) == 55
    assert solution.fib.cache_info().hits > 0
    solution.fib.cache_clear()
    assert solution.fib.cache_info().hits == 0
    assert solution.fib.__wrapped__(1) == 1


def test_patches_of_the_module_and_its_classes(solution):
    """`monkeypatch` and `mock.patch` act where the script sees it, and are undone."""
    shape = solution.Shape("s")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solution, "LIMIT", 5)
        patch.setattr(solution, "add", lambda *_: "patched")
        patch.setattr(solution.Shape, "area", lambda _: 99)
        patch.setitem(solution.CACHE, "new", 1)
        assert (solution.LIMIT, solution.add(1), shape.describe(), solution.CACHE["new"]) == (
            5,
            "patched",
            "s:99",
            1,
        )
    assert (solution.LIMIT, solution.add(1), shape.describe(), "new" in solution.CACHE) == (
        10,
        3,
        "s:0",
        False,
    )
    with mock.patch.object(solution, "LIMIT", 3):
        assert solution.LIMIT == 3
    assert solution.LIMIT == 10


def test_patches_of_attributes_are_undone(solution):
    """What is no method is put back, too: empty values, properties, and what was deleted."""
    shape = solution.Shape("s")
    before = solution.Shape.count
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solution.Shape, "count", -1)
        patch.setattr(solution.Shape, "empty", "full")
        patch.setattr(solution.Shape, "upper", property(lambda _: "patched"))
        patch.delattr(solution.Square, "area")
        assert (solution.Shape.count, shape.empty, shape.upper, solution.Square(2).area()) == (
            -1,
            "full",
            "patched",
            0,
        )
    assert (solution.Shape.count, shape.empty, shape.upper, solution.Square(2).area()) == (before, "", "S", 4)
    with mock.patch.object(solution.Shape, "empty", "x"):
        assert shape.empty == "x"
    assert solution.Shape.empty == ""
    assert "empty" in vars(solution.Shape)
    assert "empty" not in vars(solution.Square)


def test_the_order_of_bases(solution):
    """`__mro__` and its like show the script's classes, and nothing that mirrors are made of."""
    assert inspect.getmro(solution.Square) == (solution.Square, solution.Shape, object)
    assert solution.Square.mro() == [solution.Square, solution.Shape, object]
    assert (solution.Shape.__bases__, solution.Square.__base__) == ((object,), solution.Shape)
    assert solution.Stack.__mro__ == (solution.Stack, list, object)
    assert solution.Worse.__mro__[:4] == (solution.Worse, solution.MyError, ValueError, Exception)


def test_objects_of_classes_of_the_library(solution):
    """What has no form of its own is asked there, and is an instance of its class here."""
    partial = solution.partial()
    assert isinstance(partial, functools.partial)
    assert partial(5) == 7
    assert not isinstance(solution.Shape("x"), functools.partial)


def test_many_objects_with_data(solution):
    """However many tuples of the script a test holds: the first can still be asked."""
    pairs = [solution.Pair(number, 0) for number in range(MOST_KEPT + 50)]
    again = solution.same(pairs[0])
    assert again == pairs[0]
    del again
    assert solution.add(1) == 3
    assert pairs[0]._replace(right=1) == (0, 1)
    assert pairs[-1]._replace(right=1) == (MOST_KEPT + 49, 1)


def test_equality_of_its_own(script, solution):
    """An object is asked about plain data if the tests name its class, and believed if it can tell data apart."""
    script.flags.clear()
    assert solution.Shape("a") != "a"
    assert solution.Point(1) != (1, 0)
    assert script.flags == []
    assert not solution.AlwaysEqual() == 5  # noqa: SIM201 -- `==` itself is asked
    assert solution.AlwaysEqual() != 5
    assert set(script.flags) == {"equality_of_its_own"}


def test_a_number_that_equals_everything_is_the_number_that_it_is(solution):
    """The data of a builtin's subclass is read there and compared here; its own word is not asked for."""
    lie = solution.Lie(5)
    assert isinstance(lie, int)
    assert not lie == 6  # noqa: SIM201
    assert lie == 5


def test_whoever_equals_everything_has_tampered(tmp_path):
    """A class that the tests name, and that cannot tell the expected value from others, ends the script."""
    with Script(tmp_path, SCRIPT, named={"AlwaysEqual"}) as script:
        thing = script.module.AlwaysEqual()
        with pytest.raises(Tampered, match="cannot tell"):
            _ = thing == 5


def test_an_end_of_the_process_ends_the_test(tmp_path):
    """Whatever tests hold of a process that has ended is stale."""
    with Script(tmp_path, SCRIPT) as script:
        shape = script.module.Shape("x")
        end = script.module.end
        with pytest.raises(CandidateEnded):
            end(0)
        with pytest.raises(StaleObject):
            _ = shape.name
        with pytest.raises(StaleObject):
            script.module.add(1)


def test_what_is_not_held_any_more_is_given_back(script, solution):
    """Objects of the script live there for as long as a test holds them, and no longer."""
    ask = script.peer.ask
    solution.CACHE.clear()
    for _ in range(3):
        solution.Shape("gone")
    ask("names", (solution,))
    held = [solution.Shape("held") for _ in range(50)]
    count = len(script.peer.imports)
    del held
    solution.add(1)
    assert len(script.peer.imports) <= count - 50


@pytest.mark.parametrize(
    "value", [inspect.currentframe(), re, (lambda: 0).__code__], ids=["frame", "module", "code"]
)
def test_what_cannot_cross_says_so_and_breaks_nothing(solution, value):
    """Frames, modules and code stay where they are; the next call works."""
    with pytest.raises(CannotCross, match="grading: shared"):
        solution.same(value)
    assert solution.add(1) == 3


def test_values_keep_their_types(solution):
    """Named tuples, enumerations and data classes of the test go there and come back as themselves."""
    Own = collections.namedtuple("Own", "a b")  # noqa: PYI024
    own = Own(1, 2)
    assert solution.same(own) == own
    assert type(solution.same(own)) is Own
    big = {"deep": [[(None, {1.5: b"x"})] * 3], "text": "ü" * 100_000, "bytes": b"\0" * 300_000}
    back = solution.same(big)
    assert back is big


def test_a_script_that_cannot_be_imported(tmp_path):
    """What the import raises is raised where the tests import it."""
    with pytest.raises(ZeroDivisionError):
        Script(tmp_path, "1 / 0")


def test_hypothesis_does_not_trace_us(solution, monkeypatch):
    """What hypothesis notes of a failing example is lines of tests and script, and none of ours."""
    monkeypatch.setattr(scrutineer.Tracer, "trace", scrutineer.Tracer.trace)
    untraced.leave_us_out()

    def body():
        assert solution.add(1) == 3
        assert solution.Shape("ab").area() == 0

    with scrutineer.Tracer(should_trace=True) as tracer:
        body()
    files = {place[0] for branch in tracer.branches for place in branch if place is not None}
    assert __file__ in files
    assert not [file for file in files if file.startswith(untraced.OURS)]


def test_a_generator_that_the_reader_collects_is_no_error():
    """Garbage may be collected in any thread, and the one that reads can ask nothing."""
    from sandbox.guest.across.errors import CannotCross
    from sandbox.guest.across.far_callable import RemoteIterator

    class Reading:
        def holds(self, _handle):
            return True

        def ask(self, *_what):
            raise CannotCross("a question of the thread that reads the answers")

    class Here:
        peer, handle = Reading(), 1

    RemoteIterator(Here()).close()
