"""A bench to be killed: workers that run attempts without end, once it has said so on standard output.

.venv/bin/python -m perf.victim --run-id NAME --workers 4 --warm 2
"""

import argparse
import itertools
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from perf.latency import SLEEPER
from perf.payload import RIGHT
from sandbox.engine import DockerSandbox
from sandbox.hosts import DockerHost
from sandbox.types import Job, Level


def jobs() -> Iterator[tuple[str, str | None]]:
    """Ordinary attempts, and now and then one that would run for long."""
    return itertools.cycle([(RIGHT.script, RIGHT.tests), (RIGHT.script, RIGHT.tests), (SLEEPER, None)])


def work(sandbox: DockerSandbox, begun: threading.Event) -> None:
    """Run attempts for ever."""
    for script, tests in jobs():
        level = Level.SHARED if tests else Level.PROGRAM
        begun.set()
        sandbox.run(Job(id=uuid.uuid4().hex, script=script, tests=tests, level=level))


def main() -> None:
    """Work until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--warm", type=int, default=0)
    options = parser.parse_args()
    hosts = (DockerHost(slots=options.workers),)
    sandbox = DockerSandbox(options.run_id, hosts=hosts, warm=options.warm)
    sandbox.image()
    begun = threading.Event()
    with ThreadPoolExecutor(options.workers) as threads:
        working = [threads.submit(work, sandbox, begun) for _ in range(options.workers)]
        begun.wait()
        print("at work", flush=True)
        for each in working:
            each.result()


if __name__ == "__main__":
    main()
