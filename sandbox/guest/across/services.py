"""What the script's process needs of the tests' process: its input, its warnings, its log."""

import builtins
import logging
import sys
import warnings
from collections.abc import Callable
from typing import Any

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
    number = lineno if type(lineno) is int else 0
    text = message if isinstance(message, Warning) else str(message)
    warnings.warn_explicit(text, category, str(filename)[:200], number, module="solution")


def _log(facts: Any, _has_error: Any) -> None:
    if type(facts) is not dict:
        return
    record = logging.makeLogRecord({str(key): value for key, value in facts.items() if type(key) is str})
    logger = logging.getLogger(str(facts.get("name", "root"))[:200])
    level = record.levelno if type(record.levelno) is int else 0
    if logger.isEnabledFor(level):
        logger.handle(record)
