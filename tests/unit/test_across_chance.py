"""Numbers that nobody can foresee."""

import os
import random

from sandbox.guest.across import chance


def test_no_seed_and_no_fork_gives_the_same_numbers_again():
    """Neither what tests seed nor a process that was forked after numbers had been drawn."""
    random.seed(1)
    first = [chance.draw() for _ in range(600)]
    random.seed(1)
    assert not set(first) & {chance.draw() for _ in range(600)}
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, b"%d" % chance.draw())
        os._exit(0)
    os.wait()
    with os.fdopen(reading) as said:
        os.close(writing)
        child = int(said.read())
    assert child not in {chance.draw() for _ in range(600)}


def test_numbers_are_below_the_limit_and_reach_it():
    """All of them are drawn."""
    assert {chance.random_below(7) for _ in range(2000)} == set(range(7))
    assert {chance.random_below(1) for _ in range(10)} == {0}
    assert max(chance.draw() for _ in range(200)) > 1 << 60
