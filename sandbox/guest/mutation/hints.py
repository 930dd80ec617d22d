"""What the text of a suite says of how it is bound to the script: hints, never a verdict."""

import ast
from typing import Any

from ..names import bound_names


def hints(tests: bytes, script_names: dict[str, Any]) -> dict[str, Any]:
    """Say whether a suite speaks of `solution`, and which of the script's functions it defines itself."""
    tree = ast.parse(tests)
    own = bound_names(tests)["names"]
    # A kind may be a list: what an import binds.
    theirs = {name for name, kind in script_names.items() if kind in ("def", "class")}
    shadows = sorted(name for name in theirs if own.get(name) in ("def", "class"))
    return {
        "binds": any(_speaks(node) for node in ast.walk(tree)),
        "redefines": shadows[:20],
        "patches": sorted({name for node in ast.walk(tree) for name in _patched(node) if name in theirs})[
            :20
        ],
    }


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
