"""Tests out of scripts, and scripts out of tests, by libcst; formatting stays. Only in the killable child."""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import libcst as cst

from repair.cleaning.edits import dotted
from repair.cleaning.gates import refusal
from repair.cleaning.oracle import Oracle, free_names

_TOOLS = frozenset({"pytest", "unittest", "hypothesis"})
_REFUSALS = (cst.ParserSyntaxError, cst.CSTValidationError, RecursionError, ValueError, SyntaxError)
_RUNNERS = frozenset({"main", "TextTestRunner", "testmod"})

Statement = cst.BaseCompoundStatement | cst.SimpleStatementLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A script without its tests, and the tests as a file of their own."""

    script: str
    tests: str
    count: int
    """Statements that moved."""


def split_tests(code: str, required: frozenset[str]) -> Parts | None:
    """Move tests to a file of their own. None if there are none, or if the script needs what would go."""
    if refusal(code):
        return None
    try:
        tree = cst.parse_module(code)
        names = frozenset(map(_name_of, filter(_is_test, tree.body)))
        if not names or names & required:
            return None
        moved = [node for node in tree.body if _moves(node, names)]
        kept = [node for node in tree.body if not _moves(node, names)]
        return _parts(tree, kept, moved, required)
    except _REFUSALS:
        return None


def _parts(
    tree: cst.Module, kept: list[Statement], moved: list[Statement], required: frozenset[str]
) -> Parts | None:
    script = tree.with_changes(body=kept, footer=[]).code
    facts, bare = Oracle(len(script)).facts(script), cst.Module(body=moved).code
    gone = Oracle(len(bare)).facts(bare).names
    stands = facts.compiles and facts.definitions and required <= facts.names
    if not stands or free_names(script) & gone:
        return None
    used = sorted(free_names(bare) & facts.names)
    head = f"from solution import {', '.join(used)}\n" if used else ""
    return Parts(script=script, tests=head + bare, count=len(moved))


def _moves(node: Statement, tests: frozenset[str]) -> bool:
    if _is_test(node) or _is_fixture(node) or _is_tool_import(node):
        return True
    if isinstance(node, cst.If):
        guard = "__name__" in cst.Module(body=[]).code_for_node(node.test) and node.orelse is None
        return guard and _all_runners(_lines_of(node.body), tests)
    return isinstance(node, cst.SimpleStatementLine) and _all_runners([node], tests)


def _lines_of(body: cst.BaseSuite) -> Sequence[cst.CSTNode]:
    return body.body


def _is_test(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.FunctionDef):
        return node.name.value.startswith("test")
    if not isinstance(node, cst.ClassDef):
        return False
    bases = {dotted(arg.value).rpartition(".")[2] for arg in node.bases}
    return "TestCase" in bases or (node.name.value.startswith("Test") and _has_test_method(node))


def _has_test_method(node: cst.ClassDef) -> bool:
    return any(
        isinstance(each, cst.FunctionDef) and each.name.value.startswith("test") for each in node.body.body
    )


def _name_of(node: cst.CSTNode) -> str:
    return node.name.value if isinstance(node, cst.FunctionDef | cst.ClassDef) else ""


def _is_fixture(node: cst.CSTNode) -> bool:
    if not isinstance(node, cst.FunctionDef):
        return False
    decorators = (each.decorator for each in node.decorators)
    called = (each.func if isinstance(each, cst.Call) else each for each in decorators)
    return any(dotted(each).rpartition(".")[2] == "fixture" for each in called)


def _is_tool_import(node: cst.CSTNode) -> bool:
    if not isinstance(node, cst.SimpleStatementLine):
        return False
    return bool(node.body) and all(_root_of(each) & (_TOOLS | {"solution"}) for each in node.body)


def _root_of(node: cst.CSTNode) -> set[str]:
    if isinstance(node, cst.Import):
        roots = {dotted(alias.name).partition(".")[0] for alias in node.names}
        return roots if len(roots) == 1 else set()
    if isinstance(node, cst.ImportFrom) and node.module is not None:
        return {dotted(node.module).partition(".")[0]}
    return set()


def _all_runners(nodes: Iterable[cst.CSTNode], tests: frozenset[str]) -> bool:
    """Whether these statements only start tests."""
    lines = list(nodes)
    return bool(lines) and all(
        isinstance(line, cst.SimpleStatementLine) and all(_runs(small, tests) for small in line.body)
        for line in lines
    )


def _runs(node: cst.BaseSmallStatement, tests: frozenset[str]) -> bool:
    if _root_of(node) & _TOOLS:
        return True
    call = node.value if isinstance(node, cst.Expr) else None
    if not isinstance(call, cst.Call):
        return False
    name = dotted(call.func)
    return name in tests or (name.partition(".")[0] in _TOOLS and name.rpartition(".")[2] in _RUNNERS)


def without_copies(code: str, subject: str) -> str | None:
    """Replace copies of the script's definitions in a test file by an import; None if one of them differs."""
    if refusal(code) or refusal(subject):
        return None
    try:
        own = dict(_definitions(subject))
        copied = {name: dump for name, dump in _definitions(code) if name in own}
        if not copied or any(own[name] != dump for name, dump in copied.items()):
            return None
        tree = cst.parse_module(code)
    except _REFUSALS:
        return None
    bind = cst.parse_statement(f"from solution import {', '.join(sorted(copied))}")
    body: list[Statement] = []
    for node in tree.body:
        if not isinstance(node, cst.FunctionDef | cst.ClassDef) or node.name.value not in copied:
            body.append(node)
        elif bind not in body:
            body.append(bind)
    return tree.with_changes(body=body).code


def _definitions(code: str) -> list[tuple[str, str]]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [(node.name, ast.dump(node)) for node in ast.parse(code).body if isinstance(node, kinds)]
