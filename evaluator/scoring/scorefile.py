"""Where score's lines go: standard output, or a file that is added to and knows what it holds."""

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evaluator.errors import JournalProblem, RunLocked, UsageProblem
from evaluator.runs.journal import append_line, open_append
from evaluator.scoring.score import FORMAT, OURS
from evaluator.scoring.verdict_line import dump


def to_stdout(line: Mapping[str, Any]) -> None:
    """Print one line at once, for whoever waits for it."""
    sys.stdout.write(dump(line) + "\n")
    sys.stdout.flush()


class Results:
    """A file of results: looks up the verdicts that it holds, and adds lines to it.

    Lines are added by one thread; each is on disk before the next.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor
        self._known: dict[bytes, str] = {}

    def read(self) -> None:
        """Learn the verdicts that are there; failures of ours are not learnt, so they are tried again.

        Raises:
            UsageProblem: a line is no result of `score`.
        """
        with self._path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                place = f"{self._path}:{number}"
                if not line.endswith(b"\n"):
                    _check_torn(line, place)
                    return
                key, verdict = _key_and_verdict(line, place)
                if verdict not in OURS:
                    self._known[_short(key)] = sys.intern(verdict)

    def find(self, key: str) -> str | None:
        """Look up a verdict."""
        return self._known.get(_short(key))

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a line.

        Raises:
            JournalProblem: it cannot be written; the lines before it are.
        """
        try:
            append_line(self._descriptor, dump(line).encode() + b"\n")
        except OSError as exc:
            raise JournalProblem(
                f"{self._path}: cannot be written: {exc.strerror}. What is there stays valid; "
                "the same command goes on from it."
            ) from exc


def _short(key: str) -> bytes:
    # All that is kept of a line, and there may be very many.
    return bytes.fromhex(key)[:16]


def _check_torn(tail: bytes, place: str) -> None:
    """A line that a crash cut off begins like one of ours; anything else is somebody's data."""
    start = b'{"format":'
    if tail[: len(start)] != start[: len(tail)]:
        raise UsageProblem(f"{place}: no result of `mendbench score`; give another --out")


def _key_and_verdict(line: bytes, place: str) -> tuple[str, str]:
    try:
        row = json.loads(line)
        key, verdict, version = row["key"], row["verdict"], row["format"]
    except (ValueError, KeyError, TypeError) as exc:
        raise UsageProblem(f"{place}: no result of `mendbench score`; give another --out") from exc
    if version != FORMAT:
        raise UsageProblem(f"{place}: written in format {version!r}, not {FORMAT}; give another --out")
    return str(key), str(verdict)


@contextlib.contextmanager
def open_results(path: Path) -> Iterator[Results]:
    """Open a file of results, made if it is not there; nobody else may write to it meanwhile.

    Raises:
        RunLocked: somebody else does.
        JournalProblem: it cannot be opened or written.
        UsageProblem: it holds something else.
    """
    if path.exists() and not path.is_file():
        raise UsageProblem(f"{path}: not a file; leave --out away to have the lines on standard output")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as exc:
        raise JournalProblem(f"{path}: cannot be written: {exc.strerror}") from exc
    try:
        _lock(descriptor, path)
        results = Results(path, descriptor)
        results.read()
        os.close(open_append(path))  # sets a torn line aside
        yield results
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    # Before anything is read: what looks like a torn line may be somebody's line in the making.
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise RunLocked(f"{path}: another process is writing to this file. Wait for it, or stop it.") from exc
