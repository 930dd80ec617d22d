"""Put replies to a strategy in its process; one that dies or is late is started anew."""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for one reply."""

    code: str | None = None
    lossy: bool = False
    ms: float = 0.0
    """Processor time, or what passed until there was no answer."""
    stable: bool = True
    """Cleaning the result gives the result; true where that was not asked."""
    error: str = ""
    """An exception, a death or a late answer."""


def command(strategy: str, python: str = sys.executable) -> list[str]:
    """Start a strategy, in our environment or in that of a peer."""
    if python == sys.executable:
        return [python, "-m", "perf.cleaning.host", strategy]
    return [python, "-P", str(Path(__file__).with_name("host.py")), strategy]


class Host:
    """A strategy's process. Used by one thread."""

    def __init__(self, argv: Sequence[str], *, wall_s: float) -> None:
        self._argv, self._wall_s = argv, wall_s
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(
        self, text: str, required: Sequence[str] = (), kind: str = "script", *, twice: bool = False
    ) -> Answer:
        """Have one reply cleaned."""
        if self._process is None:
            self._process = subprocess.Popen(
                self._argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        request = {"text": text, "required": list(required), "kind": kind, "twice": twice}
        began = time.monotonic()
        try:
            found = self._exchange(
                self._process, json.dumps(request).encode("ascii") + b"\n", began + self._wall_s
            )
        except (EOFError, BrokenPipeError, TimeoutError) as error:
            self._end()
            return Answer(error=f"{type(error).__name__}: {error}", ms=1000 * (time.monotonic() - began))
        return Answer(**found)

    @staticmethod
    def _exchange(process: subprocess.Popen[bytes], request: bytes, deadline: float) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        # The host reads a whole line before it answers, so a long request cannot block both.
        process.stdin.write(request)
        process.stdin.flush()
        file, received = process.stdout.fileno(), bytearray()
        while not received.endswith(b"\n"):
            ready, _, _ = select.select([file], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError("no answer in time")
            part = os.read(file, 1 << 20)
            if not part:
                raise EOFError("the process died")
            received += part
        found: dict[str, Any] = json.loads(received)
        return found

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    # What is left in its buffer has nobody to read it any more.
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
            self._process = None
