"""What one side may ask of the other's objects, each kind of question a method `do_…`."""

import copy
import inspect
import types
from collections.abc import Callable
from typing import Any, ClassVar

from . import awaiting, tables
from .held import MISSING, Held
from .link import LinkBroken


class Answering(Held):
    """Does what the other side asks for."""

    acts: ClassVar[dict[str, Callable[..., Any]]]
    """By the names of questions."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.acts = {name[3:]: getattr(cls, name) for name in dir(cls) if name.startswith("do_")}

    def do_call(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    def do_get(self, value: Any, name: str) -> Any:
        if name == "__signature__":
            return inspect.signature(value)
        return getattr(value, name)

    def do_set(self, value: Any, name: str, new: Any) -> None:
        self._keep_original(value, name)
        setattr(value, name, new)

    def do_del(self, value: Any, name: str) -> None:
        self._keep_original(value, name)
        delattr(value, name)

    def _keep_original(self, value: Any, name: str) -> None:
        """Keep what a class has under a name: whoever undoes the change says only that it was the first."""
        if isinstance(value, type) and name in vars(value):
            self._originals.setdefault((id(value), name), vars(value)[name])

    def do_dir(self, value: Any) -> list[str]:
        return [name for name in dir(value) if type(name) is str]

    def do_op(self, name: str, value: Any, /, *args: Any, **kwargs: Any) -> Any:
        if name not in tables.DUNDERS:
            raise LinkBroken("an operator that is none")
        return special(value, name)(*args, **kwargs)

    def do_register(self, kind: Any, other: Any) -> None:
        kind.register(other)

    def do_method(self, owner: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], owner):
            # As the object itself has it: an instance may have another one than its class.
            defined = next((base for base in type(args[0]).__mro__ if name in vars(base)), None)
            if defined is owner and _is_plain(vars(owner)[name]):
                return getattr(args[0], name)(*args[1:], **kwargs)
        found = vars(owner).get(name, MISSING)
        if found is MISSING:
            return getattr(owner, name)(*args, **kwargs)
        if isinstance(found, classmethod):
            return found.__get__(None, args[0] if args and isinstance(args[0], type) else owner)(
                *args[1:] if args and isinstance(args[0], type) else args, **kwargs
            )
        if isinstance(found, staticmethod):
            return found.__func__(*args, **kwargs)
        if isinstance(found, types.ClassMethodDescriptorType):
            return getattr(args[0], name)(*args[1:], **kwargs)
        return found(*args, **kwargs)

    def do_next(self, value: Any) -> Any:
        return next(value)

    def do_send(self, value: Any, sent: Any) -> Any:
        return value.send(sent)

    def do_throw(self, value: Any, error: BaseException) -> Any:
        return value.throw(error)

    def do_close(self, value: Any) -> None:
        value.close()

    def do_step(self, value: Any, sent: Any) -> Any:
        return awaiting.step(value, sent)

    def do_fail(self, value: Any, error: BaseException) -> Any:
        return awaiting.fail(value, error)

    def do_agen(self, value: Any, verb: str, *args: Any) -> Any:
        if verb not in awaiting.AGEN_VERBS or type(value) is not types.AsyncGeneratorType:
            raise LinkBroken("no step of an asynchronous generator")
        return getattr(value, verb)(*args)

    def do_future(self, value: Any, name: str, *args: Any) -> Any:
        if name not in awaiting.FUTURE_VERBS:
            raise LinkBroken("a question that no future answers")
        return getattr(value, name)(*args)

    def do_run(self, number: int) -> None:
        self.aio.run(number)

    def do_woken(self, number: int) -> None:
        self.aio.woken(number)

    def do_handler(self, number: int, handler: Any) -> None:
        self.aio.set_handler(number, handler)

    def do_complain(self, number: int, message: str, error: Any) -> None:
        self.aio.hear_complaint(number, message, error)

    def do_copy(self, value: Any) -> Any:
        return copy.copy(value)

    def do_deepcopy(self, value: Any) -> Any:
        return copy.deepcopy(value)


def special(value: Any, name: str) -> Any:
    """Find a special method as an operator does: in the class, bound where it is a descriptor."""
    for base in type(value).__mro__:
        if name in vars(base):
            found = vars(base)[name]
            return found.__get__(value, type(value)) if hasattr(type(found), "__get__") else found
    raise AttributeError(name)


def _is_plain(value: Any) -> bool:
    return not isinstance(value, staticmethod | classmethod | types.ClassMethodDescriptorType)
