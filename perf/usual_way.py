"""The usual way to run untrusted tests with docker-py, as the measure to beat.

One container per attempt from the high-level client: default bridge network, files by `put_archive`,
pytest as the command, its exit code as the verdict, its output from the logs. Nothing is slowed down on
purpose, and where there is a choice the faster one is taken (no plugins, no cache folder, one client per
thread, no stop grace). It is written once and left alone, so that it cannot drift to suit a comparison.
"""

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass

import docker

COMMAND = ["python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_solution.py"]
ENVIRONMENT = {"PYTHONPATH": "/opt/mendbench/site", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the usual way gets to know of an attempt."""

    exit_code: int
    output: str


class UsualWay:
    """A container per attempt in an image that has Python and pytest. Use one object per thread."""

    def __init__(self, image: str) -> None:
        self._image = image
        self._client = docker.from_env()

    def run(self, files: Mapping[str, str]) -> Outcome:
        """Run pytest on `files` in a new container; remove it whatever happens."""
        container = self._client.containers.create(
            self._image, COMMAND, working_dir="/work", environment=ENVIRONMENT, mem_limit="512m"
        )
        try:
            container.put_archive("/work", _tar(files))
            container.start()
            exit_code = container.wait()["StatusCode"]
            return Outcome(exit_code=exit_code, output=container.logs().decode(errors="replace"))
        finally:
            container.remove(force=True)

    def close(self) -> None:
        """Close the client."""
        self._client.close()


def _tar(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            data = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
