"""Hostile scripts: each gets exactly the verdict it earns, harms nobody, and leaves nothing behind."""

from dataclasses import replace

import pytest

from sandbox.types import Flag, Limits
from sandbox.verdict import RunVerdict, judge

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def test_hostile_script(attempt, assert_next_is_unharmed, case):
    """A hostile script gets the verdict of its case, in time; the bench and the next attempt are unharmed."""
    result = attempt(case)

    case.check(result)
    assert_next_is_unharmed()


def test_text_is_made_harmless(attempt, read_catalogue):
    """What comes back is valid Unicode without NUL or surrogates, whatever was written."""
    result = attempt(read_catalogue("bombs")["text that is none"])

    texts = [result.stdout.text, *(test.message for test in result.tests)]

    assert all(text.encode() for text in texts)
    assert not any("\0" in text for text in texts)


def test_flood_is_cut_to_head_and_tail(attempt, read_catalogue):
    """Of a flood only the first and last bytes are kept; the rest is counted."""
    result = attempt(read_catalogue("bombs")["half a megabyte of output"])

    assert judge(result) is RunVerdict.PASSED
    assert result.stdout.head.startswith("first\n")
    assert result.stdout.tail.endswith("last\n")
    assert result.stdout.total_bytes == 500_000 + len("first\nlast\n") + 1
    assert len(result.stdout.head) + len(result.stdout.tail) == Limits().output_bytes
    assert Flag.OUTPUT_TRUNCATED in result.flags


def test_daemon_does_not_cost_the_time_limit(attempt, read_catalogue):
    """A process that outlives the tests and holds the output does not delay the verdict."""
    case = read_catalogue("processes")["daemon that keeps stdout"]

    assert attempt(case).wall_s < case.limits.wall_s / 2


def test_names_of_tests_are_printable(attempt, read_catalogue):
    """Test ids come back as short printable ASCII, whatever the tests call themselves."""
    result = attempt(read_catalogue("bombs")["names for a terminal and for a page"])

    assert all(test.id.isascii() and test.id.isprintable() and len(test.id) < 300 for test in result.tests)
    assert len(result.tests) == 8


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_output_limit_is_the_jobs(attempt, read_catalogue, size):
    """However little output a job may make, the run ends by that limit."""
    case = read_catalogue("limits")["output without end"]

    result = attempt(replace(case, limits=replace(case.limits, output_hard_bytes=size, output_bytes=size)))

    assert judge(result) is RunVerdict.OUTPUT_LIMIT
    assert len(result.stdout.head) + len(result.stdout.tail) <= max(size, 2)
