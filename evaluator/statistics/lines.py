"""Lines of a run's files as polars reads them: of a line only what numbers are made of is decoded.

`evaluator.runs.records` has the long texts of a line behind what numbers are made of. They are most of its
bytes, and to decode them would take most of the time. A cut is made at a key, and no text can imitate one:
within a JSON string its quotes would be escaped. What was cut off is not checked.

Lines of another order (of older versions) do not count as `whole`: they have to be decoded from end to end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

WHOLE: Final = "whole"
"""Column beside the parts: whether they hold all that was asked for."""
_LINE, _NEVER = "line", "\x1f"  # the latter stands in no line of JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The first fields of an object in a line."""

    name: str
    after: str
    """What stands before it."""
    opening: str = ""
    """What makes an object of it where that began earlier."""
    until: str
    """What stands after the last field that is wanted."""
    closing: str
    """What closes the brackets that are open there."""
    shape: pl.Struct
    written: tuple[str, ...]
    """Fields that are never null: a null was cut off."""
    nullable: tuple[str, ...] = ()
    """The others: where they are null their names must be there."""
    within: str = ""
    """The field in which it is cut off: the fields of that are never null either."""
    optional: bool = False
    """Whether null may stand instead of the object."""


def lines_of(path: Path) -> pl.LazyFrame | None:
    """Read the whole lines of a file as column `line`: what a crash tore off at the end never happened.

    None where there are none.
    """
    torn = _torn_tail(path)
    if torn is None:
        return None
    # As a table of one column: `scan_lines` gives batches of half a megabyte, too small for what follows.
    lines = pl.scan_csv(
        path, separator=_NEVER, quote_char=None, has_header=False, schema={_LINE: pl.String}, glob=False
    )
    return lines.filter(pl.col(_LINE).ne_missing(torn)) if torn else lines


def decoded(lines: pl.LazyFrame, shape: pl.Struct) -> pl.LazyFrame:
    """Decode lines from end to end: a column for each field."""
    return lines.select(pl.col(_LINE).str.json_decode(shape).alias("record")).unnest("record")


def cut(lines: pl.LazyFrame, parts: Sequence[Part], begin: str) -> pl.LazyFrame:
    """Decode parts of lines, in the order in which they stand there: a struct for each, and WHOLE.

    A line that does not begin with `begin` is not whole.
    """
    line = pl.col(_LINE)
    lines = lines.with_columns((line.str.starts_with(begin) & line.str.ends_with("}")).alias(WHOLE))
    for part in parts:
        lines = lines.with_columns(_begin(part)).with_columns(_text(part), _missing(part))
    lines = lines.with_columns(
        pl.col(_text_of(part)).str.json_decode(part.shape).alias(part.name) for part in parts
    )
    whole = pl.all_horizontal(WHOLE, *(_is_whole(part) for part in parts))
    return lines.select(*(part.name for part in parts), whole.fill_null(value=False).alias(WHOLE))


def _text_of(part: Part) -> str:
    return f"text of {part.name}"


def _missing_of(part: Part) -> str:
    return f"no {part.name}"


def _begin(part: Part) -> pl.Expr:
    line = pl.col(_LINE)
    return _slice(line, line.str.find(part.after, literal=True) + len(part.after)).alias(_LINE)


def _text(part: Part) -> pl.Expr:
    line = pl.col(_LINE)
    end = line.str.find(part.until, literal=True)
    begun = pl.concat_str(pl.lit(part.opening), _slice(line, pl.lit(0), end), pl.lit(part.closing))
    there = ~_is_null() if part.optional else pl.lit(value=True)
    return pl.when(there & end.is_not_null()).then(begun).alias(_text_of(part))


def _missing(part: Part) -> pl.Expr:
    return (_is_null() if part.optional else pl.lit(value=False)).alias(_missing_of(part))


def _is_null() -> pl.Expr:
    return pl.col(_LINE).str.starts_with("null,")


def _is_whole(part: Part) -> pl.Expr:
    field, text = pl.col(part.name).struct.field, pl.col(_text_of(part))
    named = (
        pl.when(field(name).is_null())
        .then(text)
        .str.contains(f'"{name}":', literal=True)
        .fill_null(value=True)
        for name in part.nullable
    )
    written = [field(name).is_not_null() for name in part.written]
    if part.within:
        written.append(pl.all_horizontal(field(part.within).struct.field("*").is_not_null()))
    return pl.col(_missing_of(part)) | pl.all_horizontal(*written, *named)


def _slice(text: pl.Expr, start: pl.Expr, length: pl.Expr | None = None) -> pl.Expr:
    """Slice by bytes: `find` counts them, slices of texts count characters."""
    return text.cast(pl.Binary).bin.slice(start, length).cast(pl.String)


def _torn_tail(path: Path) -> str | None:
    """Give what follows the last line break; None where there are no whole lines."""
    if not path.exists():
        return None
    with path.open("rb") as stream:
        end = stream.seek(0, 2)
        tail, start = b"", end
        while start and b"\n" not in tail:
            start = max(0, start - (1 << 16))
            stream.seek(start)
            tail = stream.read(end - start)
    before, newline, after = tail.rpartition(b"\n")
    if not newline or (not start and not before.strip()):
        return None
    return after.decode("utf-8", "replace")
