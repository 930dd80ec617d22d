"""What may stand for an expression: pairs of an operator's name and another expression.

The names are the usual ones: ROR relational, AOR arithmetic, LCR logical connector, COD condition
operand deletion, UOD unary operator deletion, CRP constant replacement, ARG argument removal, SLC slice
bound removal, TRN one arm of a ternary, REX a piece of a regular expression. Within one operator the most
telling comes first.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

Option = tuple[str, Any]

BOUNDARY: Mapping[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: Mapping[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Div,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.MatMult: ast.Mult,
}
_RE_CALLS = frozenset(
    {"compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
)
_RE_PIECES = (
    (r"^\^", ""),
    (r"(?<!\\)\$$", ""),
    (r"(?<![\\(])\+", "*"),
    (r"(?<![\\(])\*", "+"),
    (r"\\d", r"\\D"),
    (r"\\w", r"\\W"),
    (r"\\s", r"\\S"),
    (r"(?<![\\(*+?])\?", ""),
)
_MAX_ARGS = 4
_LONG = 1000


def options(node: ast.expr) -> Iterator[Option]:  # noqa: C901, PLR0912 -- a case per kind of node
    """Yield what may stand for this expression."""
    match node:
        case ast.Compare():
            yield from _relational(node)
        case ast.BinOp():
            yield from _arithmetic(node)
        case ast.BoolOp():
            yield from _connectors(node)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield "UOD", operand
        case ast.Constant(value=value):
            for other in constants(value):
                yield "CRP", ast.Constant(other)
        case ast.List(elts=[_, *_], ctx=ast.Load()):
            yield "CRP", ast.List(elts=[], ctx=ast.Load())
        case ast.Tuple(elts=[_, *_], ctx=ast.Load()):
            yield "CRP", ast.Tuple(elts=[], ctx=ast.Load())
        case ast.Dict(keys=[_, *_]):
            yield "CRP", ast.Dict(keys=[], values=[])
        case ast.Slice():
            yield from _bounds(node)
        case ast.IfExp(body=body, orelse=orelse):
            yield "TRN", body
            yield "TRN", orelse
        case ast.Call():
            yield from _arguments(node)
            yield from _patterns(node)
        case _:
            pass


def _relational(node: ast.Compare) -> Iterator[Option]:
    for index, op in enumerate(node.ops):
        for other in BOUNDARY.get(type(op), ()):
            ops = [*node.ops[:index], other(), *node.ops[index + 1 :]]
            yield "ROR", ast.Compare(left=node.left, ops=ops, comparators=node.comparators)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _arithmetic(node: ast.BinOp) -> Iterator[Option]:
    # Texts know no other operator: that would only be an error in other words.
    if not (_is_text(node.left) or _is_text(node.right)):
        yield "AOR", ast.BinOp(left=node.left, op=ARITHMETIC[type(node.op)](), right=node.right)


def _connectors(node: ast.BoolOp) -> Iterator[Option]:
    yield "LCR", ast.BoolOp(op=ast.And() if isinstance(node.op, ast.Or) else ast.Or(), values=node.values)
    for index in range(len(node.values)):
        rest = [*node.values[:index], *node.values[index + 1 :]]
        yield "COD", rest[0] if len(rest) == 1 else ast.BoolOp(op=node.op, values=rest)


def constants(value: object) -> list[Any]:
    """Name other constants of the same type."""
    match value:
        case bool():
            return [not value]
        case int() if abs(value) < 1 << 64:
            return [value + 1] if value in {0, -1} else [value + 1, value - 1]
        case float() | complex():
            return [value + 1.0]
        case str():
            return [""] if value else ["XX"]
        case bytes():
            return [b""] if value else [b"XX"]
        case _:
            return []


def _bounds(node: ast.Slice) -> Iterator[Option]:
    for name in ("lower", "upper", "step"):
        if getattr(node, name) is not None:
            yield (
                "SLC",
                ast.Slice(**{**{n: getattr(node, n) for n in ("lower", "upper", "step")}, name: None}),
            )


def _arguments(node: ast.Call) -> Iterator[Option]:
    count = len(node.args) + len(node.keywords)
    if count < 2:  # noqa: PLR2004 -- without its only argument a call is another one, or none
        return
    for index in range(min(len(node.args), _MAX_ARGS)):
        args = [*node.args[:index], *node.args[index + 1 :]]
        yield "ARG", ast.Call(func=node.func, args=args, keywords=node.keywords)
    for index in range(min(len(node.keywords), _MAX_ARGS)):
        keywords = [*node.keywords[:index], *node.keywords[index + 1 :]]
        yield "ARG", ast.Call(func=node.func, args=node.args, keywords=keywords)


def _patterns(node: ast.Call) -> Iterator[Option]:
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="re"), attr=name),
            args=[ast.Constant(value=str(text)), *rest],
        ) if name in _RE_CALLS and len(text) < _LONG:
            for other in _pieces(text):
                args = [ast.copy_location(ast.Constant(other), node.args[0]), *rest]
                yield "REX", ast.Call(func=node.func, args=args, keywords=node.keywords)
        case _:
            pass


def _pieces(text: str) -> Iterator[str]:
    for piece, instead in _RE_PIECES:
        other = re.sub(piece, instead, text, count=1)
        if other != text and _is_pattern(other):
            yield other


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return False
    return True
