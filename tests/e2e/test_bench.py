"""`mendbench bench` from end to end on real parts, and what it says when something is wrong."""

import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from evaluator.runs.journal import load_run
from prompts.recordings import Reply

pytestmark = pytest.mark.docker

QUICK = ("--no-check-tasks", "--flake-checks=0")


def code(text):
    return Reply(content=f"```python\n{text}\n```")


def words(server, tasks, *models, extra=()):
    named = [word for model in models for word in ("--model", f"{model}@{server.base_url}")]
    return ["bench", "--tasks-dir", tasks, *named, *QUICK, *extra]


class TestWholeRun:
    def test_tasks_to_report(self, bench, small_tasks, recorded, fingerprints, undisturbed):
        """Two models, three tasks: verdicts, repairs and reports come out as recorded, twice the same."""
        done = bench(*words(recorded, small_tasks, "good", "bad"))

        assert done.returncode == 0, done.stderr
        folder = bench.runs()[-1]
        run = load_run(folder)
        path = {t.first.sample_key[:2]: [str(a.verdict) for a in t.attempts] for t in run.trajectories}
        assert path["good", "small/double"] == ["passed"]
        assert path["good", "small/triple"] == ["tests_failed", "passed"]
        assert path["good", "small/negate"] == ["syntax_error", "passed"]
        assert path["bad", "small/triple"] == ["tests_failed"] * 4
        assert not any(trajectory.unscored for trajectory in run.trajectories)
        summary = json.loads((folder / "summary.json").read_text())
        assert summary["schema_version"]
        for name in ("report.html", "report.md", "log.jsonl"):
            assert (folder / name).stat().st_size > 0
        assert "good" in done.stdout

        assert fingerprints(folder) == undisturbed

    def test_controls_come_first(self, bench, small_tasks, recorded):
        """A task whose tests prove nothing is refused before any model is asked."""
        (small_tasks / "small" / "vacuous.md").write_text(
            "Write `f`.\n\n## Tests\n\n```python\nimport solution\n\ndef test_f():\n    assert True\n```\n\n"
            "## Reference\n\n```python\ndef f():\n    return 1\n```\n"
        )
        command = [word for word in words(recorded, small_tasks, "good") if word != "--no-check-tasks"]

        done = bench(*command, "--task", "vacuous")

        assert done.returncode == 2
        assert "small/vacuous" in done.stderr
        assert bench.runs() == []

    def test_export(self, bench, small_tasks, recorded):
        """A run can be written as a tree of files, tests and feedback included."""
        bench(*words(recorded, small_tasks, "good"))

        done = bench("export", "latest", "--format", "files")

        assert done.returncode == 0, done.stderr
        exported = {path.name for path in (bench.runs()[-1] / "export").rglob("*") if path.is_file()}
        assert {"reply.txt", "script.py", "feedback.txt", "verdict.json", "index.json"} <= exported

    def test_threshold(self, bench, small_tasks, recorded):
        """--fail-under turns a poor result into exit code 1."""
        extra = ("--fail-under", "0.5", "--task", "double", "--repairs", "0")
        assert bench(*words(recorded, small_tasks, "bad", extra=extra)).returncode == 1
        assert bench(*words(recorded, small_tasks, "good", extra=extra)).returncode == 0

    def test_threshold_names_who_missed_it(self, bench, small_tasks, recorded):
        """The last line says which model missed which threshold; one over 1 is refused."""
        extra = ("--fail-under", "0.5", "--task", "double", "--repairs", "0")

        done = bench(*words(recorded, small_tasks, "bad", extra=extra))

        assert "bad solves 0% after repairs, under --fail-under 50%" in done.stderr
        assert bench("bench", "--fail-under", "90", "--dry-run").returncode == 2

    def test_demo_knows_the_shipped_tasks_alone(self, bench, small_tasks):
        """Own tasks without a model are refused at once, with what to type."""
        done = bench("bench", "--tasks-dir", small_tasks)

        assert done.returncode == 2
        assert "--model NAME@" in done.stderr
        assert bench.runs() == []

    def test_dry_run(self, bench, small_tasks, recorded):
        """--dry-run prints the plan and does nothing."""
        done = bench(*words(recorded, small_tasks, "good", extra=("--dry-run",)))

        assert done.returncode == 0
        assert "3 in small" in done.stdout
        assert "3 to 21" in done.stdout
        assert bench.runs() == []

    def test_missing_recording_is_unscored(self, bench, small_tasks, recorded):
        """A call that was not recorded leaves its sample unscored and is named."""
        done = bench(*words(recorded, small_tasks, "good", extra=("--samples", "2", "--task", "triple")))

        assert done.returncode == 0
        last = load_run(bench.runs()[-1]).trajectories[-1]
        assert last.unscored
        assert "small/triple/default/1/repair/0" in last.first.error
        assert "1 samples are unscored; 1 of them: " in done.stderr


SPY = """\
import os, sys

_seen = []
_places = [os.path.join(folder, "seen.txt") for folder in (".", "/tmp", "/work", "/dev/shm")]
for _place in _places:
    if os.path.exists(_place):
        print("FOUND", open(_place).read())


def double(x):
    _seen.append(x)
    print("ARG", x, file=sys.stderr)
    print("ARG", x)
    for place in _places:
        try:
            with open(place, "a") as stream:
                stream.write(f"{x}\\n")
        except OSError:
            pass
    ENDING
"""
ENDINGS = (
    "raise ValueError(f'the argument was {x}, all were {_seen}')",
    "return -x",
    "return 2 * abs(x)",
)


def test_no_holdout_value_reaches_a_prompt(bench, small_tasks):
    """A script that prints, saves and raises its arguments gets no holdout value into any request."""
    from evaluator.replay.recorded import RecordedServer

    replies = {
        f"small/double/default/0/repair/{number}": code(SPY.replace("ENDING", ending))
        for number, ending in enumerate(ENDINGS)
    }
    with RecordedServer({"spy": replies}) as server:
        done = bench(*words(server, small_tasks, "spy", extra=("--task", "double", "--holdout", "always")))

    assert done.returncode == 0, done.stderr
    run = load_run(bench.runs()[-1])
    assert [str(attempt.verdict) for attempt in run.attempts] == ["tests_failed", "tests_failed", "passed"]
    holdouts = [attempt.holdout for attempt in run.attempts]
    assert all("ARG -7411" in result.stdout.text for result in holdouts)
    assert "the argument was -7411" in holdouts[0].tests[0].message
    assert not any("7411" in repr(attempt.shown) for attempt in run.attempts)
    assert "the argument was 4" in run.attempts[1].feedback
    sent = "".join(m.content for c in run.completions.values() for m in c.messages)
    told = "".join(attempt.feedback for attempt in run.attempts)
    assert "7411" not in sent + told
    assert "14822" not in sent + told
    assert "test_hold" not in sent + told


STRANGE = {
    "big": "```python\nx = 1\n" + "y = 2  # and so on\n" * 600_000,
    "deep": "```python\nx = " + "(" * 5000 + ")" * 5000 + "\n```",
    "empty": "",
    "null": None,
    "surrogates": "```python\ndef double(x):\n    return '\ud83d'\n```",
    "controls": "\x1b]0;owned\x07\x00```python\nprint('\x1b[2J\u202e')\n```<script>alert(1)</script>",
    "[bold]markup[/]": "[red]```python\ndef double(x):\n    return 2 * x\n```",
    "../x": "```python\ndef double(x):\n    return 2 * x\n```",
}


def test_strange_replies(bench, small_tasks):
    """Huge, empty, broken and hostile replies, from models with hostile names, are verdicts and nothing else."""
    from evaluator.replay.recorded import RecordedServer

    calls = [f"small/double/default/0/repair/{number}" for number in range(9)]
    replies = {name: dict.fromkeys(calls, Reply(content=text)) for name, text in STRANGE.items()}
    with RecordedServer(replies) as server:
        done = bench(*words(server, small_tasks, *STRANGE, extra=("--task", "double", "--repairs", "1")))

    assert done.returncode == 0, done.stderr
    folder = bench.runs()[-1]
    run = load_run(folder)
    firsts = {trajectory.first.model: trajectory.first for trajectory in run.trajectories}
    assert set(STRANGE) == set(firsts)
    assert not any(trajectory.unscored for trajectory in run.trajectories)
    verdicts = {name: str(first.verdict) for name, first in firsts.items()}
    assert verdicts["../x"] == verdicts["[bold]markup[/]"] == "passed"
    assert verdicts["empty"] == verdicts["null"] == "no_code"
    assert verdicts["deep"] == "syntax_error"
    assert "passed" not in {verdicts[name] for name in ("big", "surrogates", "controls")}
    assert "reply_capped" in firsts["big"].flags
    assert "\x1b" not in done.stdout + done.stderr
    for path in folder.rglob("*"):
        if path.is_file():
            path.read_bytes().decode("utf-8")
    assert "<script>" not in (folder / "report.html").read_text()
    assert bench("export", "latest", "--out", "exported").returncode == 0
    assert not (bench.folder.parent / "x").exists()
    assert {path.parent for path in bench.folder.iterdir()} == {bench.folder}


class TestLiveServer:
    def test_llama(self, bench, small_tasks, llama_server, fingerprints):
        """A live model's garbage goes through cleaning, sandbox and repairs, and resuming asks nothing again."""
        command = [
            *("bench", "--tasks-dir", small_tasks, "--model", llama_server.spec, *QUICK),
            *("--samples", "2", "--max-tokens", "48", "--repairs", "2", "--temperature", "1.0"),
        ]

        done = bench(*command)

        assert done.returncode == 0, done.stderr
        folder = bench.runs()[-1]
        run = load_run(folder)
        assert len(run.trajectories) == 6
        assert not any(trajectory.unscored for trajectory in run.trajectories)
        assert max(len(trajectory.attempts) for trajectory in run.trajectories) > 1
        before = {name: (folder / name).read_bytes() for name in ("completions.jsonl", "attempts.jsonl")}
        again = bench("bench", "--resume", folder.name)
        assert again.returncode == 0, again.stderr
        assert before == {name: (folder / name).read_bytes() for name in before}

    def test_name_on_no_server(self, bench, small_tasks):
        """A model named without a server, and found on none, is not guessed; the message says what to type."""
        done = bench("bench", "--tasks-dir", small_tasks, "--model", "no-such-model", *QUICK)

        assert done.returncode == 2
        assert "--model 'no-such-model@http://HOST:PORT/v1'" in done.stderr


class TestInterrupts:
    def slow(self, tasks):
        """Give the tasks a script that sleeps, so that there is time to interrupt."""
        return {
            "slow": {
                f"small/{path.stem}/default/0/repair/{number}": Reply(
                    content="```python\nimport time\ntime.sleep(3)\n```"
                )
                for path in (tasks / "small").glob("*.md")
                for number in range(9)
            }
        }

    def wait_for_lines(self, bench, count, name="completions.jsonl", timeout=60):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for folder in bench.runs():
                file = folder / name
                if file.exists() and file.read_bytes().count(b"\n") >= count:
                    return folder
            time.sleep(0.02)
        raise AssertionError("the run did not get that far")

    def test_once_drains(self, bench, small_tasks, fingerprints):
        """Ctrl-C once: what runs is finished, the journal is valid, exit 130; resuming ends the run."""
        from evaluator.replay.recorded import RecordedServer

        with RecordedServer(self.slow(small_tasks)) as server:
            process = bench.start(*words(server, small_tasks, "slow"))
            folder = self.wait_for_lines(bench, 1)
            os.killpg(process.pid, signal.SIGINT)
            _, err = process.communicate(timeout=120)

            assert process.returncode == 130, err
            assert "--resume" in err
            assert "Ctrl-C again ends at once" in err
            cut = load_run(folder)
            assert any(not trajectory.complete for trajectory in cut.trajectories)
            done = bench("bench", "--resume", folder.name)
            assert done.returncode == 0, done.stderr
            whole = bench(*words(server, small_tasks, "slow"))
            assert whole.returncode == 0
        assert fingerprints(folder) == fingerprints(bench.runs()[-1])

    @pytest.mark.parametrize("stop", ["twice", "term"])
    def test_at_once(self, bench, small_tasks, stop):
        """Ctrl-C twice, or SIGTERM: the bench ends at once, its containers are gone, the journal is valid."""
        from evaluator.replay.recorded import RecordedServer

        with RecordedServer(self.slow(small_tasks)) as server:
            process = bench.start(*words(server, small_tasks, "slow"))
            folder = self.wait_for_lines(bench, 1)
            if stop == "term":
                os.kill(process.pid, signal.SIGTERM)
            else:
                os.killpg(process.pid, signal.SIGINT)
                time.sleep(0.5)
                os.killpg(process.pid, signal.SIGINT)
            _, err = process.communicate(timeout=60)

        assert (143 if stop == "term" else 130) == process.returncode, err
        load_run(folder)


class _Relay(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Passes bytes between a socket of its own and the engine's, until it is told to die."""

    daemon_threads = True

    def __init__(self, path):
        self.alive = True
        self.open = []
        super().__init__(str(path), _RelayHandler)

    def die(self):
        """Refuse new connections and break the old ones."""
        self.alive = False
        for sock in self.open:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class _RelayHandler(socketserver.BaseRequestHandler):
    def handle(self):
        if not self.server.alive:
            return
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect("/var/run/docker.sock")
            self.server.open += [engine, self.request]
            back = threading.Thread(target=self.pump, args=(engine, self.request))
            back.start()
            self.pump(self.request, engine)
            back.join()

    @staticmethod
    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


class TestBadInput:
    def test_no_engine(self, bench, small_tasks, recorded):
        """Without an engine the bench says so before it asks any model, and exits 3."""
        env = bench.env(DOCKER_HOST="unix:///nonexistent.sock")

        done = bench(*words(recorded, small_tasks, "good"), env=env)

        assert done.returncode == 3
        assert "Docker" in done.stderr
        assert "Traceback" not in done.stderr
        assert bench.runs() == []

    def test_engine_dies(self, bench, small_tasks, recorded, fingerprints, undisturbed, tmp_path):
        """An engine that dies in mid-run stops the run, blames no model, and the run can be resumed."""
        with _Relay(tmp_path / "relay.sock") as relay:
            threading.Thread(target=relay.serve_forever, daemon=True).start()
            env = bench.env(DOCKER_HOST=f"unix://{tmp_path}/relay.sock")
            process = bench.start(*words(recorded, small_tasks, "good", "bad"), env=env)
            TestInterrupts().wait_for_lines(bench, 1, "attempts.jsonl")
            relay.die()
            _, err = process.communicate(timeout=120)
            relay.shutdown()

        assert process.returncode == 3, err
        assert "Traceback" not in err
        folder = bench.runs()[-1]
        assert not any(attempt.unscored for attempt in load_run(folder).attempts)
        done = bench("bench", "--resume", folder.name)
        assert done.returncode == 0, done.stderr
        assert fingerprints(folder) == undisturbed

    def test_disk_full(self, bench, small_tasks, recorded, fingerprints, undisturbed):
        """A full disk stops the run with the way to go on; nothing that was written is lost."""
        import resource

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))

        done = bench(*words(recorded, small_tasks, "good", "bad"), preexec_fn=limit)

        assert done.returncode == 3
        assert "the disk is full" in done.stderr
        folder = bench.runs()[-1]
        assert load_run(folder).attempts
        assert bench("bench", "--resume", folder.name).returncode == 0
        assert fingerprints(folder) == undisturbed

    def test_server_unreachable(self, bench, small_tasks):
        """A server that is not there is named at once."""
        done = bench("bench", "--tasks-dir", small_tasks, "--model", "m@http://127.0.0.1:9/v1", *QUICK)

        assert done.returncode == 3
        assert "127.0.0.1:9" in done.stderr
        assert bench.runs() == []

    def test_two_writers(self, bench, small_tasks):
        """A second bench on the same run is refused, and the first goes on."""
        from evaluator.replay.recorded import RecordedServer

        with RecordedServer(TestInterrupts().slow(small_tasks)) as server:
            process = bench.start(*words(server, small_tasks, "slow"))
            folder = TestInterrupts().wait_for_lines(bench, 1)
            second = bench("bench", "--resume", folder.name)
            process.communicate(timeout=300)

        assert second.returncode == 3
        assert "another process is writing" in second.stderr
        assert process.returncode == 0

    def test_resume_takes_the_same_command(self, bench, small_tasks, recorded):
        """The same flags with --resume are fine, from any folder; other ones are named, zeros included."""
        flags = ("--task", "double", "--repairs", "1", "--template", "default")
        bench(*words(recorded, "batches", "good", extra=flags))
        folder = bench.runs()[0]

        same = bench(*words(recorded, "batches", "good", extra=(*flags, "--resume", folder)))
        other = bench("bench", "--resume", folder.name, "--repairs", "0", "--limit", "5")
        elsewhere = bench("bench", "--resume", folder, cwd="/")

        assert same.returncode == 0, same.stderr
        assert elsewhere.returncode == 0, elsewhere.stderr
        assert other.returncode == 2
        assert "repair.repairs: 1, not 0" in other.stderr
        assert "bench.limit: None, not 5" in other.stderr

    def test_nothing_scored_is_no_success(self, bench, small_tasks, recorded):
        """A run in which no sample could be scored exits 3."""
        flags = ("--task", "double", "--samples", "1", "--template", "plan")

        assert bench(*words(recorded, small_tasks, "good", extra=flags)).returncode == 3

    def test_tasks_at_different_levels(self, bench, small_tasks, recorded):
        """Levels are recorded with every attempt; where there are several, no report is silent about it."""
        path = small_tasks / "small" / "double.md"
        path.write_text(path.read_text().replace("---\nentry", "---\ngrading: shared\nentry", 1))

        done = bench(*words(recorded, small_tasks, "good"))
        (folder,) = bench.runs()
        levels = {
            line["task_id"]: line["level"]
            for line in map(json.loads, (folder / "attempts.jsonl").read_text().splitlines())
        }
        summary = json.loads((folder / "summary.json").read_text())["bases"]["own"]

        assert levels.pop("small/double") == "shared"
        assert set(levels.values()) == {"process"}
        assert summary["levels"] == ["process", "shared"]
        assert [group["levels"] for group in summary["by_level"]] == [["process"], ["shared"]]
        assert "different levels" in done.stdout

    def test_changed_tasks(self, bench, small_tasks, recorded):
        """A run whose tasks have changed is not continued, and the tasks are named."""
        bench(*words(recorded, small_tasks, "good"))
        path = small_tasks / "small" / "double.md"
        path.write_text(path.read_text().replace("Write", "Please write"))

        done = bench("bench", "--resume", "latest")

        assert done.returncode == 2
        assert "small/double" in done.stderr

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[bench]\nsampels = 3\n", "bench.sampels: unknown key; did you mean 'samples'?"),
            ("[repair]\nrepairs = -1\n", "repair.repairs"),
            ("[sandbox]\nprofile = 'huge'\n", "profile 'huge'"),
            ("samples = \n", "bench.toml"),
        ],
    )
    def test_configuration(self, bench, text, message):
        """A mistake in bench.toml is named with its path, exit 2."""
        Path(bench.folder / "bench.toml").write_text(text)

        done = bench("bench", "--dry-run")

        assert done.returncode == 2
        assert message in done.stderr

    def test_key_is_written_nowhere(self, bench, small_tasks, recorded):
        """A key and the credentials of an address are in no file of the run and on no screen."""
        url = recorded.base_url.replace("http://", "http://user:hunter2@")
        env = bench.env(MY_KEY="sk-very-secret")

        done = bench(
            *("bench", "--tasks-dir", small_tasks, "--model", f"good@{url}", *QUICK),
            *("--api-key-env", "MY_KEY", "-vv"),
            env=env,
        )

        assert done.returncode == 0, done.stderr
        written = [path.read_bytes() for path in bench.runs()[-1].rglob("*") if path.is_file()]
        for secret in (b"hunter2", b"sk-very-secret"):
            assert not any(secret in text for text in written)
            assert secret.decode() not in done.stdout + done.stderr
        refused = bench("bench", "--resume", "latest", env=env)
        assert refused.returncode == 2
        assert "credentials" in refused.stderr


def test_help_is_fast_and_complete(bench):
    """--help lists the commands and loads neither the model client nor the statistics."""
    heavy = "import sys; sys.argv=['mendbench','--help']\nfrom evaluator.cli import main\n"
    heavy += "try:\n    main()\nexcept SystemExit:\n    pass\n"
    heavy += "print([m for m in ('openai','scipy','docker','libcst','matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", heavy], capture_output=True, text=True, check=True)

    assert done.stdout.rstrip().endswith("[]")
    for name in ("bench", "doctor", "export", "models", "reap", "report", "tasks"):
        assert name in done.stdout
