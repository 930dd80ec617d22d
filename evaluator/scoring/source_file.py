"""One source text from a file or from standard input."""

import sys
from pathlib import Path

from evaluator.errors import UsageProblem

STDIN = "-"
_MAX_BYTES = 16 * 1024 * 1024


def read_bytes(file: str, most: int = _MAX_BYTES) -> bytes:
    """Read a file, or standard input where it is named `-`; `most` bytes at the most.

    Raises:
        UsageProblem: it cannot be read, or is too long.
    """
    try:
        if file == STDIN:
            data = sys.stdin.buffer.read(most + 1)
        else:
            with Path(file).open("rb") as stream:
                data = stream.read(most + 1)
    except OSError as exc:
        raise UsageProblem(f"{file}: cannot be read: {exc.strerror}") from exc
    if len(data) > most:
        raise UsageProblem(f"{file}: longer than {most} bytes")
    return data


def read_source(file: str) -> str:
    """Read a text.

    Raises:
        UsageProblem: it cannot be read, is too long, or is not UTF-8.
    """
    try:
        return read_bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise UsageProblem(f"{file}: not UTF-8: byte {exc.start}") from exc
