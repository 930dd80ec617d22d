"""A Docker engine of our own: own socket, own folders, no network. Needs root on Linux."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import docker

from sandbox.connect import connect
from sandbox.errors import SandboxError
from sandbox.hosts import DockerHost

PATIENCE_S = 120.0


class OwnEngine:
    """Starts and kills dockerd; everything of it is in one temporary folder, which goes at the end."""

    def __init__(self) -> None:
        # A short path: the names of sockets are bounded.
        self._folder = Path(tempfile.mkdtemp(prefix="mb-engine-"))
        self._log: IO[bytes] = (self._folder / "log").open("ab")
        self._daemon: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._folder}/docker.sock"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(signal.SIGTERM)
        self._log.close()
        self._unmount()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> float:
        """Start dockerd and wait until it answers; give the seconds that took."""
        began = time.monotonic()
        self._sweep()
        self._daemon = subprocess.Popen(
            self._command(), stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        while not self._answers():
            if self._daemon.poll() is not None or time.monotonic() > began + PATIENCE_S:
                log = (self._folder / "log").read_text(encoding="utf-8", errors="replace")
                raise SystemExit(f"dockerd did not start:\n{log[-2000:]}")
            time.sleep(0.05)
        return time.monotonic() - began

    def stop(self, number: signal.Signals) -> None:
        """Send a signal to dockerd and wait until it has ended."""
        if self._daemon is not None:
            self._daemon.send_signal(number)
            self._daemon.wait(PATIENCE_S)
            self._daemon = None

    def client(self) -> contextlib.closing[docker.APIClient]:
        """Open a client of this engine."""
        return contextlib.closing(connect(DockerHost(url=self.url)))

    def copy_image(self, tag: str) -> None:
        """Bring an image over from the usual engine."""
        with contextlib.closing(connect()) as source, self.client() as target:
            api: Any = target  # its stubs leave this call untyped
            for _ in api.load_image(source.get_image(tag)):
                pass

    def shims(self) -> int:
        """Count the processes that still look after containers of this engine."""
        found = 0
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes()
                found += b"containerd-shim" in words and str(self._folder).encode() in words
        return found

    def _sweep(self) -> None:
        """Forget the containerd that died with a killed engine: the next dockerd would wait for it."""
        pid_file = self._folder / "exec" / "containerd" / "containerd.pid"
        with contextlib.suppress(OSError):
            pid = pid_file.read_text(encoding="ascii").strip()
            deadline = time.monotonic() + PATIENCE_S
            while _lives(pid) and time.monotonic() < deadline:
                time.sleep(0.05)
            pid_file.unlink()

    def _unmount(self) -> None:
        """A killed engine leaves its own mounts."""
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
        for line in reversed(mounts):
            if line.split()[1].startswith(f"{self._folder}/"):
                subprocess.run(["umount", "-l", line.split()[1]], check=False)

    def _command(self) -> list[str]:
        here = self._folder
        places = ["--data-root", f"{here}/data", "--exec-root", f"{here}/exec", "--pidfile", f"{here}/pid"]
        alone = ["--bridge=none", "--iptables=false", "--ip-masq=false"]
        # Without a network of its own, it would remove the default bridge of the system's engine.
        return ["unshare", "--net", "dockerd", "-H", self.url, *places, *alone]

    def _answers(self) -> bool:
        with contextlib.suppress(SandboxError), self.client() as client:
            return bool(client.ping())
        return False


def _lives(pid: str) -> bool:
    """Say whether a process lives; one that waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
