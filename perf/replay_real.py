"""Recorded histories against what their sources said, and through the whole loop.

    python -m perf.replay_real FILE                 grade rounds with a hidden verdict, one by one
    python -m perf.replay_real FILE --loop          also replay every history, and look at the journal

A round is graded when its source judged it by tests that the row brings and that can be run: the reply as
this tool takes it, or the code where no reply was kept. Where the two verdicts differ, variants are run to
say why: the code that the source took out of the reply, the prompt's imports in front, one interpreter for
script and tests. Imports that this tool lends a script are taken out again: the sources' harnesses lent none,
and this is about grading. Beside it: how many agree with them, and on the code that the source took out, as
it is.

Exit code 1: under 98 % agree, or some trajectory was not replayed in order and within its bounds.
"""

import argparse
import ast
import subprocess
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from evaluator.replay.histories import History, Round, read_histories
from evaluator.replay.replay import make_replay
from evaluator.running.calls import RECORDING_ENDED
from evaluator.runs.journal import load_run
from evaluator.runs.rundata import Trajectory
from repair.cleaning.caged import Cleaner
from repair.reply import plain
from repair.script import Script
from sandbox.backend import Sandbox
from sandbox.engine import DockerSandbox
from sandbox.errors import SandboxError
from sandbox.fair import FairSandbox
from sandbox.types import Job, Level, Limits, RunResult
from sandbox.verdict import RunVerdict, judge

TARGET = 0.98
_VERDICTS = ("pass", "fail")
_LIMITS = Limits(wall_s=30.0, cpu_s=15.0)
_WORKERS = 2


@dataclass(frozen=True, kw_only=True)
class Graded:
    """A round, and what it came to here."""

    history: History
    number: int
    script: str | None
    result: RunResult | None
    lent: str | None = None
    """The script with the imports that cleaning lent it, where it did."""

    @property
    def round(self) -> Round:
        """The round itself."""
        return self.history.rounds[self.number]

    @property
    def verdict(self) -> str:
        """Our verdict."""
        return str(judge(self.result)) if self.result else "no_code"

    @property
    def agrees(self) -> bool:
        """Whether both verdicts say the same."""
        return (self.verdict == RunVerdict.PASSED) is (self.round.verdict == "pass")


def main() -> int:
    """Grade, explain, and replay."""
    options = _options()
    histories = read_histories(str(options.file)).rows
    due = list(_due(histories))
    with FairSandbox(
        DockerSandbox(f"perf-{uuid.uuid4().hex[:8]}", attempts_per_container=options.attempts_per_container)
    ) as sandbox:
        graded = _grade(due, sandbox)
        agreed = sum(each.agrees for each in graded)
        _print_table(graded)
        for each in graded:
            if not each.agrees:
                print(f"  {_where(each)}: recorded {each.round.verdict}, here {each.verdict}")
                print(f"    because: {_why(each, sandbox)}")
        as_cleaned = [_as_cleaned(each, sandbox) for each in graded]
        as_kept = [_as_kept(each, sandbox) for each in graded if each.round.code is not None]
    share = agreed / len(graded) if graded else 0.0
    print(f"{agreed} of {len(graded)} rounds agree ({share:.1%}, target {TARGET:.0%})")
    lent = sum(each.lent is not None for each in graded)
    as_cleaned_agreed = sum(each.agrees for each in as_cleaned)
    print(f"{as_cleaned_agreed} of {len(graded)} agree with the imports that cleaning lent {lent} of them")
    kept = sum(each.agrees for each in as_kept)
    print(f"{kept} of {len(as_kept)} agree on the code that their source took out, with nothing mended")
    fine = share >= TARGET
    if options.loop or options.run:
        fine &= _loop_holds(options, histories)
    return 0 if fine else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m perf.replay_real", description=__doc__.split("\n", 1)[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--loop", action="store_true", help="also replay every history through the loop")
    parser.add_argument("--run", type=Path, help="look at this replay of the file instead of making one")
    parser.add_argument("--attempts-per-container", type=int, default=50)
    return parser.parse_args()


def _due(histories: Sequence[History]) -> Iterator[tuple[History, int]]:
    """Rounds whose recorded verdict can be compared with one of ours."""
    for history in histories:
        for number, each in enumerate(history.rounds):
            if history.tests and each.scope == "hidden" and each.verdict in _VERDICTS:
                yield history, number


def _grade(due: Sequence[tuple[History, int]], sandbox: Sandbox) -> list[Graded]:
    with Cleaner(workers=_WORKERS) as cleaner, ThreadPoolExecutor(_WORKERS) as pool:

        def one(item: tuple[History, int]) -> Graded:
            history, number = item
            reply = history.rounds[number].reply
            cleaned = cleaner.clean(plain(reply.content or ""), required=history.entry_point)
            script = without_lent(cleaned)
            result = None if script is None else _run(sandbox, script, history)
            lent = cleaned.code if script != cleaned.code else None
            return Graded(history=history, number=number, script=script, result=result, lent=lent)

        return list(pool.map(one, due))


def without_lent(cleaned: Script) -> str | None:
    """Give the script without the imports that cleaning put in: it names their lines."""
    if cleaned.code is None:
        return None
    lines = cleaned.code.splitlines(keepends=True)
    for done in cleaned.edits:
        for lent in done.detail.split("; ") if done.rule == "missing_imports" else ():
            lines.remove(f"{lent}\n")
    return "".join(lines)


def _as_cleaned(each: Graded, sandbox: Sandbox) -> Graded:
    """Grade what cleaning makes of the reply, imports and all."""
    if each.lent is None:
        return each
    return replace(each, script=each.lent, result=_run(sandbox, each.lent, each.history))


def _as_kept(each: Graded, sandbox: Sandbox) -> Graded:
    """Grade the code that the source took out of the reply instead of what this tool makes of the reply."""
    script = each.round.reply.content if each.round.code_only else each.round.code
    if script == each.script:
        return each
    return replace(each, script=script, result=_run(sandbox, script or "", each.history))


def _run(sandbox: Sandbox, script: str, history: History, level: Level = Level.PROCESS) -> RunResult | None:
    job = Job(id=uuid.uuid4().hex, script=script, tests=history.tests, level=level, limits=_LIMITS)
    try:
        return sandbox.run(job)
    except SandboxError as exc:
        print(f"{history.place}: {exc}", file=sys.stderr)
        return None


def _where(each: Graded) -> str:
    return f"{each.history.place} ({each.history.model}, {each.history.task_key}), round {each.number}"


def _why(each: Graded, sandbox: Sandbox) -> str:
    """Run variants until one agrees with the record; else say what happened here."""
    history = each.history
    wanted = each.round.verdict == "pass"
    script = each.script or ""
    variants = [
        ("our script is not the code that the source took out", each.round.code or "", Level.PROCESS),
        ("its harness lent the script what the prompt imports", _lent(history, script), Level.PROCESS),
        ("script and tests shared one interpreter there", script, Level.SHARED),
    ]
    for words, text, level in variants:
        if not text.strip():
            continue
        result = _run(sandbox, text, history, level)
        if result is not None and (judge(result) is RunVerdict.PASSED) is wanted:
            return words
    return _happened(each)


def _lent(history: History, script: str) -> str:
    """The script behind the imports of its prompt, and behind the whole of `typing`."""
    try:
        tree = ast.parse(history.prompt)
        lines = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    except SyntaxError:
        lines = []
    return "\n".join([*lines, "from typing import *", "import math, re", script])


def _happened(each: Graded) -> str:
    if each.result is None:
        return "no code was found in the reply"
    failed = next((test for test in each.result.tests if str(test.outcome) != "passed"), None)
    raised = each.result.exception
    parts = [
        each.result.compiled.message if not each.result.compiled.ok else "",
        f"{raised.exc_type}: {raised.message}" if raised else "",
        f"{failed.exc_type}: {failed.message}" if failed else "",
        each.result.tests_error or "",
    ]
    here = " ".join(part for part in parts if part) or "every test passes here"
    return f"{_line(here)}; its source says: {_line(each.round.detail)}"


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


def _print_table(graded: Sequence[Graded]) -> None:
    counts = Counter((each.round.verdict, each.verdict) for each in graded)
    print("recorded  here                rounds")
    for (recorded, ours), count in sorted(counts.items()):
        print(f"{recorded:<8}  {ours:<18}  {count:>6}")


def _loop_holds(options: argparse.Namespace, histories: Sequence[History]) -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.run or _replayed(options, Path(scratch))
        faults = list(_faults(folder, histories, options.file))
    for fault in faults[:20]:
        print(f"  {fault}")
    print(f"{len(histories)} histories replayed, {len(faults)} of them not in order or not within bounds")
    return not faults


def _replayed(options: argparse.Namespace, scratch: Path) -> Path:
    command = [sys.executable, "-m", "evaluator.cli", "replay", str(options.file), "--runs-dir", str(scratch)]
    command += ["--attempts-per-container", str(options.attempts_per_container)]
    subprocess.run(command, check=True)
    (manifest,) = scratch.glob("*/run.json")
    return manifest.parent


def _faults(folder: Path, histories: Sequence[History], file: Path) -> Iterator[str]:
    """Compare the journal with the file: each call has the round of its number, and no trajectory runs on."""
    run = load_run(folder)
    (template,) = run.manifest.templates
    replayed = make_replay(histories, template, file)
    found = {(t.first.model, t.first.task_id, t.first.template, t.first.sample): t for t in run.trajectories}
    texts = {key: record.text for key, record in run.completions.items()}
    config = run.manifest.config
    stops: Counter[str] = Counter()
    for draw, history in replayed.histories.items():
        each = found.get((draw.model, draw.task_id, draw.template, draw.sample))
        if each is None:
            yield f"{history.place} was not replayed"
            continue
        stops[str(each.attempts[-1].stop)] += 1
        yield from (f"{history.place}: {fault}" for fault in _fault(each, history, texts, config))
    print("ends: " + ", ".join(f"{stop} {count}" for stop, count in stops.most_common()))


def _fault(
    each: Trajectory, history: History, texts: dict[str, str], config: dict[str, dict[str, int]]
) -> Iterator[str]:
    attempts = each.attempts
    if [attempt.call_no for attempt in attempts] != list(range(len(attempts))):
        yield "its calls are not numbered in order"
    if not each.complete:
        yield "it has no end"
    if len(attempts) > config["repair"]["calls"]:
        yield f"{len(attempts)} calls are over the bound"
    answered = [attempt for attempt in attempts if attempt.completion_key]
    if len(answered) < len(attempts) and attempts[-1].stop != RECORDING_ENDED:
        yield f"a call got no reply, and the end is {attempts[-1].stop}"
    for attempt in answered:
        wanted = plain(history.rounds[attempt.call_no].reply.content or "")
        if texts.get(attempt.completion_key or "") != wanted:
            yield f"call {attempt.call_no} was answered by another round"


if __name__ == "__main__":
    sys.exit(main())
