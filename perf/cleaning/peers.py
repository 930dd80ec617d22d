"""Extractors of other projects, each in an environment of its own in a temporary folder."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from perf.cleaning.ask import command

INSTALL_S = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What to install, without what it depends on but for what is named here."""

    strategy: str
    packages: tuple[str, ...]


PEERS = (
    Peer(
        strategy="EvalPlus sanitize",
        packages=(
            "evalplus==0.3.1",
            "tree-sitter==0.26.1",
            "tree-sitter-python==0.25.0",
            "tqdm>=4.66",
            "termcolor>=2.4",
        ),
    ),
    # From 0.28 on it needs a second package.
    Peer(strategy="inspect_evals extract_code_block", packages=("inspect_evals==0.26.0",)),
)


@contextmanager
def installed() -> Iterator[dict[str, str]]:
    """Give the Python of each peer that can be installed; say which cannot, and remove all in the end."""
    with TemporaryDirectory(prefix="mendbench-peers-") as folder:
        found: dict[str, str] = {}
        for number, peer in enumerate(PEERS):
            try:
                python = _install(peer, Path(folder) / str(number))
                _try(peer, python)
                found[peer.strategy] = python
            except (subprocess.SubprocessError, OSError) as error:
                print(f"{peer.strategy} is left out, it does not install: {_reason(error)}", file=sys.stderr)
        yield found


def _install(peer: Peer, folder: Path) -> str:
    python = str(folder / "bin" / "python")
    _run(sys.executable, "-m", "venv", str(folder))
    _run(python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps", *peer.packages)
    return python


def _try(peer: Peer, python: str) -> None:
    """Have it start and take one reply: what is installed may still lack something."""
    request = json.dumps({"text": "x = 1", "required": [], "kind": "script", "twice": False})
    subprocess.run(
        command(peer.strategy, python),
        check=True,
        capture_output=True,
        input=request.encode(),
        timeout=INSTALL_S,
    )


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=INSTALL_S)


def _reason(error: Exception) -> str:
    said = getattr(error, "stderr", None) or b""
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else str(error)
