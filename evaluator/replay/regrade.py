"""A run whose replies are judged anew: its manifest, its new folder, and what became of every attempt."""

import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from evaluator.replay.regradable import Regrade
from evaluator.replay.regrading import Fate, Regraded, regrade_sample
from evaluator.running.manifest import git_state, host_facts, levels, packages, redact, task_entry, version
from evaluator.running.pipeline import Parts
from evaluator.running.progress import Watcher
from evaluator.running.sample import SampleSpec, Tools
from evaluator.running.scheduler import Lane, Outcome, Scheduler
from evaluator.runs.journal import COMPLETIONS, Journal, load_run, now, write_atomically
from evaluator.runs.records import AttemptRecord, Manifest
from evaluator.runs.remember import Known, RememberingSandbox
from evaluator.runs.rundata import RunData
from repair.llm import Completion, Request
from sandbox.types import ImageInfo

CALLS: Final = "regrade.jsonl"
"""What became of every saved attempt, one line each."""


def regrade_manifest(
    regrade: Regrade, run_id: str, image: ImageInfo, parts: Parts, warnings: Iterable[str]
) -> Manifest:
    """Write down what the new run is made of: the old one's replies, and what judges them now."""
    old, plan = regrade.run.manifest, regrade.plan
    left_out = [f"{task_id} was left out of the regrade: {why}" for task_id, why in regrade.left_out.items()]
    update: dict[str, Any] = {
        "run_id": run_id,
        "created": now(),
        "finished": None,
        "version": version(),
        "regraded_from": old.run_id,
        "config": redact(plan.config.model_dump(mode="json")),
        "tasks": tuple(task_entry(task, parts.jobs) for task in plan.tasks),
        "draws": plan.draws,
        "image": image,
        "levels": levels(plan.tasks, parts.jobs),
        "host": host_facts(),
        "packages": packages(),
        "git": git_state(),
        "warnings": tuple(dict.fromkeys((*old.warnings, *left_out, *warnings))),
    }
    return old.model_copy(update=update)


def run_regrade(
    regrade: Regrade, source: Path, manifest: Manifest, folder: Path, parts: Parts, watcher: Watcher
) -> tuple[RunData, list[Regraded], Outcome]:
    """Judge every saved reply, running only what is not known, into a new run folder.

    Raises:
        MendError: something of ours broke.
    """
    _copy_replies(source, folder)
    stop, lock = threading.Event(), threading.Lock()
    saved = regrade.specs()
    found: list[Regraded] = []
    with Journal(folder) as journal:
        journal.write_manifest(manifest)
        tools = _tools(regrade, parts, stop)

        def one(spec: SampleSpec) -> None:
            began, last = time.monotonic(), None
            for each in regrade_sample(spec, saved[spec], tools):
                if each.after is not None:
                    journal.append(each.after)
                    watcher.attempt(each.after)
                    last = each.after
                with lock:
                    found.append(each)
            if last is not None:
                watcher.sample(spec, last, time.monotonic() - began)

        lane = Lane(server="", model="saved replies", specs=tuple(saved), workers=parts.slots + 1)
        outcome = Scheduler(one, stop, on_interrupt=watcher.interrupted).run([lane])
        found.sort(key=lambda each: each.before.call_key)
        write_atomically(folder / CALLS, "".join(f"{json.dumps(line(each))}\n" for each in found))
        if not outcome.interrupted:
            notes = (*manifest.warnings, summary(found))
            journal.write_manifest(manifest.model_copy(update={"finished": now(), "warnings": notes}))
    return load_run(folder), found, outcome


def _copy_replies(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if (source / COMPLETIONS).exists():
        shutil.copyfile(source / COMPLETIONS, folder / COMPLETIONS)
    if (source / "artifacts").is_dir():
        shutil.copytree(source / "artifacts", folder / "artifacts", dirs_exist_ok=True)


class _NoModel:
    """Stands where a run has a model: nothing is ever asked."""

    def complete(self, request: Request) -> tuple[Completion, str, bool]:
        """Raise, because nobody may ask."""
        raise AssertionError(f"a model was asked in a regrade: {request.call}")


def _tools(regrade: Regrade, parts: Parts, stop: threading.Event) -> Tools:
    config = regrade.plan.config
    sandbox = RememberingSandbox(
        parts.sandbox,
        parts.sandbox.image(),
        Known((), regrade.run.attempts),
        slots=threading.BoundedSemaphore(parts.slots),
        pause=stop.wait,
    )
    return Tools(
        llm=_NoModel(),
        sandbox=sandbox,
        cleaner=parts.cleaner,
        jobs=parts.jobs,
        loop=config.loop(),
        sampling=config.first_sampling({}),
        system=config.sampling.system,
        holdout_always=config.bench.holdout == "always",
        seed=config.sampling.seed,
    )


def line(each: Regraded) -> dict[str, Any]:
    """Say of one saved attempt what became of it, JSON-ready."""
    before, after = each.before, each.after
    return {
        "model": before.model,
        "task_id": before.task_id,
        "template": before.template,
        "sample": before.sample,
        "arm": str(before.arm),
        "call_no": before.call_no,
        "fate": str(each.fate),
        "censored": each.censored,
        "before": _verdicts(before),
        "after": _verdicts(after) if after else None,
        "ran_again": list(_ran(after)) if after else [],
    }


def _verdicts(attempt: AttemptRecord) -> dict[str, Any]:
    holdout = attempt.holdout_verdict
    return {
        "script": attempt.script.sha256,
        "verdict": str(attempt.verdict),
        "holdout": None if holdout is None else str(holdout),
        "stop": attempt.stop,
    }


def _ran(after: AttemptRecord) -> tuple[str, ...]:
    runs = (("shown", after.shown), ("holdout", after.holdout))
    return tuple(part for part, result in runs if result is not None and part not in after.reused)


def summary(found: Sequence[Regraded]) -> str:
    """Say in one sentence what a regrade changed."""
    fates = Counter(each.fate for each in found)
    ran = sum(len(_ran(each.after)) for each in found if each.after)
    censored = sum(each.censored for each in found)
    return (
        f"Regraded {len(found)} attempts: {fates[Fate.SAME]} the same, {fates[Fate.CHANGED]} changed, "
        f"{fates[Fate.UNUSED]} unused (the loop now ends before them); {censored} samples are censored (they "
        f" fail now, and nothing was asked after that); {ran} runs were done again."
    )
