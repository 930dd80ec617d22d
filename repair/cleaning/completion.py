"""Replies that go on where the prompt ended: a body without its `def`."""

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator
from functools import lru_cache

from repair.cleaning.gates import refusal

_INDENT = "    "
_FENCED = re.compile(r"^```(?:python|py)?[ \t]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_TOP = re.compile(r"^[^\s#]", re.MULTILINE)
_HELPER = re.compile(r"^(?:(?:async[ \t]+)?def|class|import|from|@)\b|^@", re.MULTILINE)
_MAX_PROMPT_CHARS = 20_000
_OPEN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@lru_cache(maxsize=64)
def open_prefix(prompt: str) -> str:
    """The code that a completion of `prompt` goes on from; empty if it does not end with an open `def`."""
    if not prompt or len(prompt) > _MAX_PROMPT_CHARS or refusal(prompt):
        return ""
    texts = [prompt, *(match[1] for match in _FENCED.finditer(prompt))]
    return next((f"{text.rstrip()}\n" for text in texts if _is_open(text)), "")


def _is_open(text: str) -> bool:
    """Whether the last statement is a definition with nothing but a docstring in it, or with nothing."""
    for probe in (text, f"{text.rstrip()}\n{_INDENT}pass\n"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(probe)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        return bool(tree.body) and isinstance(tree.body[-1], _OPEN) and _is_empty(tree.body[-1])
    return False


def _is_empty(node: ast.stmt) -> bool:
    body = getattr(node, "body", [])
    return all(
        isinstance(each, ast.Pass) or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in body
    )


def continuations(prefix: str, body: str) -> Iterator[tuple[str, int]]:
    """Ways in which `body` may go on from `prefix`, the likeliest first, and characters of it left out."""
    body = body.strip("\n")
    if not body.strip():
        return
    indented = body[:1] in " \t"
    shapes = [body] if indented else [_INDENT + body, textwrap.indent(body, _INDENT)]
    for shape in shapes:
        end = _TOP.search(shape)
        if end is None or not shape[: end.start()].strip():
            yield f"{prefix}{shape}\n", 0
            continue
        head = (f"{prefix}{shape[: end.start()].rstrip()}\n", len(shape) - end.start())
        # Calls and asserts behind the body are examples, where benchmarks stop; helpers belong to the answer.
        both = [(f"{prefix}{shape}\n", 0), head]
        yield from both if _HELPER.search(shape, end.start()) else reversed(both)
