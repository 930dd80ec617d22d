"""Attempts of all kinds, benign and hostile, whose verdicts are known."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from perf.payload import RIGHT, WRONG
from sandbox.types import Job, Level, Limits
from sandbox.verdict import RunVerdict

PATIENT = Limits(wall_s=60.0, cpu_s=20.0)
"""For what must end by another limit than time, on a busy machine too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An attempt, its verdict, and how many there are of it in a round."""

    name: str
    script: str
    verdict: RunVerdict
    times: int = 1
    tests: str | None = None
    limits: Limits = field(default_factory=lambda: PATIENT)

    def job(self) -> Job:
        """Make a job of it."""
        level = Level.SHARED if self.tests else Level.PROGRAM
        return Job(id=uuid.uuid4().hex, script=self.script, tests=self.tests, level=level, limits=self.limits)


CASES = (
    Case(name="right", script=RIGHT.script, tests=RIGHT.tests, verdict=RunVerdict.PASSED, times=10),
    Case(name="wrong", script=WRONG.script, tests=WRONG.tests, verdict=RunVerdict.TESTS_FAILED, times=4),
    Case(name="program", script="print('hello')\n", verdict=RunVerdict.PASSED, times=2),
    Case(
        name="syntax error", script="def f(:\n", tests=RIGHT.tests, verdict=RunVerdict.SYNTAX_ERROR, times=2
    ),
    Case(name="exception", script="raise KeyError('x')\n", verdict=RunVerdict.RUNTIME_ERROR),
    Case(name="exit code of a kill", script="import sys; sys.exit(137)", verdict=RunVerdict.RUNTIME_ERROR),
    Case(
        name="flood",
        script="while True:\n    print('x' * 1000)\n",
        verdict=RunVerdict.OUTPUT_LIMIT,
    ),
    Case(name="gigabyte", script="x = bytearray(10**9)\n", verdict=RunVerdict.OUT_OF_MEMORY),
    Case(
        name="endless",
        script="import time\ntime.sleep(60)\n",
        verdict=RunVerdict.TIMED_OUT,
        limits=Limits(wall_s=1.0),
    ),
    Case(
        name="busy",
        script="while True:\n    pass\n",
        verdict=RunVerdict.CPU_LIMIT,
        limits=Limits(wall_s=60.0, cpu_s=1.0),
    ),
    Case(name="null pointer", script="import ctypes\nctypes.string_at(0)\n", verdict=RunVerdict.CRASHED),
    Case(
        name="daemon",
        script="import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\n" + RIGHT.script,
        tests=RIGHT.tests,
        verdict=RunVerdict.PASSED,
    ),
    Case(
        name="fork bomb",
        script="import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n",
        verdict=RunVerdict.TIMED_OUT,
        limits=Limits(wall_s=1.0, cpu_s=20.0),
    ),
)


def cases(seed: int = 1) -> Iterator[Case]:
    """Give cases without end, the same for the same seed, each round shuffled."""
    dice = random.Random(seed)
    while True:
        deck = [case for case in CASES for _ in range(case.times)]
        dice.shuffle(deck)
        yield from deck
