"""Garbage in: a script or a reason out, whatever it is, with the process alive and its memory flat.

500 replies by default; MENDBENCH_FUZZ=200000 for more (half an hour on two cores).
"""

import os
import random
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from repair.cleaning.caged import Cleaner
from repair.cleaning.rule_examples import EXAMPLES
from repair.script import CleanOutcome, Script

COUNT = int(os.environ.get("MENDBENCH_FUZZ", "500"))
WORKERS = 2
STATM = Path("/proc/self/statm")
BASES = [example.reply for example in EXAMPLES.values() if not example.by_hand]
SCRAPS = [*"()[]{}'\"`\\#:,=+-*/%@&|^~<>!.\n\t \r\x00\x0c", "```python\n", "```\n", "~~~", '"""', "'''", "<think>",
          "</think>", "def f(", "class A", "import ", "lambda ", "\ud800", "\udfff", "\ufeff", "\u2028", "\u00a0", "\u201c",
          ">>> ", "... ", "&lt;", '{"code": "', "<|im_end|>", "\x1b[31m", "if x:\n", "    ", "code: |\n", "%time ", "print "]  # fmt: skip
UNITS = ("a", "1+", "<think>", "\ud800", "'\"") if COUNT > 1_000 else ("1+", "<think>")
LONGEST = 10 * 1024 * 1024


def cut(rng):
    """A reply cut at some byte."""
    data = rng.choice(BASES).encode("utf-8", "surrogatepass")
    return data[: rng.randrange(len(data) + 1)].decode("utf-8", "replace")


def nested(rng):
    """Deep nesting, of brackets or of blocks."""
    depth = rng.choice((10, 90, 199, 250, 5_000))
    kind = rng.choice(("(", "[", "{", "if x:\n", "[lambda:"))
    if kind == "if x:\n":
        return "".join(f"{' ' * level}if x:\n" for level in range(min(depth, 1_000)))
    return f"x = {kind * depth}" + rng.choice(("", "1", ")" * depth))


def chained(rng):
    """An endless chain."""
    link = rng.choice(("1+", "a.b", "f()", "not ", "-", "x[0]", "a if b else ", "elif x:\n  1\n", "and a "))
    return f"x = {link * rng.choice((50, 900, 1_100, 20_000))}1\n"


def soup(rng):
    """Scraps of everything."""
    return "".join(rng.choices(SCRAPS, k=rng.randrange(1, 120)))


def spliced(rng):
    """Two replies, one in the middle of the other, with scraps between."""
    one, other = rng.choice(BASES), rng.choice(BASES)
    at = rng.randrange(len(one) + 1)
    return one[:at] + soup(rng)[: rng.randrange(40)] + other + one[at:]


def stormed(rng):
    """A reply with characters replaced."""
    chars = list(rng.choice(BASES))
    for _ in range(rng.randrange(1, 12)):
        chars[rng.randrange(len(chars))] = rng.choice(SCRAPS)
    return "".join(chars)


KINDS = (cut, cut, nested, chained, soup, soup, spliced, stormed, stormed)


def reply(number):
    """The reply of that number: the same in every run."""
    rng = random.Random(number)
    return rng.choice(KINDS)(rng)


def rss():
    """Resident memory of this process, in bytes."""
    return int(STATM.read_text().split()[1]) * resource.getpagesize()


def check(script):
    """A script is one, whatever it was made of."""
    assert isinstance(script, Script)
    if script.outcome is CleanOutcome.NO_CODE:
        assert script.code is None
        assert script.reason


@pytest.mark.timeout(900 + COUNT // 20)
@pytest.mark.skipif(not STATM.exists(), reason="needs Linux")
def test_garbage_gives_scripts_and_memory_stays_flat():
    """No reply raises or is lost, and the process that asks does not grow."""
    with Cleaner(workers=WORKERS) as cleaner, ThreadPoolExecutor(WORKERS) as threads:

        def one(number):
            kind = "tests" if number % 7 == 0 else "script"
            return cleaner.clean(reply(number), required=("f",) if number % 3 else (), kind=kind)

        for script in threads.map(one, range(COUNT // 5)):
            check(script)
        before = rss()
        died = 0
        for start in range(COUNT // 5, COUNT, 1_000):
            for script in threads.map(one, range(start, min(start + 1_000, COUNT))):
                check(script)
                died += script.reason.startswith("worker")
        assert rss() - before < 48 * 1024 * 1024
        assert died <= COUNT // 1_000 + 1


def test_lines_of_ten_megabytes():
    """An endless line is an outcome, in one child, without its death."""
    with Cleaner(workers=1) as cleaner:
        for unit in UNITS:
            text = unit * (LONGEST // len(unit))
            script = cleaner.clean(f"Here:\n```python\ndef f():\n    return 1\n```\n{text}", required=("f",))
            check(script)
            assert not script.reason.startswith("worker")
        assert cleaner.clean("x = 1\n").outcome is CleanOutcome.RAW


def test_a_megabyte_of_prose_is_no_code():
    """Prose is looked through once and left."""
    with Cleaner(workers=1) as cleaner:
        script = cleaner.clean("The quick brown fox (jumps) over: the lazy dog. " * 22_000)
    assert not script.compiles
