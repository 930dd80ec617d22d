"""What a Docker engine says of itself, held against what runs will ask of it."""

import json
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evaluator.doctor.finding import Finding, Wishes, bad, note, ok
from evaluator.doctor.machine import SET_CLOCK
from sandbox.hosts import DockerHost

OLDEST_API = (1, 41)
"""Of Docker 20.10."""
LARGEST_SKEW_S = 60.0
DAEMON_JSON = "/etc/docker/daemon.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine's own words: /info and /version, and our clock when they came."""

    host: DockerHost
    address: str
    info: Mapping[str, Any]
    version: Mapping[str, Any]
    asked_at: float

    @property
    def options(self) -> Mapping[str, str]:
        """Its security options: `seccomp`, `userns`, `rootless`, … and the profile of each."""
        parts = [str(option).split(",") for option in self.info.get("SecurityOptions") or []]
        named = [dict(part.partition("=")[::2] for part in option) for option in parts]
        return {option.get("name", ""): option.get("profile", "") for option in named}

    @property
    def local(self) -> bool:
        """Whether it runs on this machine, as far as can be seen from here."""
        near = self.address.startswith(("unix://", "http+unix://", "npipe://"))
        return near and self.info.get("Name") == socket.gethostname()


def identity(engine: Engine) -> Iterator[Finding]:
    """Look which engine it is, and whether it is new enough."""
    info, version = engine.info, engine.version
    api = str(version.get("ApiVersion") or "?")
    rootless = ", rootless" if "rootless" in engine.options else ""
    name = _product(version)
    what = (
        f"{name} {version.get('Version') or '?'} (API {api}) at {engine.address}: "
        f"{info.get('OSType')}/{info.get('Architecture')}, {info.get('Driver')}{rootless}"
    )
    if info.get("OSType", "linux") != "linux":
        yield bad("engine", what, "switch it to Linux containers (Docker Desktop: its tray menu)")
    elif _numbers(api) < OLDEST_API:
        yield bad("engine", what, "it is too old: install Docker 20.10 or later")
    elif name != "Docker":
        yield note(
            "engine", what, "only Docker's own engine is tested; believe the programs below that are run"
        )
    else:
        yield ok("engine", what)


def runtime(engine: Engine, wishes: Wishes) -> Iterator[Finding]:
    """Look whether the engine knows the runtime that is asked for."""
    known = sorted(engine.info.get("Runtimes") or {})
    default, asked = engine.info.get("DefaultRuntime"), wishes.sandbox.runtime
    if asked is None:
        yield ok("runtime", f"runtime {default}, the engine's default")
    elif asked in known:
        yield ok("runtime", f"runtime {asked}, as configured")
    else:
        what = f"the engine has no runtime {asked!r}; it has: {', '.join(known) or 'none'}"
        entry = json.dumps({"runtimes": {asked: {"path": f"/usr/bin/{asked}"}}})
        mend = (
            f"install {asked}, add to {DAEMON_JSON}: {entry}\n"
            "and restart Docker; or take `runtime` out of [sandbox]"
        )
        yield bad("runtime", what, mend)


def clock(engine: Engine) -> Iterator[Finding]:
    """Look whether the engine's clock and ours agree: the age of containers is judged by them."""
    text = str(engine.info.get("SystemTime") or "")
    if not text:
        return
    skew = datetime.fromisoformat(text).timestamp() - engine.asked_at
    if abs(skew) > LARGEST_SKEW_S:
        what = (
            f"the engine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
        )
        yield note("clock", what, SET_CLOCK)
    else:
        yield ok("clock", "the engine's clock agrees with this machine's")


def ask(client: Any, host: DockerHost) -> Engine:
    """Have an engine describe itself.

    Raises:
        SandboxError: it does not answer, or will not.
    """
    from sandbox.connect import engine_errors  # noqa: PLC0415 - loads the Docker SDK

    with engine_errors("asking the engine about itself"):
        version, asked_at = client.version(), time.time()
        info = client.info()
    return Engine(host=host, address=address_of(host), info=info, version=version, asked_at=asked_at)


def address_of(host: DockerHost) -> str:
    """Where a host is looked for."""
    return host.url or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def _product(version: Mapping[str, Any]) -> str:
    named = [str(part.get("Name", "")) for part in version.get("Components") or []]
    others = [name for name in named if "podman" in name.lower()]
    return others[0] if others else "Docker"


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])
