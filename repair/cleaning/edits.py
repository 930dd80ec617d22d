"""Edits by libcst, on code that parses; formatting stays. Only ever imported in the killable child.

libcst crashes or freezes on degenerate text: `repair.cleaning.gates` must have passed the code before.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from repair.cleaning.gates import refusal

_KNOWN = frozenset(
    {
        "solution",
        "pytest",
        "hypothesis",
        "numpy",
        "pandas",
        "scipy",
        "sympy",
        "dateutil",
        "pytest_mock",
        "mock",
    }
    | {
        "freezegun",
        "attr",
        "attrs",
        "pydantic",
        "requests",
        "yaml",
        "matplotlib",
        "sklearn",
        "networkx",
        "bs4",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A test suite that imports the script by its right name, and the names that it used before."""

    code: str
    modules: tuple[str, ...]


def bind_to_solution(code: str, required: tuple[str, ...]) -> Bound | None:
    """Make a test suite import `solution` where it imports a module that cannot exist.

    A module is taken for the script if required names come from it, or if it is the only one that is
    neither in the standard library nor a known package. None if there is nothing to do.
    """
    if refusal(code):
        return None
    try:
        tree = cst.parse_module(code)
        module = _script_module(tree, frozenset(required))
        if module is None:
            return None
        bound = tree.visit(_Binder(module)).code
    except (cst.ParserSyntaxError, cst.CSTValidationError, RecursionError, ValueError):
        return None
    return None if bound == code else Bound(code=bound, modules=(module,))


def _script_module(tree: cst.Module, required: frozenset[str]) -> str | None:
    collector = _Imports()
    tree.visit(collector)
    for module, names in collector.found.items():
        if names & required:
            return module
    if "solution" in collector.roots or len(collector.found) != 1:
        return None
    return next(iter(collector.found))


class _Imports(cst.CSTVisitor):
    """Modules that a container would not have, each with the names taken from it."""

    def __init__(self) -> None:
        self.found: dict[str, set[str]] = {}
        self.roots: set[str] = set()

    def visit_Import(self, node: cst.Import) -> None:  # noqa: N802 - libcst's name
        for alias in node.names:
            self._add(dotted(alias.name), set())

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:  # noqa: N802 - libcst's name
        if node.module is None:
            return
        names = [] if isinstance(node.names, cst.ImportStar) else [dotted(alias.name) for alias in node.names]
        self._add(dotted(node.module), set(names), relative=bool(node.relative))

    def _add(self, module: str, names: set[str], *, relative: bool = False) -> None:
        root = module.partition(".")[0]
        self.roots.add(root)
        if relative or (root not in _KNOWN and root not in sys.stdlib_module_names):
            self.found.setdefault(module, set()).update(names)


def dotted(node: cst.BaseExpression) -> str:
    """Write `a.b.c` for a chain of attributes."""
    return ".".join(reversed(list(_parts(node))))


def _parts(node: cst.BaseExpression) -> Iterator[str]:
    while isinstance(node, cst.Attribute):
        yield node.attr.value
        node = node.value
    if isinstance(node, cst.Name):
        yield node.value


class _Binder(cst.CSTTransformer):
    """Renames the module in imports, and in the strings by which `patch` names it."""

    def __init__(self, module: str) -> None:
        self._module = module

    def leave_ImportFrom(  # noqa: N802 - libcst's name
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom:
        if original_node.module is None or dotted(original_node.module) != self._module:
            return updated_node
        return updated_node.with_changes(module=cst.Name("solution"), relative=[])

    def leave_Import(  # noqa: N802 - libcst's name
        self, original_node: cst.Import, updated_node: cst.Import
    ) -> cst.Import:
        del original_node
        return updated_node.with_changes(names=[self._bound(alias) for alias in updated_node.names])

    def _bound(self, alias: cst.ImportAlias) -> cst.ImportAlias:
        if dotted(alias.name) != self._module or ("." in self._module and alias.asname is None):
            return alias
        name = alias.asname or cst.AsName(name=cst.Name(self._module))
        return alias.with_changes(name=cst.Name("solution"), asname=name)

    def leave_SimpleString(  # noqa: N802 - libcst's name
        self, original_node: cst.SimpleString, updated_node: cst.SimpleString
    ) -> cst.SimpleString:
        start = f"{original_node.prefix}{original_node.quote}{self._module}."
        if not original_node.value.startswith(start) or not _is_path(original_node.raw_value):
            return updated_node
        return updated_node.with_changes(value=original_node.value.replace(self._module, "solution", 1))


def _is_path(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))
