"""A run that is killed at any moment and resumed is the same as one that was not."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "perf" / "kill_resume.py"

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def test_killed_and_resumed():
    """A short form of perf/kill_resume.py: eight SIGKILLs in one demo run over three tasks."""
    tasks = ["--task=basics/coins", "--task=basics/runs", "--task=basics/clock"]
    done = subprocess.run(
        [sys.executable, "-P", SCRIPT, "--points", "8", "--per-chain", "8", *tasks],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "all the same, none lost" in done.stdout
