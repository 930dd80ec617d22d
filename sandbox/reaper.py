"""Remove containers that nobody waits for any more. Only ever those with our own labels."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import docker
from docker.errors import APIError, NotFound

from sandbox.connect import engine_errors
from sandbox.owner import Owner, owner_id

LABEL_RUN = "mendbench.run"
LABEL_OWNER = "mendbench.owner"
LABEL_CREATED = "mendbench.created"

__all__ = ["LABEL_CREATED", "LABEL_OWNER", "LABEL_RUN", "owner_id", "reap", "remove", "remove_run"]


def reap(client: docker.APIClient) -> list[str]:
    """Remove our containers whose owner is gone; return their names.

    Raises:
        EngineUnavailable: no engine answers.
    """
    return _remove_where(client, LABEL_OWNER, _is_orphan)


def remove_run(client: docker.APIClient, run_id: str) -> list[str]:
    """Remove the containers of this process that belong to a run; return their names.

    Raises:
        EngineUnavailable: no engine answers.
    """
    me = owner_id()
    return _remove_where(client, f"{LABEL_RUN}={run_id}", lambda labels: labels.get(LABEL_OWNER) == me)


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


def _is_orphan(labels: Mapping[str, str]) -> bool:
    owner = Owner.parse(labels.get(LABEL_OWNER, ""))
    created = 0.0
    with contextlib.suppress(ValueError):
        created = float(labels.get(LABEL_CREATED, ""))
    return owner is not None and LABEL_RUN in labels and owner.is_gone(created)


def _remove_where(
    client: docker.APIClient, label: str, condition: Callable[[Mapping[str, str]], bool]
) -> list[str]:
    with engine_errors("removing leftovers"):
        found: list[dict[str, Any]] = client.containers(all=True, filters={"label": label})
        ours = [entry for entry in found if condition(entry.get("Labels") or {})]
        return [_name(entry) for entry in ours if remove(client, entry["Id"])]


def _name(entry: Mapping[str, Any]) -> str:
    names = entry.get("Names") or [entry["Id"][:12]]
    return str(names[0]).lstrip("/")
