"""Fair limits: who waited for a CPU gets the machine alone, once, and both results are kept."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from evaluator.runs.records import AttemptRecord
from repair.outcome import Verdict
from sandbox.errors import LostResult
from sandbox.fair import FairSandbox
from sandbox.fake import FakeSandbox, fake_result
from sandbox.types import Job, KilledBy, Level

SCHEMA = Path(__file__).resolve().parents[2] / "evaluator" / "runs" / "journal.schema.json"


def job(name="x"):
    return Job(id=name, script="pass", level=Level.PROGRAM)


def late(job, *, killed_by=KilledBy.WALL, delay=3.0, **facts):
    return fake_result(
        job, **{"killed_by": killed_by, "exit_code": None, "wall_s": 10.0, "run_delay_s": delay, **facts}
    )


def answering(*results):
    """A sandbox that gives these results in turn."""
    left = iter(results)

    def handler(job):
        return next(left)(job)

    return FakeSandbox(handler)


@pytest.mark.parametrize("killed_by", [KilledBy.WALL, KilledBy.CPU])
def test_the_second_run_stands_and_brings_the_first(killed_by):
    """A time limit hit while waiting for a CPU means another run; both results are there."""
    inner = answering(lambda job: late(job, killed_by=killed_by), fake_result)

    result = FairSandbox(inner).run(job())

    assert result == replace(fake_result(job()), contended=late(job(), killed_by=killed_by))


def test_it_is_run_again_only_once():
    """A second run that waited as well stands as it is."""
    inner = answering(late, late)

    result = FairSandbox(inner).run(job())

    assert result.killed_by is KilledBy.WALL
    assert len(inner.jobs) == 2


@pytest.mark.parametrize(
    "facts",
    [
        {"delay": 1.99},
        {"delay": None},
        {"killed_by": KilledBy.OUTPUT},
        {"killed_by": KilledBy.MEMORY},
        {"killed_by": None, "exit_code": 1},
        {"wall_s": 0.0},
    ],
)
def test_other_results_stand(facts):
    """Without a time limit, or without much waiting, nothing is run again."""
    inner = answering(lambda job: late(job, **facts))

    assert FairSandbox(inner).run(job()).contended is None


def test_nothing_runs_beside_the_second_run():
    """Under load, every second run has the sandbox to itself, and everybody gets a result."""
    lock, inside, beside_second, asked = threading.Lock(), set(), [], {}

    def handler(job):
        with lock:
            asked[job.id] = asked.get(job.id, 0) + 1
            second = asked[job.id] == 2
            inside.add(job.id)
        time.sleep(0.002)
        with lock:
            if second:
                beside_second.append(len(inside))
            inside.remove(job.id)
        return late(job) if not second and int(job.id) % 3 == 0 else fake_result(job)

    fair = FairSandbox(FakeSandbox(handler))
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda number: fair.run(job(str(number))), range(60)))

    assert beside_second == [1] * 20
    assert [bool(result.contended) for result in results] == [number % 3 == 0 for number in range(60)]


def test_newcomers_wait_for_who_wants_to_be_alone():
    """Whoever asks to be alone waits for what runs already, and for nothing that comes later."""
    order, long_one = [], threading.Event()
    slow_inside, first_done = threading.Event(), threading.Event()

    def handler(job):
        order.append(job.id)
        if job.id == "slow":
            slow_inside.set()
            assert long_one.wait(20)
        if job.id == "late" and order.count("late") == 1:
            first_done.set()
            return late(job)
        return fake_result(job)

    fair = FairSandbox(FakeSandbox(handler))
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(fair.run, job("slow"))]
        assert slow_inside.wait(20)
        runs.append(pool.submit(fair.run, job("late")))
        assert first_done.wait(20)
        while not fair._gate._alone:
            time.sleep(0.001)
        runs.append(pool.submit(fair.run, job("new")))
        long_one.set()
        for run in runs:
            run.result(20)

    assert order == ["slow", "late", "late", "new"]


@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_failure_leaves_the_door_open(fails_at):
    """A run that raises, shared or alone, keeps nobody out afterwards."""
    calls = []

    def handler(job):
        calls.append(job.id)
        if len(calls) == fails_at:
            raise LostResult("gone")
        return late(job) if len(calls) == 1 else fake_result(job)

    fair = FairSandbox(FakeSandbox(handler))
    with pytest.raises(LostResult):
        fair.run(job("a"))

    assert fair.run(job("b")).exit_code == 0


def test_what_is_inside_is_asked():
    """Image, levels and closing are those of the sandbox inside."""
    inner = FakeSandbox(fake_result)
    with FairSandbox(inner) as fair:
        assert fair.image() == inner.image()
        assert fair.levels() == inner.levels()

    assert inner.closed


def test_both_results_survive_the_journal():
    """A line with a first result inside reads back the same and fits the schema."""
    result = replace(fake_result(job()), contended=late(job()))
    record = AttemptRecord(
        at="2026-01-02T03:04:05Z",
        server="s",
        model="m",
        task_id="b/t",
        template="default",
        sample=0,
        arm="repair",
        call_no=0,
        kind="first",
        completion_key=None,
        reply_sha256="0",
        basis="program",
        level="program",
        script={"code": "pass", "sha256": "0", "outcome": "raw"},
        verdict=Verdict.PASSED,
        shown=result,
    )
    text = record.model_dump_json()

    assert AttemptRecord.model_validate_json(text) == record
    jsonschema.validate(json.loads(text), json.loads(SCHEMA.read_text()))
