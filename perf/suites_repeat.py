"""The same suite three times, the last time with every core busy: are the kills the same, by the same tests.

python -m perf.suites_repeat [NAME…]

Also prints what a mutant takes, and what all of it takes: 120 mutants, 10 orders, the extreme versions.
"""

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import yaml

from evaluator.suites.runs import run_suite
from sandbox.engine import DockerSandbox
from sandbox.types import RunResult

BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
DEMO = Path(__file__).resolve().parents[1] / "tests" / "integration" / "demo_suites.yaml"


def main() -> None:
    """Run and compare."""
    demo = yaml.safe_load(DEMO.read_text())
    good = True
    with DockerSandbox(f"perf-{uuid.uuid4().hex[:8]}") as sandbox:
        for name in sys.argv[1:] or demo["suites"]:
            suite = demo["suites"][name]
            runs = []
            for number in range(3):
                with _busy() if number == 2 else contextlib.nullcontext():
                    runs.append(run_suite(sandbox.run, demo["script"], suite, hash_seeds=1).main)
            same = all(_kills(run) == _kills(runs[0]) for run in runs)
            good &= same
            print(f"{name}: {'identical' if same else 'DIFFERENT'} in 3 runs; {_times(runs[0])}")
    sys.exit(not good)


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    """Keep every core busy."""
    loops = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def _kills(run: RunResult) -> dict[str, tuple[str, ...]]:
    assert run.suite is not None, run
    return {
        f"{version.kind} {version.scope} {version.name}": (
            version.status,
            version.kill,
            version.by,
            version.ran,
        )
        for version in run.suite.versions
    }


def _times(run: RunResult) -> str:
    assert run.suite is not None
    walls = sorted(1000 * version.wall_s for version in run.suite.versions if version.ran != "0")
    if not walls:
        return "nothing was reached"
    mean, late = sum(walls) / len(walls), walls[int(0.95 * len(walls))]
    return (
        f"{len(walls)} versions, mean {mean:.1f} ms, p95 {late:.1f} ms, "
        f"all {run.wall_s:.1f} s (CPU {run.cpu_s:.1f} s)"
    )


if __name__ == "__main__":
    main()
