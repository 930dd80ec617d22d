"""The stream of work: as it comes, as it is ready, a few at a time, and ended without loss."""

import threading
from itertools import count

import pytest

from evaluator.errors import EngineGone, UsageProblem
from evaluator.running.scheduler import stream


def names():
    return {thread.name for thread in threading.enumerate() if thread.name.startswith(("work-", "reader"))}


@pytest.fixture(autouse=True)
def _no_thread_stays():
    yield
    for thread in threading.enumerate():
        if thread.name.startswith(("work-", "reader")):
            thread.join(20)
    assert names() == set()


def test_everything_once():
    """Every item gives one result, in whatever order."""
    assert sorted(stream(lambda number: number * 2, range(500), 4)) == list(range(0, 1000, 2))


def test_no_items():
    """Nothing in, nothing out."""
    assert list(stream(str, [], 3)) == []


def test_results_come_as_they_are_ready():
    """A result does not wait for an item that came before it, nor for the next item to come."""
    slow, more = threading.Event(), threading.Event()

    def items():
        yield "slow"
        yield "quick"
        assert more.wait(20)
        yield "last"

    def work(item):
        if item == "slow":
            assert slow.wait(20)
        return item

    found = stream(work, items(), 2)
    assert next(found) == "quick"
    slow.set()
    assert next(found) == "slow"
    more.set()
    assert list(found) == ["last"]


def test_little_is_held_at_a_time():
    """However many items there are, only a few are read ahead of the results that were taken."""
    read = 0

    def items():
        nonlocal read
        for number in count():
            read += 1
            yield number

    most = 0
    found = stream(lambda number: number, items(), 3)
    for taken, _ in enumerate(found, start=1):
        most = max(most, read - taken)
        if taken == 2000:
            break
    found.close()

    assert most <= 3 + 3 + 6 + 2  # waiting, at work, done, in hand


def test_stopped_means_nothing_new():
    """What is under way when it is stopped still comes out; the rest is never begun."""
    begun, go, stop = [], threading.Event(), threading.Event()
    both = threading.Barrier(3)

    def work(number):
        begun.append(number)
        if number < 2:
            both.wait(20)
            assert go.wait(20)
        return number

    def stopper():
        both.wait(20)
        stop.set()
        go.set()

    thread = threading.Thread(target=stopper)
    thread.start()
    # Asked for before any result: the two at work finish, and at most what slips in meanwhile.
    found = list(stream(work, count(), 2, stopped=stop.is_set))
    thread.join()

    assert {0, 1} <= set(found)
    assert sorted(found) == sorted(begun)


@pytest.mark.parametrize("where", ["work", "items"])
def test_what_breaks_comes_out_after_the_rest(where):
    """An error of ours ends the stream, but what was under way is not lost."""
    both = threading.Barrier(2)

    def items():
        yield from ("a", "b")
        if where == "items":
            raise UsageProblem("broken")

    def work(item):
        both.wait(20)
        if where == "work" and item == "a":
            raise EngineGone("broken")
        return item

    found = []

    with pytest.raises((UsageProblem, EngineGone), match="broken"):
        found.extend(stream(work, items(), 2))

    assert sorted(found) == (["b"] if where == "work" else ["a", "b"])


def test_a_taker_who_leaves():
    """Workers end although nobody takes their results."""
    found = stream(lambda number: number, count(), 4)
    assert next(found) is not None
    found.close()
