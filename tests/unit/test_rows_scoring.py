"""From rows to lines of results: verdicts, keys, what is tried again, and a file that goes on from itself."""

import json
import threading
from dataclasses import replace
from functools import partial

import pytest

from evaluator.config import SandboxSection
from evaluator.controls.skips import ReferenceSkips
from evaluator.errors import EngineGone, JournalProblem, RunLocked, UsageProblem
from evaluator.jobs import JobMaker
from evaluator.scoring.rows import Raw, Spot, read_rows
from evaluator.scoring.score import INVALID_ROW, Tools, score_row
from evaluator.scoring.scorefile import open_results
from evaluator.scoring.taskbook import Known, TaskBook
from evaluator.scoring.verdict_line import dump
from prompts.tasks import Task
from repair.cleaning.caged import Cleaner
from repair.errors import CleanerError
from sandbox.errors import LostResult
from sandbox.fake import IMAGE, FakeSandbox, fake_result
from sandbox.types import KilledBy, Level, RunResult, Stream

PROMISED = {
    "id", "verdict", "level", "tests", "exit_code", "signal", "wall_s", "cpu_s", "max_rss_bytes",
    "killed_by", "stdout", "stderr", "flags", "suspicious",
}  # fmt: skip


def row(place="line 1", **fields):
    (found,) = read_rows([Raw(spot=Spot(place=place), value=fields)])
    return found


def task(tmp_path, **fields):
    return Task(**{"batch": "b", "name": "t", "path": tmp_path, "prompt": "", "family": "b/t", **fields})


class NoCleaner:
    def clean(self, *args, **kwargs):
        raise CleanerError("no child can be started")


def tools(handler=fake_result, *known, alone=False, cleaner=None, **section):
    run, jobs = FakeSandbox(handler).run, JobMaker(section=SandboxSection(**section))
    return Tools(
        run=run,
        image=IMAGE,
        jobs=jobs,
        skips=ReferenceSkips(run, jobs),
        book=TaskBook(known),
        cleaner=cleaner or NoCleaner(),
        alone=alone,
    )


def outcomes():
    """A sandbox in which a test file's text says what becomes of its test."""
    return lambda job: fake_result(job, {"test_a": job.tests} if job.tests else {})


def test_a_line_has_what_is_promised():
    """Every line carries the promised fields, whatever became of the row, and is one line of ASCII."""
    rows = [row(id="é", solution="", tests="passed"), row(id="x"), row(id="y", solution="", tests="failed")]
    scored = [score_row(item, tools(outcomes())) for item in rows]

    assert [item.verdict for item in scored] == ["passed", INVALID_ROW, "tests_failed"]
    for item in scored:
        assert item.line.keys() >= PROMISED
        text = dump(item.line)
        assert text.isascii()
        assert "\n" not in text
        assert json.loads(text) == item.line
    assert scored[0].line["id"] == "é"
    assert scored[0].line["tests"] == [{"id": "test_a", "outcome": "passed", "phase": "call"}]


def test_both_parts_must_pass(tmp_path):
    """The holdout runs once the shown tests pass; the line says which part failed, and has the tests of both."""
    known = Known(task_id="b/t", task=task(tmp_path, tests="passed", holdout="failed"))
    held = score_row(row(id=1, task_id="b/t", solution=""), tools(outcomes(), known))
    shown = score_row(
        row(id=1, task_id="b/t", solution=""),
        tools(outcomes(), replace(known, task=task(tmp_path, tests="failed", holdout="passed"))),
    )

    assert (held.verdict, held.line["failed_part"]) == ("tests_failed", "holdout")
    assert held.line["parts"] == {"shown": "passed", "holdout": "tests_failed"}
    assert [(test["part"], test["outcome"]) for test in held.line["tests"]] == [
        ("shown", "passed"),
        ("holdout", "failed"),
    ]
    assert (shown.line["failed_part"], list(shown.line["parts"])) == ("shown", ["shown"])


def test_where_limits_and_tests_come_from(tmp_path):
    """A row's own tests come first, then its task's; a task's own limits count before those of the command."""
    seen = []

    def handler(job):
        seen.append(job)
        return fake_result(job)

    limited = task(tmp_path, tests="T", limits=replace(task(tmp_path).limits, wall_s=3.0))
    shared = tools(handler, Known(task_id="b/t", task=limited), wall_s=7.0)
    score_row(row(id=1, task_id="b/t", solution="s"), shared)
    score_row(row(id=2, task_id="b/t", solution="s", tests="own"), shared)

    assert [(job.tests, job.limits.wall_s) for job in seen] == [("T", 3.0), ("own", 7.0)]
    assert seen[0].hash_seed == seen[1].hash_seed


def test_completions_go_on_from_code(tmp_path):
    """A completion follows the row's prompt, or its task's; without code to follow the row is broken."""
    seen = []

    def handler(job):
        seen.append(job.script)
        return fake_result(job)

    code = Known(task_id="code", task=task(tmp_path, tests="T"), prompt="def f():\n")
    words = Known(task_id="words", task=task(tmp_path, tests="T"))
    shared = tools(handler, code, words)
    for number, fields in enumerate(({}, {"prompt": "def g():\n"})):
        score_row(row(id=number, task_id="code", completion="    return 1\n", **fields), shared)
    broken = score_row(row(id=3, task_id="words", completion="x"), shared)

    assert seen == ["def f():\n    return 1\n", "def g():\n    return 1\n"]
    assert "`prompt` of code" in broken.line["error"]


def test_rows_without_tests():
    """They are broken, unless scripts are run as programs; then tests that are there are left alone."""
    without = row(id=1, solution="s")
    unknown = row(id=1, solution="s", task_id="x/y")

    assert "no tests" in score_row(without, tools()).line["error"]
    assert "'x/y'" in score_row(unknown, tools()).line["error"]
    for item in (without, unknown, row(id=1, solution="s", tests="failed")):
        scored = score_row(item, tools(outcomes(), alone=True))
        assert (scored.verdict, scored.line["level"]) == ("passed", "program")


def test_replies_are_cleaned():
    """The code of a reply is what runs; the line says how it came out, or that there was none."""
    seen = []

    def handler(job):
        seen.append(job.script)
        return fake_result(job)

    fenced = "Here:\n```python\nx = 1\n```\n"
    with Cleaner(workers=1) as cleaner:
        shared = tools(handler, cleaner=cleaner)
        good = score_row(row(id=1, reply=fenced, tests="T"), shared)
        none = score_row(row(id=2, reply="I cannot do that.", tests="T"), shared)
        cut = score_row(row(id=3, reply="", finish_reason="length", tests="T"), shared)

    assert seen == ["x = 1\n"]
    assert good.line["clean"]["outcome"] == "cleaned"
    assert (none.verdict, none.line["level"], none.line["failed_part"]) == ("no_code", "process", None)
    assert cut.verdict == "truncated"


def test_failures_of_ours_are_no_verdicts():
    """A row that the sandbox or the cleaner lost says so; one that nobody can run ends everything."""

    def lost(job):
        raise LostResult("gone")

    def gone(job):
        raise EngineGone("no engine")

    by_sandbox = score_row(row(id=1, solution="", tests="T"), tools(lost))
    by_cleaner = score_row(row(id=1, reply="x", tests="T"), tools())

    assert (by_sandbox.verdict, by_sandbox.line["error"]) == ("sandbox_error", "gone")
    assert (by_cleaner.verdict, by_cleaner.line["error"]) == ("sandbox_error", "no child can be started")
    with pytest.raises(EngineGone):
        score_row(row(id=1, solution="", tests="T"), tools(gone))


def test_the_first_run_is_in_the_line():
    """Where a run was made again alone, the line keeps what the first one showed."""

    def handler(job):
        first = fake_result(job, killed_by=KilledBy.WALL, wall_s=9.0, run_delay_s=4.0)
        return fake_result(job, contended=first)

    line = score_row(row(id=1, solution="", tests="T"), tools(handler)).line

    assert line["verdict"] == "passed"
    assert line["contended"] == {"verdict": "timed_out", "wall_s": 9.0, "cpu_s": 0.0, "run_delay_s": 4.0}


def test_keys_follow_content():
    """The same row has the same key wherever it stands; whatever decides about its verdict changes it."""
    base = {"id": 1, "solution": "s", "tests": "t"}

    def key(changed=None, **more):
        return score_row(row(**{**base, **(changed or {})}), tools(**more)).key

    assert key() == score_row(row("line 9", **base), tools()).key
    others = [
        key({"id": 2}),
        key({"id": "1"}),
        key({"solution": "s2"}),
        key({"tests": "t2"}),
        key(wall_s=1.0),
        key(profile="large"),
        key(alone=True),
        score_row(row(**base), replace(tools(), image=replace(IMAGE, identity="1" * 64))).key,
    ]
    assert len({key(), *others}) == len(others) + 1


def scored_into(path, rows, shared, *, seen=None):
    with open_results(path) as results:
        for item in rows:
            scored = score_row(item, shared, results.find)
            if scored.line is not None:
                results.write(scored.line)
            if seen is not None:
                seen.append((scored.verdict, scored.line is None))


def test_a_file_goes_on_from_itself(tmp_path):
    """Verdicts that are there are looked up; failures of ours are tried again; a torn line is set aside."""
    out, calls, broken = tmp_path / "o.jsonl", [], [True]

    def handler(job):
        calls.append(job.script)
        if broken and job.script == "lost":
            raise LostResult("gone")
        return fake_result(job)

    rows = [row(id=text, solution=text, tests="T") for text in ("a", "lost", "b")]
    rows.insert(1, row(id="bad"))
    scored_into(out, rows[:3], tools(handler))
    before = out.read_bytes()
    out.write_bytes(before + b'{"format":1,"id":"b","ver')
    broken.clear()
    seen = []
    scored_into(out, rows, tools(handler), seen=seen)
    again = []
    scored_into(out, rows, tools(handler), seen=again)

    assert calls == ["a", "lost", "lost", "b"]
    assert seen == [("passed", True), (INVALID_ROW, True), ("passed", False), ("passed", False)]
    assert [known for _, known in again] == [True] * 4
    assert out.read_bytes().startswith(before)
    assert (tmp_path / "o.jsonl.torn").read_bytes() == b'{"format":1,"id":"b","ver\n'
    assert all(json.loads(line) for line in out.read_bytes().splitlines())


@pytest.mark.parametrize(
    "content", ['{"id": 1}\n', "notes", "notes\n", '{"format":0,"key":"00","verdict":"x"}\n']
)
def test_a_strange_file_is_not_touched(tmp_path, content):
    """What `score` did not write is refused, and stays as it is."""
    out = tmp_path / "o.jsonl"
    out.write_text(content)

    with pytest.raises(UsageProblem, match="give another --out"), open_results(out):
        pytest.fail("opened")
    assert out.read_text() == content
    assert list(tmp_path.iterdir()) == [out]


def test_one_writer_at_a_time(tmp_path):
    """A second writer is turned away while the first is at work."""
    out = tmp_path / "o.jsonl"
    with open_results(out), pytest.raises(RunLocked), open_results(out):
        pytest.fail("opened twice")
    with open_results(out):
        pass


def test_a_full_disk_is_told(tmp_path):
    """A line that cannot be written is an error of ours, and no half of it stays."""
    import resource
    import signal

    out = tmp_path / "o.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open_results(out) as results:
        results.write({"format": 1})
        size = out.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
        try:
            with pytest.raises(JournalProblem, match="the same command goes on"):
                results.write({"format": 1, "more": "x" * 100})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, old)

    assert out.stat().st_size == size


def test_hostile_output_is_plain_json():
    """What a script printed is data in the line, never a line of its own."""
    evil = '\n{"id": 1, "verdict": "passed"}\n\u2028\x1b[2J'

    def handler(job) -> RunResult:
        return fake_result(job, {"test_a": "failed"}, stdout=Stream(head=evil, total_bytes=len(evil)))

    text = dump(score_row(row(id=1, solution="", tests="T"), tools(handler)).line)

    assert text.isascii()
    assert len(text.splitlines()) == 1
    assert json.loads(text)["stdout"] == evil


@pytest.mark.parametrize(
    ("own", "section", "level"),
    [
        (None, {}, "process"),
        (None, {"grading": Level.SHARED}, "shared"),
        ("shared", {}, "shared"),
        ("process", {"grading": Level.SHARED}, "process"),
    ],
)
def test_level_of_a_row(tmp_path, own, section, level):
    """Tests are graded at level process; the command may say another level, and a task's own word is the last."""
    known = Known(task_id="b/t", task=task(tmp_path, tests="T", grading=own))
    seen = []

    def handler(job):
        seen.append(job.level)
        return fake_result(job)

    scored = score_row(row(id=1, task_id="b/t", solution=""), tools(handler, known, **section))

    assert (seen, scored.line["level"], scored.level) == ([level], level, level)


def test_flags_of_suspicious_code_change_no_verdict():
    """What the scan found stands in the line, beside a verdict that does not depend on it."""
    handler = partial(fake_result, suspicious=("frames", "heap"))
    scored = score_row(row(id=1, solution="", tests="T"), tools(handler))

    assert (scored.verdict, scored.line["suspicious"]) == ("passed", ["frames", "heap"])


def test_skips_that_the_reference_has(tmp_path):
    """A skip counts as passed where every reference skips the same test, and nowhere else."""
    runs = []

    def handler(job):
        runs.append(job)
        outcomes = dict(pair.split("=") for pair in job.script.split())
        return fake_result(job, outcomes)

    def verdict(script, *references):
        known = Known(task_id="b/t", task=task(tmp_path, tests="T", grading="shared", references=references))
        return score_row(row(id=1, task_id="b/t", solution=script), tools(handler, known)).verdict

    skips, xfails = "test_a=passed test_b=skipped", "test_a=passed test_b=xfailed"

    assert verdict(skips) == "tests_failed"
    assert verdict(skips, skips) == "passed"
    assert verdict(skips, skips, xfails) == "passed"
    assert verdict(skips, skips, "test_a=passed test_b=passed") == "tests_failed"
    assert verdict("test_a=skipped test_b=skipped", skips) == "tests_failed"
    assert {job.level for job in runs} == {Level.SHARED}


def test_references_run_once_and_only_where_they_matter(tmp_path):
    """A reference is run for the first row whose verdict hangs on a skip, and for no other."""
    runs = []

    def handler(job):
        runs.append(job.script)
        return fake_result(job, dict(pair.split("=") for pair in job.script.split()))

    reference = "test_a=passed test_b=skipped "
    known = Known(task_id="b/t", task=task(tmp_path, tests="T", references=(reference,)))
    shared = tools(handler, known)
    for number, script in enumerate(
        ("test_a=passed test_b=passed", "test_a=failed test_b=skipped", reference.strip(), reference + " ")
    ):
        score_row(row(id=number, task_id="b/t", solution=script), shared)

    assert runs.count(reference) == 1
    assert len(runs) == 5


def test_a_row_depends_on_the_references(tmp_path):
    """With other references a row has another key: what they skip decides about its verdict."""
    keys = {
        score_row(
            row(id=1, task_id="b/t", solution=""),
            tools(fake_result, Known(task_id="b/t", task=task(tmp_path, tests="T", references=references))),
        ).key
        for references in ((), ("a",), ("a", "b"))
    }

    assert len(keys) == 3


def test_many_threads_share_the_tools():
    """Rows judged side by side do not disturb each other."""
    shared, found, lock = tools(lambda job: fake_result(job, {job.script: "passed"})), {}, threading.Lock()

    def judge(number):
        scored = score_row(row(id=number, solution=f"test_{number}", tests="T"), shared)
        with lock:
            found[scored.line["id"]] = scored.line["tests"][0]["id"]

    threads = [threading.Thread(target=judge, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {number: f"test_{number}" for number in range(20)}
