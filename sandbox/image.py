"""Finds the sandbox image on an engine by the hash of its inputs, and has it built when it is missing."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.errors import EngineUnavailable, ImageMissing
from sandbox.types import ImageInfo

if TYPE_CHECKING:
    import docker

INPUTS = (
    "Dockerfile",
    "base-debian",
    "build",
    "hosts",
    "own-hosts",
    "requirements.lock",
    "site.Dockerfile",
    "identity",
)
"""In the order of docker/build."""


def image_dir() -> Path:
    """The folder of the image's scripts and data: inside an installed package, or the repository's own."""
    here = Path(__file__).resolve().parent
    packaged = here / "_image"
    return packaged if packaged.is_dir() else here.parent / "docker"


def expected_tag() -> str:
    """The tag that docker/build gives the image of these sources: the same hash, without a process."""
    folder = image_dir()
    base = os.environ.get("MENDBENCH_BASE", "")
    source = os.environ.get("MENDBENCH_BASE_SOURCE") or "auto"
    guest = Path(__file__).resolve().parent / "guest"
    names = sorted(path.relative_to(guest).as_posix() for path in guest.rglob("*.py"))
    sums = "".join(_sum_line(guest, name) for name in names)
    text = f"base={base}\nsource={source}\n{sums}".rstrip("\n") + "\n"
    inputs = text + "".join(_sum_line(folder, name) for name in INPUTS)
    return f"mendbench-sandbox:{hashlib.sha256(inputs.encode()).hexdigest()[:16]}"


def find(client: "docker.APIClient") -> ImageInfo:
    """What the image of these sources says of itself.

    Raises ImageMissing when the engine behind `client` does not have it.
    """
    from docker.errors import ImageNotFound  # noqa: PLC0415  (the SDK takes long to import)

    tag = expected_tag()
    api: Any = client  # its stubs leave this call untyped
    try:
        facts: dict[str, Any] = api.inspect_image(tag)
    except ImageNotFound as exc:
        raise ImageMissing(f"the engine has no image {tag}: build it with `{_build_command()}`") from exc
    return _info(tag, facts)


def ensure() -> str:
    """Start an engine if none answers and build the image if it is missing; progress goes to stderr.

    Returns the engine's address (for DOCKER_HOST or a client's base_url). Raises EngineUnavailable or
    ImageMissing when that is not possible; the script has then said on stderr what to do.
    """
    engine = _script("engine", "--print-host")
    host = engine.stdout.strip()
    if engine.returncode or not host:
        raise EngineUnavailable("no Docker engine answers; what to do about it is said above")
    if _script("build", DOCKER_HOST=host).returncode:
        raise ImageMissing("the sandbox image could not be built; why is said above")
    return host


def _script(name: str, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"MENDBENCH_PYTHON": sys.executable, **os.environ, **variables}
    return subprocess.run(  # noqa: S603  (our own script, no shell)
        ["bash", str(image_dir() / name), *args],  # noqa: S607  (bash is not in the same place everywhere)
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )


def _build_command() -> str:
    folder = image_dir()
    return "make image" if folder.name == "docker" else f"bash {folder}/engine && bash {folder}/build"


def _sum_line(folder: Path, name: str) -> str:
    return f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"


def _info(tag: str, facts: dict[str, Any]) -> ImageInfo:
    labels = facts["Config"].get("Labels") or {}

    def label(name: str) -> str:
        value = labels.get(f"mendbench.{name}", "")
        if not value:
            raise ImageMissing(
                f"image {tag} has no label mendbench.{name}: remove it (docker rmi {tag}) "
                f"and build it again with `{_build_command()}`"
            )
        return str(value)

    return ImageInfo(
        identity=label("identity"),
        tag=tag,
        digest=str(facts["Id"]),
        python=label("python"),
        guest_version=label("guest"),
        base=label("base"),
        packages=tuple(label("packages").split()),
    )
