"""What the text of a suite says of how it is bound to the script: hints, never a verdict."""

import ast
from typing import Any

from ..names import bound_names

MOST = 20
_ASSERTING = frozenset({"raises", "warns", "fail", "deprecated_call", "expect"})
_WIDE = frozenset({"AssertionError", "Exception", "BaseException"})


def hints(tests: bytes, script_names: dict[str, Any]) -> dict[str, Any]:
    """Say whether a suite speaks of `solution`, and which of the script's functions it defines itself."""
    tree = ast.parse(tests)
    own = bound_names(tests)["names"]
    # A kind may be a list: what an import binds.
    theirs = {name for name, kind in script_names.items() if kind in ("def", "class")}
    shadows = sorted(name for name in theirs if own.get(name) in ("def", "class"))
    return {
        "binds": any(_speaks(node) for node in ast.walk(tree)),
        "redefines": shadows[:MOST],
        "patches": sorted({name for node in ast.walk(tree) for name in _patched(node) if name in theirs})[
            :MOST
        ],
        **_weak_tests(tree),
    }


def _weak_tests(tree: ast.AST) -> dict[str, list[str]]:
    """Name the tests that assert nothing, and those that catch their own assertions."""
    tests = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    ]
    helpers = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node not in tests
        and any(map(_asserts, ast.walk(node)))
    }
    return {
        "assertless": [
            test.name for test in tests if not any(_asserts(n) or _calls(n, helpers) for n in ast.walk(test))
        ][:MOST],
        "swallowing": [test.name for test in tests if any(map(_swallows, ast.walk(test)))][:MOST],
    }


def _asserts(node: ast.AST) -> bool:
    """Say whether a node is an assertion: the statement, or a call that is known for one."""
    if isinstance(node, ast.Assert):
        return True
    called = node.func if isinstance(node, ast.Call) else None
    name = getattr(called, "attr", getattr(called, "id", ""))
    return name.startswith("assert") or name in _ASSERTING


def _calls(node: ast.AST, names: set[str]) -> bool:
    called = node.func if isinstance(node, ast.Call) else None
    return getattr(called, "attr", getattr(called, "id", "")) in names


def _swallows(node: ast.AST) -> bool:
    """Say whether a `try` has an assertion in it and drops its failure."""
    if not isinstance(node, ast.Try) or not any(
        map(_asserts, (n for part in node.body for n in ast.walk(part)))
    ):
        return False
    return any(_catches(handler) and not any(map(_ends, ast.walk(handler))) for handler in node.handlers)


def _catches(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or getattr(kind, "id", "") in _WIDE for kind in kinds)


def _ends(node: ast.AST) -> bool:
    return isinstance(node, ast.Raise) or _asserts(node)


def _speaks(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(alias.name.partition(".")[0] == "solution" for alias in names)
        case ast.ImportFrom(module=str(module)):
            return module.partition(".")[0] == "solution"
        case ast.Constant(value=str(text)):
            return text in {"solution", "solution.py"} or text.startswith("solution.")
        case _:
            return False


def _patched(node: ast.AST) -> list[str]:
    """Name what `patch("solution.f")`, `patch.object(solution, "f")` and `setattr(…, "f", …)` replace."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr="object" | "setattr"), args=[_, ast.Constant(value=str(name)), *_]
        ):
            return [name]
        case ast.Call(args=[ast.Constant(value=str(text)), *_]) if text.startswith("solution."):
            return [text.partition(".")[2]]
        case _:
            return []
