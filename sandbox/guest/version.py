"""Which guest is this."""

import hashlib
from pathlib import Path


def guest_version() -> str:
    """First 16 hex digits of a sha256 over the guest's sources, as the image's build computes it."""
    sources = sorted(Path(__file__).resolve().parent.glob("*.py"))
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sources)
    return hashlib.sha256(sums.encode()).hexdigest()[:16]
