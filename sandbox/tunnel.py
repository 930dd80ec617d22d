"""Engines behind SSH: their socket is brought here, so that everything else speaks to a socket.

The SDK's own way over SSH either needs another SSH library or reads past the end of what has come.
OpenSSH forwards the socket itself, with the user's own keys, agent and ~/.ssh/config.
"""

import contextlib
import os
import select
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.errors import EngineUnavailable
from sandbox.hosts import DockerHost

PATIENCE_S = 30.0
REMOTE_SOCKET = "/var/run/docker.sock"
_READY = "mendbench-tunnel"
# When this process dies, the far side's `cat` reads the end of its input, and ssh ends with it.
_FAR_SIDE = f"echo {_READY} && exec cat"
_OPTIONS = (
    "BatchMode=yes",
    "ExitOnForwardFailure=yes",
    "StreamLocalBindUnlink=yes",
    "ServerAliveInterval=15",
)


class Tunnel:
    """A local socket that leads to a remote engine; dug again when it has collapsed."""

    def __init__(self, host: DockerHost) -> None:
        """Prepare; `ssh` is started when the engine is first needed."""
        self._host = host
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        # A short path: those of sockets are limited.
        self._folder = tempfile.mkdtemp(prefix="mendbench-")
        self._socket = Path(self._folder, "engine.sock")

    def near(self) -> DockerHost:
        """Return the host as it is reached from here.

        Raises:
            EngineUnavailable: ssh does not get there.
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = self._dig()
        return replace(self._host, url=f"unix://{self._socket}")

    def close(self) -> None:
        """End ssh. Safe to call twice."""
        with self._lock:
            if self._process is not None:
                _end(self._process)
                self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _dig(self) -> "subprocess.Popen[str]":
        try:
            process = subprocess.Popen(  # noqa: S603 -- no shell; the address cannot be an option
                _command(self._host, self._socket),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                # A Ctrl-C is for the bench, which needs its engine to end well.
                start_new_session=True,
            )
        except OSError as exc:
            raise EngineUnavailable(f"{self._host.name}: ssh cannot be started: {exc}") from exc
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
        if readable and process.stdout.readline().strip() == _READY:
            return process
        raise EngineUnavailable(
            f"{self._host.name}: ssh does not get there: {_end(process).strip() or 'no answer'}. "
            "Try it by hand; keys must work without a question."
        )


def _end(process: "subprocess.Popen[str]") -> str:
    """End ssh, and return what it complained of."""
    process.terminate()
    try:
        _, complaint = process.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        _, complaint = process.communicate()
    return complaint[-500:]


def _command(host: DockerHost, local: Path) -> list[str]:
    address = urlsplit(host.url or "")
    if not address.hostname:
        raise EngineUnavailable(f"{host.name}: an SSH address looks like ssh://user@machine")
    user = ["-l", address.username] if address.username else []
    port = ["-p", str(address.port)] if address.port else []
    options = [part for option in _OPTIONS for part in ("-o", option)]
    forward = f"{local}:{address.path.rstrip('/') or REMOTE_SOCKET}"
    return ["ssh", "-T", *options, *user, *port, "-L", forward, "--", address.hostname, _FAR_SIDE]


def is_ssh(host: DockerHost) -> bool:
    """Say whether a host is behind SSH; DOCKER_HOST may say so, too."""
    return (host.url or os.environ.get("DOCKER_HOST", "")).startswith("ssh://")


def tunnel_to(host: DockerHost) -> Tunnel | None:
    """Return the tunnel that a host needs, if it needs one."""
    if not is_ssh(host):
        return None
    return Tunnel(replace(host, url=host.url or os.environ["DOCKER_HOST"]))


@contextlib.contextmanager
def reached(host: DockerHost) -> Iterator[DockerHost]:
    """Give the host as it is reached from here, for as long as it is needed.

    Raises:
        EngineUnavailable: ssh does not get there.
    """
    tunnel = tunnel_to(host)
    if tunnel is None:
        yield host
        return
    try:
        yield tunnel.near()
    finally:
        tunnel.close()
