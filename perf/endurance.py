"""Many mixed attempts in a row: no verdict may be wrong, and nothing may pile up.

    .venv/bin/python -m perf.endurance --attempts 10000 --workers 4
    .venv/bin/python -m perf.endurance --attempts 10000 --workers 4 --reuse 50

Writes perf/out/endurance.json. Exit code 1: a wrong verdict, or something that leaks.
"""

import argparse
import contextlib
import itertools
import json
import os
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from perf.mixed import Case, cases
from perf.ways import run_id
from sandbox.connect import connect
from sandbox.engine import DockerSandbox
from sandbox.errors import SandboxError
from sandbox.hosts import DockerHost
from sandbox.reaper import LABEL_RUN
from sandbox.types import RunResult
from sandbox.verdict import judge

TRIES = 3
MAX_FACTS = 2000
"""Characters of what is kept of a wrong verdict's facts."""
OUT = Path(__file__).resolve().parent / "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What there is of everything after a number of attempts."""

    attempts: int
    per_s: float
    """Since the last sample."""
    containers: int
    descriptors: int
    threads: int
    rss_mib: float
    wrong: int
    retried: int


class Bench:
    """Runs cases and keeps count. Safe to use from many threads."""

    def __init__(self, sandbox: DockerSandbox, label: str) -> None:
        self._sandbox, self._label = sandbox, label
        self._lock = threading.Lock()
        self._last = (0, time.monotonic())
        self.done = 0
        self.wrong: list[str] = []
        self.retried: list[str] = []
        self.verdicts: Counter[str] = Counter()

    def run(self, case: Case) -> None:
        """Run a case and count it."""
        result = self._facts(case)
        verdict = judge(result)
        with self._lock:
            self.done += 1
            self.verdicts[f"{case.name}: {verdict}"] += 1
            if verdict is not case.verdict:
                self.wrong.append(f"{case.name}: {verdict}, {result!r}"[:MAX_FACTS])

    def _facts(self, case: Case) -> RunResult:
        """Run a case, trying again when the sandbox itself fails."""
        tries = 0
        while True:
            try:
                return self._sandbox.run(case.job())
            except SandboxError as exc:
                tries += 1
                with self._lock:
                    self.retried.append(f"{case.name}: {exc}")
                if tries == TRIES:
                    raise

    def sample(self) -> Sample:
        """Look at everything that could pile up."""
        done, now = self.done, time.monotonic()
        (before, then), self._last = self._last, (done, now)
        return Sample(
            attempts=done,
            per_s=round((done - before) / (now - then), 2),
            containers=containers(self._label),
            descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()),
            threads=threading.active_count(),
            rss_mib=_rss_mib(),
            wrong=len(self.wrong),
            retried=len(self.retried),
        )


def containers(label: str) -> int:
    """Count the containers of a run, stopped ones included."""
    with contextlib.closing(connect()) as client:
        return len(client.containers(all=True, filters={"label": f"{LABEL_RUN}={label}"}))


def work(bench: Bench, sandbox: DockerSandbox, options: argparse.Namespace) -> list[Sample]:
    """Run all attempts; sample every so many of them."""
    samples = []
    upcoming = cases(options.seed)
    with sandbox, ThreadPoolExecutor(options.workers) as threads:
        for begin in range(0, options.attempts, options.every):
            batch = itertools.islice(upcoming, min(options.every, options.attempts - begin))
            list(threads.map(bench.run, list(batch)))
            samples.append(bench.sample())
            print(json.dumps(asdict(samples[-1])), flush=True)
    return samples


def leaks(samples: list[Sample], end: Sample, options: argparse.Namespace) -> list[str]:
    """Say what grew after the first tenth, where all is in use, and what outlived it all.

    A client of the SDK keeps up to 25 connections: it takes some hundred attempts until each has them.
    """
    first, last = samples[len(samples) // 10], samples[-1]
    # Threads come and go with the pool's work; each may hold one connection.
    found = {
        "containers": last.containers - max(first.containers, 2 * (options.workers + options.warm)),
        "containers after the end": end.containers,
        "descriptors": last.descriptors - first.descriptors - options.workers,
        "threads": last.threads - first.threads - options.workers,
        "MiB of memory": last.rss_mib - first.rss_mib - 20,
    }
    return [f"{name}: {excess:g} too many" for name, excess in found.items() if excess > 0]


def main() -> int:
    """Run, write, judge."""
    options = _options()
    label = run_id()
    sandbox = DockerSandbox(
        label,
        hosts=(DockerHost(slots=options.workers),),
        warm=options.warm,
        attempts_per_container=options.reuse,
    )
    bench = Bench(sandbox, label)
    began = time.monotonic()
    samples = work(bench, sandbox, options)
    end = bench.sample()
    leaked = leaks(samples, end, options)
    data = {
        "settings": {
            name: getattr(options, name) for name in ("attempts", "workers", "reuse", "warm", "seed")
        },
        "seconds": round(time.monotonic() - began),
        "wrong": bench.wrong,
        "retried": bench.retried,
        "leaks": leaked,
        "verdicts": dict(sorted(bench.verdicts.items())),
        "samples": [asdict(sample) for sample in (*samples, end)],
    }
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "endurance.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    print(f"{bench.done} attempts in {data['seconds']} s, {len(bench.retried)} tried again")
    print(f"wrong verdicts: {bench.wrong or 'none'}; leaks: {leaked or 'none'}")
    return 1 if bench.wrong or leaked else 0


def _rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    add = parser.add_argument
    add("--attempts", type=int, default=10_000)
    add("--workers", type=int, default=4)
    add("--reuse", type=int, default=1, help="attempts per container (%(default)s)")
    add("--warm", type=int, default=5, help="containers kept ready (%(default)s)")
    add("--every", type=int, default=250, help="attempts between samples (%(default)s)")
    add("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
