"""How the tests' side asks what an object of the script says of an expected value."""

import functools
from collections.abc import Callable
from typing import Any, NoReturn

from _pytest import outcomes

from .chance import random_below
from .errors import CandidateEnded, Tampered
from .link import Link
from .peer import Peer
from .questions import JUDGING, Questions
from .questions import METHODS as METHODS_ASKED


class Doubting(Peer):
    """Asks about other things as well."""

    def __init__(self, link: Link, questions: Questions) -> None:
        super().__init__(link, step=2)
        self._questions = questions
        self.copying = False
        """While questions are asked: nothing must show which container is the real one."""

    def _tampered(self, why: str) -> NoReturn:
        raise Tampered(why)

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

    def attribute(self, value: Any, name: str) -> Any:
        """Get an attribute; a method that its object makes up must earn its answers like any other."""
        got = super().attribute(value, name)
        if name not in METHODS_ASKED or not callable(got) or isinstance(got, type):
            return got

        @functools.wraps(got)
        def asked(*args: Any, **kwargs: Any) -> Any:
            others = None if kwargs else self._questions.misses(name, value, args)
            if not others:
                return got(*args, **kwargs)
            return self._question(lambda each: got(each, *args[1:]), name, value, args[0], others)

        return asked

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

    def _counts(self, error: Any) -> bool:
        """Say whether an error is a verdict of the tests, which nobody may swallow but the tests."""
        if isinstance(error, AssertionError):
            return not self._questions.names("AssertionError")
        return isinstance(error, outcomes.OutcomeException | CandidateEnded | Tampered)
