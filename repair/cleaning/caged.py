"""Cleaning in killable children, because the parsers that it needs can crash or freeze on a reply.

A child that dies or is late is replaced, and the reply falls back to what text alone can tell.
"""

import dataclasses
import json
import os
import queue
import selectors
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from repair.cleaning.caged_worker import HEADER
from repair.cleaning.clean import Asked
from repair.cleaning.gates import too_large
from repair.cleaning.plain import shortened, text_only
from repair.cleaning.rank import AnswerKind
from repair.cleaning.rules import edit
from repair.errors import CleanerError
from repair.script import CleanOutcome, Edit, EditClass, Script

_ROOT = str(Path(__file__).resolve().parents[2])
_START = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from repair.cleaning.caged_worker import main; main({cpu}, {memory})"
)
_START_S = 60.0
_CHUNK = 1 << 16


class _Died(Exception):
    """The child went away."""


class _Late(Exception):
    """The child did not answer in time."""


class _Worker:
    """One child process and the pipes to it. Used by one thread at a time."""

    def __init__(self, cpu_s: float, memory_bytes: int) -> None:
        start = _START.format(cpu=float(cpu_s), memory=int(memory_bytes))
        # -I: no environment, no current folder on the path; a new session: Ctrl-C is not for it.
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and a constant program
            [sys.executable, "-I", "-W", "ignore", "-c", start, _ROOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={key: os.environ[key] for key in ("SYSTEMROOT",) if key in os.environ},
            cwd="/" if os.name == "posix" else None,
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        try:
            self._receive(time.monotonic() + _START_S)
        except BaseException:
            self.kill()
            raise

    def ask(self, request: dict[str, Any], wall_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + wall_s
        payload = json.dumps(request).encode("ascii")
        self._send(memoryview(HEADER.pack(len(payload)) + payload), deadline)
        return self._receive(deadline)

    def _send(self, data: memoryview, deadline: float) -> None:
        while data:
            self._wait(self._in, selectors.EVENT_WRITE, deadline)
            try:
                data = data[os.write(self._in, data[:_CHUNK]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise _Died from error

    def _receive(self, deadline: float) -> dict[str, Any]:
        (size,) = HEADER.unpack(self._read(HEADER.size, deadline))
        answer: dict[str, Any] = json.loads(self._read(size, deadline))
        return answer

    def _read(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._wait(self._out, selectors.EVENT_READ, deadline)
            try:
                part = os.read(self._out, min(size - len(data), _CHUNK))
            except BlockingIOError:
                continue
            if not part:
                raise _Died
            data += part
        return bytes(data)

    @staticmethod
    def _wait(file: int, event: int, deadline: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(file, event)
            if not selector.select(max(deadline - time.monotonic(), 0)):
                raise _Late

    def kill(self) -> None:
        """End the child and close its pipes. Safe to call twice."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()


class Cleaner:
    """Cleans replies in a few child processes, started when first needed. Safe for many threads."""

    def __init__(
        self, *, workers: int = 2, wall_s: float = 15.0, cpu_s: float = 10.0, memory_bytes: int = 1 << 30
    ) -> None:
        self._wall_s, self._cpu_s, self._memory_bytes = wall_s, cpu_s, memory_bytes
        self._closed = False
        self._places: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        self._workers = workers
        for _ in range(workers):
            self._places.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the children; waits for those at work. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        for _ in range(self._workers):
            worker = self._places.get()
            if worker is not None:
                worker.kill()
        self._places.put(None)

    def clean(
        self,
        completion_text: str,
        reasoning: str = "",
        required: tuple[str, ...] = (),
        kind: AnswerKind = "script",
        *,
        prompt: str = "",
        subject: str = "",
        mine_reasoning: bool = False,
    ) -> Script:
        """Make a Script of a reply; see `repair.cleaning.clean.clean_reply`. Any reply gives a Script.

        Raises:
            CleanerError: no child can be started, or the cleaner is closed.
        """
        asked = Asked(
            required=required, kind=kind, prompt=prompt, subject=subject, mine_reasoning=mine_reasoning
        )
        if not too_large(completion_text):
            return self._cleaned(completion_text, reasoning, asked)
        short = shortened(completion_text, required)
        if short is None:
            return text_only(completion_text, required, reason="too_large")
        script = self._cleaned(short, reasoning, asked)
        return _after_shortening(script, dropped_chars=len(completion_text) - len(short))

    def _cleaned(self, text: str, reasoning: str, asked: Asked) -> Script:
        request = {"text": text, "reasoning": reasoning, "asked": dataclasses.asdict(asked), "trees": True}
        script, reason = self._ask(request)
        # A child may have died of the reply before, or of libcst: one more try, in a new one, without it.
        if script is None and (asked.kind == "tests" or reason == "worker_died" or "test" in text):
            script, _ = self._ask({**request, "trees": False})
            script = script and replace(script, reason=reason)
        return script or text_only(text, asked.required, reason=reason)

    def _ask(self, request: dict[str, Any]) -> tuple[Script | None, str]:
        worker = self._places.get()
        try:
            worker = worker or self._started()
            return script_from(worker.ask(request, self._wall_s)), ""
        except _Late:
            _kill(worker)
            worker = None
            return None, "worker_timeout"
        except (_Died, OSError, ValueError, KeyError, TypeError):
            _kill(worker)
            worker = None
            return None, "worker_died"
        except BaseException:
            _kill(worker)
            worker = None
            raise
        finally:
            self._places.put(worker)

    def _started(self) -> _Worker:
        if self._closed:
            raise CleanerError("The cleaner is closed.")
        try:
            try:
                return _Worker(self._cpu_s, self._memory_bytes)
            except _Died:
                # Ctrl-C reaches a child that has been forked and has no session of its own yet.
                return _Worker(self._cpu_s, self._memory_bytes)
        except (_Died, _Late, OSError, ValueError) as error:
            raise CleanerError(
                f"A cleaning worker cannot be started with {sys.executable}: {error!r}. "
                "Check that this Python can import `repair` and has 1 GiB of memory to spare."
            ) from error


def _kill(worker: _Worker | None) -> None:
    if worker is not None:
        worker.kill()


def _after_shortening(script: Script, *, dropped_chars: int) -> Script:
    """Most of the reply was never looked at: that is lossy, whatever came out."""
    shortened_edit = edit("too_large", dropped_chars=dropped_chars)
    lossy = script.code is not None and script.compiles
    return replace(
        script,
        outcome=CleanOutcome.LOSSY if lossy else CleanOutcome.UNPARSABLE,
        edits=(shortened_edit, *script.edits),
        raw_compiles=False,
        reason="too_large",
        spans=(),
    )


def script_from(data: dict[str, Any]) -> Script:
    """Rebuild a Script from its JSON.

    Raises:
        KeyError, TypeError, ValueError: it is not the JSON of a Script.
    """
    edits = tuple(
        Edit(**{**one, "kind": EditClass(one["kind"]), "spans": _spans(one["spans"])})
        for one in data["edits"]
    )
    rest = {"edits": edits, "spans": _spans(data["spans"]), "flags": tuple(data["flags"])}
    return Script(**{**data, "outcome": CleanOutcome(data["outcome"]), **rest})


def _spans(pairs: list[list[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((int(start), int(end)) for start, end in pairs)
