"""From the configuration to Docker engines and the sandbox on them: one place for every command."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evaluator.config import SandboxSection, load_config
from sandbox.backend import Sandbox
from sandbox.hosts import DockerHost
from sandbox.types import GRADED


def sandbox_section(values: Mapping[str, Any]) -> SandboxSection:
    """Return the configuration's [sandbox] with the flags of a command over it.

    Raises:
        ConfigProblem: the file says what cannot be.
    """
    flags = {
        "slots": values.get("slots"),
        "runtime": values.get("runtime"),
        "profile": values.get("profile"),
        "wall_s": values.get("limit_wall"),
        "cpu_s": values.get("limit_cpu"),
        # Level program is a way to run scripts, none to grade tests.
        "grading": values.get("grading") if values.get("grading") in GRADED else None,
    }
    return load_config(values.get("config"), {"sandbox": flags}).sandbox


def docker_hosts(section: SandboxSection, slots: int | None = None) -> Sequence[DockerHost]:
    """Return the engines to use; `slots` (of a flag) stands over those of the default engine only."""
    if section.hosts:
        return [
            DockerHost(url=host.url, slots=host.slots, cert_path=host.cert_path) for host in section.hosts
        ]
    return [DockerHost(slots=slots or section.slots or os.cpu_count() or 1)]


def named_hosts(urls: Sequence[str], section: SandboxSection) -> Sequence[DockerHost]:
    """Return the engines that a command line names, else the configured ones.

    A name that is configured, too, keeps its slots and certificates.
    """
    configured = docker_hosts(section)
    if not urls:
        return configured
    known = {host.url: host for host in configured}
    return [known.get(url) or DockerHost(url=url) for url in dict.fromkeys(urls)]


def open_sandbox(
    section: SandboxSection,
    run_id: str,
    *,
    slots: int | None = None,
    attempts_per_container: int = 1,
    ahead: bool = True,
    say: Callable[[str], None] = lambda _text: None,
) -> Sandbox:
    """Return a sandbox on the configured engines, with limits that are fair (see `sandbox.fair`).

    Closing it removes its containers.

    Args:
        section: the configuration.
        run_id: label of all its containers.
        slots: runs at a time on the default engine, where a flag says so.
        attempts_per_container: how often a container that is still clean is used.
        ahead: whether containers are made before they are needed.
        say: hears what a person should know, such as an engine that is not used any more.
    """
    from sandbox.engine import DockerSandbox  # noqa: PLC0415 - loads the Docker SDK
    from sandbox.fair import FairSandbox  # noqa: PLC0415

    hosts = docker_hosts(section, slots)
    # One waits while each slot is busy; containers that are used again are there anyway.
    depth = 1 + max(host.slots for host in hosts) if section.warm is None else section.warm
    sandbox = DockerSandbox(
        run_id,
        hosts=hosts,
        runtime=section.runtime,
        warm=depth if ahead and attempts_per_container == 1 else 0,
        attempts_per_container=attempts_per_container,
        on_retired=say,
    )
    return FairSandbox(sandbox)


def total_slots(section: SandboxSection, slots: int | None = None) -> int:
    """Return how many runs there are at a time on all engines together."""
    return sum(host.slots for host in docker_hosts(section, slots))


def reap_all(section: SandboxSection) -> None:
    """Remove containers on all engines whose owner is gone; an engine that does not answer is left out."""
    from evaluator.running.reaping import reap_host  # noqa: PLC0415 - loads the Docker SDK

    for host in docker_hosts(section):
        reap_host(host)
