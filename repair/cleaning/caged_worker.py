"""The killable child: cleans one reply after another, under limits that it sets on itself.

Started by `repair.cleaning.caged`. Frames on stdin and stdout are four bytes of length and that much JSON.
"""

import contextlib
import dataclasses
import gc
import json
import os
import struct
import sys
from typing import Any, BinaryIO

from repair.cleaning.clean import Asked, clean_reply

_OBJECTS = 200_000
HEADER = struct.Struct(">I")


def main(cpu_s: float, memory_bytes: int) -> None:
    """Serve until stdin ends."""
    requests, answers = sys.stdin.buffer, _private_stdout()
    _limit_memory(memory_bytes)
    settle()
    _write(answers, {"ready": True})
    while (request := _read(requests)) is not None:
        _limit_cpu(cpu_s)
        _write(answers, _answer(request))


def settle() -> None:
    """Look for cycles rarely: a syntax tree has none, and is as large as the thresholds are small."""
    gc.freeze()
    gc.set_threshold(_OBJECTS)


def _private_stdout() -> BinaryIO:
    """Nothing but frames may reach the pipe, whatever a library prints."""
    answers = os.fdopen(os.dup(1), "wb")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.close(silence)
    return answers


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    script = clean_reply(
        request["text"],
        reasoning=request["reasoning"],
        asked=Asked(**{**request["asked"], "required": tuple(request["asked"]["required"])}),
        trees=request["trees"],
    )
    return dataclasses.asdict(script)


def _read(stream: BinaryIO) -> dict[str, Any] | None:
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (size,) = HEADER.unpack(header)
    request: dict[str, Any] = json.loads(stream.read(size))
    return request


def _write(stream: BinaryIO, answer: dict[str, Any]) -> None:
    payload = json.dumps(answer).encode("ascii")
    stream.write(HEADER.pack(len(payload)) + payload)
    stream.flush()


def _limit_memory(memory_bytes: int) -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not on every platform

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_cpu(cpu_s: float) -> None:
    """The kernel counts the whole life of a process; each request gets its own share."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not on every platform

        usage = resource.getrusage(resource.RUSAGE_SELF)
        spent = usage.ru_utime + usage.ru_stime
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(spent + cpu_s) + 1, hard))
