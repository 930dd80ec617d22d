"""What the script's process needs of the tests' process: its input, its warnings, its log."""

import builtins
import logging
import sys
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any

from ..suite import SOLUTION, TESTS

MOST_TEXT = 1 << 20


def services() -> dict[str, Callable[..., Any]]:
    """Return them by name."""
    return {"input": _input, "read": _read, "readline": _readline, "warn": _warn, "log": _log}


def _input(prompt: Any) -> str:
    return builtins.input(str(prompt)[:MOST_TEXT])


def _read(size: Any = -1) -> str:
    return str(sys.stdin.read(size if type(size) is int else -1))


def _readline(size: Any = -1) -> str:
    return str(sys.stdin.readline(size if type(size) is int else -1))


def _warn(message: Any, category: Any, filename: Any, lineno: Any) -> None:
    if not (isinstance(category, type) and issubclass(category, Warning)):
        category = UserWarning
    where = str(filename)[:200], lineno if type(lineno) is int else 0
    if where[0] != SOLUTION:
        # Whoever called the script, as the script sees it, is our own code; here it is a test.
        where = _line_of_test() or where
    text = message if isinstance(message, Warning) else str(message)
    warnings.warn_explicit(text, category, *where, module="solution")


def _line_of_test() -> tuple[str, int] | None:
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 -- as `warnings` does it
    while frame is not None:
        if frame.f_code.co_filename == TESTS:
            return TESTS, frame.f_lineno
        frame = frame.f_back
    return None


def _log(facts: Any, error: Any) -> None:
    if type(facts) is not dict:
        return
    known = {key: value for key, value in facts.items() if type(key) is str and not key.startswith("_")}
    record = logging.makeLogRecord(known)
    if isinstance(error, BaseException):
        record.exc_info = type(error), error, error.__traceback__
    logger = logging.getLogger(str(facts.get("name", "root"))[:200])
    level = record.levelno if type(record.levelno) is int else 0
    if logger.isEnabledFor(level):
        logger.handle(record)
