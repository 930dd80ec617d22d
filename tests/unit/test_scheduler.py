"""The scheduler: everything once, servers one model at a time, one way to stop."""

import threading
import time
from collections import Counter
from types import SimpleNamespace

import pytest

from evaluator.errors import EngineGone, Stopped
from evaluator.running.scheduler import Lane, Scheduler, side_by_side
from repair.errors import ModelMissing


def lane(server, model, count, workers=3):
    specs = [SimpleNamespace(model=model, number=number) for number in range(count)]
    return Lane(server=server, model=model, specs=specs, workers=workers)


def test_every_sample_once():
    """Each sample of each lane runs exactly once."""
    seen, lock = Counter(), threading.Lock()

    def run_one(spec):
        with lock:
            seen[spec.model, spec.number] += 1

    outcome = Scheduler(run_one, threading.Event()).run([lane("s", "a", 20), lane("t", "b", 7)])

    assert not outcome.interrupted
    assert {("a", n) for n in range(20)} | {("b", n) for n in range(7)} == set(seen)
    assert {1} == set(seen.values())


@pytest.mark.parametrize("parallel", [False, True])
def test_one_model_per_server_at_a_time(parallel):
    """Models of one server follow each other, unless told otherwise; other servers run beside them."""
    active, together, lock = Counter(), set(), threading.Lock()
    both = threading.Barrier(2)

    def run_one(spec):
        with lock:
            active[spec.model] += 1
            together.add(frozenset(name for name, count in active.items() if count))
        if parallel:
            both.wait(10)
        time.sleep(0.005)
        with lock:
            active[spec.model] -= 1

    lanes = [lane("s", "a", 4, workers=1), lane("s", "b", 4, workers=1)]
    Scheduler(run_one, threading.Event(), parallel_models=parallel).run(lanes)

    assert parallel is (frozenset({"a", "b"}) in together)


def test_dead_model_ends_its_lane_alone():
    """A model that cannot work is named, and the others go on."""
    ran = Counter()

    def run_one(spec):
        ran[spec.model] += 1
        if spec.model == "dead":
            raise ModelMissing("not there")

    outcome = Scheduler(run_one, threading.Event()).run([lane("s", "dead", 9, workers=1), lane("s", "ok", 3)])

    assert outcome.dead_models == {"dead": "not there"}
    assert dict(ran) == {"dead": 1, "ok": 3}


def test_what_breaks_comes_out():
    """A failure of ours stops every worker and is raised to the caller."""
    stop = threading.Event()

    def run_one(spec):
        if spec.number == 3:
            raise EngineGone("no engine")
        stop.wait(0.01)

    with pytest.raises(EngineGone, match="no engine"):
        Scheduler(run_one, stop).run([lane("s", "a", 500)])
    assert stop.is_set()


def test_stop_event_ends_it():
    """When the run is asked to end, nothing new begins and what runs is waited for."""
    stop, finished = threading.Event(), []

    def run_one(spec):
        stop.set()
        time.sleep(0.05)
        finished.append(spec.number)
        raise Stopped

    Scheduler(run_one, stop).run([lane("s", "a", 100, workers=2)])

    assert 1 <= len(finished) <= 2


def test_side_by_side_keeps_the_order():
    """Results come in the order of the items, whatever was ready first."""

    def work(number):
        time.sleep(0.01 * (3 - number))
        return number * 10

    assert side_by_side(work, [0, 1, 2], 3) == [0, 10, 20]
