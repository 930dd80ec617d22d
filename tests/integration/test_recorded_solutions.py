"""Recorded solutions of many models get the verdict on which independent runs agreed."""

import json
import uuid

import pytest

from sandbox.engine import DockerSandbox
from sandbox.types import Job, Limits
from sandbox.verdict import RunVerdict, judge

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ROWS = 40
RECORDED = {
    RunVerdict.PASSED: "passed",
    RunVerdict.SYNTAX_ERROR: "syntax_error",
    RunVerdict.TIMED_OUT: "timeout",
    RunVerdict.CPU_LIMIT: "timeout",
    RunVerdict.TESTS_FAILED: "failed",
    RunVerdict.RUNTIME_ERROR: "failed",
    RunVerdict.OUT_OF_MEMORY: "failed",
    RunVerdict.CRASHED: "failed",
}


def test_recorded_verdicts(data_folder):
    """The verdicts of rows spread over the whole file are those recorded."""
    rows = [json.loads(line) for line in (data_folder / "scored.jsonl").read_text().splitlines()]
    # Endless ones cost their limit each; other tests have those.
    rows = [row for row in rows if row["expected"] != "timeout"]
    chosen = rows[:: len(rows) // ROWS][:ROWS]
    limits = Limits(wall_s=60.0, cpu_s=20.0)
    wrong = {}

    with DockerSandbox(f"test-{uuid.uuid4().hex[:8]}") as sandbox:
        for row in chosen:
            job = Job(id=uuid.uuid4().hex, script=row["solution"], tests=row["tests"], limits=limits)
            verdict = judge(sandbox.run(job))
            if RECORDED.get(verdict) != row["expected"]:
                wrong[row["id"]] = (str(verdict), row["expected"])

    assert wrong == {}
