"""Makes pytest files of tests that were written for other harnesses: `check(candidate)`, plain statements."""

import ast
import builtins
import textwrap
from collections.abc import Iterable
from typing import Final

RUNNABLE: Final = ("pytest", "humaneval_check", "self_contained_asserts", "plain_asserts", "unittest")
"""Kinds of tests that `as_pytest` takes."""
_DEFINITIONS: Final = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


def as_pytest(tests: str, kind: str, names: tuple[str, ...]) -> str:
    """Make a pytest file of recorded tests; `names` are those that the script must define.

    Raises:
        ValueError: they cannot be made into one; says why.
    """
    try:
        tree = ast.parse(tests)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        raise ValueError(f"the tests are not Python: {exc}") from None
    if kind == "pytest" or imports_solution(tree):
        return tests
    # Some such tests call their `check` themselves.
    if kind == "humaneval_check" and not _calls_check(tree):
        if len(names) != 1 or not names[0].isidentifier():
            raise ValueError("tests of kind humaneval_check need one `entry_point`")
        return check_as_tests(tests, names[0])
    head = _imports(needed_names(tests), names)
    if kind == "unittest" or not _acts(tree):
        if not _collected(tree):
            raise ValueError("the tests hold no test")
        return "\n".join([*head, "", tests, ""])
    return "\n".join([*head, "", _as_function(_without_tests(tree)), ""])


def needed_names(tests: str) -> tuple[str, ...]:
    """Names that tests use and neither bind nor import: what the script must define, sorted.

    Raises:
        SyntaxError: the tests are not Python.
    """
    return tuple(sorted(_free_names(ast.parse(tests))))


def imports_solution(tree: ast.Module) -> bool:
    """Whether tests import the script by themselves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "solution":
            return True
        if isinstance(node, ast.Import) and any(alias.name == "solution" for alias in node.names):
            return True
    return False


def _calls_check(tree: ast.Module) -> bool:
    others = (node for node in tree.body if not (isinstance(node, ast.FunctionDef) and node.name == "check"))
    return any(
        isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "check"
        for node in others
        for each in ast.walk(node)
    )


def _acts(tree: ast.Module) -> bool:
    """Whether statements outside of functions check something, or call what does."""
    outside = (node for node in tree.body if not isinstance(node, _DEFINITIONS))
    return any(isinstance(each, ast.Assert | ast.Call) for node in outside for each in ast.walk(node))


def _collected(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ClassDef) or (isinstance(node, ast.FunctionDef) and node.name.startswith("test"))
        for node in tree.body
    )


def _without_tests(tree: ast.Module) -> ast.Module:
    """Give functions another name that pytest would run beside the statements that call them."""
    tests = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test")
    }

    class Rename(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            node.name = f"_{node.name}" if node.name in tests else node.name
            return self.generic_visit(node)

        def visit_Name(self, node: ast.Name) -> ast.AST:
            node.id = f"_{node.id}" if node.id in tests else node.id
            return node

    return ast.fix_missing_locations(Rename().visit(tree)) if tests else tree


def _imports(helpers: Iterable[str], names: Iterable[str]) -> list[str]:
    optional = sorted(set(helpers) - set(names))
    return [
        *(f"from solution import {name}" for name in names),
        *(f"try:\n    from solution import {name}\nexcept ImportError:\n    pass" for name in optional),
    ]


def check_as_tests(check: str, entry_point: str) -> str:
    """Make a pytest file of a human-eval test: `check(candidate)`, or plain statements.

    Such tests were written to run in the solution's own namespace. What they use of it is imported by
    name, and nothing else: a solution cannot put its own `abs` in the place of the language's.
    """
    tree = ast.parse(check)
    helpers = _free_names(tree) - {entry_point, "check"}
    imports = _imports(helpers, [entry_point])
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if "check" in defined:
        call = f"def test_check():\n    check({entry_point})"
        return "\n".join([*imports, "", check, "", call, ""])
    return "\n".join([*imports, "", _as_function(tree), ""])


def _as_function(tree: ast.Module) -> str:
    """Put plain statements into one test; imports and definitions stay where they are."""
    outside = [node for node in tree.body if isinstance(node, _DEFINITIONS)]
    inside = [node for node in tree.body if not isinstance(node, _DEFINITIONS)]
    head = ast.unparse(ast.Module(body=list(outside), type_ignores=[]))
    shell = ast.parse(textwrap.dedent("def test_check():\n    pass"))
    function = shell.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = list(inside) or function.body
    names = sorted(_stored(inside))
    if names:
        function.body.insert(0, ast.Global(names=names))
    return f"{head}\n\n{ast.unparse(ast.fix_missing_locations(shell))}"


def _stored(nodes: Iterable[ast.stmt]) -> set[str]:
    """Names that the statements bind; functions beside them may read those."""
    every = (child for node in nodes for child in ast.walk(node))
    return {node.id for node in every if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _free_names(tree: ast.Module) -> set[str]:
    used: set[str] = set()
    bound: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
            case ast.Name(id=name):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                bound.add(name)
            case ast.alias(name=name, asname=alias):
                bound.add(alias or name.partition(".")[0])
            case ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case _:
                pass
    return used - bound - set(dir(builtins))
