"""The tests' side of the conversation: what it asks, and the little that the script may ask of it."""

import _thread
import contextlib
import os
import sys
import threading
import types
from collections.abc import Callable
from typing import Any, NoReturn

from _pytest import outcomes

from . import awaiting, tables
from .errors import CandidateEnded, CannotCross, Tampered
from .graph import Decoder, Encoder, Node
from .link import Link, LinkBroken, LinkClosed
from .mirror import REF, ref_of
from .peer import Peer
from .tracebacks import fake_traceback
from .questions import Questions, random_below

SECRET = (types.FrameType, types.CodeType, types.ModuleType, types.CellType)
READABLE = frozenset({"__name__", "__qualname__", "__doc__", "__wrapped__", "__signature__", "__dict__"})
LIBRARIES = sys.stdlib_module_names | {"numpy"}
OF_TUPLES = frozenset({"_asdict", "_replace", "_fields", "_make"})
INNER = ("gi_", "cr_", "ag_", "f_", "tb_", "co_", "func_")
OWN = "test_solution"


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
        self.after_asking: Callable[[], None] = lambda: None
        self.when_told: Callable[[Any], None] = lambda _told: None
        self.failed_within: BaseException | None = None
        """The first failure in a function of the tests that the script has called: it counts, whoever catches it."""
        self.busy = False
        """While changes around the script are carried over."""

    def new_id(self) -> int:
        # Nobody can answer a question before it is asked.
        return int.from_bytes(os.urandom(6), "big")

    def ask(self, verb: str, values: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> Any:
        """Ask the script.

        Raises:
            CandidateEnded: its process has ended.
            Tampered: it broke the protocol.
        """
        if _thread._count() and _thread.get_ident() != self._main:  # noqa: SLF001 -- cheap, and seldom so
            return self._ask(verb, values, kwargs)
        self.before_asking()
        try:
            return self._ask(verb, values, kwargs)
        finally:
            self.after_asking()

    def told(self, what: Any) -> None:
        """Take what the script's side tells beside an answer."""
        self.when_told(what)

    def _ask(self, verb: str, values: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
        try:
            return super().ask(verb, values, kwargs)
        except LinkClosed:
            raise self._gone() from None
        except LinkBroken as exc:
            self._broken(str(exc))

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
        self.when_tampered(why)
        raise Tampered(why)

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
        self.when_tampered(str(error))

    def fatal(self) -> tuple[type[BaseException], ...]:
        return (CandidateEnded, Tampered)

    def operate(self, name: str, value: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Have a special method applied, and find out whether the answer means anything."""
        others = self._questions.misses(name, value, args)
        if others is None:
            answer = self.ask("op", (name, value, *args), kwargs)
            if name == "__exit__" and answer and self._counts(args[1]):
                self._questions.flag("swallows_failures")
                return False
            return answer
        if not others:
            return NotImplemented
        asked = [(args[0], *args[1:]), *((other, *args[1:]) for other in others)]
        order = sorted(range(len(asked)), key=lambda _: random_below(1 << 60))
        answers = self.ask("questions", (name, value, [asked[index] for index in order]))
        if type(answers) is not list or len(answers) != len(asked):
            self._tampered("a question was left without an answer")
        by_index = dict(zip(order, answers, strict=True))
        real = by_index.pop(0)
        verdict = self._questions.cannot_tell(
            name, _plain(real), [_plain(each) for each in by_index.values()]
        )
        if verdict == "tampered":
            self._tampered(f"{type(value).__name__} cannot tell {args[0]!r:.60} from {others[0]!r:.60}")
        if verdict:
            self._questions.flag("answers_anything")
            raise AssertionError(f"{type(value).__name__} cannot tell {args[0]!r:.60} from {others[0]!r:.60}")
        good, answer = real
        if good is not True:
            raise answer
        return answer

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
        if not (isinstance(owner, type) and issubclass(owner, tuple) and name in OF_TUPLES):
            self._readable(name)

    def may_get(self, value: Any, name: Any) -> None:
        self._given(value)
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
        if not own or type(name) is not str or name.startswith("__") or callable(getattr(kind, name, None)):
            raise CannotCross(f"setting {str(name)[:40]!r} on an object of the tests")

    may_del = may_set

    def traceback_of(self, rows: Any) -> Any:
        """Make one out of (line, function) in the script, the outermost first."""
        return fake_traceback(rows if type(rows) is tuple else ())

    # What goes out

    def exports_errors(self, plain: bool) -> bool:
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


def _plain(pair: Any) -> Any:
    return pair[1] if type(pair) is tuple and len(pair) == 2 and pair[0] is True else None  # noqa: PLR2004


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


def _is_mock(value: Any) -> bool:
    mock = sys.modules.get("unittest.mock")
    return mock is not None and isinstance(value, mock.NonCallableMock | mock.MagicProxy)


def _mock_api() -> frozenset[str]:
    return frozenset(dir(sys.modules["unittest.mock"].Mock()))
