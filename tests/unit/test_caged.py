"""Cleaning in killable children: the same results, whatever happens to a child."""

import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from repair.cleaning import caged
from repair.cleaning.caged import Cleaner, script_from
from repair.cleaning.clean import Asked, clean_reply
from repair.errors import CleanerError
from repair.script import CleanOutcome, EditClass

CODE = "def add(a, b):\n    return a + b\n"
BLOCK = f"Here:\n```python\n{CODE}```\n"
TESTS = "from adder import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n"


@pytest.fixture(scope="module")
def cleaner():
    with Cleaner(workers=2) as shared:
        yield shared


def children():
    tasks = Path("/proc/self/task")
    if not (tasks / str(os.getpid()) / "children").exists():
        pytest.skip("this platform does not list children under /proc")
    return {int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()}


@pytest.fixture
def others():
    """The children that are not the test's own."""
    return children()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(CODE, "script"), (BLOCK, "script"), (TESTS, "tests"), ("Sorry.", "script"), ("\ud83d def", "script")],
)
def test_same_as_without_a_child(cleaner, reply, kind):
    """A child gives what the pure function gives, reply by reply."""
    assert cleaner.clean(reply, required=("add",), kind=kind) == clean_reply(
        reply, asked=Asked(required=("add",), kind=kind)
    )


def test_host_never_imports_libcst():
    """The parser that can crash an interpreter stays out of the bench's own."""
    program = "import sys; from repair.cleaning.caged import Cleaner; sys.exit('libcst' in sys.modules)"
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", program]) == 0


@pytest.mark.parametrize(
    "reply",
    ["(" * 100_000, "[" * 3_000 + "]" * 3_000, "x = " + "1+" * 100_000 + "1", "x = a" + ".b" * 100_000, "not " * 50_000 + "x",
     "if x:\n  y\n" + "elif x:\n  y\n" * 4_000, "```python\n" * 9_000, "<think>" * 30_000, "\x00" * 250_000, '"' * 250_000,
     "{1:" * 2_000, "lambda: " * 30_000 + "1", "f'" + "{" * 1_000 + "}" * 1_000 + "'", "@" * 100_000, "x = " + "9" * 200_000,
     "".join(" " * n + "if x:\n" for n in range(150)) + " " * 150 + "y", "a" + "[0]" * 50_000, "-" * 100_000 + "1"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["script", "tests"])
def test_degenerate_replies_give_a_script(cleaner, reply, kind):
    """Endless nesting, chains and repetition are refused or parsed; no child has to die for them."""
    script = cleaner.clean(reply, required=("f",), kind=kind)
    assert not script.reason.startswith("worker")
    assert cleaner.clean(CODE).outcome is CleanOutcome.RAW


def test_a_killed_child_is_an_outcome_and_replaced(others):
    """A child that dies is replaced; its reply is cleaned by the next one, and says so."""
    with Cleaner(workers=1) as cleaner:
        assert cleaner.clean(CODE).outcome is CleanOutcome.RAW
        (pid,) = children() - others
        os.kill(pid, signal.SIGKILL)
        script = cleaner.clean(BLOCK)
        assert (script.code, script.outcome, script.reason) == (CODE, CleanOutcome.CLEANED, "worker_died")
        assert cleaner.clean(BLOCK).reason == ""


DIES = "import sys; sys.stdout.buffer.write(b'\\0\\0\\0\\2[]'); sys.stdout.flush(); sys.stdin.buffer.read(1)"


def test_a_reply_that_kills_every_child_keeps_its_block(monkeypatch):
    """Where the next child dies too, the text's largest block goes on as it is."""
    monkeypatch.setattr(caged, "_START", DIES)
    with Cleaner(workers=1) as cleaner:
        script = cleaner.clean(BLOCK)
    assert (script.code, script.outcome, script.reason) == (CODE, CleanOutcome.UNPARSABLE, "worker_died")


def test_a_frozen_child_is_an_outcome_and_replaced(others):
    """A child that does not answer in time is killed; the reply keeps its block."""
    with Cleaner(workers=1, wall_s=1.0) as cleaner:
        assert cleaner.clean(CODE).outcome is CleanOutcome.RAW
        (pid,) = children() - others
        os.kill(pid, signal.SIGSTOP)
        script = cleaner.clean(BLOCK)
        assert (script.code, script.outcome, script.reason) == (
            CODE,
            CleanOutcome.UNPARSABLE,
            "worker_timeout",
        )
        assert cleaner.clean(BLOCK).outcome is CleanOutcome.CLEANED
        assert pid not in children()


def test_a_child_over_its_memory_is_an_outcome():
    """A child without memory for a reply gives a script all the same."""
    with Cleaner(workers=1, memory_bytes=120 * 1024 * 1024) as cleaner:
        script = cleaner.clean("x = [\n" + "    [1, 2, 3, 4, 5, 6, 7, 8],\n" * 8_000 + "]\n")
        assert script.code is not None
        assert cleaner.clean(CODE).outcome is CleanOutcome.RAW


def test_many_threads_share_a_few_children(others):
    """Replies of many threads come back each to its own thread, from no more children than allowed."""
    with Cleaner(workers=2) as cleaner, ThreadPoolExecutor(8) as threads:
        replies = [f"```python\ndef f{number}():\n    return {number}\n```\n" for number in range(60)]
        scripts = list(threads.map(cleaner.clean, replies))
        assert len(children() - others) <= 2
    assert [script.code for script in scripts] == [f"def f{n}():\n    return {n}\n" for n in range(60)]


def test_closing_leaves_no_child(others):
    """After closing, no child lives, a second closing is harmless, and cleaning says so."""
    with Cleaner(workers=2) as cleaner:
        cleaner.clean(CODE)
    cleaner.close()
    assert children() <= others
    with pytest.raises(CleanerError, match="closed"):
        cleaner.clean(CODE)


def test_nothing_is_started_before_the_first_reply(others):
    """A cleaner that is not used costs no process."""
    with Cleaner(workers=4):
        assert children() <= others


def test_closing_waits_for_replies_under_way():
    """A reply that is being cleaned while another thread closes still gets its script."""
    cleaner = Cleaner(workers=1)
    cleaner.clean(CODE)
    results = []
    thread = threading.Thread(target=lambda: results.append(cleaner.clean(BLOCK * 2000)))
    thread.start()
    time.sleep(0.01)
    cleaner.close()
    thread.join()
    assert [script.compiles for script in results] == [True]


def test_the_environment_stays_outside(monkeypatch, others):
    """A child sees no variable of ours: there may be keys among them."""
    monkeypatch.setenv("SECRET_KEY", "s3cret")
    with Cleaner(workers=1) as fresh:
        fresh.clean(CODE)
        (pid,) = children() - others
        assert b"s3cret" not in Path(f"/proc/{pid}/environ").read_bytes()


BIG = 10_000_000


@pytest.mark.parametrize(
    "reply",
    [
        "x " * (BIG // 2),
        "```\n" * (BIG // 4),
        "`" * BIG,
        "(" * BIG,
        "\n" * BIG,
        "<think>" + "a\n" * (BIG // 2),
    ],
)
def test_huge_replies_without_an_answer(cleaner, reply):
    """Ten megabytes of nothing are refused as too large, without code that could not be sent on."""
    script = cleaner.clean(reply, required=("f",))
    assert (script.outcome, script.reason) == (CleanOutcome.UNPARSABLE, "too_large")
    assert script.code is None or len(script.code) < 2_000_000


@pytest.mark.parametrize(
    "reply", [BLOCK + "again\n" * 500_000, "hm\n" * 500_000 + BLOCK, f"```\n{'9 ' * 500_000}\n```\n{BLOCK}"]
)
def test_huge_replies_with_an_answer(cleaner, reply):
    """A block of ordinary size in a huge reply is the answer; that the rest was not read is lossy."""
    script = cleaner.clean(reply, required=("add",))
    assert (script.code, script.outcome, script.reason) == (CODE, CleanOutcome.LOSSY, "too_large")
    assert script.edits[0].rule == "too_large"
    assert script.edits[0].kind is EditClass.LOSSY


def test_a_long_script_goes_to_the_guest_as_it_is(cleaner):
    """Code that is too long to parse here is not cut."""
    reply = "x = 1\n" * 12_000
    script = cleaner.clean(reply)
    assert (script.code, script.reason) == (reply, "too_large")


def test_a_worker_that_cannot_start_is_our_error(monkeypatch):
    """An interpreter that does not start is no outcome of a reply."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Cleaner(workers=1) as cleaner, pytest.raises(CleanerError, match="cannot be started"):
        cleaner.clean(CODE)


def test_what_is_not_a_script_is_refused():
    """An answer that a broken child could send does not become a Script."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        script_from({"outcome": "cleaned", "edits": [], "spans": [], "surprise": 1})
