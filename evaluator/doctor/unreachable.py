"""No engine answers: why, as far as it can be seen, and what to do."""

import getpass
import os
import platform
import shutil
from pathlib import Path

from evaluator.doctor.engine import address_of
from evaluator.doctor.finding import Finding, bad
from sandbox.hosts import DockerHost
from sandbox.image import image_dir


def explain(host: DockerHost, problem: Exception) -> Finding:
    """Say where no engine answers, and how to get one."""
    address = address_of(host)
    cause = problem.__cause__
    reason = f" ({cause.strerror or cause})" if isinstance(cause, OSError) else ""
    what = f"no Docker engine answers at {address}{reason}"
    return bad("engine", what, "\n".join(_mends(host, address, problem)))


def _mends(host: DockerHost, address: str, problem: Exception) -> list[str]:
    if address.startswith("ssh://"):
        return [str(problem)]
    if host.url:
        return [f"start the engine there, or correct `hosts` in [sandbox]; look: docker -H {address} version"]
    if os.environ.get("DOCKER_HOST"):
        return ["DOCKER_HOST names it: start that engine, or: unset DOCKER_HOST"]
    socket = Path(address.removeprefix("unix://"))
    if socket.exists() and not os.access(socket, os.W_OK):
        return [f"you may not use it: sudo usermod -aG docker {getpass.getuser()}, then log in again"]
    match platform.system():
        case "Darwin":
            return ["start Docker Desktop", "or: brew install colima docker && colima start"]
        case "Windows":
            return ["start Docker Desktop"]
        case _:
            return _on_linux()


def _on_linux() -> list[str]:
    sudo = "" if os.geteuid() == 0 else "sudo "
    script = f"{sudo}bash {image_dir() / 'engine'}"
    if shutil.which("dockerd"):
        return [f"{sudo}systemctl start docker", f"or, where there is no systemd: {script}"]
    return [f"{script} (installs Docker on Debian and Ubuntu, and starts it)"]
