"""Kill a working bench with SIGKILL and count what it leaves."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker

from perf.ways import run_id
from sandbox.connect import connect
from sandbox.reaper import LABEL_RUN, reap

GRACE_S = 5.0
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What one kill left."""

    killed_after_s: float
    """Since the first attempt began."""
    running_at_kill: int
    gone_after_s: float | None
    """When the last one had stopped, at most GRACE_S; None if some still ran then."""
    running: int
    """Containers that still run after GRACE_S."""
    left: int
    """Containers that exist then, stopped ones included."""
    left_after_reaping: int


def kill_once(after_s: float, *, workers: int = 4, warm: int = 0) -> Aftermath:
    """Start a bench, kill it `after_s` seconds after its first attempt has begun, and look what is left."""
    label = run_id()
    with contextlib.closing(connect()) as client:
        with _victim(label, workers, warm) as victim:
            time.sleep(after_s)
            before = _count(client, label, stopped=False)
            os.kill(victim.pid, signal.SIGKILL)
            killed = time.monotonic()
            victim.wait()
        gone = _wait_for_end(client, label, killed)
        time.sleep(max(0.0, killed + GRACE_S - time.monotonic()))
        running = _count(client, label, stopped=False)
        left = _count(client, label, stopped=True)
        reap(client)
        return Aftermath(
            killed_after_s=after_s,
            running_at_kill=before,
            gone_after_s=gone,
            running=running,
            left=left,
            left_after_reaping=_count(client, label, stopped=True),
        )


@contextlib.contextmanager
def _victim(label: str, workers: int, warm: int) -> Iterator[subprocess.Popen[str]]:
    words = ["--run-id", label, "--workers", str(workers), "--warm", str(warm)]
    with subprocess.Popen(
        [sys.executable, "-m", "perf.victim", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as victim:
        try:
            assert victim.stdout is not None
            if "at work" not in victim.stdout.readline():
                raise SystemExit("the bench to be killed did not start")
            yield victim
        finally:
            victim.kill()


def _wait_for_end(client: docker.APIClient, label: str, since: float) -> float | None:
    while time.monotonic() < since + GRACE_S:
        if not _count(client, label, stopped=False):
            return time.monotonic() - since
        time.sleep(0.05)
    return None


def _count(client: docker.APIClient, label: str, *, stopped: bool) -> int:
    return len(client.containers(all=stopped, filters={"label": f"{LABEL_RUN}={label}"}))
