"""Containers that killed runs left behind."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from evaluator.doctor.finding import Finding, note, ok
from sandbox.hosts import DockerHost

if TYPE_CHECKING:
    import docker


def leftovers(client: "docker.APIClient", host: DockerHost) -> Iterator[Finding]:
    """Count our containers whose owner is gone.

    Raises:
        SandboxError: the engine does not answer.
    """
    from sandbox.reaper import survey  # noqa: PLC0415 - loads the Docker SDK

    found = survey(client)
    orphans = [container for container in found if container.orphaned]
    in_use = f"{len(found) - len(orphans)} in use by what runs now"
    if orphans:
        command = f"mendbench reap --host {host.url}" if host.url else "mendbench reap"
        what = f"{len(orphans)} containers of runs that have ended, {in_use}"
        yield note("leftovers", what, f"{command} (every bench does so when it starts, too)")
    else:
        yield ok("leftovers", f"no containers left behind, {in_use}")
