"""The tests' side of the conversation: what it asks, and the little that the script may ask of it."""

import _thread
import builtins
import contextlib
import sys
import threading
import types
from collections.abc import Callable
from typing import Any, NoReturn

from . import tables, untraced
from .chance import draw
from .doubting import Doubting
from .errors import CandidateEnded, CannotCross, Tampered
from .graph import Decoder, Encoder
from .kinds import Node
from .link import Link, LinkBroken, LinkClosed
from .mirror import REF, ref_of
from .peer import Peer
from .permissions import Permissions
from .questions import Questions
from .tracebacks import fake_traceback

SECRET = (types.FrameType, types.CodeType, types.ModuleType, types.CellType)
LIBRARIES = sys.stdlib_module_names | {"numpy"}
# Each call comes by here; `super()` takes its time.
_ask = Peer.ask
_more_threads = _thread._count  # noqa: SLF001 -- the cheapest way to know


class GraderPeer(Permissions, Doubting):
    """Asks the script. Everything that comes from there is hostile."""

    def __init__(self, link: Link, questions: Questions, services: dict[str, Callable[..., Any]]) -> None:
        """Talk over `link`; `services` are what the script's process needs of this one (its input, …)."""
        super().__init__(link, questions)
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
        """The first failure in a function of the tests that the script has called: it counts anyway."""
        self._reported = False
        self.reserved: frozenset[str] = frozenset()
        """Names that the tests import from elsewhere."""
        self.busy = False
        """While changes around the script are carried over."""

    def new_id(self) -> int:
        # Nobody can answer a question before it is asked.
        return draw() >> 16

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
