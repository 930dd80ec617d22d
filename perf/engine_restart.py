"""Stop a Docker engine again and again under a working bench: every attempt must get the verdict it earns.

    .venv/bin/python -m perf.engine_restart --attempts 200 --every 15

Uses an engine of its own (root on Linux), and the bench's own way of trying again. The engine is stopped in
turn by SIGKILL, as in a crash, and by SIGTERM, as in an update, and started again at once.
Writes perf/out/engine_restart.json. Exit code 1: a wrong verdict, an attempt given up, or something left.
"""

import argparse
import contextlib
import itertools
import json
import signal
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluator.errors import EngineGone
from evaluator.runs.remember import Known, RememberingSandbox
from perf.mixed import Case, cases
from perf.own_engine import OwnEngine
from perf.ways import run_id
from sandbox.engine import DockerSandbox
from sandbox.errors import SandboxError
from sandbox.hosts import DockerHost
from sandbox.image import expected_tag
from sandbox.reaper import LABEL_RUN
from sandbox.types import Job, RunResult
from sandbox.verdict import judge

OUT = Path(__file__).resolve().parent / "out"


class Counting(DockerSandbox):
    """A sandbox that keeps count of its own failures."""

    def __init__(self, run_id: str, **settings: Any) -> None:
        super().__init__(run_id, **settings)
        self.failures: list[str] = []

    def run(self, job: Job) -> RunResult:
        """Run a job; see `Sandbox.run`."""
        try:
            return super().run(job)
        except SandboxError as exc:
            self.failures.append(f"{type(exc).__name__}: {exc}"[:300])
            raise


class Bench:
    """Runs cases as the bench does. Safe to use from many threads."""

    def __init__(self, sandbox: Counting) -> None:
        self._sandbox = RememberingSandbox(
            sandbox, sandbox.image(), Known((), ()), slots=contextlib.nullcontext()
        )
        self.wrong: list[str] = []
        self.given_up: list[str] = []
        self.verdicts: Counter[str] = Counter()

    def run(self, number: int, case: Case) -> None:
        """Run a case and compare its verdict."""
        job = case.job()
        # What is known already would not be run again: no two scripts may be the same.
        job = replace(job, script=f"{job.script}\n# {number}\n")
        try:
            result = self._sandbox.run(job)[0]
        except (SandboxError, EngineGone) as exc:
            self.given_up.append(f"{case.name}: {exc}")
            return
        verdict = judge(result)
        self.verdicts[f"{case.name}: {verdict}"] += 1
        if verdict is not case.verdict:
            self.wrong.append(f"{case.name}: {verdict}, {result!r}"[:2000])


def restart_often(engine: OwnEngine, every_s: float, stop: threading.Event) -> list[float]:
    """Stop and start the engine until told otherwise; give how long each start took."""
    starts: list[float] = []
    for number in itertools.cycle((signal.SIGKILL, signal.SIGTERM)):
        if stop.wait(every_s):
            break
        engine.stop(number)
        starts.append(engine.start())
        print(f"{number.name}, started again in {starts[-1]:.1f} s", flush=True)
    return starts


def endure(engine: OwnEngine, options: argparse.Namespace) -> dict[str, Any]:
    """Run all attempts while the engine comes and goes; give what became of them."""
    label, stop = run_id(), threading.Event()
    hosts = (DockerHost(url=engine.url, slots=options.workers),)
    with Counting(label, hosts=hosts, warm=options.warm) as sandbox:
        bench = Bench(sandbox)
        with ThreadPoolExecutor(options.workers) as threads, ThreadPoolExecutor(1) as other:
            restarts = other.submit(restart_often, engine, options.every, stop)
            try:
                list(threads.map(bench.run, *zip(*_cases(options), strict=True)))
            finally:
                stop.set()
    with engine.client() as client:
        left = client.containers(all=True, filters={"label": f"{LABEL_RUN}={label}"})
    return {
        "attempts": sum(bench.verdicts.values()),
        "restarts": [round(seconds, 1) for seconds in restarts.result()],
        "tried_again": sandbox.failures,
        "given_up": bench.given_up,
        "wrong": bench.wrong,
        "containers_left": len(left),
        "verdicts": dict(sorted(bench.verdicts.items())),
    }


def main() -> int:
    """Run, write, judge."""
    options = _options()
    began = time.monotonic()
    with OwnEngine() as engine:
        engine.start()
        engine.copy_image(expected_tag())
        data = endure(engine, options)
        engine.stop(signal.SIGTERM)
        data |= {"shims_left": engine.shims(), "seconds": round(time.monotonic() - began)}
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "engine_restart.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({**data, "tried_again": len(data["tried_again"])}, indent=1))
    return 1 if any(data[name] for name in ("wrong", "given_up", "containers_left", "shims_left")) else 0


def _cases(options: argparse.Namespace) -> enumerate[Case]:
    return enumerate(itertools.islice(cases(options.seed), options.attempts))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    add = parser.add_argument
    add("--attempts", type=int, default=200)
    add("--workers", type=int, default=4)
    add("--warm", type=int, default=4, help="containers kept ready (%(default)s)")
    add("--every", type=float, default=15.0, help="seconds between restarts (%(default)s)")
    add("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
