"""Recorded solutions and suites of many models: the verdicts on which independent runs agreed, at both levels.

A sample, spread over the whole files; MENDBENCH_RECORDED=all takes every row.
"""

import json
import os
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.engine import DockerSandbox
from sandbox.types import GRADED, Job, Level, Limits
from sandbox.verdict import RunVerdict, judge

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ALL = os.environ.get("MENDBENCH_RECORDED") == "all"
ROWS = 40
THREADS = 2
LIMITS = Limits(wall_s=60.0, cpu_s=20.0)
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
FENCE = re.compile(r"```(?:python)?\n(.*?)```", re.DOTALL)


@pytest.fixture
def sandbox():
    """One sandbox whose containers take several attempts."""
    with DockerSandbox(f"test-{uuid.uuid4().hex[:8]}", attempts_per_container=50) as made:
        yield made


def read(path):
    """The rows of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def sampled(rows):
    """Some rows of every part of the file."""
    return rows if ALL else rows[:: max(len(rows) // ROWS, 1)][:ROWS]


def at_both_levels(sandbox, pairs):
    """Run each (script, tests) at both levels."""

    def one(pair):
        script, tests = pair
        jobs = [
            Job(id=uuid.uuid4().hex, script=script, tests=tests, level=level, limits=LIMITS)
            for level in GRADED
        ]
        return {job.level: sandbox.run(job) for job in jobs}

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, pairs))


def outcomes(result):
    """What became of each test."""
    return {test.id: str(test.outcome) for test in result.tests}


@pytest.mark.timeout(3600)
def test_recorded_verdicts(data_folder, sandbox):
    """The verdicts of recorded solutions are those recorded, and the same in two processes as in one."""
    rows = read(data_folder / "scored.jsonl")
    # Endless ones cost their limit each; other tests have those.
    chosen = sampled([row for row in rows if row["expected"] != "timeout" or ALL])
    results = at_both_levels(sandbox, [(row["solution"], row["tests"]) for row in chosen])
    wrong = {}
    for row, result in zip(chosen, results, strict=True):
        verdicts = {str(level): judge(each) for level, each in result.items()}
        if {RECORDED.get(verdict) for verdict in verdicts.values()} != {row["expected"]}:
            wrong[row["id"]] = {"recorded": row["expected"], **verdicts}
    assert wrong == {}


def as_tests(row):
    """The suite of a reply, bound to `solution`: as it stands it has a name of its own for the script's module."""
    name = re.search(r"/(\w+):", row["task_key"])[1]
    return re.sub(rf"\b{name}(\.__init__)?\b", "solution", max(FENCE.findall(row["raw_reply"]), key=len))


@pytest.mark.timeout(3600)
def test_recorded_suites(data_folder, sandbox):
    """Suites that a model wrote for a script pass where they were seen to pass, and do the same at both levels."""
    rows = [
        row
        for row in read(data_folder / "test_suites.jsonl")
        if row.get("sut") and FENCE.search(row["raw_reply"])
    ]
    chosen = sampled(rows)
    results = at_both_levels(sandbox, [(row["sut"], as_tests(row)) for row in chosen])
    wrong = {}
    for row, result in zip(chosen, results, strict=True):
        shared, process = result[Level.SHARED], result[Level.PROCESS]
        seen = row["fresh_pytest"] == "pass"
        same = (judge(shared), outcomes(shared)) == (judge(process), outcomes(process))
        if not same or (judge(shared) is RunVerdict.PASSED) is not seen:
            wrong[row["id"]] = (row["fresh_pytest"], judge(shared), judge(process), process.tests_error)
    assert len(chosen) >= ROWS
    assert wrong == {}
