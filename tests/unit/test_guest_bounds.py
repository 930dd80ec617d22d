"""The guest's bounded readers, and what it makes of a hostile report."""

import json
import os

import pytest

from sandbox.guest.drain import HeadTail, Lines, read_now
from sandbox.guest.evidence import Canary, RunReport
from sandbox.guest.flow import killed_by
from sandbox.guest.report import Reporter, describe, text_of
from sandbox.guest.supervise import Facts, parse_event
from sandbox.guest.wire import clean, encode

IDS = ["test_a", "test_b"]


def stream(data, keep, size=7):
    made = HeadTail(keep)
    for start in range(0, len(data), size):
        made.feed(data[start : start + size])
    return made


@pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 19, 20])
def test_short_output_is_kept_whole(length):
    """What fits is kept as it is, in one piece."""
    data = bytes(range(65, 65 + length))

    assert stream(data, 20).summary(20) == {
        "head": data.decode(),
        "tail": "",
        "total_bytes": length,
        "truncated": False,
    }


def test_long_output_keeps_head_and_tail():
    """Of a flood the first and the last bytes stay, and the total is right."""
    data = b"abcdefghij" * 1000

    summary = stream(data, 20).summary(20)

    assert summary == {"head": "abcdefghij", "tail": "abcdefghij", "total_bytes": 10_000, "truncated": True}
    assert stream(data, 20).summary(4)["head"] == "ab"


def test_character_on_the_seam_is_whole():
    """A character that lies half in the head and half in the tail is not torn."""
    assert stream("aé€é".encode(), 8).summary(8)["head"] == "aé€é"


def test_lines_come_as_they_were_written():
    """A report is cut at newlines only, however its bytes arrive."""
    seen = []
    lines = Lines(seen.append)

    for byte in b'{"a": 1}\n{"b": 2}\n':
        lines.feed(bytes([byte]))
    lines.end()

    assert seen == [b'{"a": 1}', b'{"b": 2}']
    assert lines.broken == ""


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"x" * (Lines.MAX_LINE + 1), "too long"),
        (b"x\n" * (Lines.MAX_COUNT + 1), "too many"),
        ((b"x" * 60_000 + b"\n") * 300, "too long"),
        (b"half a line", "ends within"),
    ],
)
def test_broken_reports_are_noticed(data, fault):
    """A report without bounds is broken, and nothing of it is taken after that."""
    lines = Lines(lambda line: None)

    lines.feed(data)
    lines.end()
    lines.feed(b"more\n")

    assert fault in lines.broken


def test_what_came_before_the_fault_counts():
    """A flood of lines that comes in one piece with the first ones does not take them along."""
    seen = []
    lines = Lines(seen.append)

    lines.feed(b"settled\nbegin\n" + b"\n" * (Lines.MAX_COUNT + 1))

    assert seen[:2] == [b"settled", b"begin"]
    assert len(seen) == Lines.MAX_COUNT
    assert "too many" in lines.broken


def test_nothing_is_taken_after_a_line_that_is_refused():
    """Who takes the lines may call the report broken; what comes with that line is ignored like all later."""
    seen = []

    def take(line):
        seen.append(line)
        lines.broken = "refused"

    lines = Lines(take)
    lines.feed(b"a\nb\n")

    assert seen == [b"a"]


def test_read_now_takes_what_is_there():
    """A pipe is read until it is empty or ended, never waited for."""
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    seen = bytearray()

    os.write(theirs, b"abc")
    still_open = read_now(ours, seen.extend, 1 << 20)
    os.close(theirs)
    ended = not read_now(ours, seen.extend, 1 << 20)
    os.close(ours)

    assert (seen, still_open, ended) == (b"abc", True, True)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"1",
        b'{"a": 1}',
        b'{"event": 1}',
        b"{",
        b"\xff",
        b"[" * 60_000,
        b'{"event": "x", "n": ' + b"9" * 5000 + b"}",
        b'{"event": "x", "n": NaN}',
    ],
)
def test_nonsense_is_no_event(line):
    """What is not a plain object with an event's name is no event, whatever parsing it raises."""
    assert parse_event(line) is None


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("plain", 10, "plain"),
        ("a\0b\ud83dc", 10, "ab?c"),
        ("x" * 12, 10, "x" * 10 + "… [2 characters cut]"),
        (None, 10, ""),
        (b"bytes", 10, ""),
    ],
)
def test_clean(text, limit, expected):
    """Text is bounded and can be encoded; what is no text is none."""
    assert clean(text, limit) == expected
    assert encode(clean(text, limit))


class Unprintable(Exception):
    def __str__(self):
        raise KeyboardInterrupt


def test_exception_that_cannot_be_printed():
    """An exception whose text raises is still described."""
    assert text_of(Unprintable(), 100) == "<str() raised KeyboardInterrupt>"
    assert describe(Unprintable(), [])["exc_type"] == "Unprintable"


def test_traceback_holds_own_frames_only():
    """Only frames of the named files are told, the innermost, by bare name."""

    def deeper(n):
        return deeper(n - 1) if n else 1 / 0

    with pytest.raises(ZeroDivisionError) as info:
        deeper(50)

    frames = describe(info.value, [__file__])["frames"]
    assert {frame["file"] for frame in frames} == {"test_guest_bounds.py"}
    assert {frame["function"] for frame in frames} == {"deeper"}
    assert len(frames) == 8
    assert describe(info.value, ["/elsewhere.py"])["frames"] == []


def test_forked_copy_stays_silent():
    """A copy of the process that reports does not report a second time."""
    ours, theirs = os.pipe()
    reporter = Reporter(theirs)
    reporter._pid += 1

    reporter.send("test")
    os.close(theirs)

    assert os.read(ours, 10) == b""
    os.close(ours)


@pytest.fixture
def canaries():
    return Canary.make(), Canary.make()


def test_canaries_are_never_the_same(canaries):
    """Names, contents and so the files of canaries are drawn anew; each holds one that fails."""
    first, last = canaries

    assert first.file != last.file
    assert first.source != last.source
    space = {}
    exec(first.source, space)
    space[first.must_pass]()
    with pytest.raises(AssertionError):
        space[first.must_fail]()


def events(canaries, outcomes=("passed", "passed")):
    """The events of an undisturbed run."""
    first, last = canaries

    def test(file, name, outcome, exc_type=""):
        return {"event": "test", "file": file, "id": name, "outcome": outcome, "exc_type": exc_type}

    def both(canary):
        return [
            test(canary.file, canary.must_pass, "passed"),
            test(canary.file, canary.must_fail, "failed", "AssertionError"),
        ]

    own = [test("test_solution.py", name, outcome) for name, outcome in zip(IDS, outcomes, strict=True)]
    collected = [["test_solution.py", name] for name in IDS]
    return [
        {"event": "collected", "ids": collected},
        *both(first),
        *own,
        *both(last),
        {"event": "finish", "status": 1},
    ]


def report_of(canaries, sent, facts=None):
    report = RunReport(IDS, *canaries)
    for event in sent:
        report.take(json.loads(json.dumps(event)))
    facts = facts or Facts(exit_code=1)
    return report.tests(facts), report.evidence(facts)


def believable(evidence):
    sound = evidence["canaries_right"] and evidence["finished"] and evidence["exit_consistent"]
    return sound and not evidence["protocol_broken"] and evidence["collected"] is None


def test_undisturbed_run_is_believed(canaries):
    """An honest report yields one record per expected test and sound evidence."""
    tests, evidence = report_of(canaries, events(canaries, ("passed", "failed")))

    assert [(test["id"], test["outcome"]) for test in tests] == [("test_a", "passed"), ("test_b", "failed")]
    assert believable(evidence)


@pytest.mark.parametrize("missing", range(8))
def test_any_event_left_out_is_noticed(canaries, missing):
    """A report from which any one event is missing is not believed, or lacks a test."""
    sent = events(canaries)
    del sent[missing]

    tests, evidence = report_of(canaries, sent)

    assert not believable(evidence) or "missing" in {test["outcome"] for test in tests}


@pytest.mark.parametrize("doubled", range(8))
def test_any_event_sent_twice_is_noticed(canaries, doubled):
    """A report that says anything twice is not believed."""
    sent = events(canaries)
    sent.insert(doubled, sent[doubled])

    assert not believable(report_of(canaries, sent)[1])


@pytest.mark.parametrize(
    "extra",
    [
        {"event": "test", "file": "test_solution.py", "id": "test_c", "outcome": "passed"},
        {"event": "test", "file": "test_solution.py", "id": "test_a", "outcome": "wonderful"},
        {"event": "test", "file": 1, "id": ["test_a"], "outcome": "passed"},
        {"event": "test", "outcome": ["passed"]},
        {"event": "nonsense"},
        {"event": "collected", "ids": [["test_solution.py", "x"]] * 5000},
    ],
)
def test_strange_events_break_the_report(canaries, extra):
    """An event that an honest run would not send breaks the report, and nothing raises."""
    assert not believable(report_of(canaries, [extra, *events(canaries)])[1])


def test_everything_passed_is_a_forgery(canaries):
    """A patched framework that passes every test passes the one that must fail as well."""
    sent = [event | ({"outcome": "passed"} if event["event"] == "test" else {}) for event in events(canaries)]

    assert not report_of(canaries, sent)[1]["canaries_right"]


@pytest.mark.parametrize("exit_code", [0, 2, None])
def test_exit_status_must_fit(canaries, exit_code):
    """With a canary that fails, only one exit status is consistent."""
    assert not report_of(canaries, events(canaries), Facts(exit_code=exit_code))[1]["exit_consistent"]


def test_fields_of_a_record_are_bounded(canaries):
    """Whatever a record holds, what comes out has the right types and sizes."""
    sent = events(canaries)
    sent[3] |= {
        "message": "m" * 100_000,
        "got": 5,
        "wall_s": -1.0,
        "phase": "never",
        "frames": [{"file": "x" * 9999, "line": 10**30, "function": None}] * 99,
    }

    record = report_of(canaries, sent)[0][0]

    assert len(record["message"]) < 2100
    assert (record["got"], record["wall_s"], record["phase"]) == ("", 0.0, "call")
    assert len(record["frames"]) == 8
    assert record["frames"][0]["line"] == 0


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        (Facts(killed_for="wall", signal=9), "timed_out"),
        (Facts(signal=24), "timed_out"),
        (Facts(signal=11), "crashed"),
        (Facts(exit_code=0), "missing"),
    ],
)
def test_test_that_was_running_at_the_end(canaries, facts, outcome):
    """The test that ran when the run was cut off says how; those after it are missing."""
    sent = [*events(canaries)[:3], {"event": "start", "file": "test_solution.py", "id": "test_a"}]

    tests, _ = report_of(canaries, sent, facts)

    assert [test["outcome"] for test in tests] == [outcome, "missing"]


@pytest.mark.parametrize(
    ("facts", "exception", "expected"),
    [
        (Facts(exit_code=137), None, None),
        (Facts(signal=9), None, None),
        (Facts(signal=9, oom=True), None, "memory"),
        (Facts(exit_code=0, oom=True), None, None),
        (Facts(exit_code=3, oom=True), {"exc_type": "MemoryError"}, "memory"),
        (Facts(exit_code=3), {"exc_type": "MemoryError"}, None),
        (Facts(signal=24, cpu_s=2.1), None, "cpu"),
        (Facts(signal=24, cpu_s=0.1), None, None),
        (Facts(exit_code=1, oom=True, zygote_lost=True), None, "memory"),
        (Facts(killed_for="wall", oom=True, zygote_lost=True), None, "memory"),
        (Facts(signal=9, cpu_s=2.1), None, "cpu"),
        (Facts(signal=11, cpu_s=2.1), None, None),
        (Facts(signal=9, killed_for="wall", oom=True), None, "wall"),
        (Facts(signal=9, killed_for="output"), None, "output"),
        (Facts(signal=9, killed_for="report"), None, None),
    ],
)
def test_counters_name_the_limit(facts, exception, expected):
    """What ended a run is named by the kernel's counters and our own clock, never by an exit code."""
    assert killed_by(facts, 2.0, exception) == expected
