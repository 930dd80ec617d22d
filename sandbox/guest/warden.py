"""PID 1: takes one job, starts the children that do it, watches them, and reports what happened.

It never runs untrusted code itself, and what it says about limits, signals and memory comes from the
kernel. Its stdin and stdout are known to nobody else; when the host goes, stdin ends and so does the
warden, and with PID 1 the kernel ends everything in the container.
"""

import os
import platform
import signal
from typing import Any

from . import flow, kernel
from .version import guest_version
from .wire import MAX_RESULT_BYTES, clean, encode, read_frame, write_frame

PROTOCOL = 1
STDIN = 0
STDOUT = 1


def ignore_signals() -> None:
    """Python would die of a SIGINT even as PID 1. SIGCHLD keeps its default: ignored, it reaps by itself."""
    keep = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}
    for number in signal.valid_signals() - keep:
        signal.signal(number, signal.SIG_IGN)


def main() -> None:
    """Serve one job."""
    kernel.set_dumpable(False)
    ignore_signals()
    identity = {"python": platform.python_version(), "guest_version": guest_version()}
    write_frame(STDOUT, encode({"ready": 1, "protocol": PROTOCOL, **identity}))
    job = read_frame(STDIN)
    if job is None:
        os._exit(1)
    write_frame(STDOUT, _fit({**identity, "job_id": job["id"], **_do(job)}))
    os._exit(0)


def _do(job: dict[str, Any]) -> dict[str, Any]:
    try:
        return flow.run(job, host=STDIN)
    except Exception as exc:  # noqa: BLE001 -- our own failure is told, not died of
        return {"error": clean(f"{type(exc).__name__}: {exc}", 2000)}


def _fit(result: dict[str, Any]) -> bytes:
    """Encode the result, with less and less detail until it fits into a frame."""
    streams = {name: result.pop(name) for name in ("stdout", "stderr") if name in result}
    keep, detail = 1 << 20, 1 << 20
    while True:
        result |= {name: stream.summary(keep) for name, stream in streams.items()}
        body = encode(result)
        if len(body) <= MAX_RESULT_BYTES:
            return body
        keep, detail = min(keep // 2, 1 << 17), min(detail // 2, 1000)
        _cut_records(result, detail)


def _cut_records(result: dict[str, Any], detail: int) -> None:
    if "report_truncated" not in result["flags"]:
        result["flags"].append("report_truncated")
    for record in result["tests"]:
        record["frames"] = record.get("frames", [])[-2:] if detail > 100 else []  # noqa: PLR2004
        for key in ("message", "got", "expected"):
            record[key] = record.get(key, "")[:detail]
