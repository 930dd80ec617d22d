"""No holdout in a prompt. By construction nothing of it gets there; this looks, where prompts go out.

What is looked for: the names of the holdout's tests, its assertions and calls, and every value in it that is
long enough to mean something. What the prompt or the shown tests say anyway is no secret, and what a model
wrote itself may come back to it.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Final

from evaluator.errors import HoldoutLeak
from prompts.tasks import Task
from repair.llm import Message, Request

_LEAST_TEXT: Final = 6
"""Characters of a text or a number that says something; shorter ones occur by chance."""
_LEAST_CODE: Final = 10
"""The same for a call, a list, an assertion."""
_SPACE = re.compile(r"\s+")
_COMPOUND = (ast.Call, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.Compare)


class Guard:
    """Watches over the prompts of one sample. Not thread-safe: a sample has one call at a time."""

    def __init__(self, task: Task, first: Iterable[Message], *, blind: bool = False) -> None:
        """Look for what the holdout holds; a `blind` guard allows everything, where nothing is sent."""
        open_texts = [task.prompt, task.tests or "", *(message.content for message in first)]
        known = _plain("\n".join(open_texts))
        found = dict.fromkeys(_secrets("" if blind else task.holdout or ""))
        self._secrets: tuple[str, ...] = tuple(secret for secret in found if secret not in known)
        self._task_id = task.task_id
        self._own = ""

    def heard(self, text: str) -> None:
        """Note what the model wrote: to send that back gives nothing away."""
        if self._secrets:
            self._own += "\n" + _plain(text)

    def allows(self, text: str) -> bool:
        """Whether a text holds nothing of the holdout that the model has not written itself."""
        return not self._found(text)

    def check(self, request: Request) -> None:
        """See that a request holds nothing of the holdout.

        Raises:
            HoldoutLeak: it does; nothing was sent.
        """
        for message in request.messages:
            if message.role != "assistant" and (found := self._found(message.content)):
                raise HoldoutLeak(
                    f"{self._task_id}: a prompt would have held {found!r} of the holdout, and was not sent. "
                    "This is a fault of mendbench; please report it."
                )

    def _found(self, text: str) -> str:
        plain = _plain(text) if self._secrets else ""
        return next((one for one in self._secrets if one in plain and one not in self._own), "")


def _plain(text: str) -> str:
    """Drop what may differ between two ways to write the same: white space, and the kind of quotes."""
    return _SPACE.sub("", text).replace('"', "'")


def _secrets(holdout: str) -> Iterator[str]:
    """Yield what must be in no prompt, in plain form."""
    try:
        tree = ast.parse(holdout)
    except (SyntaxError, ValueError, RecursionError):
        yield from (line for line in map(_plain, holdout.splitlines()) if len(line) >= _LEAST_CODE)
        return
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                if name.lower().startswith("test"):
                    yield name
            case ast.Constant(value=str() as value):
                yield from _long(_plain(value), _LEAST_TEXT)
            case ast.Constant(value=int() | float() | complex() | bytes() as value):
                yield from _long(_plain(repr(value)), _LEAST_TEXT)
            case ast.Assert(test=test):
                yield from _long(_plain(ast.unparse(test)), _LEAST_CODE)
            case _ if isinstance(node, _COMPOUND):
                yield from _long(_plain(ast.unparse(node)), _LEAST_CODE)
            case _:
                pass


def _long(text: str, least: int) -> Iterator[str]:
    if len(text) >= least:
        yield text
