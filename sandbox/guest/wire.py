"""Length-prefixed JSON frames between host and warden, and text that may go into one."""

import json
import os
import struct
from typing import Any

HEADER = struct.Struct(">I")
MAX_JOB_BYTES = 32 * 1024 * 1024
MAX_RESULT_BYTES = 1024 * 1024


def clean(text: object, limit: int) -> str:
    """Make `text` valid Unicode without surrogates and NUL, of at most `limit` characters and a mark."""
    if not isinstance(text, str):
        return ""
    kept = text[:limit].encode("utf-8", "replace").decode("utf-8").replace("\0", "")
    cut = len(text) - limit
    return kept if cut <= 0 else f"{kept}… [{cut} characters cut]"


def encode(value: object) -> bytes:
    """Encode as one line of JSON. Text must be clean."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _read_exactly(fd: int, size: int) -> bytes | None:
    chunks = []
    while size:
        chunk = os.read(fd, min(size, 1 << 20))
        if not chunk:
            return None
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def read_frame(fd: int) -> dict[str, Any] | None:
    """Read one frame; None when the other side has gone or sends something else."""
    header = _read_exactly(fd, HEADER.size)
    if header is None:
        return None
    (size,) = HEADER.unpack(header)
    body = _read_exactly(fd, size) if size <= MAX_JOB_BYTES else None
    if body is None:
        return None
    value = json.loads(body)
    return value if isinstance(value, dict) else None


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, however small the pieces are that the kernel takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_frame(fd: int, body: bytes) -> None:
    """Write one frame around an encoded value."""
    write_all(fd, HEADER.pack(len(body)) + body)
