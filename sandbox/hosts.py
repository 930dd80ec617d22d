"""Which Docker engines a sandbox may use, and how many runs each takes at a time."""

import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerHost:
    """One engine."""

    url: str | None = None
    """unix://, ssh:// or tcp://; None is DOCKER_HOST, else the usual sockets."""
    slots: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Runs at a time."""
    cert_path: Path | None = None
    """For tcp:// with TLS: a folder with ca.pem, cert.pem and key.pem."""

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return self.url or "the default engine"
