"""Puts a tick into every loop and every function, and cuts a script into fragments that compile alone.

A tick is a call that counts down: where a mutant loops without end, its number of ticks ends it, and that
number does not depend on how busy the machine is. Every version of the script has them, the unchanged one
too, so that all take the same path. They stand on lines that have code anyway: coverage sees the same.
"""

import __future__

import ast
import marshal
from collections.abc import Iterator
from types import CodeType
from typing import Any

TICK = "_mendbench_tick"
"""A name among the builtins: nothing is added to the script's own namespace."""
_MARK = "_is_a_tick"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LOOPS = (ast.For, ast.AsyncFor, ast.While)


def is_tick(node: ast.AST) -> bool:
    """Say whether a node was put in by `instrument`."""
    return hasattr(node, _MARK)


def instrument(tree: ast.Module) -> None:
    """Put the ticks in; the nodes that were there before stay the same objects."""
    for node in list(ast.walk(tree)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                at = 1 if has_docstring(node) and len(node.body) > 1 else 0
                node.body.insert(at, _statement(node.body[at]))
            case ast.For() | ast.AsyncFor() | ast.While():
                node.body.insert(0, _statement(node.body[0]))
            case ast.Lambda():
                node.body = _marked(ast.BoolOp(op=ast.Or(), values=[_call(node.body), node.body]), node.body)
            case ast.comprehension():
                at_node = node.ifs[0] if node.ifs else node.iter
                node.ifs.insert(0, _marked(ast.UnaryOp(op=ast.Not(), operand=_call(at_node)), at_node))
            case _:
                pass


def has_docstring(node: Any) -> bool:
    """Say whether a function, class or module begins with one."""
    first = node.body[0] if node.body else None
    return (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )


def without_ticks(text: str) -> str:
    """Return source that was made of an instrumented tree without what was put in."""
    lines = (line for line in text.split("\n") if line.strip() != f"{TICK}()")
    text = "\n".join(lines)
    return text.replace(f" if not {TICK}()", "").replace(f"{TICK}() or ", "")


def _marked(node: Any, at: ast.AST) -> Any:
    setattr(node, _MARK, True)
    return ast.fix_missing_locations(ast.copy_location(node, at))


def _call(at: ast.AST) -> ast.Call:
    call: ast.Call = _marked(ast.Call(func=ast.Name(id=TICK, ctx=ast.Load()), args=[], keywords=[]), at)
    # One line only: coverage must see no line that it would not see without.
    for part in (call, call.func):
        part.end_lineno, part.end_col_offset = part.lineno, part.col_offset
    return call


def _statement(at: ast.stmt) -> ast.Expr:
    # A decorated function begins, for coverage, with its first decorator.
    place = at.decorator_list[0] if getattr(at, "decorator_list", None) else at  # type: ignore[attr-defined]
    statement: ast.Expr = _marked(ast.Expr(value=_call(place)), place)
    return statement


# Fragments


def future_flags(tree: ast.Module) -> int:
    """Return the compiler flags of the script's `from __future__` imports."""
    names = [
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for alias in node.names
    ]
    return sum({getattr(__future__, name).compiler_flag for name in names if hasattr(__future__, name)})


def pieces(tree: ast.Module) -> list[ast.stmt]:
    """Return the statements that make a module; executed one by one in one namespace they are the module."""
    # A text alone would be taken for the module's docstring wherever it stands.
    first = 1 if has_docstring(tree) else 0
    return tree.body[:first] + [
        node for node in tree.body[first:] if not has_docstring(ast.Module([node], []))
    ]


def compile_piece(statement: ast.stmt, file: str, flags: int) -> CodeType:
    """Compile one statement as a module of its own.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: the compiler refuses.
    """
    code: CodeType = compile(ast.Module([statement], []), file, "exec", flags=flags, dont_inherit=True)
    return code


def children(code: CodeType) -> list[CodeType]:
    """Return the code objects that a code object holds, in order."""
    return [part for part in code.co_consts if isinstance(part, CodeType)]


def is_function(code: CodeType) -> bool:
    """Say whether it is a function's body (and not a class's or a module's)."""
    return bool(code.co_flags & 1)


def fingerprint(code: CodeType) -> bytes:
    """Return what a code object does, without where its lines are: equal ones behave alike."""
    return marshal.dumps(_facts(code))


def _facts(code: CodeType) -> tuple[Any, ...]:
    consts = tuple(_facts(part) if isinstance(part, CodeType) else _typed(part) for part in code.co_consts)
    shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags, code.co_name)
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return (code.co_code, code.co_exceptiontable, consts, shape, names)


def _typed(value: object) -> str:
    # 0, 0.0 and False are equal, and not the same. A frozenset has no order.
    if isinstance(value, frozenset):
        return f"frozenset{sorted(map(repr, value))}"
    return f"{type(value).__name__}:{value!r}"


def changes_outside_functions(old: CodeType, new: CodeType) -> bool:
    """Say whether two versions differ in what runs when the module is imported."""
    if is_function(old) and is_function(new):
        return False
    own = [(code.co_code, code.co_names, _plain(code), len(children(code))) for code in (old, new)]
    if own[0] != own[1] or is_function(old) != is_function(new):
        return True
    return any(
        changes_outside_functions(one, other) for one, other in zip(children(old), children(new), strict=True)
    )


def _plain(code: CodeType) -> list[str]:
    return [_typed(part) for part in code.co_consts if not isinstance(part, CodeType)]


def pairs(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Pair the functions of two versions: outer ones before those in them, as far as their shapes agree."""
    if is_function(old):
        yield old, new
    inner, others = children(old), children(new)
    if [part.co_name for part in inner] == [part.co_name for part in others]:
        for one, other in zip(inner, others, strict=True):
            yield from pairs(one, other)
