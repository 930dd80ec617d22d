"""Sources that are too long, too deep or no text: judged without harm, on the host and in the sandbox."""

import time
import uuid

import pytest

from repair.cleaning.caged import Cleaner
from sandbox.types import Job, Level, Limits
from sandbox.verdict import RunVerdict as V
from sandbox.verdict import judge

pytestmark = [pytest.mark.docker, pytest.mark.slow]

CLEANED_S = 40.0
"""Two tries of fifteen seconds, and a child's start."""
SOURCES = {
    "5,000 brackets": ("x = " + "(" * 5000 + ")" * 5000, V.SYNTAX_ERROR),
    "5,000 braces": ("{1:" * 5000, V.SYNTAX_ERROR),
    "20,000 branches": ("if 0: pass\n" + "elif 0: pass\n" * 20_000, V.SYNTAX_ERROR),
    "50,000 sums": ("x = " + "1+" * 50_000 + "1", V.SYNTAX_ERROR),
    "50,000 attributes": ("x = a" + ".b" * 50_000, V.SYNTAX_ERROR),
    "50,000 negations": ("x = " + "not " * 50_000 + "1", V.SYNTAX_ERROR),
    "150 levels of indentation": (
        "".join(" " * n + "if 1:\n" for n in range(150)) + " " * 150 + "x\n",
        V.SYNTAX_ERROR,
    ),
    "a number of a million digits": ("x = " + "9" * 10**6, V.SYNTAX_ERROR),
    "a line of half a megabyte": ("x = '" + "y" * 500_000 + "'", V.PASSED),
    "100,000 lines": ("x = 1\n" * 100_000, V.PASSED),
    "200,000 lines": ("x = 1\n" * 200_000, V.SYNTAX_ERROR),
    "ten megabytes": ("x" * 10_000_000, V.SYNTAX_ERROR),
    "constants that grow": ("x = 'a' * 10**10", V.OUT_OF_MEMORY),
    "powers that grow": ("x = 7 ** 7 ** 7 ** 7", V.CPU_LIMIT),
    "a NUL byte": ("x = 1\0\n", V.SYNTAX_ERROR),
    "a lone surrogate": ("x = '\ud83d'\n", V.SYNTAX_ERROR),
    "a byte order mark": ("\ufeffx = 1\n", V.PASSED),
    "another encoding": ("# coding: latin-1\nx = '\u00e9'\n", V.PASSED),
    "an encoding that is no text": ("# coding: rot13\nk = 1\n", V.SYNTAX_ERROR),
    "an encoding that is none": ("# coding: no-such-thing\nx = 1\n", V.SYNTAX_ERROR),
    "carriage returns": ("x = 1\r" * 1000, V.PASSED),
    "form feeds": ("\f" * 100_000 + "x = 1", V.PASSED),
    "10,000 decorators": ("@int\n" * 10_000 + "def f(): pass", V.RUNTIME_ERROR),
    "a thousand nested functions": (
        "".join(" " * n + "def f():\n" for n in range(95)) + " " * 95 + "pass\n",
        V.PASSED,
    ),
}


@pytest.fixture(scope="module")
def cleaner():
    with Cleaner(workers=1) as made:
        yield made


@pytest.mark.parametrize("name", SOURCES)
def test_huge_source_in_the_sandbox(sandbox, assert_next_is_unharmed, name):
    """A source that no compiler likes gets its verdict, and the next one passes."""
    source, verdict = SOURCES[name]

    limits = Limits(wall_s=60.0, cpu_s=4.0)
    result = sandbox.run(Job(id=uuid.uuid4().hex, script=source, level=Level.PROGRAM, limits=limits))

    assert judge(result) is verdict, (result.compiled, result.exception)
    assert_next_is_unharmed()


@pytest.mark.parametrize("name", SOURCES)
def test_huge_source_on_the_host(cleaner, bench, name):
    """What cleans a reply gives up in time, and cleans the next one."""
    begin = time.monotonic()

    script = cleaner.clean(SOURCES[name][0])

    assert time.monotonic() - begin < CLEANED_S
    assert script.code is None or isinstance(script.code, str)
    assert cleaner.clean("x = 1\n").code == "x = 1\n"
    bench.assert_unharmed()
