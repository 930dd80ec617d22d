"""Reaping on demand: one Docker host at a time, and what was done there."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.connect import connect
from sandbox.errors import SandboxError
from sandbox.hosts import DockerHost
from sandbox.reaper import OwnedContainer, remove_each, survey
from sandbox.tunnel import reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container in the words of a report."""

    name: str
    run: str
    status: str
    pid: int
    orphaned: bool
    age_s: int | None
    """None where its label does not say when it was made."""

    @classmethod
    def of(cls, found: OwnedContainer) -> "Container":
        """Describe a container as of now."""
        age = max(round(time.time() - found.created), 0) if found.created > 0 else None
        return cls(
            name=found.name,
            run=found.run_id,
            status=found.status,
            pid=found.owner.pid,
            orphaned=found.orphaned,
            age_s=age,
        )

    def line(self) -> str:
        """Say it in one line; the run's id is whatever the label says."""
        age = "" if self.age_s is None else f", {self.age_s} s old"
        owner = "gone" if self.orphaned else "still there"
        return f"{self.name} ({self.status}{age}; run {self.run}, process {self.pid}, {owner})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaped:
    """What became of our containers on one host."""

    host: str
    problem: str = ""
    """Why nothing could be done there; empty if it could."""
    removed: Sequence[Container] = ()
    refused: Sequence[Container] = ()
    """To be removed, and still there."""
    kept: Sequence[Container] = ()
    """Their owner lives, or cannot be seen from here."""

    def plain(self) -> dict[str, Any]:
        """Give it in types that JSON knows."""
        return asdict(self)


def reap_host(host: DockerHost, *, everything: bool = False, dry_run: bool = False) -> Reaped:
    """Remove the containers on a host whose owner is gone, or all of ours; never raises SandboxError.

    Args:
        host: where.
        everything: also those whose owner lives; their runs lose what they are doing.
        dry_run: remove nothing; `removed` is then what would be.
    """
    try:
        with reached(host) as near, closing(connect(near)) as client:
            found = survey(client)
            doomed = [container for container in found if everything or container.orphaned]
            kept = [container for container in found if container not in doomed]
            removed, refused = (doomed, []) if dry_run else remove_each(client, doomed)
    except SandboxError as exc:
        return Reaped(host=host.name, problem=str(exc))
    return Reaped(
        host=host.name,
        removed=[Container.of(container) for container in removed],
        refused=[Container.of(container) for container in refused],
        kept=[Container.of(container) for container in kept],
    )
