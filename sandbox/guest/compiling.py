"""compile() the script and the tests, in a child of its own: a hostile source can crash the compiler."""

import os
import warnings
from typing import Any, NoReturn

from . import names, suite, suspicious
from .child import REPORT_FD
from .report import MAX_MESSAGE, MAX_NAME, Reporter
from .wire import clean

UNCOMPILED = {"ok": False, "exc_type": "CompilerCrash"}


def main() -> NoReturn:
    """Report on the script and the tests, then on the names that the script binds."""
    warnings.simplefilter("ignore")
    spec = suite.read_spec()
    reporter = Reporter(REPORT_FD)
    script = spec["script"].encode("utf-8", "surrogatepass")
    reporter.send("script", **examine(script, "solution.py"))
    if spec["tests"] is not None:
        reporter.send("tests", **examine(spec["tests"].encode("utf-8", "surrogatepass"), "test_solution.py"))
        try:
            reporter.send("names", **names.bound_names(script))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            reporter.send("names", names={}, exported=None)
    # Last: whatever this costs, it takes nothing away from the reports above.
    reporter.send("suspicious", flags=suspicious.scan_source(script))
    # Taking the interpreter apart would copy every page that is shared with the zygote.
    os._exit(0)


def suspicious_flags(event: dict[str, Any] | None) -> list[str]:
    """Take the flags out of an event: known ones only, in the order of the table."""
    found = [suspicious.UNSCANNED] if event is None else event.get("flags")
    return [flag for flag in suspicious.FLAGS if isinstance(found, list) and flag in found]


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
