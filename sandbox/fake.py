"""A sandbox without containers, for tests of whatever uses one: a function answers each job."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from sandbox.types import (
    CompileReport,
    Evidence,
    ImageInfo,
    Job,
    Level,
    RunResult,
    TestOutcome,
    TestRecord,
)

PYTHON = "3.11.0"
GUEST_VERSION = "0" * 16
IMAGE = ImageInfo(
    identity="0" * 64,
    tag="fake",
    digest="fake",
    python=PYTHON,
    guest_version=GUEST_VERSION,
    base="fake",
)


class FakeSandbox:
    """Answers every job with what `handler` returns or raises; `jobs` holds what was asked."""

    def __init__(self, handler: Callable[[Job], RunResult]) -> None:
        self._handler = handler
        self._lock = threading.Lock()
        self.jobs: list[Job] = []
        self.closed = False

    def run(self, job: Job) -> RunResult:
        """Answer `job`."""
        with self._lock:
            self.jobs.append(job)
        return self._handler(job)

    def image(self) -> ImageInfo:
        """Return an image that does not exist."""
        return IMAGE

    def levels(self) -> frozenset[Level]:
        """Name all levels."""
        return frozenset(Level)

    def close(self) -> None:
        """Note that it was called."""
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def fake_result(job: Job, outcomes: dict[str, str] | None = None, **facts: Any) -> RunResult:
    """Build the result of a job: at level program exit code 0, else a believable report of `outcomes`.

    Args:
        job: what was asked.
        outcomes: outcome by test id (`{"test_a": "passed"}` by default).
        facts: fields of the RunResult that shall differ.
    """
    tests = tuple(
        TestRecord(id=test, outcome=TestOutcome(outcome))
        for test, outcome in ({"test_a": "passed"} if outcomes is None else outcomes).items()
    )
    ids = tuple(test.id for test in tests)
    graded = {
        "tests": tests,
        "exit_code": 1,
        "evidence": Evidence(
            expected=ids, collected=ids, canaries_right=True, finished=True, exit_consistent=True
        ),
    }
    return RunResult(
        **{
            "job_id": job.id,
            "level": job.level,
            "python": PYTHON,
            "guest_version": GUEST_VERSION,
            "hash_seed": job.hash_seed,
            "compiled": CompileReport(ok=True),
            "may_skip": job.may_skip,
            **({"exit_code": 0} if job.level is Level.PROGRAM else graded),
            **facts,
        }
    )
