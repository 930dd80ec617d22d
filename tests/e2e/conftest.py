"""A live model server: llama.cpp's own, with a tiny random model, in a process of its own."""

import importlib.util
import json
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("llama_child.py")


@dataclass(frozen=True, kw_only=True)
class LlamaServer:
    """A running server. Its model writes garbage, fast; it has 4 slots of 4096 tokens."""

    base_url: str
    model: str
    slots: int
    process: subprocess.Popen

    @property
    def spec(self):
        """What `--model` takes."""
        return f"{self.model}@{self.base_url}"

    @property
    def alive(self):
        """Whether the process still runs."""
        return self.process.poll() is None


@pytest.fixture(scope="session")
def llama_server(tmp_path_factory):
    """A `LlamaServer` for the whole session."""
    _require_wheels()
    folder = tmp_path_factory.mktemp("llama")
    log = folder / "server.log"
    command = [sys.executable, str(CHILD), str(folder)]
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as child,
    ):
        line = child.stdout.readline()
        if not line:
            pytest.fail(f"llama.cpp's server did not start:\n{log.read_text(errors='replace')[-3000:]}")
        yield LlamaServer(**json.loads(line), process=child)
        child.stdin.close()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()


def _require_wheels():
    missing = [name for name in ("xllamacpp", "gguf") if importlib.util.find_spec(name) is None]
    if not missing:
        return
    if (sys.platform, platform.machine()) == ("linux", "x86_64"):
        pytest.fail(f"{', '.join(missing)} must be installed here: they are in requirements-dev.lock")
    pytest.skip(f"no wheel of {', '.join(missing)} for this platform")
