"""The script behind `make test-engines`: what it starts ends with it, and the machine's own engine goes on."""

import os
import platform
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("second")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
FOLDER = CACHE / "mendbench/engines" / os.environ.get("MENDBENCH_ENGINE_SUITE", "trixie")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        platform.system() != "Linux" or os.geteuid() != 0 or not (FOLDER / "root").is_dir(),
        reason="there is no second engine here: `make test-engines` makes one (as root on Linux)",
    ),
    pytest.mark.skipif(
        f"{FOLDER}/" in os.environ.get("DOCKER_HOST", ""),
        reason="these tests are running on the second engine",
    ),
]


def inside():
    """Daemons of engines in a network of their own: `docker/engine` starts none such."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            namespace = (process / "ns/net").readlink()
        except OSError:
            continue
        if namespace != Path("/proc/self/ns/net").readlink() and command.startswith(
            (b"dockerd", b"containerd")
        ):
            found.append(process.name)
    return found


def second(*command):
    return subprocess.run([SCRIPT, *command], capture_output=True, text=True, check=False, timeout=180)


def test_command_runs_on_the_second_engine():
    """The command finds a newer engine at DOCKER_HOST; its output and exit code are passed on."""
    ran = second("bash", "-c", "docker version --format '{{.Server.APIVersion}}'; exit 7")

    assert ran.returncode == 7
    assert float(ran.stdout) >= 1.45
    assert inside() == []


def test_nothing_is_left_of_a_killed_one():
    """After kill -9 of the script no process of its engine lives, and the next start is not in its way."""
    with subprocess.Popen([SCRIPT, "sleep", "600"], stderr=subprocess.PIPE, text=True) as script:
        try:
            started = any(" at unix://" in line for line in script.stderr)
            running = inside()
        finally:
            script.kill()
    assert started
    assert running != []

    deadline = time.monotonic() + 10
    while inside() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert inside() == []
    assert second("true").returncode == 0
    assert not list(Path("/sys/fs/cgroup").glob("*/mendbench-second"))


def test_use_is_said():
    """Without a command nothing is started: how to call it is said."""
    ran = second()

    assert ran.returncode == 2
    assert "COMMAND" in ran.stderr
