"""mendbench run, for real: one script, one container, the verdict for people and for programs."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from evaluator.cli import group
from evaluator.errors import UsageProblem
from sandbox.connect import connect
from sandbox.owner import Owner
from sandbox.reaper import LABEL_OWNER

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]
GOOD = "def double(x):\n    return 2 * x\n"
TESTS = "from solution import double\n\n\ndef test_four():\n    assert double(4) == 8\n"
EVIL = "\x1b[2J\x1b]0;title\x07\u202etxt\u200b [red]x[/red]"


def run(*args, stdin=None):
    """Run the command; gives its exit code and what it printed."""
    result = CliRunner().invoke(group, ["run", *map(str, args)], input=stdin, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.stdout


def run_json(*args, stdin=None):
    code, text = run(*args, "--json", stdin=stdin)
    assert text.isascii()
    return code, json.loads(text)


@pytest.fixture
def write(tmp_path):
    def put(name, text):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return put


@pytest.mark.parametrize("level", ["process", "shared", "program"])
def test_levels_and_suspicious_code(write, level):
    """At every level the flags of suspicious code stand beside the verdict, for people and for programs."""
    script = write("s.py", GOOD + "\n\ndef g(e):\n    import os\n    return e.__traceback__, os._exit\n")
    words = () if level == "program" else ("--tests", write("t.py", TESTS))
    _, line = run_json(script, *words, "--grading", level)
    _, text = run(script, *words, "--grading", level)

    assert (line["verdict"], line["level"]) == ("passed", level)
    assert line["suspicious"] == ["frames", "process_exit"]
    assert text.startswith(f"passed  (level {level})\n")
    assert "suspicious code (no verdict depends on it): frames, process_exit" in text


def test_a_good_script_passes(write):
    """Exit code 0, and every promised field with its value."""
    script, tests = write("good.py", "print('hi')\n" + GOOD), write("t.py", TESTS)
    code, line = run_json(script, "--tests", tests)

    assert code == 0
    assert (line["id"], line["verdict"], line["level"]) == (str(script), "passed", "process")
    assert [(test["id"], test["outcome"]) for test in line["tests"]] == [("test_four", "passed")]
    assert (line["signal"], line["killed_by"], line["flags"]) == (None, None, [])
    assert line["stdout"] == "hi\n"
    assert line["max_rss_bytes"] > 0


def test_a_wrong_script_fails_and_says_how(write):
    """Exit code 1; people see the verdict first, then the test with what it got and what it expected."""
    script, tests = write("bad.py", GOOD.replace("2", "3")), write("t.py", TESTS)
    code, text = run(script, "--tests", tests)
    _, line = run_json(script, "--tests", tests)

    assert code == 1
    assert text.startswith("tests_failed  (level process)\n")
    assert "test_four" in text
    assert "got       12" in text
    assert "expected  8" in text
    assert (line["tests"][0]["got"], line["tests"][0]["expected"]) == ("12", "8")


@pytest.mark.parametrize(
    ("script", "args", "verdict", "killed_by"),
    [
        ("while True: pass", ("--limit-cpu", 1, "--limit-wall", 120), "cpu_limit", "cpu"),
        ("import time; time.sleep(60)", ("--limit-wall", 1), "timed_out", "wall"),
        ("while True: print('x' * 9999)", (), "output_limit", "output"),
        ("x = [b'x' * 10**7 for _ in range(10**4)]", (), "out_of_memory", "memory"),
        ("import os; os.kill(os.getpid(), 11)", (), "crashed", None),
        ("raise SystemExit(137)", (), "runtime_error", None),
        ("x = (", (), "syntax_error", None),
    ],
)
def test_limits_and_ends(write, script, args, verdict, killed_by):
    """However a script ends, the facts say so, for people and for programs, in bounded size."""
    path = write("s.py", script)
    code, line = run_json(path, *args)

    assert (code, line["verdict"], line["killed_by"]) == (1, verdict, killed_by)
    assert len(json.dumps(line)) < 300_000


def test_hostile_text_moves_no_cursor(write):
    """What a script prints, raises and is made of reaches a terminal without control characters."""
    script = write(
        "evil.py",
        f"print({EVIL!r})\nimport sys\nprint({EVIL!r}, file=sys.stderr)\nraise ValueError({EVIL!r})\n",
    )
    code, text = run(script)

    assert code == 1
    assert "[red]x[/red]" in text
    assert not set(text) & set("\x1b\x07\u202e\u200b")


def test_long_output_is_shown_at_both_ends(write):
    """People see the first and the last lines and how many are missing."""
    _, text = run(write("s.py", "for i in range(1000): print('line', i)"))

    assert "line 0\n" in text
    assert "line 999\n" in text
    assert "lines not shown" in text
    assert len(text.splitlines()) < 40


def test_input_and_arguments(write):
    """A script gets standard input and arguments; it may come from standard input itself."""
    given = write("in.txt", "olé\n")
    code, line = run_json(
        "-", "--stdin", given, "--arg", "a b", "--arg=-c", stdin="import sys\nprint(sys.argv[1:], input())\n"
    )

    assert (code, line["id"]) == (0, "-")
    assert line["stdout"] == "['a b', '-c'] olé\n"


def test_a_reply_is_cleaned_first(write):
    """--reply takes the code out of a model's answer; an answer without code is a verdict, too."""
    reply = write("reply.md", f"Sure!\n```python\n{GOOD}```\nDone.\n")
    tests = write("t.py", TESTS)
    code, line = run_json(reply, "--reply", "--tests", tests, "--entry-point", "double")
    raw_code, raw = run_json(reply, "--tests", tests)
    none_code, none = run_json(write("none.md", "I cannot."), "--reply")
    _, text = run(write("none.md", "I cannot."), "--reply")

    assert (code, line["verdict"], line["clean"]["outcome"]) == (0, "passed", "cleaned")
    assert (raw_code, raw["verdict"], raw["clean"]) == (1, "syntax_error", None)
    assert (none_code, none["verdict"]) == (1, "no_code")
    assert text.startswith("no_code")


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("missing.py",), "cannot be read"),
        (("s.py", "--tests", "missing.py"), "cannot be read"),
        (("s.py", "--grading", "shared"), "needs --tests"),
        (("s.py", "--tests", "s.py", "--grading", "program"), "runs no tests"),
        (("bytes.py",), "not UTF-8: byte 1"),
    ],
)
def test_what_makes_no_sense_is_refused(write, monkeypatch, tmp_path, args, why):
    """A question that cannot be asked is a usage problem, told before any container is made."""
    monkeypatch.chdir(tmp_path)
    write("s.py", "x = 1")
    write("bytes.py", b"#\xff")

    with pytest.raises(UsageProblem, match=why):
        run(*args)


def test_exit_codes_of_the_process(write):
    """Without an engine it is our fault (3); a bad flag is the caller's (2)."""
    script = write("s.py", "x = 1")
    command = [sys.executable, "-m", "evaluator.cli", "run", str(script)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_HOST": "unix:///nowhere.sock"}
    ours = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    usage = subprocess.run([*command, "--limit-wall", "0"], env=env, capture_output=True, check=False)

    assert (ours.returncode, usage.returncode) == (3, 2)
    assert "engine does not answer" in ours.stderr
    assert ours.stdout == ""


def containers_of(pid):
    with contextlib.closing(connect()) as client:
        found = client.containers(all=True, filters={"label": LABEL_OWNER})
    owners = [(entry["Id"], Owner.parse(entry["Labels"][LABEL_OWNER])) for entry in found]
    return [container for container, owner in owners if owner is not None and owner.pid == pid]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_container(write, number):
    """Ended from outside, it removes its container and says so by its exit code."""
    script = write("s.py", "print('up', flush=True)\nimport time\ntime.sleep(60)")
    process = subprocess.Popen(
        [sys.executable, "-m", "evaluator.cli", "run", str(script), "--limit-wall", "50"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not containers_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert containers_of(process.pid)
    process.send_signal(number)

    assert process.wait(60) == 130
    assert containers_of(process.pid) == []
