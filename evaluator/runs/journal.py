"""The run folder: append-only JSON lines, one writer, every line on disk before the next step."""

import contextlib
import errno
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from filelock import FileLock, Timeout
from pydantic import ValidationError

from evaluator.errors import DiskFull, JournalProblem, RunIncompatible, RunLocked, Stopped
from evaluator.runs.records import (
    ARTIFACT_CHARS,
    SCHEMA_VERSION,
    AttemptRecord,
    CompletionRecord,
    Manifest,
    SuiteRecord,
)
from evaluator.runs.rundata import RunData, trajectories

COMPLETIONS = "completions.jsonl"
ATTEMPTS = "attempts.jsonl"
SUITES = "suites.jsonl"
"""There in runs whose models write test suites."""
MANIFEST = "run.json"

_R = TypeVar("_R", CompletionRecord, AttemptRecord, SuiteRecord)
_FILES = {"completion": COMPLETIONS, "attempt": ATTEMPTS, "suite": SUITES}
_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


def now() -> str:
    """UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Journal:
    """The single writer of one run folder. Thread-safe.

    Raises:
        RunLocked: another process writes to the folder.
        RunIncompatible: the folder was written by another schema version.
        DiskFull: a line could not be written; the file was cut back to its last whole line.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        with _translated(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._owner = FileLock(folder / ".lock", blocking=False)
            try:
                self._owner.acquire()
            except Timeout as exc:
                raise RunLocked(
                    f"{folder}: another process is writing to this run. Wait for it, or stop it first."
                ) from exc
            self._files = {name: open_append(folder / name) for name in (COMPLETIONS, ATTEMPTS)}

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace run.json in one step."""
        with self._lock, _translated(self.folder):
            write_atomically(self.folder / MANIFEST, manifest.model_dump_json(indent=1) + "\n")

    def append(self, record: CompletionRecord | AttemptRecord | SuiteRecord) -> None:
        """Write one record and return when it is on disk.

        Raises:
            Stopped: the journal is closed.
        """
        name = _FILES[record.type]
        with self._lock, _translated(self.folder):
            if not self._files:
                raise Stopped
            if name not in self._files:
                self._files[name] = open_append(self.folder / name)
            stored = _shelve(record.model_dump(mode="json"), self.folder / "artifacts")
            line = json.dumps(stored, ensure_ascii=True, separators=(",", ":")) + "\n"
            append_line(self._files[name], line.encode())

    def close(self) -> None:
        """Close the files and let go of the folder. Safe to call twice."""
        with self._lock:
            for descriptor in self._files.values():
                os.close(descriptor)
            self._files = {}
            self._owner.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_manifest(folder: Path) -> Manifest:
    """Read run.json.

    Raises:
        JournalProblem: there is none, or it cannot be read.
        RunIncompatible: another schema version wrote it.
    """
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise JournalProblem(
            f"{folder}: not a run folder (no {MANIFEST}). `mendbench bench` makes one."
        ) from exc
    except (OSError, ValueError) as exc:
        raise JournalProblem(f"{path}: cannot be read: {exc}") from exc
    _check_version(raw, path)
    try:
        return Manifest.model_validate(raw)
    except ValidationError as exc:
        raise JournalProblem(
            f"{path}: {exc.error_count()} fields are wrong, the first: {_first(exc)}"
        ) from exc


def read_completions(folder: Path) -> Iterator[CompletionRecord]:
    """Read every whole line of completions.jsonl."""
    for number, raw in _lines(folder, COMPLETIONS):
        yield _validated(CompletionRecord, raw, folder / COMPLETIONS, number)


def read_attempts(folder: Path) -> Iterator[AttemptRecord]:
    """Read every whole line of attempts.jsonl."""
    for number, raw in _lines(folder, ATTEMPTS):
        yield _validated(AttemptRecord, raw, folder / ATTEMPTS, number)


def read_suites(folder: Path) -> Iterator[SuiteRecord]:
    """Read every whole line of suites.jsonl."""
    for number, raw in _lines(folder, SUITES):
        yield _validated(SuiteRecord, raw, folder / SUITES, number)


def load_run(folder: Path) -> RunData:
    """Read a run back: the manifest, the attempts that count, the replies."""
    return RunData(
        manifest=read_manifest(folder),
        trajectories=trajectories(read_attempts(folder)),
        completions={record.key: record for record in read_completions(folder)},
        suites=tuple({record.call_key: record for record in read_suites(folder)}.values()),
    )


def write_atomically(path: Path, text: str) -> None:
    """Write a file by temp file and rename, so that a reader sees the old or the new, never a half."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def open_append(path: Path) -> int:
    """Open a file of lines to add to; what a crash left of its last line is moved to <name>.torn."""
    _set_torn_tail_aside(path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def _set_torn_tail_aside(path: Path) -> None:
    """Move what follows the last newline to <name>.torn: a cut-off line must not swallow the next one."""
    if not path.exists():
        return
    with path.open("r+b") as stream:
        end = _end_of_last_line(stream.seek(0, os.SEEK_END), stream)
        stream.seek(end)
        tail = stream.read()
        if tail:
            with path.with_name(path.name + ".torn").open("ab") as torn:
                torn.write(tail + b"\n")
            stream.truncate(end)


def _end_of_last_line(size: int, stream: Any) -> int:
    step, end = 64 * 1024, size
    while end > 0:
        start = max(0, end - step)
        stream.seek(start)
        found = stream.read(end - start).rfind(b"\n")
        if found >= 0:
            return int(start + found + 1)
        end = start
    return 0


def append_line(descriptor: int, line: bytes) -> None:
    """Write one line and return when it is on disk; if that fails, cut the file back to whole lines."""
    before = os.fstat(descriptor).st_size
    try:
        written = 0
        while written < len(line):
            written += os.write(descriptor, line[written:])
        _sync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, before)
        raise


def _shelve(value: Any, shelf: Path) -> Any:
    """Put long texts into content-addressed files and leave a reference in their place."""
    if isinstance(value, str):
        return _shelve_text(value, shelf) if len(value) > ARTIFACT_CHARS else value
    if isinstance(value, dict):
        return {key: _shelve(item, shelf) for key, item in value.items()}
    if isinstance(value, list):
        return [_shelve(item, shelf) for item in value]
    return value


def _shelve_text(text: str, shelf: Path) -> dict[str, str | int]:
    name = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    path = shelf / name[:2] / f"{name}.txt"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode("utf-8", "replace").decode())
    return {"artifact": name, "chars": len(text)}


def _unshelve(value: Any, shelf: Path) -> Any:
    if isinstance(value, dict):
        name = value.get("artifact")
        if isinstance(name, str) and value.keys() == {"artifact", "chars"}:
            return _read_artifact(shelf, name)
        return {key: _unshelve(item, shelf) for key, item in value.items()}
    if isinstance(value, list):
        return [_unshelve(item, shelf) for item in value]
    return value


def _read_artifact(shelf: Path, name: str) -> str:
    path = shelf / name[:2] / f"{name}.txt"
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return stream.read()
    except OSError as exc:
        raise JournalProblem(f"{path}: a text that the journal refers to cannot be read: {exc}") from exc


def _lines(folder: Path, name: str) -> Iterator[tuple[int, Any]]:
    path = folder / name
    if not path.exists():
        return
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n"):
                return  # torn by a crash: never happened
            try:
                yield number, _unshelve(json.loads(line), folder / "artifacts")
            except ValueError as exc:
                raise JournalProblem(f"{path}:{number}: not a line of JSON: {exc}") from exc


def _validated(model: type[_R], raw: Any, path: Path, number: int) -> _R:
    _check_version(raw, path)
    try:
        return model.model_validate(raw)
    except ValidationError as exc:
        raise JournalProblem(f"{path}:{number}: {_first(exc)}") from exc


def _check_version(raw: Any, path: Path) -> None:
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        raise RunIncompatible(
            f"{path}: written with journal schema {version!r}; this mendbench reads schema {SCHEMA_VERSION}. "
            "Use the version that wrote it, or start a new run."
        )


def _first(exc: ValidationError) -> str:
    error = exc.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"


@contextlib.contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise DiskFull(
                f"{folder}: the disk is full. What is written stays valid: free some space, "
                f"then continue with `mendbench bench --resume {folder}`."
            ) from exc
        raise JournalProblem(f"{folder}: cannot be written: {exc}") from exc
