"""One small change of a syntax tree: where, what instead, and how to make and unmake it."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .instrument import without_ticks

MAX_TEXT = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Put `new` where `old` is, in the field `field` of `owner`."""

    operator: str
    scope: str
    """Qualified name of the function around it; empty for the module's own level."""
    owner: ast.AST
    field: str
    old: Any
    """The node that is there, or the whole list of a field."""
    new: Any
    at: ast.AST
    """What the location is taken from."""
    first: int
    last: int
    """Lines of which one is executed before this can make a difference."""
    rank: int = 0
    """Of several at one place, the smallest is the most telling."""
    cosmetic: bool = False
    """It changes a text for people: suites rightly do not pin those."""

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Make the change, for as long as the context lasts."""
        value = getattr(self.owner, self.field)
        if value is self.old:
            setattr(self.owner, self.field, self.new)
            try:
                yield
            finally:
                setattr(self.owner, self.field, self.old)
            return
        index = next(i for i, part in enumerate(value) if part is self.old)
        value[index] = self.new
        try:
            yield
        finally:
            value[index] = self.old

    def location(self) -> dict[str, int]:
        """Return lines from 1 and columns from 0 in bytes, as the parser counts them."""
        at: Any = self.at
        return {
            "line": at.lineno,
            "column": at.col_offset,
            "end_line": at.end_lineno or at.lineno,
            "end_column": at.end_col_offset or at.col_offset,
        }

    def text(self) -> str:
        """Return what stands there instead, cut."""
        parts = self.new if isinstance(self.new, list) else [self.new]
        texts = (without_ticks(ast.unparse(ast.fix_missing_locations(part))) for part in parts if part)
        whole = "\n".join(text for text in texts if text)
        return whole if len(whole) <= MAX_TEXT else whole[: MAX_TEXT - 1] + "…"


def placed(node: Any, at: ast.AST) -> Any:
    """Give a new node, and what is new in it, the location of an old one."""
    return ast.fix_missing_locations(ast.copy_location(node, at))
