"""Tests by a model, for tasks that have none.

One suite per task, from its text alone and the same for everybody; or one for each script.
"""

import threading
from collections.abc import Callable
from dataclasses import replace

from evaluator.jobs import JobMaker
from evaluator.keys import text_sha256
from evaluator.running.manifest import levels, task_entry
from evaluator.running.plan import Plan
from evaluator.running.scheduler import side_by_side
from evaluator.runs.journal import Journal, now
from evaluator.runs.records import AttemptRecord, Manifest, ModelEntry, SuiteRecord
from evaluator.suites.subjects import Subject, code_sha256
from evaluator.suites.writing import WriterSpec, WriterTools, attempts_at
from prompts.suite_prompts import load_suite_template
from prompts.tasks import Task
from sandbox.errors import SandboxError

STUB = """\
def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return lambda *args, **kwargs: None
"""
"""A module that has whatever is asked for and does nothing: a suite that passes on it tests nothing."""
_MARK = 12


class NoSuite(SandboxError):
    """The test writer gave no suite that runs: nothing can be said of the script. Nobody's failure."""


def wanting(plan: Plan) -> tuple[Task, ...]:
    """Give the tasks of a plan that have no tests of their own."""
    return tuple(task for task in plan.tasks if task.tests is None and task.holdout is None)


class TestWriter:
    """Has suites written, and writes down each call. Safe for many threads."""

    __test__ = False

    def __init__(
        self,
        entry: ModelEntry,
        tools: WriterTools,
        journal: Journal,
        written: set[tuple[tuple[object, ...], str]],
    ) -> None:
        """Prepare.

        Args:
            entry: the writer.
            tools: with the aim that fits: `fails` for suites from a text, `collects` for those from a script.
            journal: where calls are written down.
            written: calls that are there already, each with the hash of its suite.
        """
        self._entry, self._tools, self._journal, self._written = entry, tools, journal, written
        self._template = load_suite_template(tools.suites.template)
        self._lock = threading.Lock()
        self._alone: dict[str, threading.Lock] = {}
        self._known: dict[str, str] = {}

    def for_task(self, task: Task) -> Task:
        """Give the task with tests that were written from its text, or as it is where there are none."""
        suite = self._suite(_subject(task, task.task_id, STUB))
        return task if suite is None else replace(task, tests=suite, tests_by=self._entry.label)

    def for_script(self, task: Task, code: str) -> Task:
        """Give the task with tests that were written for a script.

        Raises:
            NoSuite: there are none.
        """
        if not task.tests_by or task.tests is not None:
            return task
        name = f"{task.task_id}@{code_sha256(code)[:_MARK]}"
        with self._lock:
            alone = self._alone.setdefault(name, threading.Lock())
        with alone:
            if name not in self._known:
                suite = self._suite(_subject(task, name, code))
                if suite is None:
                    raise NoSuite(f"{self._entry.label} wrote no suite that runs for this script")
                self._known[name] = suite
        return replace(task, tests=self._known[name])

    def _suite(self, subject: Subject) -> str | None:
        spec = WriterSpec(model=self._entry, subject=subject, template=self._template, sample=0)
        held = None
        for _, record in attempts_at(spec, self._tools):
            self._write(record)
            if record.stop == "passed":
                held = record.script.code
        return held

    def _write(self, record: AttemptRecord) -> None:
        mark = (record.call_key, record.script.sha256)
        with self._lock:
            if mark in self._written:
                return
            self._written.add(mark)
        same = {name: getattr(record, name) for name in _SAME}
        self._journal.append(
            SuiteRecord(
                at=now(),
                key=record.shown_key or "",
                suite_sha256=text_sha256(record.script.code or ""),
                code=record.script.code,
                main=record.shown,
                error=record.error,
                **same,
            )
        )


_SAME = ("server", "model", "task_id", "template", "sample", "arm", "call_no", "kind")


def _subject(task: Task, name: str, code: str) -> Subject:
    return Subject(
        task_id=name,
        of_task=task.task_id,
        batch=task.batch,
        family=task.family,
        code=code,
        names=task.entry_point or (),
        prompt=task.prompt,
        profile=task.limits.profile,
    )


def with_tests_of_tasks(
    plan: Plan, manifest: Manifest, writer: TestWriter, jobs: JobMaker, threads: int
) -> tuple[Plan, Manifest]:
    """Give each task without tests a suite that was written from its text; where there is none, a warning."""
    made = dict(
        zip(map(_id, wanting(plan)), side_by_side(writer.for_task, wanting(plan), threads), strict=True)
    )
    return _with(plan, manifest, lambda task: made.get(task.task_id, task), jobs)


def with_tests_of_scripts(
    plan: Plan, manifest: Manifest, label: str, jobs: JobMaker
) -> tuple[Plan, Manifest]:
    """Mark each task without tests as one whose tests are written for each script."""
    names = set(map(_id, wanting(plan)))
    return _with(
        plan, manifest, lambda task: replace(task, tests_by=label) if task.task_id in names else task, jobs
    )


def _id(task: Task) -> str:
    return task.task_id


def _with(
    plan: Plan, manifest: Manifest, change: Callable[[Task], Task], jobs: JobMaker
) -> tuple[Plan, Manifest]:
    tasks = tuple(change(task) for task in plan.tasks)
    missing = [
        task.task_id for task in tasks if task.tests is None and task.holdout is None and not task.tests_by
    ]
    note = f"no usable tests were written for: {', '.join(missing)}"
    kept = tuple(text for text in manifest.warnings if not text.startswith("no usable tests"))
    changed = manifest.model_copy(
        update={
            "tasks": tuple(task_entry(task, jobs) for task in tasks),
            "levels": levels(tasks, jobs),
            "warnings": (*kept, note) if missing else kept,
        }
    )
    return replace(plan, tasks=tasks), changed
