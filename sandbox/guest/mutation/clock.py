"""Another date for one run: what tests say must not depend on the day on which they run."""

import ctypes
import gc
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

AHEAD_S = 1234 * 86_400.0 + 20_000.0
"""Over three years, another weekday, and another hour: far enough for ages, leap years and the night."""
MODULES = ("solution", "test_solution")
"""What may have taken a function out of `time` before."""
_OF_NOW = ("localtime", "gmtime", "ctime")
"""Called without a time they take the present one."""


def shift(seconds: float) -> None:
    """Set the calendar of this process ahead; clocks that only run (`monotonic`, …) stay as they are."""
    real_time, real_ns = time.time, time.time_ns
    changed: dict[str, Callable[..., Any]] = {
        "time": lambda: real_time() + seconds,
        "time_ns": lambda: real_ns() + round(seconds * 1e9),
    }
    changed |= {name: _at_present(getattr(time, name)) for name in _OF_NOW}
    real_strftime, real_asctime = time.strftime, time.asctime
    changed["strftime"] = lambda form, moment=None: real_strftime(form, moment or time.localtime())
    changed["asctime"] = lambda moment=None: real_asctime(moment or time.localtime())
    for name, function in changed.items():
        _replace(getattr(time, name), function, name)
    # `today` asks `time.time`; these two ask the kernel.
    _put_into_class(
        datetime,
        {
            "now": classmethod(lambda cls, tz=None: cls.fromtimestamp(time.time(), tz)),
            "utcnow": classmethod(lambda cls: cls.fromtimestamp(time.time(), UTC).replace(tzinfo=None)),
        },
    )


def _at_present(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda seconds=None: real(time.time() if seconds is None else seconds)


def _replace(real: Any, new: Any, name: str) -> None:
    for module in MODULES:
        space = vars(sys.modules[module]) if module in sys.modules else {}
        for key in [key for key, value in space.items() if value is real]:
            space[key] = new
    setattr(time, name, new)


def _put_into_class(kind: type, methods: dict[str, Any]) -> None:
    """Change a built-in class itself: a subclass in its place would not be the type of what there is."""
    (space,) = gc.get_referents(kind.__dict__)
    space.update(methods)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
