"""Warm containers: when they are made, handed out, thrown away, and what a failing engine does to them."""

import threading
import time

import pytest

from sandbox.errors import EngineUnavailable
from sandbox.pool import BACKOFF_S, MAX_GARBAGE, Kind, WarmPool
from sandbox.types import PROFILES, Level

KIND = Kind(profile=PROFILES["default"], hash_seed=1, level=Level.PROCESS)
OTHER = Kind(profile=PROFILES["large"], hash_seed=1, level=Level.PROCESS)


class Stream:
    silent = True

    def is_silent(self):
        return self.silent


class Session:
    """Stands for a container."""

    def __init__(self, kind):
        self.kind = kind
        self.ready_at = time.monotonic()
        self.stream = Stream()
        self.hung_up = False

    def hang_up(self):
        self.hung_up = True


class Engine:
    """Makes sessions, or fails; remembers what it made and removed."""

    def __init__(self):
        self.made, self.removed = [], []
        self.broken = False
        self.gate = threading.Event()
        self.gate.set()
        self.lock = threading.Lock()

    def open(self, kind):
        self.gate.wait(20)
        with self.lock:
            if self.broken:
                raise EngineUnavailable("gone")
            self.made.append(Session(kind))
            return self.made[-1]

    def remove(self, session):
        with self.lock:
            self.removed.append(session)


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def make_pool(engine):
    pools = []

    def make(**options):
        pools.append(WarmPool(engine.open, engine.remove, **{"depth": 2, **options}))
        return pools[-1]

    yield make
    engine.gate.set()
    for pool in pools:
        pool.close()


def ready(pool, kind=KIND):
    return len(pool._ready[kind])


def pool_with_one_coming(make_pool, engine):
    """Two containers have been taken, and the third is held up while it is made."""
    pool = make_pool(depth=1)
    pool.take(KIND)
    until(lambda: ready(pool) == 1)
    engine.gate.clear()
    pool.take(KIND)
    until(lambda: pool._coming[KIND] == 1)
    return pool


def test_nothing_is_made_before_a_kind_is_known(make_pool, engine):
    """A pool that nobody has asked for anything makes nothing."""
    make_pool()
    time.sleep(0.05)

    assert engine.made == []


def test_first_is_made_at_once_and_more_follow(make_pool, engine):
    """Whoever comes first gets a container, and the pool fills up to its depth behind."""
    pool = make_pool()

    first = pool.take(KIND)
    until(lambda: ready(pool) == 2)

    assert first in engine.made
    assert {session.kind for session in engine.made} == {KIND}


def test_an_attempt_is_left_alone_while_others_wait_ready(make_pool, engine):
    """While its attempt runs, the successor of a container is not made; its end has it made."""
    pool = make_pool(undisturbed_s=60)
    pool.take(KIND)
    until(lambda: ready(pool) == 2)
    taken = pool.take(KIND)
    time.sleep(0.05)
    assert len(engine.made) == 3

    pool.discard(taken)

    until(lambda: ready(pool) == 2)


def test_a_long_attempt_does_not_keep_its_successor_from_being_made(make_pool):
    """An attempt is left alone for a while, not for as long as it takes."""
    pool = make_pool(undisturbed_s=0.02)
    pool.take(KIND)
    until(lambda: ready(pool) == 2)

    pool.take(KIND)

    until(lambda: ready(pool) == 2)


def test_when_none_is_ready_no_attempt_is_left_alone(make_pool):
    """Whoever comes next must not wait for the end of what runs."""
    pool = make_pool(undisturbed_s=60)
    pool.take(KIND)
    until(lambda: ready(pool) == 2)

    pool.take(KIND)
    pool.take(KIND)

    until(lambda: ready(pool) >= 1)


def test_waiting_container_is_handed_out_once(make_pool):
    """Two takers never get the same container."""
    pool = make_pool()
    taken = [pool.take(KIND) for _ in range(20)]

    assert len(set(map(id, taken))) == 20


def test_kinds_are_kept_apart(make_pool):
    """A container of one profile is never given for another."""
    pool = make_pool()
    pool.take(KIND)
    until(lambda: ready(pool) == 2)

    assert pool.take(OTHER).kind is OTHER
    assert pool.take(KIND).kind is KIND


def test_depth_zero_makes_nothing_ahead(make_pool, engine):
    """Without depth every container is made when it is asked for, and none waits."""
    pool = make_pool(depth=0)

    pool.take(KIND)
    pool.take(KIND)
    time.sleep(0.05)

    assert len(engine.made) == 2
    assert ready(pool) == 0


@pytest.mark.parametrize("flaw", ["talks", "old"])
def test_unfit_container_is_thrown_away(make_pool, engine, flaw):
    """A container that has ended or waited too long is not handed out, but removed."""
    pool = make_pool(depth=1, max_age_s=60.0)
    pool.take(KIND)
    until(lambda: ready(pool) == 1)
    (unfit,) = pool._ready[KIND]
    if flaw == "talks":
        unfit.stream.silent = False
    else:
        unfit.ready_at -= 61.0

    assert pool.take(KIND) is not unfit
    until(lambda: unfit in engine.removed)
    assert unfit.hung_up


def test_taker_gets_what_is_coming(make_pool, engine):
    """With one container on its way, a taker waits for it instead of making another."""
    pool = pool_with_one_coming(make_pool, engine)
    got = []
    taker = threading.Thread(target=lambda: got.append(pool.take(KIND)))
    taker.start()
    until(lambda: pool._waiting[KIND] == 1)
    engine.gate.set()
    taker.join(10)

    assert got == [engine.made[2]]


def test_failure_comes_out_of_take(make_pool, engine):
    """Where nothing can be made, the taker hears why."""
    engine.broken = True

    with pytest.raises(EngineUnavailable, match="gone"):
        make_pool().take(KIND)


def test_waiting_taker_is_not_left_alone_by_a_failure(make_pool, engine):
    """A taker that waited for a container which then failed makes its own, and hears what is wrong."""
    pool = pool_with_one_coming(make_pool, engine)
    errors = []

    def take():
        try:
            pool.take(KIND)
        except EngineUnavailable as exc:
            errors.append(exc)

    taker = threading.Thread(target=take)
    taker.start()
    until(lambda: pool._waiting[KIND] == 1)
    engine.broken = True
    engine.gate.set()
    taker.join(10)

    assert len(errors) == 1
    assert pool.last_error == "gone"


def test_broken_engine_is_left_in_peace_until_a_start_works(make_pool, engine):
    """After failures in a row nothing is made ahead, until somebody's own start succeeds."""
    pool = make_pool(depth=1, creators=1)
    pool._failures = len(BACKOFF_S)
    engine.broken = True
    with pytest.raises(EngineUnavailable):
        pool.take(KIND)
    until(lambda: pool.last_error == "gone")
    engine.broken = False
    time.sleep(0.05)
    assert engine.made == []

    pool.take(KIND)
    until(lambda: ready(pool) == 1)

    assert pool.last_error == ""


def test_returned_container_is_the_next(make_pool, engine):
    """A container that came back clean is handed out again, before any other."""
    pool = make_pool(depth=0)
    session = pool.take(KIND)
    pool.give_back(KIND, session)

    assert pool.take(KIND) is session
    assert engine.removed == []


def test_close_removes_what_waits(make_pool, engine):
    """After close() every container that was never handed out is removed, and no thread is left."""
    pool = make_pool()
    taken = pool.take(KIND)
    until(lambda: ready(pool) == 2)
    pool.close()
    pool.close()

    assert set(engine.made) - set(engine.removed) == {taken}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pool-")]


def test_after_close_nothing_is_kept(make_pool, engine):
    """What comes back after close() is removed at once."""
    pool = make_pool(depth=0)
    one, two = pool.take(KIND), pool.take(KIND)
    pool.close()

    pool.give_back(KIND, one)
    pool.discard(two)

    assert engine.removed == [one, two]


def test_container_that_arrives_after_close_is_removed(make_pool, engine):
    """A container under way while the pool closes is removed as well."""
    pool = pool_with_one_coming(make_pool, engine)
    closer = threading.Thread(target=pool.close)
    closer.start()
    until(lambda: pool._closed)
    engine.gate.set()
    closer.join(10)

    assert engine.made[2] in engine.removed


def test_whoever_makes_garbage_faster_than_it_goes_must_help(engine):
    """When removal falls behind, throwing away costs the thrower its time, and nothing piles up."""
    slow = threading.Event()

    def remove(session):
        if threading.current_thread().name.startswith("pool-"):
            slow.wait(20)
        engine.remove(session)

    pool = WarmPool(engine.open, remove, depth=0)
    for _ in range(MAX_GARBAGE + 12):
        pool.discard(pool.take(KIND))
    waiting = len(pool._garbage)
    slow.set()
    pool.close()

    assert waiting <= MAX_GARBAGE
    assert len(engine.removed) == MAX_GARBAGE + 12
