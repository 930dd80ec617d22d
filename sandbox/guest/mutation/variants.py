"""Versions of a script that are no mutants: extreme ones, and ones that behave just like it.

An *extreme* version has no behaviour left in one function, or in all: a test that passes on all of them tests
nothing. A *null* version is the script itself, unchanged or with other names for locals and values that
nobody reads: a suite that fails on one is unstable, or looks at something other than behaviour.
"""

import ast
from collections.abc import Iterator
from typing import Any

from .change import Change, placed
from .instrument import FUNCTIONS, has_docstring, is_tick
from .statements import real

NEVER_RENAME = frozenset(
    {"locals", "vars", "eval", "exec", "dir", "globals", "inspect", "sys", "_getframe", "gc", "super"}
)
"""Functions that speak of one of these might see the names of their locals."""
RENAMED = "_renamed_{}"
STORE = "_stored_for_nobody"
NEEDLESS = f"{STORE} = 271828\n{STORE} = [{STORE} < 314159, {STORE} + 161803, __name__ is None]"
"""Changes nothing, but the code's length, its names, its constants, and what it compares and adds."""


def functions(statement: ast.stmt, scope: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the functions of a statement of the module, and the methods of its classes."""
    if isinstance(statement, FUNCTIONS):
        yield f"{scope}{statement.name}", statement
    elif isinstance(statement, ast.ClassDef):
        for node in statement.body:
            yield from functions(node, f"{scope}{statement.name}.")


def extremes(statement: ast.stmt) -> Iterator[Change]:
    """Yield two changes per function: it returns None; it is not implemented."""
    for scope, node in functions(statement):
        first = real(node.body)[1 if has_docstring(node) else 0 :] or [node.body[-1]]
        for operator, instead in (
            ("XRN", ast.Return(value=ast.Constant(None))),
            ("XNI", ast.Raise(exc=ast.Name(id="NotImplementedError", ctx=ast.Load()), cause=None)),
        ):
            yield Change(
                operator=operator,
                scope=scope,
                owner=node,
                field="body",
                old=node.body,
                new=[placed(instead, first[0])],
                at=first[0],
                first=first[0].lineno,
                last=node.end_lineno,
            )


def nulls(statement: ast.stmt) -> Iterator[Change]:
    """Yield up to two versions per function that behave as before."""
    for scope, node in functions(statement):
        body = real(node.body)
        start = body[1 if has_docstring(node) else 0 :]
        if not start:
            continue
        facts = {
            "scope": scope,
            "owner": node,
            "at": start[0],
            "first": start[0].lineno,
            "last": node.end_lineno,
        }
        yield Change(operator="NUL", field="body", old=node.body, new=node.body, **facts)
        other = _disguised(node)
        if other is not None:
            yield Change(operator="EQV", field="body", old=node.body, new=other, **facts)


def _disguised(node: Any) -> list[ast.stmt] | None:
    """Return the body with other names for its plain locals, where it has those alone, and needless code.

    None where names of locals may be seen.
    """
    body = ast.Module(body=node.body, type_ignores=[])
    if any(isinstance(part, ast.Name) and part.id in NEVER_RENAME for part in ast.walk(body)):
        return None
    copy = _copy(body)
    if _is_plain(body):
        _rename(node, copy)
    at = 1 if has_docstring(copy) else 0
    place = copy.body[min(at, len(copy.body) - 1)]
    copy.body[at:at] = [_moved(statement, place) for statement in ast.parse(NEEDLESS).body]
    found: list[ast.stmt] = copy.body
    return found


def _rename(node: Any, copy: ast.Module) -> None:
    names = {
        part.id for part in ast.walk(copy) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    } - _bound_otherwise(node, copy)
    table = {name: RENAMED.format(number) for number, name in enumerate(sorted(names))}
    for part in ast.walk(copy):
        if isinstance(part, ast.Name) and part.id in table:
            part.id = table[part.id]


def _moved(statement: ast.stmt, place: ast.stmt) -> ast.stmt:
    for part in ast.walk(statement):
        if hasattr(part, "lineno"):
            ast.copy_location(part, place)
    return statement


def _is_plain(body: ast.Module) -> bool:
    """Say whether renaming is safe: no scope in a scope, no name that is bound in another way."""
    nested = (*FUNCTIONS, ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    for part in ast.walk(body):
        if isinstance(part, nested):
            return False
        if isinstance(part, ast.Match | ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal | ast.Delete):
            return False
        if isinstance(part, ast.ExceptHandler) and part.name:
            return False
    return True


def _bound_otherwise(node: Any, copy: ast.Module) -> set[str]:
    args = node.args
    every = (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg)
    return {arg.arg for arg in every if arg is not None} | {
        part.target.id
        for part in ast.walk(copy)
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    }


def _copy(node: Any) -> Any:
    """Copy a tree, ticks included."""
    if isinstance(node, list):
        return [_copy(part) for part in node]
    if not isinstance(node, ast.AST):
        return node
    copy = type(node)(**{field: _copy(value) for field, value in ast.iter_fields(node)})
    ast.copy_location(copy, node)
    if is_tick(node):
        copy._is_a_tick = True  # type: ignore[attr-defined]  # noqa: SLF001 -- our own mark
    return copy


ANYTHING = """
class _Anything:
    def __init__(self, *args, **kwargs): pass
    def __call__(self, *args, **kwargs): return self
    def __getattr__(self, name):
        if name.startswith("__"): raise AttributeError(name)
        return self
    def __getitem__(self, key): return self
    def __iter__(self): return iter(())
    def __enter__(self): return self
    def __exit__(self, *args): return False
def __getattr__(name):
    if name.startswith("__"): raise AttributeError(name)
    if name.endswith(("Error", "Exception", "Warning")): return type(name, (Exception,), {})
    return _Anything()
"""
"""A module that has every name, and nothing behind any."""
