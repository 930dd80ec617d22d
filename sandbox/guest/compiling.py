"""compile() the script and the tests, in a child of its own: a hostile source can crash the compiler."""

import os
import warnings
from functools import partial
from typing import Any

from . import names
from .child import Plan
from .report import MAX_MESSAGE, MAX_NAME, Reporter
from .supervise import Bounds
from .wire import clean

UID = 20000
WALL_S = 10.0
CPU_S = 10
BOUNDS = Bounds(startup_s=WALL_S, wall_s=WALL_S, cpu_s=CPU_S + 2, keep_bytes=4096, hard_bytes=1 << 20)
UNCOMPILED = {"ok": False, "exc_type": "CompilerCrash"}


def plan(script: bytes, tests: bytes | None) -> Plan:
    """Plan the child: it reports on `script` and `tests`, then the names that the script binds."""
    return Plan(
        uid=UID,
        cwd="/",
        cpu_s=CPU_S,
        file_bytes=1 << 20,
        target=partial(_report_all, script, tests),
    )


def _report_all(script: bytes, tests: bytes | None, fd: int) -> None:
    warnings.simplefilter("ignore")
    reporter = Reporter(fd)
    reporter.send("script", **examine(script, "solution.py"))
    if tests is not None:
        reporter.send("tests", **examine(tests, "test_solution.py"))
        try:
            reporter.send("names", **names.bound_names(script))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            reporter.send("names", names={}, exported=None)
    os._exit(0)


def _line(source: bytes, number: int | None) -> str:
    """Return a line of the source: errors of the compiler's later stages come without it."""
    lines = source.decode("utf-8", "replace").splitlines()
    return lines[number - 1] if number and 0 < number <= len(lines) else ""


def examine(source: bytes, filename: str) -> dict[str, Any]:
    """Compile, and say what came of it."""
    try:
        compile(source, filename, "exec", dont_inherit=True)
    except SyntaxError as exc:
        return {
            "ok": False,
            "exc_type": type(exc).__name__,
            "message": clean(exc.msg, MAX_MESSAGE),
            "line": exc.lineno,
            "column": exc.offset,
            "source": clean((exc.text or _line(source, exc.lineno)).rstrip("\n"), MAX_NAME),
        }
    except (ValueError, RecursionError, MemoryError, OverflowError) as exc:
        return {"ok": False, "exc_type": type(exc).__name__, "message": clean(str(exc), MAX_MESSAGE)}
    return {"ok": True}
