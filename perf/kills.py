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
PATIENCE_S = 60.0
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What one kill left."""

    killed_after_s: float
    """Since the first attempt began."""
    running_at_kill: int
    last_seen_s: float
    """When one of them was last seen running."""
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
        last = _watch(client, label, killed, until=GRACE_S)
        running = _count(client, label, stopped=False)
        left = _count(client, label, stopped=True)
        if running:
            # Late, or never?
            last = _watch(client, label, killed, until=PATIENCE_S)
        reap(client)
        return Aftermath(
            killed_after_s=after_s,
            running_at_kill=before,
            last_seen_s=last,
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


def _watch(client: docker.APIClient, label: str, since: float, *, until: float) -> float:
    """Watch for `until` seconds since the kill; give when the last container was seen that ran.

    The first seconds are watched to their end: what was being made at the kill may start after it.
    """
    last = 0.0
    while (now := time.monotonic() - since) < until:
        if _count(client, label, stopped=False):
            last = now
        elif now > GRACE_S:
            break
        time.sleep(0.05)
    return last


def _count(client: docker.APIClient, label: str, *, stopped: bool) -> int:
    return len(client.containers(all=stopped, filters={"label": f"{LABEL_RUN}={label}"}))
