"""The run folder: nothing is lost, nothing is duplicated, nothing half-written is read."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from evaluator.errors import DiskFull, JournalProblem, RunIncompatible, RunLocked
from evaluator.runs import journal as journal_module
from evaluator.runs.journal import Journal, load_run, read_attempts, read_completions, read_manifest
from evaluator.runs.records import (
    ARTIFACT_CHARS,
    AttemptRecord,
    CompletionRecord,
    Manifest,
    ScriptRecord,
    json_schema,
)
from evaluator.runs.rundata import trajectories
from repair.llm import Arm, CallKind, Message, Sampling
from repair.outcome import Verdict
from repair.script import CleanOutcome
from sandbox.types import ImageInfo, Level

CALL = {
    "at": "2026-01-01T00:00:00.000+00:00",
    "server": "http://127.0.0.1:1/v1",
    "model": "m",
    "task_id": "b/t",
    "template": "default",
    "sample": 0,
    "arm": Arm.REPAIR,
}


def completion(text="hello", call_no=0, key="k0"):
    return CompletionRecord(
        **CALL,
        call_no=call_no,
        kind=CallKind.FIRST,
        key=key,
        messages=(Message(role="user", content="do it"),),
        sampling=Sampling(),
        text=text,
    )


def attempt(call_no=0, verdict=Verdict.PASSED, stop="passed"):
    script = ScriptRecord(code="x = 1\n", sha256="0" * 64, outcome=CleanOutcome.RAW)
    return AttemptRecord(
        **CALL,
        call_no=call_no,
        kind=CallKind.FIRST,
        completion_key="k0",
        reply_sha256="1" * 64,
        basis="own",
        level=Level.SHARED,
        script=script,
        verdict=verdict,
        stop=stop,
    )


def manifest():
    image = ImageInfo(identity="i", tag="t", digest="d", python="3.11", guest_version="g", base="b")
    return Manifest(
        run_id="r",
        created="2026-01-01T00:00:00.000+00:00",
        version="0",
        config={},
        tasks=(),
        templates={},
        models=(),
        samples=1,
        image=image,
        levels=(Level.SHARED,),
    )


class TestJournal:
    def test_round_trip(self, tmp_path):
        """What is appended is read back equal, in order."""
        with Journal(tmp_path) as journal:
            journal.write_manifest(manifest())
            journal.append(completion())
            journal.append(attempt())

        run = load_run(tmp_path)

        assert manifest() == run.manifest
        assert (attempt(),) == run.attempts
        assert {"k0": completion()} == run.completions

    def test_torn_tail_is_set_aside(self, tmp_path):
        """A line that a crash cut off is kept apart and does not swallow the next line."""
        with Journal(tmp_path) as journal:
            journal.append(completion(key="a"))
        file = tmp_path / "completions.jsonl"
        with file.open("ab") as stream:
            stream.write(b'{"schema_version":1,"type":"compl')

        assert [record.key for record in read_completions(tmp_path)] == ["a"]
        with Journal(tmp_path) as journal:
            journal.append(completion(key="b"))

        assert [record.key for record in read_completions(tmp_path)] == ["a", "b"]
        assert (tmp_path / "completions.jsonl.torn").read_bytes() == b'{"schema_version":1,"type":"compl\n'

    def test_only_a_torn_line(self, tmp_path):
        """A file that holds nothing but a torn line becomes empty."""
        (tmp_path / "attempts.jsonl").write_bytes(b"x" * 200_000)

        with Journal(tmp_path):
            pass

        assert (tmp_path / "attempts.jsonl").read_bytes() == b""

    def test_large_texts_become_artifacts(self, tmp_path):
        """A long text is stored once by its hash, and read back whole, newlines of every kind included."""
        text = "a\r\nb\rc\n" * ARTIFACT_CHARS
        with Journal(tmp_path) as journal:
            journal.append(completion(text=text, key="a"))
            journal.append(completion(text=text, key="b"))

        assert len((tmp_path / "completions.jsonl").read_bytes().splitlines()) == 2
        assert len((tmp_path / "completions.jsonl").read_bytes()) < 2000
        assert len(list((tmp_path / "artifacts").rglob("*.txt"))) == 1
        assert [text, text] == [record.text for record in read_completions(tmp_path)]

    def test_missing_artifact_is_named(self, tmp_path):
        """A text that has gone is an error that names its file."""
        with Journal(tmp_path) as journal:
            journal.append(completion(text="x" * (ARTIFACT_CHARS + 1)))
        next((tmp_path / "artifacts").rglob("*.txt")).unlink()

        with pytest.raises(JournalProblem, match="artifacts"):
            list(read_completions(tmp_path))

    def test_two_writers(self, tmp_path):
        """A second process that writes to the same run is refused at once, and told why."""
        code = "import sys; from pathlib import Path; from evaluator.runs.journal import Journal; Journal(Path(sys.argv[1]))"
        with Journal(tmp_path):
            done = subprocess.run(
                [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False
            )

        assert done.returncode == 1
        assert "RunLocked" in done.stderr
        assert "another process is writing" in done.stderr

    def test_two_writers_in_one_process(self, tmp_path):
        """The lock holds between two journals of one process, too."""
        with Journal(tmp_path), pytest.raises(RunLocked):
            Journal(tmp_path)

    def test_disk_full_keeps_what_is_written(self, tmp_path):
        """When a line can be written only in part, it is taken back and the error says how to go on."""
        line = len(completion().model_dump_json()) + 50
        with Journal(tmp_path) as journal:
            journal.append(completion(key="a"))
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(line * 1.5), hard))
            try:
                with pytest.raises(DiskFull, match="--resume"):
                    journal.append(completion(key="b"))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            journal.append(completion(key="c"))

        assert [record.key for record in read_completions(tmp_path)] == ["a", "c"]
        assert not (tmp_path / "completions.jsonl.torn").exists()

    def test_other_version(self, tmp_path):
        """A folder of another schema version is refused, and says which."""
        with Journal(tmp_path) as journal:
            journal.write_manifest(manifest())
        raw = json.loads((tmp_path / "run.json").read_text())
        (tmp_path / "run.json").write_text(json.dumps({**raw, "schema_version": 99}))

        with pytest.raises(RunIncompatible, match="99"):
            read_manifest(tmp_path)

    def test_not_a_run_folder(self, tmp_path):
        """A folder without run.json is named as such."""
        with pytest.raises(JournalProblem, match="not a run folder"):
            read_manifest(tmp_path)

    def test_broken_line_is_named_by_its_number(self, tmp_path):
        """A line that is no JSON is an error with file and line."""
        with Journal(tmp_path) as journal:
            journal.append(attempt())
        with (tmp_path / "attempts.jsonl").open("ab") as stream:
            stream.write(b"{broken}\n")

        with pytest.raises(JournalProblem, match=r"attempts\.jsonl:2"):
            list(read_attempts(tmp_path))

    def test_lines_fit_the_published_schema(self, tmp_path):
        """Every stored line validates against the JSON Schema, artifacts included."""
        with Journal(tmp_path) as journal:
            journal.write_manifest(manifest())
            journal.append(completion(text="z" * (ARTIFACT_CHARS + 1)))
            journal.append(attempt())
        lines = [json.loads((tmp_path / "run.json").read_text())]
        for name in ("completions.jsonl", "attempts.jsonl"):
            lines += [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]

        for line in lines:
            jsonschema.validate(line, json_schema())
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**lines[1], "text": 3}, json_schema())


def test_schema_file_is_current():
    """The schema file beside the code says what the code says."""
    path = Path(journal_module.__file__).with_name("journal.schema.json")

    assert json_schema() == json.loads(path.read_text(encoding="utf-8"))


class TestTrajectories:
    def test_later_line_wins(self):
        """Of two lines for one call the later counts."""
        lines = [attempt(verdict=Verdict.SANDBOX_ERROR, stop="sandbox_error"), attempt()]

        assert [item.verdict for item in trajectories(lines)[0].attempts] == [Verdict.PASSED]

    def test_later_line_makes_what_followed_obsolete(self):
        """Calls after a call that was decided anew do not count any more."""
        lines = [attempt(verdict=Verdict.TESTS_FAILED, stop=None), attempt(call_no=1), attempt()]

        assert [item.call_no for item in trajectories(lines)[0].attempts] == [0]
