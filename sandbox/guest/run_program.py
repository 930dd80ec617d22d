"""Child: run the script as `__main__`, as `python solution.py` would, and report how it ended."""

import builtins
import sys
from pathlib import Path
from types import ModuleType

from . import suite
from .child import REPORT_FD
from .report import Reporter, describe

INTERRUPTED = 130


def main() -> None:
    """Run. The interpreter's own end follows: threads are waited for, atexit handlers run."""
    spec = suite.read_spec()
    suite.add_exit()
    reporter = Reporter(REPORT_FD)
    code = compile(Path(suite.SOLUTION).read_bytes(), suite.SOLUTION, "exec", dont_inherit=True)
    module = ModuleType("__main__")
    module.__dict__.update(__file__=suite.SOLUTION, __builtins__=builtins)
    sys.modules["__main__"] = module
    sys.argv = ["solution.py", *spec["argv"]]
    reporter.begin(spec["cpu_s"])
    try:
        exec(code, module.__dict__)  # noqa: S102 -- to run the script is what this process is for
    except SystemExit:
        raise
    except BaseException as exc:  # noqa: BLE001 -- an uncaught exception is the program's end
        reporter.send("raised", **describe(exc, [suite.SOLUTION]))
        _show(exc)
        raise SystemExit(INTERRUPTED if isinstance(exc, KeyboardInterrupt) else 1) from None


def _show(exc: BaseException) -> None:
    """Print the traceback as the interpreter would, without the frame of this file."""
    trace = exc.__traceback__
    own = trace.tb_next if trace is not None else None
    sys.excepthook(type(exc), exc.with_traceback(own), own)
