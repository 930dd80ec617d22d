"""What a source binds at its top level, from its syntax tree alone."""

import ast
from collections.abc import Iterator
from typing import Any

MAX_NAMES = 2000
TRANSPARENT = (ast.If, ast.Try, ast.With, ast.For, ast.While)


def bound_names(source: bytes) -> dict[str, Any]:
    """Name what the script binds, with its kind, and its `__all__` where that is a plain list.

    A kind is def, class, error, enum or value, or for an import `[module, attribute]`. The attribute is
    empty for the module itself; a star import is under the name `*<module>`.
    """
    names: dict[str, Any] = {}
    exported = None
    for node in _statements(ast.parse(source).body):
        names |= dict(_bindings(node))
        exported = _all_of(node) or exported
    return {"names": dict(list(names.items())[:MAX_NAMES]), "exported": exported}


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, TRANSPARENT):
            for part in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(node, part, []))
            for handler in getattr(node, "handlers", []):
                yield from _statements(handler.body)


def _bindings(node: ast.stmt) -> Iterator[tuple[str, Any]]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield node.name, "def"
        case ast.ClassDef():
            yield node.name, _class_kind(node)
        case ast.Import():
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], [_imported(alias), ""]
        case ast.ImportFrom(module=str(module), level=0):
            for alias in node.names:
                name = f"*{module}" if alias.name == "*" else alias.asname or alias.name
                yield name, [module, alias.name]
        case ast.Assign() | ast.AnnAssign() | ast.For() | ast.With():
            for name in _targets(node):
                yield name, "value"
        case _:
            pass


def _imported(alias: ast.alias) -> str:
    return alias.name if alias.asname else alias.name.partition(".")[0]


def _class_kind(node: ast.ClassDef) -> str:
    bases = [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases]
    if any(base.endswith(("Error", "Exception", "Warning")) for base in bases):
        return "error"
    # Only a plain enumeration shows its members as `Color.RED`.
    plain = bases == ["Enum"] and not any(getattr(part, "name", "") == "__str__" for part in node.body)
    return "enum" if plain else "class"


def _targets(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.Assign(targets=roots):
            pass
        case ast.AnnAssign(target=root) | ast.For(target=root):
            roots = [root]
        case ast.With(items=items):
            roots = [item.optional_vars for item in items if item.optional_vars]
        case _:
            return
    for root in roots:
        for part in ast.walk(root):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                yield part.id


def _all_of(node: ast.stmt) -> list[str] | None:
    match node:
        case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=parts) | ast.Tuple(elts=parts)):
            values = [part.value for part in parts if isinstance(part, ast.Constant)]
            return [value for value in values if isinstance(value, str)]
        case _:
            return None


def test_names(source: bytes) -> frozenset[str]:
    """Name the functions and classes that a test file defines itself, at any depth, and what it assigns."""
    tree = ast.parse(source)
    defined = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    return frozenset(defined.union(*(_targets(node) for node in tree.body)))
