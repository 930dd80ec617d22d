"""Remove containers that nobody waits for any more. Only ever those with our own labels."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError, NotFound

from sandbox.connect import engine_errors
from sandbox.owner import Owner, owner_id

LABEL_RUN = "mendbench.run"
LABEL_OWNER = "mendbench.owner"
LABEL_CREATED = "mendbench.created"

__all__ = [
    "LABEL_CREATED",
    "LABEL_OWNER",
    "LABEL_RUN",
    "OwnedContainer",
    "owner_id",
    "reap",
    "remove",
    "remove_each",
    "remove_run",
    "survey",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedContainer:
    """A container that carries our labels."""

    id: str
    name: str
    run_id: str
    owner: Owner
    created: float
    """Seconds since 1970, by the clock of its owner; 0 where unknown."""
    status: str
    """What the engine says of it: created, running, exited, …"""
    orphaned: bool
    """Its owner has certainly ended."""


def survey(client: docker.APIClient) -> list[OwnedContainer]:
    """List our containers on an engine, whoever owns them.

    Raises:
        SandboxError: the engine does not answer, or will not.
    """
    with engine_errors("listing containers"):
        found: list[dict[str, Any]] = client.containers(all=True, filters={"label": LABEL_OWNER})
    return [ours for ours in map(_read, found) if ours is not None]


def reap(client: docker.APIClient) -> list[str]:
    """Remove our containers whose owner is gone; return their names.

    Raises:
        SandboxError: the engine does not answer, or will not.
    """
    removed, _ = remove_each(client, (found for found in survey(client) if found.orphaned))
    return [container.name for container in removed]


def remove_run(client: docker.APIClient, run_id: str) -> list[str]:
    """Remove the containers of this process that belong to a run; return their names.

    Raises:
        SandboxError: the engine does not answer, or will not.
    """
    me = Owner.me()
    mine = (found for found in survey(client) if found.run_id == run_id and found.owner == me)
    removed, _ = remove_each(client, mine)
    return [container.name for container in removed]


def remove_each(
    client: docker.APIClient, containers: Iterable[OwnedContainer]
) -> tuple[list[OwnedContainer], list[OwnedContainer]]:
    """Remove containers; return those that are gone, and those that the engine would not remove.

    Raises:
        SandboxError: the engine does not answer.
    """
    gone: list[OwnedContainer] = []
    left: list[OwnedContainer] = []
    with engine_errors("removing leftovers"):
        for container in containers:
            (gone if remove(client, container.id) else left).append(container)
    return gone, left


def remove(client: docker.APIClient, container: str) -> bool:
    """Remove a container by force; False when the engine would not (the next reaping tries again)."""
    try:
        client.remove_container(container, v=True, force=True)
    except NotFound:
        return True
    except APIError as exc:
        # 409: its removal is under way already.
        return bool(exc.status_code == 409)  # noqa: PLR2004
    return True


def _read(entry: Mapping[str, Any]) -> OwnedContainer | None:
    """Read an entry of the engine's list; None where the labels are not such as we write."""
    labels: Mapping[str, str] = entry.get("Labels") or {}
    owner = Owner.parse(labels.get(LABEL_OWNER, ""))
    if owner is None or LABEL_RUN not in labels:
        return None
    created = 0.0
    with contextlib.suppress(ValueError):
        created = float(labels.get(LABEL_CREATED, ""))
    return OwnedContainer(
        id=entry["Id"],
        name=_name(entry),
        run_id=labels[LABEL_RUN],
        owner=owner,
        created=created,
        status=str(entry.get("State") or "unknown"),
        orphaned=owner.is_gone(created),
    )


def _name(entry: Mapping[str, Any]) -> str:
    names = entry.get("Names") or [entry["Id"][:12]]
    return str(names[0]).lstrip("/")
