"""One source text from a file or from standard input."""

import sys
from pathlib import Path

from evaluator.errors import UsageProblem

STDIN = "-"
_MAX_BYTES = 16 * 1024 * 1024


def read_source(file: str) -> str:
    """Read a file, or standard input where it is named `-`.

    Raises:
        UsageProblem: it cannot be read, is too long, or is not UTF-8.
    """
    try:
        if file == STDIN:
            data = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as stream:
                data = stream.read(_MAX_BYTES + 1)
    except OSError as exc:
        raise UsageProblem(f"{file}: cannot be read: {exc.strerror}") from exc
    if len(data) > _MAX_BYTES:
        raise UsageProblem(f"{file}: longer than {_MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise UsageProblem(f"{file}: not UTF-8: byte {exc.start}") from exc
