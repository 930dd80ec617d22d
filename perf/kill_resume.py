"""Kill a demo run with SIGKILL at many points of its journal, resume it each time, and compare.

Every chain is one run that is killed again and again on its way; in the end it must be the same as the
undisturbed run (evaluator.running.sample.fingerprint), with no line twice, none lost, and no container left.

    .venv/bin/python perf/kill_resume.py --points 200
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from evaluator.running.calls import fingerprint
from evaluator.runs.journal import load_run, read_attempts, read_completions
from sandbox.connect import connect
from sandbox.owner import Owner
from sandbox.reaper import LABEL_OWNER

BENCH = str(Path(sys.executable).with_name("mendbench"))
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}


def run_folder(root: Path) -> Path | None:
    """Find the one run under a folder, once its manifest is there."""
    return next((path.parent for path in root.glob("*/run.json")), None)


def start(root: Path, tasks: list[str]) -> subprocess.Popen:
    """Start a demo run, or resume the one that is there."""
    folder = run_folder(root)
    if folder is not None:
        words = ["--resume", str(folder)]
    else:
        words = ["--runs-dir", str(root), "--no-check-tasks", *(f"--task={task}" for task in tasks)]
    return subprocess.Popen([BENCH, "bench", *words], **QUIET)


def lines(root: Path) -> int:
    """Count the journal's lines so far."""
    folder = run_folder(root)
    if folder is None:
        return 0
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("*s.jsonl"))


def wait(process: subprocess.Popen) -> None:
    """Let a run come to its end."""
    _, err = process.communicate(timeout=1800)
    if process.returncode != 0:
        raise SystemExit(f"the run failed with {process.returncode}:\n{err}")


def kill_at(process: subprocess.Popen, root: Path, target: int, pause_s: float) -> bool:
    """Kill a run once its journal has `target` lines; False if it ended before."""
    while lines(root) < target:
        if process.poll() is not None:
            wait(process)
            return False
        time.sleep(0.01)
    time.sleep(pause_s)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return True


def running_orphans() -> list[str]:
    """Name our containers that still run though their owner has ended."""
    with contextlib.closing(connect()) as client:
        found = client.containers(filters={"label": LABEL_OWNER})
    owners = [(entry["Names"][0], Owner.parse(entry["Labels"][LABEL_OWNER])) for entry in found]
    return [name for name, owner in owners if owner and owner.is_gone(0.0)]


def check_orphans() -> None:
    """Containers of a killed bench must end by themselves within five seconds."""
    deadline = time.monotonic() + 5
    while running_orphans():
        if time.monotonic() > deadline:
            raise SystemExit(f"still running 5 s after the kill: {running_orphans()}")
        time.sleep(0.1)


def compare(whole: Counter, total: int, root: Path) -> None:
    """Make sure that a run is the same as the undisturbed one, and each line is there once."""
    folder = run_folder(root)
    attempts = list(read_attempts(folder))
    keys = [record.key for record in read_completions(folder)]
    if len(set(keys)) != len(keys):
        raise SystemExit(f"{folder}: a model was asked twice for what was on disk")
    if len({attempt.call_key for attempt in attempts}) != len(attempts):
        raise SystemExit(f"{folder}: an attempt is there twice")
    seen = Counter(fingerprint(attempt) for attempt in load_run(folder).attempts)
    if seen != whole:
        raise SystemExit(f"{folder}: not the same as the undisturbed run:\n{seen - whole}\n{whole - seen}")
    if lines(root) != total:
        raise SystemExit(f"{folder}: {lines(root)} lines, the undisturbed run has {total}")


def chain(root: Path, tasks: list[str], targets: list[int], dice: random.Random) -> int:
    """Kill one run at each of `targets` lines and bring it to its end; give the number of kills."""
    kills = 0
    for target in targets:
        process = start(root, tasks)
        kills += kill_at(process, root, target, dice.choice([0, 0, 0.02, 0.1, 0.3]))
        check_orphans()
    wait(start(root, tasks))
    return kills


def main() -> None:
    """Run the chains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--per-chain", type=int, default=20)
    parser.add_argument("--task", action="append", default=[], help="only these tasks of the demo")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        whole_root = Path(folder) / "whole"
        wait(start(whole_root, options.task))
        total = lines(whole_root)
        whole = Counter(fingerprint(item) for item in load_run(run_folder(whole_root)).attempts)
        undisturbed = time.monotonic() - began
        kills = number = 0
        while kills < options.points:
            number += 1
            wanted = min(options.per_chain, options.points - kills)
            targets = sorted(dice.randrange(total) for _ in range(wanted))
            root = Path(folder) / f"chain-{number}"
            kills += chain(root, options.task, targets, dice)
            compare(whole, total, root)
            print(f"{kills} kills, {number} chains, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{kills} kills at {total} lines, undisturbed run {undisturbed:.0f} s: all the same, none lost")


if __name__ == "__main__":
    main()
