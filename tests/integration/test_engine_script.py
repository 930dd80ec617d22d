"""docker/engine: uses an engine that answers, starts one that does not, and says what a person must do.

Real daemons, each private: own socket, data and pid file. The machine's own engine is only looked at.
"""

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.docker

SCRIPT = Path(__file__).resolve().parents[2] / "docker/engine"
needs_root = pytest.mark.skipif(
    platform.system() != "Linux" or os.geteuid() != 0 or not shutil.which("dockerd"),
    reason="starting an engine takes root on Linux and an installed dockerd",
)


def engine(*args: str, script: Path = SCRIPT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the script with pipes for output: returns only once nobody holds them any more."""
    return subprocess.run(
        ["bash", script, *args],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )


class Private:
    """A private engine in a short path: names of sockets are limited to about 100 bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix://{folder}/docker.sock"
        self.pidfile = folder / "docker.pid"
        self.containerd_pidfile = folder / "exec/containerd/containerd.pid"

    def start(self, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return engine(*args, script=SCRIPT, MENDBENCH_ENGINE_ROOT=str(self.folder), **variables)

    @property
    def pid(self) -> int:
        return int(self.pidfile.read_text())

    def docker(self, *args: str) -> str:
        command = ["docker", "-H", self.address, *args]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    def daemons(self) -> list[int]:
        """Processes that were started for this folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if (
                line.startswith((b"dockerd\0", b"containerd\0", b"/usr/bin/containerd-shim"))
                and bytes(self.folder) in line
            ):
                found.append(int(entry.name))
        return found

    def kill(self) -> None:
        """What a power cut leaves: no process, all files."""
        for pid in self.daemons():
            kill(pid)
        wait_until(lambda: not self.daemons())

    def stop(self) -> None:
        if self.pidfile.exists() and self.pid in self.daemons():
            os.kill(self.pid, signal.SIGTERM)
            wait_until(lambda: not self.daemons())
        self.kill()
        # A killed daemon leaves its mounts; a later one does not see them as its own.
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for mount in reversed([m for m in mounts if m.startswith(f"{self.folder}/")]):
            subprocess.run(["umount", "-l", mount], check=True)


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("waited 30 s in vain")


@pytest.fixture
def private() -> Iterator[Private]:
    folder = Path(tempfile.mkdtemp(prefix="mb", dir="/tmp"))
    one = Private(folder)
    yield one
    one.stop()
    shutil.rmtree(folder)


def test_an_engine_that_answers_is_used() -> None:
    """Nothing is said or started; --print-host gives the address for clients."""
    quiet, host = engine(), engine("--print-host")

    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert (host.returncode, host.stderr) == (0, "")
    assert "://" in host.stdout


def test_it_answers_without_curl_too(tmp_path: Path) -> None:
    """A machine with Python alone is enough to ask an engine."""
    for tool in ("bash", "sh", "dirname", "grep", "sed", "id", "uname", "cat", "docker"):
        found = shutil.which(tool)
        assert found
        (tmp_path / tool).symlink_to(found)
    (tmp_path / "python3").symlink_to(sys.executable)
    script = tmp_path / "engine"
    script.write_text(
        SCRIPT.read_text().replace("export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin ", "export ")
    )

    done = engine("--print-host", script=script, PATH=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert "://" in done.stdout


@needs_root
def test_a_started_engine_outlives_the_script_and_holds_nothing_of_it(private: Private) -> None:
    """The daemon has its own session, its output in a file, and no pipe of whoever called."""
    started = private.start("--print-host")

    assert started.returncode == 0, started.stderr
    assert started.stdout.strip() == private.address
    assert started.stderr.count("\n") == 1
    assert os.getsid(private.pid) == private.pid
    links = [str(Path(f"/proc/{private.pid}/fd/{number}").readlink()) for number in range(3)]
    assert links == ["/dev/null", str(private.folder / "dockerd.log"), str(private.folder / "dockerd.log")]
    assert private.start("--print-host").stderr == ""


@needs_root
def test_no_other_descriptor_is_inherited(private: Private) -> None:
    """A pipe that the caller left open reaches its end when the caller closes it, daemon or not."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as end:
        done = subprocess.run(
            ["bash", SCRIPT],
            env={**os.environ, "MENDBENCH_ENGINE_ROOT": str(private.folder)},
            pass_fds=[writer],
            capture_output=True,
            check=False,
        )
        os.close(writer)

        assert done.returncode == 0
        assert end.read() == b""


@needs_root
def test_it_comes_back_after_a_kill_with_a_container_running(private: Private, tmp_path: Path) -> None:
    """Dead daemon, containerd, shim and container: the next start sweeps up and works."""
    assert private.start().returncode == 0
    for name in ("bin", "lib", "lib64"):
        (tmp_path / name).symlink_to(f"usr/{name}")
    image = subprocess.run(["tar", "-C", tmp_path, "-c", "."], capture_output=True, check=True).stdout
    command = ["docker", "-H", private.address, "import", "-", "tiny:1"]
    subprocess.run(command, input=image, capture_output=True, check=True)
    private.docker(
        "run",
        "-d",
        "--stop-signal",
        "KILL",
        "--network",
        "none",
        "-v",
        "/usr:/usr:ro",
        "tiny:1",
        "sleep",
        "600",
    )
    assert private.docker("ps", "-q") != ""
    old = private.pid
    private.kill()
    assert private.pidfile.exists()

    done = private.start()

    assert done.returncode == 0, done.stderr
    assert private.pid != old
    assert private.docker("ps", "-q") == ""
    assert "tiny" in private.docker("images")


@needs_root
def test_pid_files_that_name_another_process_are_no_obstacle(private: Private) -> None:
    """Process numbers are used again; dockerd itself would refuse to start, or wait for a false containerd."""
    assert private.start().returncode == 0
    private.kill()
    private.pidfile.write_text(str(os.getpid()))
    private.containerd_pidfile.write_text(str(os.getpid()))

    done = private.start()

    assert done.returncode == 0, done.stderr
    assert private.pid != os.getpid()


@needs_root
def test_two_starts_at_once_make_one_engine(private: Private) -> None:
    """They take turns, and the second uses what the first started."""
    environment = {**os.environ, "MENDBENCH_ENGINE_ROOT": str(private.folder)}
    both = [
        subprocess.Popen(["bash", SCRIPT], env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=150)[1] for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    assert sum("starting dockerd" in text for text in said) == 1


@needs_root
def test_a_daemon_that_dies_is_reported_with_its_own_words(private: Private, tmp_path: Path) -> None:
    """Exit 3, the end of the log and the log's place; no waiting for a process that is gone."""
    false = tmp_path / "dockerd"
    false.write_text("#!/bin/sh\necho 'failed to start daemon: the moon is full'\nexit 1\n")
    false.chmod(0o755)

    done = private.start(PATH=f"{tmp_path}:{os.environ['PATH']}")

    assert done.returncode == 3
    assert "the moon is full" in done.stderr
    assert str(private.folder / "dockerd.log") in done.stderr


def test_an_engine_named_by_docker_host_is_never_replaced() -> None:
    """If DOCKER_HOST does not answer, the script says so instead of starting another one."""
    done = engine(DOCKER_HOST="unix:///nowhere/docker.sock")

    assert done.returncode == 3
    assert "DOCKER_HOST is unix:///nowhere/docker.sock" in done.stderr
    assert "unset DOCKER_HOST" in done.stderr


@needs_root
def test_without_root_it_says_what_to_do(tmp_path: Path) -> None:
    """A user whom the socket refuses gets the one command that admits him, and exit 3."""
    script = Path(shutil.copy(SCRIPT, tempfile.mkdtemp(prefix="mb", dir="/tmp")))
    script.parent.chmod(0o755)
    try:
        done = subprocess.run(
            ["bash", script],
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            user=65534,
            group=65534,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(script.parent)

    assert done.returncode == 3
    assert "sudo usermod -aG docker" in done.stderr
