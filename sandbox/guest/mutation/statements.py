"""What may stand for a statement, or for a part of one: (operator, field or empty, old, new).

SDL statement deletion, ASG an assignment of None, RET a return of None, BCR break and continue, NEG a
negated condition, ZIL a loop of no round, OIL of one, EXT another exception raised, EXS an exception
swallowed, EXR one not caught, DEF a default of None, DEC a decorator removed, AOR in augmented assignments.
"""

import ast
from collections.abc import Iterator
from typing import Any

from .expressions import ARITHMETIC
from .instrument import is_tick

Option = tuple[str, str, Any, Any]
"""The field is empty where the statement itself is replaced."""
EQUIVALENT_WITHOUT = frozenset(
    {"lru_cache", "cache", "wraps", "overload", "abstractmethod", "override", "final"}
)
"""Decorators without which nothing, or nothing that a test should see, is different."""
_LEAVES = (ast.Break, ast.Continue, ast.Return, ast.Raise)


def options(node: ast.stmt) -> Iterator[Option]:  # noqa: C901, PLR0912 -- a case per kind of node
    """Yield what may stand for this statement."""
    match node:
        case ast.Expr(value=ast.Yield() | ast.YieldFrom() | ast.Await() | ast.Constant()):
            pass
        case ast.Expr() | ast.Assert():
            yield "SDL", "", node, ast.Pass()
        case ast.AugAssign(op=op):
            other = ast.AugAssign(target=node.target, op=ARITHMETIC[type(op)](), value=node.value)
            yield "AOR", "", node, other
            yield "SDL", "", node, ast.Pass()
        case ast.Assign():
            yield from _assignment(node)
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield "RET", "value", value, ast.Constant(None)
        case ast.Break():
            yield "BCR", "", node, ast.Continue()
        case ast.Continue():
            yield "BCR", "", node, ast.Break()
        case ast.Raise():
            yield from _raised(node)
        case ast.If(test=test) if not isinstance(test, ast.Compare | ast.UnaryOp | ast.Constant):
            yield "NEG", "test", test, ast.UnaryOp(op=ast.Not(), operand=test)
        case ast.While(test=test):
            yield "ZIL", "test", test, ast.Constant(False)  # noqa: FBT003 -- the constant itself
            yield from _one_round(node)
        case ast.For() | ast.AsyncFor():
            if isinstance(node, ast.For):
                yield "ZIL", "iter", node.iter, ast.Tuple(elts=[], ctx=ast.Load())
            yield from _one_round(node)
        case ast.Try():
            for handler in node.handlers:
                yield from _handler(handler)
        case _:
            pass


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _assignment(node: ast.Assign) -> Iterator[Option]:
    if any(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
        yield "SDL", "", node, ast.Pass()
    elif not _is_none(node.value) and isinstance(node.targets[0], ast.Name):
        yield "ASG", "value", node.value, ast.Constant(None)


def _raised(node: ast.Raise) -> Iterator[Option]:
    yield "SDL", "", node, ast.Pass()
    call = node.exc
    name = call.func if isinstance(call, ast.Call) else call
    if isinstance(name, ast.Name):
        other = ast.Name(id="ValueError" if name.id == "RuntimeError" else "RuntimeError", ctx=ast.Load())
        raised = ast.Call(func=other, args=call.args, keywords=[]) if isinstance(call, ast.Call) else other
        yield "EXT", "exc", node.exc, raised


def _one_round(node: ast.While | ast.For | ast.AsyncFor) -> Iterator[Option]:
    if not isinstance(node.body[-1], _LEAVES):
        last = ast.copy_location(ast.Break(), node.body[-1])
        yield "OIL", "body", node.body, [*node.body, last]


def _handler(node: ast.ExceptHandler) -> Iterator[Option]:
    # The statements of a handler are its own; these two are about catching at all.
    only = node.body[0] if len(node.body) == 1 else None
    if not isinstance(only, ast.Raise):
        yield "EXR", "handler", node.body, [ast.copy_location(ast.Raise(), node.body[0])]
    if not isinstance(only, ast.Pass):
        yield "EXS", "handler", node.body, [ast.copy_location(ast.Pass(), node.body[0])]


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[Option]:
    """Yield what may stand for the decorators and defaults of a definition."""
    for decorator in node.decorator_list:
        if _name(decorator) not in EQUIVALENT_WITHOUT:
            rest = [other for other in node.decorator_list if other is not decorator]
            yield "DEC", "decorator_list", node.decorator_list, rest
    if isinstance(node, ast.ClassDef):
        return
    for default in (*node.args.defaults, *node.args.kw_defaults):
        if default is not None and not isinstance(default, ast.Constant):
            yield "DEF", "default", default, ast.Constant(None)


def _name(decorator: ast.expr) -> str:
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def real(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements that were written, without ticks."""
    return [node for node in body if not is_tick(node)]
