"""Talk to a Docker engine, and turn what goes wrong there into our own errors."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
from docker.constants import DEFAULT_UNIX_SOCKET
from docker.errors import APIError, DockerException, ImageNotFound
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env
from requests.exceptions import RequestException

from sandbox.errors import EngineRefused, EngineUnavailable, ImageMissing
from sandbox.hosts import DockerHost

TIMEOUT_S = 60


class _Client(docker.APIClient):
    """The SDK's client, deaf to proxies and certificate bundles of the environment, never waiting for ever.

    A bundle named there would stand over the certificate authority that a host was given.
    """

    def request(self, *args: Any, **kwargs: Any) -> Any:
        # The SDK attaches without a time limit of any kind.
        kwargs.setdefault("timeout", self.timeout)
        return super().request(*args, **kwargs)

    @property
    def trust_env(self) -> bool:
        return False

    @trust_env.setter
    def trust_env(self, value: bool) -> None:
        """Requests sets it when a session is made."""


def connect(host: DockerHost | None = None, timeout_s: int = TIMEOUT_S) -> docker.APIClient:
    """Return a new client: of `host`, else of DOCKER_HOST, else of the usual sockets. One per thread.

    The command line's contexts are not followed, but for the socket of Docker Desktop: which engine
    runs untrusted code shall not depend on what somebody switched to.

    Raises:
        EngineUnavailable: no engine answers there.
    """
    with engine_errors("connecting"):
        settings = _settings(host or DockerHost())
        _probe(settings["base_url"] or DEFAULT_UNIX_SOCKET)
        # The SDK keeps a connection for every address that it was asked for: each container has its own.
        return _Client(version="auto", timeout=timeout_s, num_pools=2, **settings)


def _settings(host: DockerHost) -> dict[str, Any]:
    if host.url is None:
        return {"base_url": _desktop_socket(), **kwargs_from_env()}
    if host.cert_path is None:
        return {"base_url": host.url}
    pair = (str(host.cert_path / "cert.pem"), str(host.cert_path / "key.pem"))
    authority = str(host.cert_path / "ca.pem")
    return {"base_url": host.url, "tls": TLSConfig(client_cert=pair, ca_cert=authority, verify=True)}


def _probe(base_url: str) -> None:
    """Fail early on a socket where nobody listens: the SDK would leave its own end open."""
    scheme, _, path = base_url.partition("://")
    if scheme in {"unix", "http+unix"} and os.name == "posix":
        with socket.socket(socket.AF_UNIX) as trial:
            trial.connect("/" + path.lstrip("/"))


def _desktop_socket() -> str | None:
    """Docker Desktop's own socket, where the system-wide one is missing."""
    own = Path.home() / ".docker" / "run" / "docker.sock"
    if os.name == "posix" and not Path("/var/run/docker.sock").exists() and own.exists():
        return f"unix://{own}"
    return None


@contextlib.contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turn the SDK's errors into EngineUnavailable, ImageMissing or EngineRefused."""
    try:
        yield
    except ImageNotFound as exc:
        raise ImageMissing(f"{doing}: {exc.explanation}; `make image` builds the sandbox image") from exc
    except APIError as exc:
        raise EngineRefused(_explain(doing, str(exc.explanation or exc))) from exc
    except (RequestException, DockerException, OSError) as exc:
        raise EngineUnavailable(
            f"{doing}: the Docker engine does not answer ({exc}); is it running, is DOCKER_HOST right?"
        ) from exc


def _explain(doing: str, text: str) -> str:
    if "no space left" in text.lower():
        return f"{doing}: the engine's disk is full ({text}); free some space, e.g. `docker system prune`"
    return f"{doing}: the Docker engine refused: {text}"
