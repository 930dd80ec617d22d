"""A builder of synthetic runs: what a journal would hold, without models, engine or files."""

import _thread
import hashlib
import os
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from evaluator.runs.records import (
    AttemptRecord,
    CompletionRecord,
    Manifest,
    ModelEntry,
    ScriptRecord,
    TaskEntry,
)
from evaluator.runs.rundata import RunData, trajectories
from repair.llm import Arm, CallKind, Message, Sampling
from repair.outcome import Verdict
from repair.script import CleanOutcome, Edit, EditClass
from sandbox.types import (
    CompileReport,
    Evidence,
    ExceptionInfo,
    Frame,
    ImageInfo,
    KilledBy,
    Level,
    RunResult,
    Stream,
    TestOutcome,
    TestRecord,
)
from sandbox.verdict import RunVerdict

AT = "2026-01-02T03:04:05Z"
KILLS = {
    Verdict.TIMED_OUT: KilledBy.WALL,
    Verdict.CPU_LIMIT: KilledBy.CPU,
    Verdict.OUT_OF_MEMORY: KilledBy.MEMORY,
    Verdict.OUTPUT_LIMIT: KilledBy.OUTPUT,
}


def sha(text: str) -> str:
    """Hash a text as the journal does."""
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def run_result(
    verdict: Verdict, *, stdout: str = "", tests: Sequence[TestRecord] = (), **extra: Any
) -> RunResult:
    """Make the facts of a run that would be judged as `verdict`."""
    compiles = verdict is not Verdict.SYNTAX_ERROR
    ids = tuple(test.id for test in tests)
    facts: dict[str, Any] = {
        "job_id": "0123456789abcdef",
        "level": Level.SHARED,
        "python": "3.11.2",
        "guest_version": "1",
        "hash_seed": 7,
        "compiled": CompileReport(ok=True)
        if compiles
        else CompileReport(
            ok=False, exc_type="SyntaxError", message="invalid syntax", line=2, column=9, source="def f(:"
        ),
        "exit_code": 0 if verdict is Verdict.PASSED else 1,
        "killed_by": KILLS.get(verdict),
        "wall_s": 0.25,
        "cpu_s": 0.125,
        "max_rss_bytes": 24 * 2**20,
        "exception": ExceptionInfo(
            exc_type="NameError",
            message="name 'mth' is not defined",
            frames=(Frame(file="solution.py", line=3, function="area", source="return mth.pi * r"),),
        )
        if verdict is Verdict.RUNTIME_ERROR
        else None,
        "tests": tuple(tests),
        "evidence": Evidence(
            expected=ids, collected=ids, canaries_right=True, finished=True, exit_consistent=True
        ),
        "stdout": Stream(head=stdout, total_bytes=len(stdout)),
    }
    return RunResult(**{**facts, **extra})


@dataclass
class RunBuilder:
    """Collects attempts and makes a RunData of them."""

    tasks: dict[str, TaskEntry] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    attempts: list[AttemptRecord] = field(default_factory=list)
    completions: dict[str, CompletionRecord] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)

    def task(self, task_id: str, *, basis: Any = "own", family: str = "", has_holdout: bool = True) -> None:
        """Add a task to the manifest."""
        self.tasks[task_id] = TaskEntry(
            task_id=task_id,
            batch=task_id.partition("/")[0],
            family=family,
            sha256=sha(task_id),
            basis=basis,
            has_holdout=has_holdout,
            difficulty="easy",
        )

    def sample(
        self,
        model: str,
        task_id: str,
        calls: Iterable[Verdict | str | dict[str, Any]],
        *,
        sample: int = 0,
        template: str = "default",
        arm: Arm = Arm.REPAIR,
        complete: bool = True,
    ) -> list[AttemptRecord]:
        """Add one trajectory. A call is a verdict, "holdout_failed", or a dict of fields of AttemptRecord.

        A dict may also hold `reply`, `reasoning`, `code`, `raw_compiles`, `tokens`, `seconds`, `finish_reason`.
        """
        if model not in self.models:
            self.models.append(model)
        if template not in self.templates:
            self.templates.append(template)
        if task_id not in self.tasks:
            self.task(task_id)
        records: list[AttemptRecord] = []
        listed = list(calls)
        for number, call in enumerate(listed):
            given = {"verdict": call} if not isinstance(call, dict) else dict(call)
            if complete and number == len(listed) - 1:
                given.setdefault("stop", "passed" if given["verdict"] == Verdict.PASSED else "budget spent")
            where = {"model": model, "task_id": task_id, "template": template, "sample": sample, "arm": arm}
            records.append(self._attempt(where, number, given))
        self.attempts.extend(records)
        return records

    def _attempt(self, where: dict[str, Any], number: int, given: dict[str, Any]) -> AttemptRecord:
        verdict = given.pop("verdict")
        task = self.tasks[where["task_id"]]
        holdout_verdict = None
        if verdict == "holdout_failed":
            verdict, holdout_verdict = Verdict.PASSED, RunVerdict.TESTS_FAILED
        elif verdict is Verdict.PASSED and task.has_holdout:
            holdout_verdict = RunVerdict.PASSED
        no_code = verdict in {Verdict.NO_CODE, Verdict.LLM_ERROR, Verdict.TRUNCATED}
        code = given.pop("code", None if no_code else f"def f(x):\n    return x + {number}\n")
        reply = given.pop("reply", f"```python\n{code}```\n" if code is not None else "I cannot.")
        raw = given.pop("raw_compiles", False)
        called = {**where, "at": AT, "server": "http://127.0.0.1:1234/v1", "call_no": number}
        called["kind"] = given.pop("kind", CallKind.FIRST if number == 0 else CallKind.REPAIR)
        tests = given.pop(
            "tests",
            (
                TestRecord(
                    id="test_f",
                    outcome=TestOutcome.PASSED if verdict is Verdict.PASSED else TestOutcome.FAILED,
                ),
            ),
        )
        script = ScriptRecord(
            code=code,
            sha256=sha(code or ""),
            outcome=given.pop(
                "outcome",
                CleanOutcome.NO_CODE if code is None else CleanOutcome.RAW if raw else CleanOutcome.CLEANED,
            ),
            edits=given.pop(
                "edits",
                ()
                if raw or code is None
                else (Edit(rule="fence", kind=EditClass.LOSSLESS, detail="one block", dropped_chars=14),),
            ),
            raw_compiles=raw,
            compiles=code is not None and verdict is not Verdict.SYNTAX_ERROR,
        )
        key = self._completion(called, reply, given) if verdict is not Verdict.LLM_ERROR else None
        scored = code is not None and not verdict.ours
        fields: dict[str, Any] = {
            "completion_key": key,
            "reply_sha256": sha(reply),
            "basis": task.basis,
            "level": Level.PROGRAM if task.basis == "program" else Level.SHARED,
            "script": script,
            "verdict": verdict,
            "shown": run_result(verdict, tests=tests, stdout=given.pop("stdout", "")) if scored else None,
            "holdout": run_result(Verdict(holdout_verdict.value)) if holdout_verdict else None,
            "holdout_verdict": holdout_verdict,
            "has_holdout": task.has_holdout,
            "feedback": "" if number == 0 else "One of your tests failed:\n\n    assert f(1) == 2\n",
            "error": "connection refused" if verdict.ours else "",
        }
        return AttemptRecord(**{**called, **fields, **given})

    def _completion(self, called: dict[str, Any], reply: str, given: dict[str, Any]) -> str:
        key = sha(repr(sorted((k, str(v)) for k, v in called.items())))
        prompt, out = given.pop("tokens", (100, 50))
        self.completions[key] = CompletionRecord(
            **called,
            key=key,
            messages=(Message(role="user", content="Write f."),),
            sampling=given.pop("sampling", Sampling(temperature=0.2, seed=11)),
            text=reply,
            reasoning=given.pop("reasoning", ""),
            finish_reason=given.pop("finish_reason", "stop"),
            prompt_tokens=prompt,
            completion_tokens=out,
            seconds=given.pop("seconds", 2.0),
        )
        return key

    def build(self, **manifest: Any) -> RunData:
        """Put manifest and records together."""
        facts: dict[str, Any] = {
            "run_id": "20260102-030405-abcd",
            "created": AT,
            "finished": "2026-01-02T03:09:05Z",
            "version": "0.1.0",
            "config": {
                "sampling": {"temperature": 0.2, "max_tokens": 2048},
                "repair": {"repairs": 3, "policy": "traceback"},
            },
            "tasks": tuple(self.tasks.values()),
            "templates": {name: sha(name) for name in self.templates},
            "models": tuple(
                ModelEntry(
                    label=m, name=m, server="http://127.0.0.1:1234/v1", base_url="http://127.0.0.1:1234/v1"
                )
                for m in self.models
            ),
            "samples": 1 + max((a.sample for a in self.attempts), default=0),
            "image": ImageInfo(
                identity=sha("image"),
                tag="mendbench-sandbox:1",
                digest="sha256:" + sha("digest"),
                python="3.11.2",
                guest_version="1",
                base="mmdebstrap bookworm",
            ),
            "levels": tuple(sorted({a.level for a in self.attempts})),
            "host": {"system": "Linux", "cpus": "2"},
            "packages": {"openai": "3.0.0"},
            "git": {"commit": "0" * 40, "dirty": "no"},
        }
        return RunData(
            manifest=Manifest(**{**facts, **self.manifest, **manifest}),
            trajectories=trajectories(self.attempts),
            completions=dict(self.completions),
        )


@pytest.fixture
def builder() -> RunBuilder:
    """Give an empty builder of a synthetic run."""
    return RunBuilder()


@pytest.fixture(scope="session")
def make_builder() -> Callable[[], RunBuilder]:
    """Give the builder itself, for tests that need several runs."""
    return RunBuilder


SCRIPT = '''\
import math


def mean(values):
    """Arithmetic mean of some numbers."""
    total = 0
    for value in values:
        total += value
    return total / len(values){tail}


def spread(values):
    m = mean(values)
    return math.sqrt(sum((v - m) ** 2 for v in values) / (len(values) - {n}))
'''
TAILS = ("", " if values else 0.0", " if values else math.nan", " or 0")


def failing_tests(rng: random.Random) -> tuple[TestRecord, ...]:
    """Make a few test records, one of them failed."""
    frame = Frame(
        file="test_solution.py", line=9, function="test_spread", source="assert spread([1, 2]) == 0.5"
    )
    failed = TestRecord(
        id="test_spread[two]",
        outcome=TestOutcome.FAILED,
        exc_type="AssertionError",
        message="assert 0.7071067811865476 == 0.5",
        got="0.7071067811865476",
        expected="0.5",
        frames=(frame,),
        wall_s=0.002,
    )
    passed = [
        TestRecord(id=f"test_mean[{i}]", outcome=TestOutcome.PASSED, wall_s=0.001)
        for i in range(rng.randint(2, 6))
    ]
    return (*passed, failed)


def demo_call(rng: random.Random, verdict: Verdict | str, number: int) -> dict[str, Any]:
    """Make one call with realistic texts."""
    code = SCRIPT.format(tail=TAILS[number % 4], n=number % 2)
    ok = verdict in {Verdict.PASSED, "holdout_failed"}
    tests = (
        tuple(TestRecord(id=f"test_mean[{i}]", outcome=TestOutcome.PASSED, wall_s=0.001) for i in range(4))
        if ok
        else failing_tests(rng)
    )
    call: dict[str, Any] = {
        "verdict": verdict,
        "tests": tests,
        "tokens": (180 + 220 * number, rng.randint(90, 420)),
    }
    call["seconds"] = round(rng.uniform(0.8, 6.0), 3)
    call["stdout"] = "" if rng.random() < 0.6 else "debug: 3 values\n" * rng.randint(1, 30)
    if verdict in {Verdict.NO_CODE, Verdict.TRUNCATED}:
        call["reply"] = "To solve this, first think about what a mean is.\n\nThe mean is " + "very " * 60
        call["finish_reason"] = "length" if verdict is Verdict.TRUNCATED else "stop"
    else:
        call["code"] = code.replace("(values):", "(values:", 1) if verdict is Verdict.SYNTAX_ERROR else code
        call["reply"] = (
            f"Sure! Here is the script:\n\n```python\n{call['code']}```\n\nIt uses only the standard library."
        )
    if number:
        call["feedback"] = (
            "test_spread[two] failed:\n\n    assert spread([1, 2]) == 0.5\nE   got 0.7071067811865476, expected 0.5\n\nSend the whole corrected script."
        )
    return call


STORIES: dict[str, tuple[tuple[int, tuple[Verdict | str, ...]], ...]] = {
    "demo-steady-7b": (
        (7, (Verdict.PASSED,)),
        (4, (Verdict.TESTS_FAILED, Verdict.PASSED)),
        (2, (Verdict.RUNTIME_ERROR, Verdict.TESTS_FAILED, Verdict.PASSED)),
        (1, ("holdout_failed",)),
        (1, (Verdict.TESTS_FAILED, Verdict.TESTS_FAILED, Verdict.TESTS_FAILED, Verdict.TESTS_FAILED)),
    ),
    "demo-scatter-1b": (
        (2, (Verdict.PASSED,)),
        (3, (Verdict.SYNTAX_ERROR, Verdict.TESTS_FAILED, Verdict.PASSED)),
        (1, (Verdict.TIMED_OUT, Verdict.TIMED_OUT, Verdict.TESTS_FAILED)),
        (1, (Verdict.OUT_OF_MEMORY, Verdict.TESTS_FAILED)),
        (1, (Verdict.OUTPUT_LIMIT, Verdict.PASSED)),
        (1, (Verdict.TAMPERED, Verdict.TESTS_FAILED)),
        (2, (Verdict.NO_CODE, Verdict.TESTS_FAILED, Verdict.TESTS_FAILED)),
        (1, (Verdict.TRUNCATED, Verdict.PASSED)),
        (3, (Verdict.TESTS_FAILED, Verdict.SYNTAX_ERROR, Verdict.TESTS_FAILED, Verdict.TESTS_FAILED)),
    ),
}
TASKS = tuple(
    f"{batch}/{name}"
    for batch, names in {
        "basics": ("mean-and-spread", "roman-numerals", "balanced-brackets", "run-length", "caesar"),
        "text": ("word-count", "slugify", "csv-columns", "wrap-paragraph", "anagram-groups"),
        "data": ("merge-intervals", "lru-cache", "topological-order", "matrix-spiral", "bank-ledger"),
    }.items()
    for name in names
)


@pytest.fixture(scope="session")
def demo_run() -> RunData:
    """Give a run of 15 tasks and two models with every kind of trouble."""
    return build_demo()


def build_demo(*, samples: int = 1, **manifest: Any) -> RunData:
    """Make that run; with more samples, more of it."""
    builder = RunBuilder()
    for model, stories in STORIES.items():
        flat = [story for count, story in stories for _ in range(count)]
        for number in range(samples):
            rng = random.Random(f"{model}{number}")
            rng.shuffle(flat)
            for task_id, story in zip(TASKS, flat, strict=True):
                builder.sample(
                    model, task_id, [demo_call(rng, v, i) for i, v in enumerate(story)], sample=number
                )
    return builder.build(**manifest)


@pytest.fixture(autouse=True)
def _threads_of_the_runner_do_not_count(request, monkeypatch):
    """What shares tests out among processes has threads of its own: level `process` looks whether there are any."""
    if not request.path.name.startswith("test_across_"):
        return
    here, before = os.getpid(), _thread._count()

    def more_threads():
        # A fork leaves them behind.
        return _thread._count() - (before if os.getpid() == here else 0)

    for module in ("peer", "grader_peer"):
        monkeypatch.setattr(f"sandbox.guest.across.{module}._more_threads", more_threads)
