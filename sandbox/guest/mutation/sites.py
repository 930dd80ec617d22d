"""Finds every place of a script that can be changed, and what may stand there instead."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from . import expressions, statements
from .change import Change, placed
from .instrument import FUNCTIONS, has_docstring, is_tick

_TALK = frozenset({"print", "debug", "info", "warning", "warn", "error", "exception", "critical", "log"})
_ERRORS = ("Error", "Exception", "Warning")
_SKIPPED = (ast.Import, ast.ImportFrom, ast.Delete, ast.Global, ast.Nonlocal)
_EXPRESSION_LISTS = (list, tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the walk is."""

    scope: str = ""
    first: int = 0
    last: int = 0
    cosmetic: bool = False


def changes(statement: ast.stmt) -> Iterator[Change]:
    """Yield the changes of one statement of the module, in the order of the source."""
    yield from _Walk().statement(_Holder(statement), "body", statement, _Place())


class _Holder(ast.AST):
    """Stands for the module above a statement, which must not be replaced as a whole."""

    def __init__(self, node: ast.stmt) -> None:
        self.body = [node]


class _Walk:
    def statement(self, owner: ast.AST, field: str, node: ast.stmt, place: _Place) -> Iterator[Change]:
        if (
            is_tick(node)
            or isinstance(node, _SKIPPED)
            or _is_main(node)
            or _is_dunder(node)
            or _is_text(node)
        ):
            return
        first, last = _header(node)
        place = replace(place, first=first, last=last, cosmetic=isinstance(node, ast.Raise))
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield from self._definition(node, place)
            return
        if not isinstance(owner, _Holder) or not isinstance(node, ast.Expr):
            yield from self._whole(owner, field, node, place)
        yield from self._parts(node, place)

    def _whole(self, owner: ast.AST, field: str, node: ast.stmt, place: _Place) -> Iterator[Change]:
        for operator, part, old, new in statements.options(node):
            if isinstance(owner, _Holder) and not part:
                continue
            where = replace(place, cosmetic=isinstance(node, ast.Expr) and _is_talk(node.value))
            if part == "handler":
                holder: ast.AST = next(each for each in node.handlers if each.body is old)  # type: ignore[attr-defined]
                where = replace(where, first=holder.lineno, last=old[-1].end_lineno)  # type: ignore[attr-defined]
                yield _change(operator, where, holder, "body", old, new, holder)
            elif part:
                yield _change(operator, where, node, part, old, new, old if hasattr(old, "lineno") else node)
            else:
                yield _change(operator, where, owner, field, old, new, old)

    def _definition(self, node: Any, place: _Place) -> Iterator[Change]:
        for operator, part, old, new in statements.signature(node):
            if part == "default":
                field = "defaults" if any(old is each for each in node.args.defaults) else "kw_defaults"
                yield _change(operator, place, node.args, field, old, new, old)
            else:
                gone = next(each for each in old if not any(each is other for other in new))
                yield _change(operator, place, node, part, old, new, gone)
        arguments = getattr(node, "args", None)
        if arguments is not None:
            for field in ("defaults", "kw_defaults"):
                for default in getattr(arguments, field):
                    if default is not None:
                        yield from self._expression(arguments, field, default, place)
        inner = replace(place, scope=f"{place.scope}.{node.name}" if place.scope else node.name)
        yield from self._body(node, "body", inner, skip_first=has_docstring(node))

    def _body(
        self, owner: ast.AST, field: str, place: _Place, *, skip_first: bool = False
    ) -> Iterator[Change]:
        for node in getattr(owner, field)[1 if skip_first else 0 :]:
            yield from self.statement(owner, field, node, place)

    def _parts(self, node: ast.AST, place: _Place) -> Iterator[Change]:
        for field, value in ast.iter_fields(node):
            if field in {"annotation", "returns", "type_comment", "pattern", "type_params", "decorator_list"}:
                continue
            for part in list(value) if isinstance(value, _EXPRESSION_LISTS) else [value]:
                yield from self._part(node, field, part, place)

    def _part(self, owner: ast.AST, field: str, part: object, place: _Place) -> Iterator[Change]:
        match part:
            case ast.stmt():
                yield from self.statement(owner, field, part, place)
            case ast.ExceptHandler():
                yield from self._body(part, "body", place)
            case ast.match_case():
                if part.guard is not None:
                    yield from self._expression(part, "guard", part.guard, _at(place, part.guard))
                yield from self._body(part, "body", place)
            case ast.comprehension() | ast.withitem() | ast.keyword() | ast.arguments():
                yield from self._parts(part, place)
            case ast.expr():
                yield from self._expression(owner, field, part, place)
            case _:
                pass

    def _expression(self, owner: ast.AST, field: str, node: ast.expr, place: _Place) -> Iterator[Change]:
        if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            # What is stored into may still be computed: `a[i + 1] = …`.
            yield from self._parts(node, place)
            return
        if isinstance(node, ast.JoinedStr):
            yield from self._joined(node, place)
            return
        if is_tick(node) and not isinstance(node, ast.BoolOp):
            return
        if not is_tick(node):
            talk = place.cosmetic or _is_talk(node)
            place = replace(place, cosmetic=talk)
            yield from self._replaced(owner, field, node, place)
        yield from self._parts(node, place)

    def _replaced(self, owner: ast.AST, field: str, node: ast.expr, place: _Place) -> Iterator[Change]:
        text = isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
        seen: dict[str, int] = {}
        for operator, new in expressions.options(node):
            rank = seen[operator] = seen.get(operator, -1) + 1
            where = place if text or _is_print(node) else replace(place, cosmetic=False)
            yield _change(operator, where, owner, field, node, new, node, rank)

    def _joined(self, node: ast.JoinedStr, place: _Place) -> Iterator[Change]:
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                yield from self._expression(value, "value", value.value, place)


def _change(
    operator: str, place: _Place, owner: ast.AST, field: str, old: Any, new: Any, at: ast.AST, rank: int = 0
) -> Change:
    parts = new if isinstance(new, list) else [new]
    for part in parts:
        # Operators and empty lists have no place.
        if isinstance(part, ast.stmt | ast.expr) and not hasattr(part, "lineno"):
            placed(part, at)
    return Change(
        operator=operator,
        scope=place.scope,
        owner=owner,
        field=field,
        old=old,
        new=new,
        at=at,
        first=place.first,
        last=place.last,
        rank=rank,
        cosmetic=place.cosmetic,
    )


def _at(place: _Place, node: ast.expr) -> _Place:
    return replace(place, first=node.lineno, last=node.end_lineno or node.lineno)


def _header(node: ast.stmt) -> tuple[int, int]:
    """Return the lines of a statement itself, without the statements in it."""
    match node:
        case ast.If(test=until) | ast.While(test=until) | ast.Match(subject=until):
            end = until.end_lineno
        case ast.For(iter=until) | ast.AsyncFor(iter=until):
            end = until.end_lineno
        case ast.With(items=items) | ast.AsyncWith(items=items):
            end = items[-1].context_expr.end_lineno
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            end = max(node.lineno, (statements.real(node.body) or [node])[0].lineno - 1)
        case ast.Try():
            end = node.lineno
        case _:
            end = node.end_lineno
    return node.lineno, end or node.lineno


def _is_main(node: ast.stmt) -> bool:
    match node:
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case _:
            return False


def _is_dunder(node: ast.stmt) -> bool:
    match node:
        case ast.Assign(targets=[ast.Name(id=name), *_]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name.startswith("__") and name.endswith("__")
        case _:
            return False


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_talk(node: ast.expr) -> bool:
    """Say whether a call speaks to people: its texts are none of a test's business."""
    return _is_print(node) or (isinstance(node, ast.Call) and _called(node).endswith(_ERRORS))


def _is_print(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and _called(node) in _TALK


def _called(node: ast.Call) -> str:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return str(name)
