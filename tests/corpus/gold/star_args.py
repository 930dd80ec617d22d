from typing import Any


def call(func, /, *args: Any, default: Any = ..., **kwargs: Any) -> Any:
    try:
        return func(*args, **kwargs)
    except Exception:
        if default is ...:
            raise
        return default


def head(first, *rest, **named): return first, len(rest), sorted(named)
