"""Skips and expected failures count as passed only where every reference of the task shows the same."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from evaluator.jobs import JobMaker, Part
from prompts.tasks import Task
from sandbox.types import Job, RunResult, TestOutcome
from sandbox.verdict import RunVerdict, judge

_SKIPS = frozenset({TestOutcome.SKIPPED, TestOutcome.XFAILED})


def skipped(result: RunResult) -> frozenset[str]:
    """Return the ids of the tests that were skipped or failed as expected."""
    return frozenset(test.id for test in result.tests if test.outcome in _SKIPS)


def common_skips(results: Sequence[RunResult]) -> tuple[str, ...]:
    """Return the ids that all of these runs skip, sorted; none where there are no runs."""
    sets = [skipped(result) for result in results]
    return tuple(sorted(frozenset.intersection(*sets))) if sets else ()


class ReferenceSkips:
    """What the references of tasks skip: found out when it is asked for, once per task and part.

    References run as scripts do: same level, same limits. Safe to use from many threads.
    """

    def __init__(self, run: Callable[[Job], RunResult], jobs: JobMaker) -> None:
        self._run = run
        self._jobs = jobs
        self._lock = threading.Lock()
        self._alone: dict[tuple[str, Part], threading.Lock] = {}
        self._known: dict[tuple[str, Part], tuple[str, ...]] = {}

    def allow(self, task: Task, part: Part, result: RunResult) -> RunResult:
        """Give a run the skips that the references have, if its verdict depends on them.

        Raises:
            SandboxError: a reference could not be run.
        """
        if not task.references or judge(result) is not RunVerdict.TESTS_FAILED:
            return result
        if judge(replace(result, may_skip=tuple(skipped(result)))) is not RunVerdict.PASSED:
            return result
        return replace(result, may_skip=self._of(task, part))

    def _of(self, task: Task, part: Part) -> tuple[str, ...]:
        key = (task.sha256, part)
        with self._lock:
            alone = self._alone.setdefault(key, threading.Lock())
        with alone:
            if key not in self._known:
                runs = [self._run(self._jobs.job(task, script, part)) for script in task.references]
                self._known[key] = common_skips(runs)
            return self._known[key]
