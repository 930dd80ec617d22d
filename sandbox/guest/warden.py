"""PID 1: takes a job, has the children forked that do it, watches them, and reports what happened.

It never runs untrusted code itself, and what it says about limits, signals and memory comes from the
kernel. Its stdin and stdout are known to nobody else; when the host goes, stdin ends and so does the
warden, and with PID 1 the kernel ends everything in the container.
"""

import os
import signal
import sys
from dataclasses import dataclass
from typing import Any

from . import flow, folders, kernel
from .ahead import Pair
from .child import take_environment
from .nursery import STARTS, Nursery, Users
from .version import guest_version
from .wire import MAX_RESULT_BYTES, clean, encode, read_frame, write_frame
from .zygote import Zygote

PROTOCOL = 3
LEVEL = "MENDBENCH_LEVEL"
"""For which level this container is made: `process`, or any other."""
ONCE = "MENDBENCH_ONCE"
"""Not empty where it is for a single attempt."""
STDIN = 0
STDOUT = 1


def ignore_signals() -> None:
    """Python would die of a SIGINT even as PID 1. SIGCHLD keeps its default: ignored, it reaps by itself."""
    keep = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}
    for number in signal.valid_signals() - keep:
        signal.signal(number, signal.SIG_IGN)


def main() -> None:
    """Serve jobs, as long as the host wants to send one more and nothing is left of the last."""
    kernel.set_dumpable(False)
    ignore_signals()
    folders.CODE.mkdir(mode=0o755)
    kind = _Kind(
        hash_seed=int(os.environ["PYTHONHASHSEED"]),
        in_pairs=os.environ.get(LEVEL) == "process",
        once=bool(os.environ.get(ONCE)),
    )
    take_environment("/", kind.hash_seed)
    # Both before the first job comes: no child may ever inherit one.
    nursery = Nursery(plain=Zygote("guest.plain"), pytest=Zygote("guest.session"))
    identity = {"python": sys.version.partition(" ")[0], "guest_version": guest_version()}
    start = int.from_bytes(os.urandom(4), "big") % STARTS
    try:
        nursery.wait_until_warm()
        pair = kind.pair(nursery, Users.of(0, start))
        write_frame(STDOUT, encode({"ready": 1, "protocol": PROTOCOL, **identity}))
    except Exception as exc:  # noqa: BLE001 -- our own failure is told, not died of
        write_frame(STDOUT, encode(_failure(exc)))
        os._exit(1)
    _serve(nursery, identity, kind, start, pair)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """For what jobs this container was made."""

    hash_seed: int
    in_pairs: bool
    once: bool

    def takes(self, job: dict[str, Any]) -> bool:
        """Say whether it was made for this one."""
        in_pairs, keeps = job["level"] == "process", bool(job["keep"])
        return job["hash_seed"] == self.hash_seed and in_pairs is self.in_pairs and not (self.once and keeps)

    def pair(self, nursery: Nursery, users: Users) -> Pair | None:
        """Start the processes that the next job will need, if they can be started before it comes."""
        return Pair(nursery, users, self.hash_seed, last=self.once) if self.in_pairs else None


def _serve(nursery: Nursery, identity: dict[str, Any], kind: _Kind, start: int, pair: Pair | None) -> None:
    attempt = 0
    while True:
        job = read_frame(STDIN)
        if job is None:
            os._exit(1)
        if kind.takes(job):
            result = _do(job, nursery, Users.of(attempt, start), pair)
            if attempt:
                # The peak of all attempts in this container says nothing of this one.
                result["cgroup_peak_bytes"] = None
        else:
            result = {"error": "this container was made for another kind of job"}
        again = result["reusable"] = bool(result.get("reusable") and job["keep"])
        write_frame(STDOUT, _fit({**identity, "job_id": job["id"], **result}))
        if not again:
            os._exit(0)
        attempt += 1
        # While the host looks for the next job.
        pair = kind.pair(nursery, Users.of(attempt, start))


def _do(job: dict[str, Any], nursery: Nursery, users: Users, pair: Pair | None) -> dict[str, Any]:
    try:
        done = flow.run(job, nursery, users, STDIN, pair)
    except Exception as exc:  # noqa: BLE001 -- our own failure is told, not died of
        return _failure(exc)
    return {**done.result, "reusable": done.clean and job["keep"] and _emptied(users)}


def _emptied(users: Users) -> bool:
    try:
        folders.empty((users.compile, users.collect, users.run))
    except (OSError, RecursionError, folders.NotEmpty):
        return False
    return True


def _failure(exc: Exception) -> dict[str, Any]:
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
