"""A live model server: llama.cpp's own, with a tiny random model, in a process of its own."""

import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from evaluator.replay.recorded import RecordedServer
from evaluator.running.calls import fingerprint
from evaluator.runs.journal import load_run
from prompts.recordings import Reply

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


TASKS = {
    "double": "assert double(4) == 8",
    "triple": "assert triple(2) == 6",
    "negate": "assert negate(5) == -5",
}
HOLDOUT = {"double": "assert double(-7411) == -14822", "triple": "assert triple(0) == 0", "negate": None}


def write_tasks(folder):
    """Write a batch of three quick tasks, two of them with a holdout."""
    batch = folder / "batches" / "small"
    batch.mkdir(parents=True)
    for name, line in TASKS.items():
        text = f"---\nentry_point: {name}\nlimits: {{wall_s: 20, cpu_s: 5}}\n---\nWrite `{name}(x)`.\n\n"
        text += f"## Tests\n\n```python\nfrom solution import {name}\n\ndef test_{name}():\n    {line}\n```\n"
        if HOLDOUT[name]:
            text += f"\n## Holdout\n\n```python\nfrom solution import {name}\n\n"
            text += f"def test_hold():\n    {HOLDOUT[name]}\n```\n"
        (batch / f"{name}.md").write_text(text, encoding="utf-8")
    return batch.parent


@pytest.fixture
def small_tasks(tmp_path):
    """A folder with one batch of three quick tasks."""
    return write_tasks(tmp_path)


def code(text):
    """A reply with one fenced block."""
    return Reply(content=f"Here you are:\n\n```python\n{text}\n```\n", prompt_tokens=10, completion_tokens=5)


def replies():
    """Give replies of two models to the small tasks: right, wrong then right, and never right."""
    return {
        "good": {
            "small/double/default/0/repair/0": code("def double(x):\n    return 2 * x"),
            "small/triple/default/0/repair/0": code("def triple(x):\n    return 3 + x"),
            "small/triple/default/0/repair/1": code("def triple(x):\n    return 3 * x"),
            "small/negate/default/0/repair/0": code("def negate(x:\n    return -x"),
            "small/negate/default/0/repair/1": code("def negate(x):\n    return -x"),
        },
        "bad": {
            f"small/{name}/default/0/repair/{number}": code(f"def {name}(x):\n    return x + {number + 100}")
            for name in TASKS
            for number in range(4)
        },
    }


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The command line, as a person starts it."""

    folder: Path

    def command(self, *words):
        """The words of a call."""
        return [str(Path(sys.executable).with_name("mendbench")), *map(str, words)]

    def start(self, *words, **options):
        """Start it and let it run."""
        options.setdefault("env", self.env())
        options.setdefault("cwd", self.folder)
        return subprocess.Popen(
            self.command(*words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )

    def __call__(self, *words, **options):
        """Run it to its end."""
        with self.start(*words, **options) as process:
            out, err = process.communicate(timeout=600)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def env(self, **extra):
        """The environment, with a cache of its own for nothing but its terminal's width."""
        return {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **extra}

    def runs(self):
        """The run folders, oldest first."""
        return sorted(path.parent for path in (self.folder / "runs").glob("*/run.json"))


@pytest.fixture(scope="session")
def make_bench():
    """Makes a `Bench` for a folder."""

    def make(folder):
        return Bench(folder=folder)

    return make


@pytest.fixture
def bench(tmp_path):
    """Runs `mendbench` in a folder of its own."""
    return Bench(folder=tmp_path)


@pytest.fixture
def recorded():
    """A server that plays the small replies."""
    with RecordedServer(replies()) as server:
        yield server


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The fingerprints of a run of both models over the small tasks that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    tasks, bench = write_tasks(folder), Bench(folder=folder)
    with RecordedServer(replies()) as server:
        models = [f"--model={name}@{server.base_url}" for name in replies()]
        done = bench("bench", "--tasks-dir", tasks, *models, "--no-check-tasks", "--flake-checks=0")
    assert done.returncode == 0, done.stderr
    return Counter(fingerprint(attempt) for attempt in load_run(bench.runs()[0]).attempts)


@pytest.fixture
def fingerprints():
    """Gives what two runs must share to be the same."""

    def of(folder):
        return Counter(fingerprint(attempt) for attempt in load_run(folder).attempts)

    return of


@pytest.fixture(scope="session")
def tasks_and_replies():
    """What writes the small tasks into a folder, and the replies of both models to them."""
    return write_tasks, replies()
