"""What a task's text says of the functions that it asks for."""

import ast
import re
import warnings
from functools import lru_cache
from itertools import islice

from repair.cleaning.oracle import parameters

_MAX_CHARS = 20_000
_MAX_MENTIONS = 5
_MAX_INSIDE = 300


@lru_cache(maxsize=64)
def signatures(prompt: str, required: tuple[str, ...]) -> frozenset[tuple[str, tuple[str, ...]]]:
    """The parameters that the prompt gives the required functions: `fib(n)`, `def add(a: int, b=0)`."""
    text = prompt[:_MAX_CHARS]
    found = ((name, _first(text, name)) for name in required if name.isidentifier())
    return frozenset((name, names) for name, names in found if names)


def _first(text: str, name: str) -> tuple[str, ...]:
    mentions = re.finditer(rf"\b{name}\(([^()]{{1,{_MAX_INSIDE}}})\)", text)
    for mention in islice(mentions, _MAX_MENTIONS):
        names = _parameters(mention[1])
        if names:
            return names
    return ()


def _parameters(inside: str) -> tuple[str, ...]:
    """Names of parameters; none where it is a call with values."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (node,) = ast.parse(f"def f({inside}): pass").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return parameters(node.args) if isinstance(node, ast.FunctionDef) else ()
