"""Where rows of samples come from: JSON lines, a JSON list, a folder. Read as a stream, never as a whole."""

import codecs
import gzip
import io
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final, cast

from evaluator.errors import UsageProblem
from evaluator.scoring.rows import BrokenRow, Raw, Spot, parse_json

STDIN = "-"
MAX_ROW: Final = 16 * 1024 * 1024
"""Bytes of one line, or characters of one element of a list; what is longer is refused unread."""

_CHUNK = 1 << 16
_BOM = b"\xef\xbb\xbf"


def read_samples(source: str) -> Iterator[Raw]:
    """Yield the rows of a file (JSON lines or one list, also `.gz`), of a folder, or of standard input.

    Raises:
        UsageProblem: there is nothing to read, or not one row in it.
    """
    any_row = False
    for raw in _raws(source):
        any_row = True
        yield raw
    if not any_row:
        raise UsageProblem(f"{source}: holds no samples")


def check_source(source: str) -> None:
    """Make sure that there is something to read.

    Raises:
        UsageProblem: there is not.
    """
    if source != STDIN and not Path(source).exists():
        raise UsageProblem(f"no such file or folder: {source}")


def _raws(source: str) -> Iterator[Raw]:
    if source != STDIN and Path(source).is_dir():
        yield from _folder(Path(source))
        return
    with ExitStack() as stack:
        try:
            stream = _buffered(source, stack)
            yield from _elements(stream) if _is_list(stream) else _lines(stream)
        except (EOFError, gzip.BadGzipFile, OSError) as exc:
            raise UsageProblem(f"{source}: cannot be read: {exc}") from exc


def _buffered(source: str, stack: ExitStack) -> io.BufferedReader:
    if source == STDIN:
        # Not sys.stdin: its lock cannot be had at exit while a thread still waits for input.
        return stack.enter_context(open(0, "rb", closefd=False))
    if source.endswith(".gz"):
        packed = stack.enter_context(gzip.GzipFile(source, "rb"))
        return stack.enter_context(io.BufferedReader(cast("io.RawIOBase", packed)))
    return stack.enter_context(Path(source).open("rb"))


def _is_list(stream: io.BufferedReader) -> bool:
    """Look at the first character that is none of white space."""
    head = stream.peek(1)
    if head.startswith(_BOM):
        stream.read(len(_BOM))
        head = stream.peek(1)
    while head[:1].isspace():
        stream.read(1)
        head = stream.peek(1)
    return head.startswith(b"[")


def _lines(stream: BinaryIO) -> Iterator[Raw]:
    number = 0
    while line := stream.readline(MAX_ROW + 1):
        number += 1
        if len(line) > MAX_ROW and not line.endswith(b"\n"):
            _skip_line(stream)
            why = f"longer than {MAX_ROW} bytes"
        elif not line.strip():
            continue
        else:
            why = ""
        spot = Spot(place=f"line {number}", line=number)
        yield Raw(spot=spot, why=why) if why else _parsed(spot, line)


def _skip_line(stream: BinaryIO) -> None:
    while (part := stream.readline(_CHUNK)) and not part.endswith(b"\n"):
        pass


def _parsed(spot: Spot, line: bytes) -> Raw:
    try:
        return Raw(spot=spot, value=parse_json(line))
    except BrokenRow as exc:
        return Raw(spot=spot, why=str(exc))


def _elements(stream: BinaryIO) -> Iterator[Raw]:
    """Yield the elements of one JSON list; what follows a fault in it cannot be found again."""
    reader, number = _ListReader(stream), 0
    while True:
        spot = Spot(place=f"element {number}")
        try:
            if not reader.more():
                return
            value = reader.element()
        except BrokenRow as exc:
            yield Raw(spot=spot, why=f"{exc}; the list cannot be read on from here")
            return
        yield Raw(spot=spot, value=value)
        number += 1


class _ListReader:
    """A JSON list, element by element, with no more of it in memory than the longest element needs."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder()
        self._text, self._at, self._ended = "", 0, False
        self._before = "["

    def more(self) -> bool:
        """Step over what stands before the next element; False at the end of the list."""
        found = self._next()
        if self._before == "[" and found == "[":
            self._at += 1
            self._before = ","
            return self._next() != "]"
        if found == "]":
            return False
        if found != ",":
            raise BrokenRow("the list ends in the middle" if not found else "no comma between two elements")
        self._at += 1
        return True

    def element(self) -> object:
        """Parse one element.

        Raises:
            BrokenRow: it is no JSON, or too long.
        """
        self._next()
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except json.JSONDecodeError as exc:
                if self._ended:
                    raise BrokenRow(f"not JSON: {exc.msg}") from None
            except (ValueError, RecursionError) as exc:
                raise BrokenRow(f"JSON that cannot be read: {exc}") from None
            else:
                # A number at the end of what was read may go on.
                if end < len(self._text) or self._ended:
                    self._at = end
                    return cast("object", value)
            self._fill()

    def _next(self) -> str:
        """Skip white space and give the next character; none at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at].isspace():
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._fill()

    def _fill(self) -> None:
        self._text, self._at = self._text[self._at :], 0
        if len(self._text) > MAX_ROW:
            raise BrokenRow(f"longer than {MAX_ROW} characters")
        # Twice as much each time: an element is not parsed from its start for every little piece.
        data = self._stream.read(max(_CHUNK, len(self._text)))
        self._ended = not data
        try:
            self._text += self._decoder.decode(data, final=self._ended)
        except UnicodeDecodeError as exc:
            raise BrokenRow(f"not UTF-8: {exc.reason}") from None


def _folder(root: Path) -> Iterator[Raw]:
    """Yield `TASK/{n}.py`: the folder names the task, with `_` or `/` in place of its slash."""
    for path in _scripts(root):
        name = path.relative_to(root)
        spot = Spot(place=str(name))
        task = name.parent.as_posix()
        if task == ".":
            yield Raw(spot=spot, why="lies in no task's folder; expected TASK/{n}.py")
            continue
        row_id = name.with_suffix("").as_posix()
        try:
            value = {"id": row_id, "task_id": task, "solution": _script(path)}
        except (OSError, BrokenRow) as exc:
            yield Raw(spot=spot, why=str(exc))
        else:
            yield Raw(spot=spot, value=value)


def _script(path: Path) -> str:
    with path.open("rb") as stream:
        data = stream.read(MAX_ROW + 1)
    if len(data) > MAX_ROW:
        raise BrokenRow(f"longer than {MAX_ROW} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise BrokenRow(f"not UTF-8: byte {exc.start}") from None


def _scripts(folder: Path) -> Iterator[Path]:
    # Links are left alone: whoever wrote the samples does not choose what else is read.
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: (len(entry.name), entry.name))
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from _scripts(Path(entry.path))
        elif entry.name.endswith(".py") and entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
