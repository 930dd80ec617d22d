"""The machine that mendbench runs on: the disk for runs, its clock, and the model servers on it."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from evaluator.doctor.finding import GIB, Finding, bad, note, ok
from evaluator.servers.find import discover

NEEDED_BYTES = 2 * GIB
_DAY_S = 24 * 3600.0


def disk(runs_dir: Path) -> Iterator[Finding]:
    """Look whether runs can be written, and how many more."""
    folder = _nearest(runs_dir.absolute())
    if not os.access(folder, os.W_OK | os.X_OK):
        mend = f"chown or chmod {folder}, or write elsewhere: --runs-dir FOLDER, or runs_dir in [bench]"
        yield bad("runs", f"{runs_dir}/ cannot be written: no permission in {folder}", mend)
    free = shutil.disk_usage(folder).free
    what = f"{free / GIB:.1f} GiB free for {runs_dir}/"
    if free < NEEDED_BYTES:
        mend = f"free some space on the disk of {folder}: a full disk stops a run"
        yield bad("runs", what, mend)
    else:
        yield ok("runs", what)


def clock() -> Iterator[Finding]:
    """Look whether this machine's clock can be right: nothing installed is from tomorrow."""
    installed = Path(__file__).stat().st_mtime
    what = f"this machine's clock says {time.strftime('%Y-%m-%d %H:%M:%S %z')}"
    if time.time() < installed - _DAY_S:
        yield note("clock", f"{what}, which is before mendbench was installed", SET_CLOCK)
    else:
        yield ok("clock", what)


SET_CLOCK = "set the clock, best by NTP: sudo timedatectl set-ntp true"


def model_servers() -> Iterator[Finding]:
    """Look which model servers answer where they usually do."""
    found = discover()
    if not found:
        mend = "start LM Studio, Ollama, vLLM or llama.cpp, or name one: --model NAME@http://HOST:PORT/v1"
        yield note("models", "no model server answers on its usual port", mend)
        return
    listed = ", ".join(f"{server.shown} ({len(server.models)} models)" for server in found)
    yield ok("models", f"model servers: {listed}")


def _nearest(folder: Path) -> Path:
    """Return the folder, or where it would be made."""
    return next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))
