"""hypothesis looks at the lines that an example runs through: ours are none of the script's or the tests'.

They differ from call to call, so that every example would look new, and the search for an explanation
would take a hundred times as long.
"""

import sys
from pathlib import Path
from types import FrameType
from typing import Any

OURS = str(Path(__file__).parent)
SCRUTINEER = "hypothesis.internal.scrutineer"


def leave_us_out() -> None:
    """Have hypothesis, if it is loaded, trace nothing in here."""
    scrutineer: Any = sys.modules.get(SCRUTINEER)
    if scrutineer is None:
        return
    original = scrutineer.Tracer.trace

    def trace(tracer: Any, frame: FrameType, event: str, arg: Any) -> Any:
        return None if frame.f_code.co_filename.startswith(OURS) else original(tracer, frame, event, arg)

    scrutineer.Tracer.trace = trace


def pause(trace: Any) -> None:
    """Stop a trace of hypothesis for as long as the script is asked: what is called then is ours, too."""
    if type(getattr(trace, "__self__", None)).__module__ == SCRUTINEER:
        sys.settrace(None)
