"""The tests' side of the conversation: what it asks, and the little that the script may ask of it."""

import _thread
import builtins
import contextlib
import os
import struct
import sys
import threading
import types
from collections.abc import Callable
from typing import Any, NoReturn

from _pytest import outcomes

from . import awaiting, tables, untraced
from .decoys import random_below
from .errors import CandidateEnded, CannotCross, Tampered
from .graph import Decoder, Encoder
from .kinds import Node
from .link import Link, LinkBroken, LinkClosed
from .mirror import REF, ref_of
from .peer import Peer
from .questions import JUDGING, Questions
from .questions import METHODS as METHODS_ASKED
from .tracebacks import fake_traceback

SECRET = (types.FrameType, types.CodeType, types.ModuleType, types.CellType)
READABLE = frozenset({"__name__", "__qualname__", "__doc__", "__wrapped__", "__signature__", "__dict__"})
LIBRARIES = sys.stdlib_module_names | {"numpy"}
OF_TUPLES = frozenset({"_asdict", "_replace", "_fields", "_make"})
INNER = ("gi_", "cr_", "ag_", "f_", "tb_", "co_", "func_")
OWN = "test_solution"
_ask = Peer.ask
_more_threads = _thread._count  # noqa: SLF001 -- the cheapest way to know
DRAWN = struct.Struct(">64Q")
METHODS = (types.FunctionType, staticmethod, classmethod)
JUDGES = frozenset({"unittest", "pytest", "_pytest", "py", "hypothesis", "pytest_asyncio", "pytest_mock"})
OF_PATHS = frozenset(
    [
        "strpath",
        "basename",
        "purebasename",
        "ext",
        "dirname",
        "dirpath",
        "join",
        "new",
        "parts",
        "relto",
        "bestrelpath",
        "common",
        "exists",
        "check",
        "isfile",
        "isdir",
        "islink",
        "read",
        "read_text",
        "read_binary",
        "readlines",
        "write",
        "write_text",
        "write_binary",
        "open",
        "ensure",
        "mkdir",
        "ensure_dir",
        "listdir",
        "visit",
        "remove",
        "rename",
        "copy",
        "move",
        "size",
        "mtime",
    ]
)
"""What the script may use of pytest's old paths (`tmpdir`), which could import modules, too."""


class GraderPeer(Peer):
    """Asks the script. Everything that comes from there is hostile."""

    def __init__(self, link: Link, questions: Questions, services: dict[str, Callable[..., Any]]) -> None:
        """Talk over `link`; `services` are what the script's process needs of this one (its input, …)."""
        super().__init__(link, step=2)
        self._questions = questions
        self._services = services
        self._lent: dict[tuple[str, str], Any] = {}
        """Functions and classes of the library that tests have handed over."""
        self.before_asking: Callable[[], None] = lambda: None
        self.when_ended: Callable[[], None] = lambda: None
        self.when_tampered: Callable[[str], None] = lambda _why: None
        self._main = threading.main_thread().ident
        self._drawn: list[int] = []
        self.after_asking: Callable[[], None] = lambda: None
        self.when_told: Callable[[Any], None] = lambda _told: None
        self.failed_within: BaseException | None = None
        """The first failure in a function of the tests that the script has called: it counts anyway."""
        self._reported = False
        self.reserved: frozenset[str] = frozenset()
        """Names that the tests import from elsewhere."""
        self.copying = False
        """While questions are asked: nothing must show which container is the real one."""
        self.busy = False
        """While changes around the script are carried over."""

    def new_id(self) -> int:
        # Nobody can answer a question before it is asked.
        try:
            return self._drawn.pop()
        except IndexError:
            self._drawn += (number >> 16 for number in DRAWN.unpack(os.urandom(DRAWN.size)))
            return self._drawn.pop()

    def ask(self, verb: str, values: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> Any:
        """Ask the script.

        Raises:
            CandidateEnded: its process has ended.
            Tampered: it broke the protocol.
        """
        if self.failed_within is None:
            for value in values:
                # Thrown into a coroutine, or handed to an `__exit__`: wherever it ends, it has been raised.
                if isinstance(value, BaseException) and self._counts(value):
                    self.failed_within = value
                    break
        is_main = not _more_threads() or _thread.get_ident() == self._main
        trace = sys.gettrace() if is_main else None
        if trace is not None:
            untraced.pause(trace)
        if is_main:
            self.before_asking()
        try:
            return _ask(self, verb, values, kwargs)
        except LinkClosed:
            raise self._gone() from None
        except LinkBroken as exc:
            self._broken(str(exc))
        finally:
            if is_main:
                self.after_asking()
            if trace is not None:
                sys.settrace(trace)

    def told(self, what: Any) -> None:
        """Take what the script's side tells beside an answer."""
        self.when_told(what)

    def _gone(self) -> CandidateEnded:
        self.dead = True
        self.when_ended()
        ended = CandidateEnded("the script's process has ended")
        if self._aio is not None:
            self._aio.end(ended)
        return ended

    def _broken(self, why: str) -> NoReturn:
        self.dead = True
        if self.threads is not None:
            self.threads.close(LinkBroken(why))
        if self._aio is not None:
            self._aio.end(Tampered(why))
        self._tampered(why)

    def _tampered(self, why: str) -> NoReturn:
        self._report(why)
        raise Tampered(why)

    def _report(self, why: str) -> None:
        if not self._reported:
            self._reported = True
            self.when_tampered(why)

    def nonsense(self, why: str) -> NoReturn:
        self._broken(why)

    def hear(self) -> None:
        """Take what has come without having been asked for; the tests' loop calls this.

        Whatever ends the script's process ends what waits for it: here is nobody to raise it to.
        """
        try:
            super().hear()
        except LinkClosed:
            self._gone()
        except LinkBroken as exc:
            with contextlib.suppress(Tampered):
                self._broken(str(exc))
        except self.fatal():
            return

    def when_broken(self, error: LinkBroken) -> None:
        self.dead = True
        if self._aio is not None:
            self._aio.end(Tampered(str(error)))
        self._report(str(error))

    def fatal(self) -> tuple[type[BaseException], ...]:
        return (CandidateEnded, Tampered)

    def operate(self, name: str, value: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Have a special method applied, and find out whether the answer means anything."""
        base = self._questions.base_of(name, value)
        if base is not None:
            return self._of_builtin(base, name, value, args)
        others = self._questions.misses(name, value, args)
        if others is None:
            answer = self.ask("op", (name, value, *args), kwargs)
            if name == "__exit__" and answer and self._counts(args[1]):
                self._questions.flag("swallows_failures")
                return False
            return answer
        if not others:
            return NotImplemented
        return self._question(
            lambda each: self.ask("op", (name, value, each, *args[1:])), name, value, args[0], others
        )

    def ask_method(self, owner: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Have a method called; what builtins say of an expected value, the script's own must earn."""
        if len(args) > 1 and name in JUDGING and not kwargs:
            base = self._questions.base_of(name, args[0])
            if base is not None:
                return self._of_builtin(base, name, args[0], args[1:])
            if name in METHODS_ASKED:
                others = self._questions.misses(name, args[0], args[1:])
                if others:
                    ask = lambda each: self.ask("method", (owner, name, args[0], each, *args[2:]))  # noqa: E731
                    return self._question(ask, name, args[0], args[1], others)
        return self.ask("method", (owner, name, *args), kwargs)

    def _of_builtin(self, base: Any, name: str, value: Any, args: tuple[Any, ...]) -> Any:
        self._questions.flag("operators_of_its_own")
        return getattr(base, name)(value, *args)

    def _question(
        self, ask: Callable[[Any], Any], name: str, value: Any, real: Any, others: list[Any]
    ) -> Any:
        """Ask about several things, one after another and as copies: the answer to the real one."""
        things = [real, *others]
        answers: dict[int, Any] = {}
        self.copying = True
        try:
            for index in sorted(range(len(things)), key=lambda _: random_below(1 << 60)):
                try:
                    answers[index] = True, ask(things[index])
                except Exception as exc:  # noqa: BLE001 -- it belongs to who asked, if this is the real one
                    answers[index] = False, exc
        finally:
            self.copying = False
        good, answer = answers.pop(0)
        verdict = (
            self._questions.cannot_tell(name, answer, [each for fine, each in answers.values() if fine])
            if good
            else ""
        )
        why = f"{type(value).__name__} cannot tell {real!r:.60} from {others[0]!r:.60}"
        if verdict == "tampered":
            self._tampered(why)
        if verdict:
            self._questions.flag("answers_anything")
            raise AssertionError(why)
        if not good:
            raise answer
        return answer

    def shared_id(self, value: Any) -> int | None:
        return None if self.copying else super().shared_id(value)

    def share(self, value: Any) -> int:
        return 0 if self.copying else super().share(value)

    def take_over(self, old: "GraderPeer", module: Any, fresh: Any) -> None:
        """Have the names that tests hold of a process that has ended lead to this one."""
        ref = ref_of(fresh)
        assert ref is not None
        object.__setattr__(module, REF, ref)
        # It stands for what came, which must not be given back when that goes.
        self.imports[ref.handle] = lambda: module
        names = list(old.named)
        for name, handle in zip(names, self.ask("resolve", (names,)), strict=True):
            kept = old.named[name]()
            ref = None if kept is None else ref_of(kept)
            if ref is not None and type(handle) is int and handle:
                ref.peer, ref.handle = self, handle
                self.imports[handle] = lambda kept=kept: kept
                self.named[name] = self.imports[handle]

    def _counts(self, error: Any) -> bool:
        """Say whether an error is a verdict of the tests, which nobody may swallow but the tests."""
        if isinstance(error, AssertionError):
            return not self._questions.names("AssertionError")
        return isinstance(error, outcomes.OutcomeException | CandidateEnded | Tampered)

    def may_bind(self, names: Any) -> Any:
        """What the tests import from elsewhere stays; what would take a builtin's place is told."""
        if not isinstance(names, list | tuple):
            raise CannotCross("names that are no list")
        names = [name for name in names if type(name) is str and name not in self.reserved]
        hidden = [
            name
            for name in names
            if hasattr(builtins, name) and self._questions.names(name) and name[0] != "_"
        ]
        if hidden:
            raise CannotCross(f"{hidden[0]!r} in the place of the builtin")
        return names

    # What the script may ask for

    def perform(self, verb: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if verb == "service":
            service = self._services.get(args[0]) if args and type(args[0]) is str else None
            if service is None:
                raise LinkBroken("a service that is none")
            return service(*args[1:])
        if verb in {"run", "woken", "complain", "handler"}:
            # Numbers of this side's own.
            return super().perform(verb, args, kwargs)
        check = getattr(self, f"may_{verb}", None)
        if check is None or not args:
            raise LinkBroken("a question that the script may not ask")
        check(*args)
        try:
            return super().perform(verb, args, kwargs)
        except BaseException as exc:
            if self._counts(exc) and self.failed_within is None:
                self.failed_within = exc
            raise

    def _given(self, value: Any) -> None:
        if id(value) not in self._handles:
            raise CannotCross("an object that the tests have not handed over")

    def may_call(self, function: Any, *_: Any) -> None:
        self._given(function)
        if isinstance(function, type):
            _refuse_judges(function, "__call__")

    def may_next(self, value: Any) -> None:
        self._given(value)

    def may_close(self, value: Any) -> None:
        self._given(value)

    def may_send(self, value: Any, _: Any) -> None:
        self._given(value)

    may_throw = may_step = may_fail = may_send

    def may_agen(self, value: Any, _verb: Any, *_: Any) -> None:
        self._given(value)

    def may_future(self, value: Any, _name: Any, *_: Any) -> None:
        self._given(value)
        if not awaiting.is_future(value):
            raise LinkBroken("a question for a future to what is none")

    may_dir = may_copy = may_deepcopy = may_next

    def may_op(self, _name: Any, value: Any, *_: Any) -> None:
        self._given(value)

    def may_method(self, owner: Any, name: Any, *_: Any) -> None:
        self._given(owner)
        if not isinstance(owner, type):
            raise CannotCross("a method of what is no class")
        _refuse_judges(owner, name)
        if not (issubclass(owner, tuple) and name in OF_TUPLES):
            self._readable(name)

    def may_get(self, value: Any, name: Any) -> None:
        self._given(value)
        kind = type(value)
        if isinstance(value, type):
            _refuse_judges(value, name)
            if name == "__dict__":
                raise CannotCross("the namespace of a class of the tests")
        elif kind.__module__.partition(".")[0] != "unittest":
            _refuse_judges(kind, name)
        if not (isinstance(value, tuple) and name in OF_TUPLES):
            self._readable(name)
        if awaiting.is_future(value):
            # A task's coroutine is the test itself.
            raise CannotCross(f"attribute {str(name)[:40]!r} of a future")
        if _is_mock(value) and name in _mock_api():
            raise CannotCross(f"attribute {name} of a mock")

    def _readable(self, name: Any) -> None:
        if type(name) is not str or (name not in READABLE and name.startswith(("_", *INNER))):
            raise CannotCross(f"attribute {str(name)[:40]!r} of an object of the tests")

    def may_set(self, value: Any, name: Any, *_: Any) -> None:
        self._given(value)
        kind = type(value)
        own = kind.__module__ == OWN or kind is types.SimpleNamespace
        if _is_test_case(value) and (
            str(name).startswith("_") or hasattr(sys.modules["unittest"].TestCase, name)
        ):
            raise CannotCross(f"setting {str(name)[:40]!r} on a test")
        if not own or type(name) is not str or name.startswith("__") or callable(getattr(kind, name, None)):
            raise CannotCross(f"setting {str(name)[:40]!r} on an object of the tests")

    may_del = may_set

    def may_put(self, value: Any, name: Any, *_: Any) -> None:
        self._given(value)
        kind = type(value)
        held = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
        # A method must stay what it is; what sets and reads this name may be the script's own.
        if (
            kind.__module__ != OWN
            or _is_test_case(value)
            or type(name) is not str
            or isinstance(held, METHODS)
        ):
            raise CannotCross(f"setting {str(name)[:40]!r} on an object of the tests")

    may_drop = may_put

    def do_put(self, value: Any, name: str, new: Any) -> None:
        value.__dict__[name] = new

    def do_drop(self, value: Any, name: str) -> None:
        del value.__dict__[name]

    def do_get(self, value: Any, name: str) -> Any:
        # A copy: through the dict itself anything could be set.
        return dict(value.__dict__) if name == "__dict__" else super().do_get(value, name)

    def behind(self, view: Any) -> Any:
        """Return a copy: what the tests show as a view, nobody may change."""
        return dict(super().behind(view))

    def traceback_of(self, rows: Any) -> Any:
        """Make one out of (line, function) in the script, the outermost first."""
        return fake_traceback(rows if type(rows) is tuple else ())

    # What goes out

    def exports_errors(self, plain: bool) -> bool:  # noqa: ARG002 -- all of them
        return True

    def own_node(self, value: Any, encoder: Encoder) -> Node:
        """Builtins and functions of the standard library go by name: the script has its own."""
        kind = type(value)
        if isinstance(value, SECRET):
            raise CannotCross(f"a {kind.__name__}")
        named = _library_name(value)
        if named is not None:
            self._lent[named] = value
            return ["library", *named]
        if kind is types.MethodDescriptorType and tables.name_of_type(value.__objclass__):
            return ["descriptor", encoder.slot(value.__objclass__), value.__name__]
        return super().own_node(value, encoder)

    def class_node(self, kind: type, encoder: Encoder) -> Node:
        """Classes of the standard library go by name, too."""
        named = _library_name(kind)
        if named is None:
            return super().class_node(kind, encoder)
        self._lent[named] = kind
        return ["library", *named]

    def take_library(self, _: Decoder, module: Any, name: Any) -> Any:
        """Take back a function or class of the library: only one that has been handed over."""
        if (module, name) not in self._lent:
            raise LinkBroken("a function of the library that was never given")
        return self._lent[module, name]


def _library_name(value: Any) -> tuple[str, str] | None:
    """Name what the standard library has under a public name, and the tests have not changed."""
    kind = type(value)
    if kind not in {types.BuiltinFunctionType, types.FunctionType} and not isinstance(value, type):
        return None
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if type(module) is not str or type(name) is not str or module.partition(".")[0] not in LIBRARIES:
        return None
    if module.startswith("unittest") or (isinstance(value, type) and tables.name_of_type(value)):
        return None
    loaded = sys.modules.get(module)
    return (module, name) if getattr(loaded, name, None) is value else None


def _refuse_judges(kind: type, name: Any) -> None:
    """Refuse what belongs to the libraries that judge: mocks are told what they saw, paths import modules."""
    root = kind.__module__.partition(".")[0]
    if root in JUDGES and not (kind.__module__ == "_pytest._py.path" and name in OF_PATHS):
        raise CannotCross(f"{str(name)[:40]!r} of {kind.__name__}")


def _is_test_case(value: Any) -> bool:
    unittest = sys.modules.get("unittest")
    return unittest is not None and isinstance(value, unittest.TestCase)


def _is_mock(value: Any) -> bool:
    mock = sys.modules.get("unittest.mock")
    return mock is not None and isinstance(value, mock.NonCallableMock | mock.MagicProxy)


def _mock_api() -> frozenset[str]:
    return frozenset(dir(sys.modules["unittest.mock"].Mock()))
