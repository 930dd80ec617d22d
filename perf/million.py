"""A million journalled attempts: python -m perf.million [--attempts 1000000] [--folder DIR].

Writes run folders of a quarter, a half and the whole of so many attempts, with lines as long as those of
real runs of small tasks, summarises each in a process of its own, and prints wall time, processor time
and peak memory: time should grow in proportion.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from evaluator.report.summary import summarise
from evaluator.runs.journal import ATTEMPTS, COMPLETIONS, MANIFEST
from evaluator.runs.records import (
    AttemptRecord,
    CompletionRecord,
    Manifest,
    ModelEntry,
    ScriptRecord,
    TaskEntry,
)
from evaluator.statistics.ledger_files import read_ledger
from repair.llm import Arm, CallKind, Message, Sampling
from repair.outcome import Verdict
from repair.script import CleanOutcome
from sandbox.types import (
    CompileReport,
    Evidence,
    ImageInfo,
    Level,
    RunResult,
    Stream,
    TestOutcome,
    TestRecord,
)
from sandbox.verdict import RunVerdict

MODELS, TASKS, CALLS = 10, 164, 3
_CODE: Final = "def solve(values):\n" + "    total = sum(value * 2 for value in values)\n" * 12
_AT: Final = "2026-01-02T03:04:05.678Z"
_TEMPLATES = 40
"""Different lines; the rest differ in their keys alone."""


def run_result(passed: bool) -> RunResult:
    """The facts of a run with three tests."""
    outcome = TestOutcome.PASSED if passed else TestOutcome.FAILED
    tests = tuple(
        TestRecord(
            id=f"test_{name}",
            outcome=outcome if name == "empty" else TestOutcome.PASSED,
            exc_type="" if passed else "AssertionError",
            message="" if passed else "assert solve([1, 2]) == 6",
            wall_s=0.001,
        )
        for name in ("one", "many", "empty")
    )
    ids = tuple(test.id for test in tests)
    return RunResult(
        job_id="0123456789abcdef",
        level=Level.PROCESS,
        python="3.11.2",
        guest_version="1",
        hash_seed=7,
        compiled=CompileReport(ok=True),
        exit_code=0 if passed else 1,
        wall_s=0.25,
        cpu_s=0.125,
        max_rss_bytes=24 << 20,
        tests=tests,
        evidence=Evidence(
            expected=ids, collected=ids, canaries_right=True, finished=True, exit_consistent=True
        ),
        stdout=Stream(head="ok\n" * 10, total_bytes=30),
    )


def records(number: int, chance: random.Random, arm: Arm) -> tuple[dict[str, Any], dict[str, Any]]:
    """One attempt and its reply, as JSON-ready data with places for what differs."""
    passed = chance.random() < 0.4
    held_out = passed and chance.random() < 0.95
    called = {
        "at": _AT,
        "server": "http://127.0.0.1:1234/v1",
        "model": "M",
        "task_id": "T",
        "template": "default",
        "sample": 0,
        "arm": arm,
        "call_no": number,
        "kind": CallKind.FIRST if number == 0 else CallKind.REPAIR,
    }
    code = _CODE + f"    return total + {chance.randrange(1000)}\n"
    attempt = AttemptRecord(
        **called,
        completion_key="K",
        reply_sha256="0" * 64,
        basis="own",
        level=Level.PROCESS,
        script=ScriptRecord(
            code=code,
            sha256=f"{chance.getrandbits(256):064x}",
            syntax_sha256=f"{chance.getrandbits(256):064x}",
            outcome=CleanOutcome.CLEANED,
            compiles=True,
        ),
        verdict=Verdict.PASSED if passed else Verdict.TESTS_FAILED,
        shown_key="1" * 64,
        shown=run_result(passed),
        holdout_key="2" * 64 if passed else None,
        holdout=run_result(held_out) if passed else None,
        holdout_verdict=(RunVerdict.PASSED if held_out else RunVerdict.TESTS_FAILED) if passed else None,
        has_holdout=True,
        feedback="" if number == 0 else "test_empty failed: got 5, expected 6\n" * 5,
        stop="passed" if passed else None,
    )
    completion = CompletionRecord(
        **called,
        key="K",
        messages=(Message(role="user", content="Write a function that adds the doubled values. " * 12),),
        sampling=Sampling(temperature=0.7, seed=11),
        text=f"Here it is:\n\n```python\n{code}```\n",
        finish_reason="stop",
        prompt_tokens=150 + 200 * number,
        completion_tokens=chance.randrange(80, 300),
        seconds=1.5,
    )
    return attempt.model_dump(mode="json"), completion.model_dump(mode="json")


class _Lines:
    """Ready-made lines by call number, with gaps for model, task, sample and key."""

    def __init__(self) -> None:
        chance = random.Random(5)
        self._made = {
            call: [self._gaps(records(call, chance, Arm.REPAIR)) for _ in range(_TEMPLATES)]
            for call in range(CALLS)
        }
        self._chance = chance

    @staticmethod
    def _gaps(pair: tuple[dict[str, Any], dict[str, Any]]) -> tuple[list[list[str]], bool]:
        texts = []
        for data in pair:
            marked = {**data, "model": "\x01m", "task_id": "\x01t", "sample": "\x01s"}
            marked["key" if "key" in data else "completion_key"] = "\x01k"
            if data.get("type") == "attempt":
                marked["stop"] = "\x01p"
            text = json.dumps(marked, separators=(",", ":"))
            for gap in "mtksp":
                text = text.replace(f'"\\u0001{gap}"', f"\x01{gap}\x01")
            texts.append(text.split("\x01"))
        return texts, pair[0]["stop"] == "passed"

    def sample(self, model: str, task: str, number: int) -> Iterator[tuple[str, str]]:
        """Give the lines of one trajectory: attempt and completion of each call."""
        for call in range(CALLS):
            (attempt, completion), passed = self._chance.choice(self._made[call])
            stop = '"passed"' if passed else '"repairs"' if call == CALLS - 1 else "null"
            values = {"m": f'"{model}"', "t": f'"{task}"', "s": str(number), "p": stop}
            values["k"] = f'"{hash((model, task, number, call)) & (1 << 64) - 1:064x}"'
            yield self._fill(attempt, values), self._fill(completion, values)
            if passed:
                return

    @staticmethod
    def _fill(parts: list[str], values: dict[str, str]) -> str:
        return "".join(values[part] if odd % 2 else part for odd, part in enumerate(parts)) + "\n"


def write_run(folder: Path, attempts: int) -> None:
    """Write a run folder with at least so many attempts."""
    folder.mkdir(parents=True)
    lines, written, sample = _Lines(), 0, 0
    with (folder / ATTEMPTS).open("w") as first, (folder / COMPLETIONS).open("w") as second:
        while written < attempts:
            for model in range(MODELS):
                for task in range(TASKS):
                    for attempt, completion in lines.sample(f"model-{model}", f"batch/t{task}", sample):
                        first.write(attempt)
                        second.write(completion)
                        written += 1
            sample += 1
    (folder / MANIFEST).write_text(_manifest(sample).model_dump_json())


def _manifest(samples: int) -> Manifest:
    entry = {"server": "http://127.0.0.1:1234/v1", "base_url": "http://127.0.0.1:1234/v1"}
    return Manifest(
        run_id="million",
        created=_AT,
        finished=_AT,
        version="0",
        config={},
        tasks=tuple(
            TaskEntry(
                task_id=f"batch/t{n}", batch="batch", family="", sha256=str(n), basis="own", has_holdout=True
            )
            for n in range(TASKS)
        ),
        templates={"default": "0"},
        models=tuple(ModelEntry(label=f"model-{n}", name=f"model-{n}", **entry) for n in range(MODELS)),
        samples=samples,
        image=ImageInfo(identity="0", tag="t", digest="d", python="3.11.2", guest_version="1", base="none"),
        levels=(Level.PROCESS,),
    )


def summarise_here(folder: Path) -> None:
    """Summarise a folder in this process and print what that took."""
    begun = time.monotonic()
    ledger = read_ledger(folder)
    read = time.monotonic() - begun
    summary = summarise(ledger)
    took = os.times()
    facts = {
        "attempts": len(ledger.attempts),
        "read_s": round(read, 1),
        "wall_s": round(time.monotonic() - begun, 1),
        "cpu_s": round(took.user + took.system, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "models": len(summary["bases"]["own"]["leaderboard"]),
    }
    print(json.dumps(facts))


def main() -> None:
    """Write, summarise, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--summarise", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.summarise:
        summarise_here(given.summarise)
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as root:
        for part in (4, 2, 1):
            folder = Path(root) / f"part{part}"
            write_run(folder, given.attempts // part)
            size = sum(path.stat().st_size for path in folder.glob("*.jsonl"))
            command = [sys.executable, "-m", "perf.million", "--summarise", str(folder)]
            facts = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            print({**facts, "gigabytes": round(size / 1e9, 2)}, flush=True)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
