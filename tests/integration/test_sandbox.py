"""One real container per job: what honest code gets, and what goes wrong on our side."""

import gc
import http.server
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox import image
from sandbox.connect import connect
from sandbox.engine import DockerSandbox
from sandbox.errors import EngineUnavailable, ImageMissing, SandboxError, UnsupportedLevel
from sandbox.hosts import DockerHost
from sandbox.types import Job, KilledBy, Level, Limits
from sandbox.verdict import RunVerdict, judge

pytestmark = pytest.mark.docker

PATIENT = Limits(wall_s=20.0, cpu_s=10.0)
ENGINE = "/var/run/docker.sock"


@pytest.fixture(scope="module")
def sandbox():
    with DockerSandbox(f"test-{uuid.uuid4().hex[:8]}") as made:
        yield made


@pytest.fixture
def shared(sandbox):
    def run(script, tests, **facts):
        facts = {"limits": PATIENT, **facts}
        return sandbox.run(Job(id=uuid.uuid4().hex, script=script, tests=tests, **facts))

    return run


@pytest.fixture
def program(sandbox):
    def run(script, **facts):
        facts = {"limits": PATIENT, **facts}
        return sandbox.run(Job(id=uuid.uuid4().hex, script=script, level=Level.PROGRAM, **facts))

    return run


def outcomes(result):
    return {test.id: str(test.outcome) for test in result.tests}


# Level shared


def test_record_of_a_failing_test(shared):
    """A failing comparison is reported with both sides, the message and where it was."""
    script = "def add(a, b):\n    return a - b\n"
    tests = "from solution import add\n\ndef test_add():\n    assert add(2, 3) == 5\n\ndef test_zero():\n    assert add(0, 0) == 0\n"

    result = shared(script, tests)

    assert judge(result) is RunVerdict.TESTS_FAILED
    assert outcomes(result) == {"test_add": "failed", "test_zero": "passed"}
    record = result.tests[0]
    assert (record.got, record.expected, record.exc_type, record.phase) == (
        "-1",
        "5",
        "AssertionError",
        "call",
    )
    assert "assert -1 == 5" in record.message
    assert [(frame.file, frame.line) for frame in record.frames] == [("test_solution.py", 4)]


def test_exception_in_the_script_shows_its_frames(shared):
    """An exception inside a test is told with the frames of test and script, and no others."""
    result = shared(
        "import json\ndef load(t):\n    return json.loads(t)\n",
        "from solution import load\ndef test_load():\n    load('{')\n",
    )

    assert judge(result) is RunVerdict.TESTS_FAILED
    assert result.tests[0].exc_type == "JSONDecodeError"
    assert [(f.file, f.function, f.source) for f in result.tests[0].frames] == [
        ("test_solution.py", "test_load", "load('{')"),
        ("solution.py", "load", "return json.loads(t)"),
    ]


def test_every_style_of_test(shared):
    """Parametrised tests, classes, fixtures, unittest, mocks, async and hypothesis tests have their ids."""
    tests = """
import asyncio
import unittest
from dataclasses import dataclass

import pytest
from hypothesis import given, strategies as st
from solution import Point, area, Shape

@pytest.fixture
def point():
    return Point(1, 2)

def test_fixture(point, tmp_path, tmpdir, monkeypatch, capsys, caplog, recwarn):
    print(point.x)
    assert capsys.readouterr().out == "1\\n"

@pytest.mark.parametrize("side", [1, 2])
@pytest.mark.parametrize("shape", [Shape.SQUARE, Shape.CIRCLE])
def test_area(shape, side):
    assert area(shape, side) > 0

@pytest.mark.parametrize("error", [ValueError, TypeError])
def test_errors(error):
    with pytest.raises(error):
        area(None, -1 if error is ValueError else "x")

class TestPoint:
    def test_x(self):
        assert Point(1, 2).x == 1

class TestUnit(unittest.TestCase):
    def test_sub(self):
        for n in (1, 2):
            with self.subTest(n=n):
                self.assertEqual(area(Shape.SQUARE, n), n * n)

@given(st.integers(1, 100))
def test_given(n):
    assert area(Shape.SQUARE, n) == n * n

@pytest.mark.asyncio
async def test_async():
    await asyncio.sleep(0)
    assert Point(3, 4).y == 4

def test_mock(mocker):
    mocker.patch("solution.area", return_value=7)
    import solution
    assert solution.area(1) == 7
"""
    script = """
import enum
from dataclasses import dataclass

@dataclass
class Point:
    x: int
    y: int

class Shape(enum.Enum):
    SQUARE = 1
    CIRCLE = 2

def area(shape, side):
    if not isinstance(side, int):
        raise TypeError(side)
    if side < 0:
        raise ValueError(side)
    return side * side * (1 if shape is Shape.SQUARE else 3)
"""
    result = shared(script, tests)

    assert [test for test in result.tests if test.outcome != "passed"] == []
    assert set(outcomes(result)) == {
        "test_fixture",
        *(f"test_area[Shape.{shape}-{side}]" for shape in ("SQUARE", "CIRCLE") for side in (1, 2)),
        "test_errors[ValueError]",
        "test_errors[TypeError]",
        "TestPoint::test_x",
        "TestUnit::test_sub",
        "test_given",
        "test_async",
        "test_mock",
    }
    assert judge(result) is RunVerdict.PASSED


def test_failed_subtest_fails_its_test(shared):
    """A test of which one part failed has failed."""
    tests = "import unittest\nfrom solution import f\nclass T(unittest.TestCase):\n    def test_s(self):\n        for n in (1, 2, 3):\n            with self.subTest(n=n):\n                self.assertEqual(f(n), 2)\n"

    result = shared("def f(n):\n    return n\n", tests)

    assert outcomes(result) == {"T::test_s": "failed"}
    assert judge(result) is RunVerdict.TESTS_FAILED


def test_missing_name_fails_the_tests(shared):
    """A script that lacks what the tests import fails them, each with the reason."""
    result = shared("x = 1\n", "from solution import f\ndef test_a():\n    f()\ndef test_b():\n    f()\n")

    assert judge(result) is RunVerdict.TESTS_FAILED
    assert outcomes(result) == {"test_a": "error", "test_b": "error"}
    assert result.tests[0].phase == "collect"
    assert "cannot import name 'f'" in result.tests[0].message


def test_exception_at_import(shared):
    """A script that cannot be imported is told with its own frames."""
    result = shared(
        "def g():\n    return {}['k']\n\ng()\n", "from solution import g\ndef test_a():\n    g()\n"
    )

    assert judge(result) is RunVerdict.RUNTIME_ERROR
    assert (result.exception.exc_type, result.exception.message) == ("KeyError", "'k'")
    assert [(frame.line, frame.function) for frame in result.exception.frames] == [(4, "<module>"), (2, "g")]
    assert outcomes(result) == {"test_a": "missing"}


def test_syntax_error_is_the_guests(shared):
    """The container's interpreter says where a script does not compile; nothing of it runs."""
    result = shared("print('ran')\nreturn 5\n", "def test_a():\n    pass\n")

    assert judge(result) is RunVerdict.SYNTAX_ERROR
    assert (result.compiled.exc_type, result.compiled.line) == ("SyntaxError", 2)
    assert result.compiled.source == "return 5"
    assert result.stdout.total_bytes == 0


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        ("def test_a(:\n    pass\n", "do not compile"),
        ("x = 1\n", "no tests"),
        ("import solution\nmade = solution.f(1)\ndef test_a():\n    pass\n", "solution.f was called"),
        (
            "import pytest, solution\n@pytest.mark.parametrize('n', [solution.LIMIT])\ndef test_a(n):\n    pass\n",
            "value of solution.LIMIT",
        ),
        ("import not_there\ndef test_a():\n    pass\n", "No module named 'not_there'"),
        ("raise SystemExit(0)\ndef test_a():\n    pass\n", "collect"),
        ("import os\nos._exit(0)\n", "ended with exit status 0"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "signal 11"),
        ("for n in range(3):\n    exec(f'def test_{n}(): pass')\n", "not defined in the test file"),
        (
            "import pytest, time\n@pytest.mark.parametrize('t', [str(time.time_ns())])\ndef test_a(t):\n    pass\n",
            "change",
        ),
    ],
    ids=["syntax", "empty", "call", "value", "import", "exit", "_exit", "crash", "dynamic", "unstable"],
)
def test_unusable_tests_are_named(shared, tests, reason):
    """Tests that cannot be collected without the script are the tests' fault, and why is said."""
    result = shared("LIMIT = 3\ndef f(n):\n    return n\n", tests)

    assert judge(result) is RunVerdict.NO_TESTS
    assert reason in result.tests_error


def test_skips_count_only_where_the_reference_skips(shared):
    """A skipped test passes only when the job says that it may skip."""
    tests = "import pytest\nfrom solution import f\n@pytest.mark.skip\ndef test_a():\n    f()\n@pytest.mark.xfail\ndef test_b():\n    assert 0\n"
    script = "def f():\n    pass\n"

    strict, lenient = shared(script, tests), shared(script, tests, may_skip=("test_a", "test_b"))

    assert outcomes(strict) == {"test_a": "skipped", "test_b": "xfailed"}
    assert judge(strict) is RunVerdict.TESTS_FAILED
    assert judge(lenient) is RunVerdict.PASSED


def test_test_in_which_the_time_ran_out(shared):
    """The test that was running at the deadline is the one that timed out; later ones are missing."""
    tests = (
        "from solution import f\ndef test_a():\n    f(0)\ndef test_b():\n    f(60)\ndef test_c():\n    f(0)\n"
    )

    result = shared("import time\nf = time.sleep\n", tests, limits=Limits(wall_s=3.0))

    assert result.killed_by is KilledBy.WALL
    assert outcomes(result) == {"test_a": "passed", "test_b": "timed_out", "test_c": "missing"}


def test_command_line_tests(shared):
    """Tests may start the script as a program from where they are."""
    tests = "import subprocess, sys\ndef test_cli():\n    done = subprocess.run([sys.executable, 'solution.py', 'x'], capture_output=True, text=True)\n    assert done.stdout == 'x\\n', done.stderr\n"

    result = shared("import sys\nif __name__ == '__main__':\n    print(sys.argv[1])\n", tests)

    assert judge(result) is RunVerdict.PASSED


def test_installed_packages_are_there(shared):
    """Scripts find the image's packages, in child processes too."""
    script = "import subprocess, sys\nimport numpy as np\ndef f():\n    code = 'import numpy; print(numpy.arange(3).sum())'\n    return int(np.arange(3).sum()), subprocess.check_output([sys.executable, '-c', code])\n"

    result = shared(script, "from solution import f\ndef test_f():\n    assert f() == (3, b'3\\n')\n")

    assert judge(result) is RunVerdict.PASSED, result.tests


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_a_script(shared, method):
    """A script may use multiprocessing, whichever way its processes start."""
    script = (
        "import multiprocessing\n"
        "def double(n):\n    return 2 * n\n"
        f"def f():\n    with multiprocessing.get_context('{method}').Pool(2) as pool:\n        return pool.map(double, [1, 2])\n"
    )

    result = shared(script, "from solution import f\ndef test_f():\n    assert f() == [2, 4]\n")

    assert judge(result) is RunVerdict.PASSED, result.tests


# Level program


def test_program_is_run_as_main(program):
    """A program sees its name, arguments and input, and its output comes back apart."""
    script = "import sys\nassert __name__ == '__main__'\nprint(sys.argv[1:], input())\nprint('err', file=sys.stderr)\n"

    result = program(script, argv=("a", "b c"), stdin="line\n")

    assert judge(result) is RunVerdict.PASSED
    assert (result.stdout.text, result.stderr.text) == ("['a', 'b c'] line\n", "err\n")
    assert result.evidence is None


def test_program_that_raises(program):
    """An uncaught exception is reported as data and printed as the interpreter would."""
    result = program("def f():\n    raise ValueError('no')\nf()\n")

    assert judge(result) is RunVerdict.RUNTIME_ERROR
    assert (result.exit_code, result.exception.exc_type) == (1, "ValueError")
    assert [frame.line for frame in result.exception.frames] == [3, 2]
    assert result.stderr.text.startswith("Traceback (most recent call last):\n  File")
    assert "guest" not in result.stderr.text


@pytest.mark.parametrize(
    ("script", "exit_code", "output"),
    [
        ("import sys\nsys.exit(3)\n", 3, ""),
        ("raise SystemExit('said')\n", 1, ""),
        ("exit()\n", 0, ""),
        ("import atexit\natexit.register(print, 'bye')\n", 0, "bye\n"),
        (
            "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.3), print('late'))).start()\n",
            0,
            "late\n",
        ),
        ("import os\nos._exit(137)\n", 137, ""),
        ("import sys\nsys.excepthook = lambda *a: print('hook')\n1 / 0\n", 1, "hook\n"),
        (
            "from dataclasses import dataclass\nimport pickle\n@dataclass\nclass C:\n    x: int\nprint(pickle.loads(pickle.dumps(C(1))))\n",
            0,
            "C(x=1)\n",
        ),
    ],
    ids=["exit", "exit text", "exit()", "atexit", "thread", "_exit", "excepthook", "pickle"],
)
def test_program_ends_as_it_would_outside(program, script, exit_code, output):
    """Exit statuses, threads, atexit handlers and hooks work as they do without us."""
    result = program(script)

    assert (result.exit_code, result.stdout.text) == (exit_code, output)
    assert result.killed_by is None


def test_program_that_waits_for_input_ends(program):
    """Without input a program finds its end and does not hang."""
    assert program("input()\n").exception.exc_type == "EOFError"


def test_long_input_arrives_whole(program):
    """A program gets all of its input, whatever the characters."""
    text = "é€😀\n" * 100_000

    result = program("import sys\nprint(len(sys.stdin.read()))\n", stdin=text)

    assert result.stdout.text == f"{len(text)}\n"


# Facts


def test_hash_seed_is_the_jobs(program):
    """The same hash seed gives the same order of a set of texts; another one gives another."""
    script = "print([hash(str(n)) for n in range(5)])\n"

    one, again, other = (program(script, hash_seed=seed) for seed in (1, 1, 2))

    assert one.stdout == again.stdout != other.stdout
    assert one.hash_seed == 1


def test_facts_are_measured(program):
    """CPU time, wall time and memory are those of the script."""
    result = program(
        "import time\nx = bytearray(100 * 2**20)\ntime.sleep(0.5)\nn = 0\nwhile time.process_time() < 0.5:\n    n += 1\n"
    )

    assert result.wall_s > 0.9
    assert 0.4 < result.cpu_s < 2.0
    assert 100 * 2**20 < result.max_rss_bytes < 200 * 2**20
    assert result.cgroup_peak_bytes is None or result.cgroup_peak_bytes > 100 * 2**20


def test_result_says_who_made_it(sandbox, program):
    """Interpreter and guest of a result are those of the image."""
    result, info = program("pass\n"), sandbox.image()

    assert (result.python, result.guest_version) == (info.python, info.guest_version)
    assert info.python.startswith("3.11.")


def test_profile_decides_how_much_memory_there_is(program):
    """What is too much for one profile fits into a larger one."""
    script = "x = bytearray(700 * 2**20)\n"

    assert judge(program(script)) is RunVerdict.OUT_OF_MEMORY
    assert judge(program(script, profile="large")) is RunVerdict.PASSED


def test_many_threads_share_one_sandbox(sandbox):
    """Jobs of several threads do not get each other's results."""

    def run(n):
        job = Job(id=uuid.uuid4().hex, script=f"print({n})\n", level=Level.PROGRAM, limits=PATIENT)
        return sandbox.run(job).stdout.text

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(8))) == [f"{n}\n" for n in range(8)]


def test_no_host_setting_gets_in(monkeypatch, program):
    """Proxy settings and keys of the host are not seen inside."""
    monkeypatch.setenv("HTTP_PROXY", "http://user:secret@proxy")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")

    result = program("import os\nprint(dict(os.environ))\nprint(open('/proc/1/cmdline').read())\n")

    assert "secret" not in result.stdout.text


# Our own failures


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"level": Level.PROCESS}, UnsupportedLevel),
        ({"level": Level.SHARED}, UnsupportedLevel),
        ({"level": Level.PROGRAM, "profile": "huge"}, SandboxError),
    ],
)
def test_job_that_cannot_be_done(sandbox, facts, error):
    """A job that this sandbox cannot do is refused before anything is made."""
    with pytest.raises(error):
        sandbox.run(Job(id="1", script="", **facts))


def test_levels(sandbox):
    """The levels on offer are those that work."""
    assert sandbox.levels() == set(Level)


def test_oversized_source_is_not_run(program):
    """A source of megabytes is a syntax error without any container."""
    result = program("x = 1\n" * 300_000)

    assert judge(result) is RunVerdict.SYNTAX_ERROR
    assert "characters" in result.compiled.message


def test_closed_sandbox_runs_nothing():
    """After close() a sandbox says so; closing twice is fine."""
    made = DockerSandbox("test-closed")
    made.image()
    made.close()
    made.close()

    with pytest.raises(SandboxError, match="closed"):
        made.run(Job(id="1", script="", level=Level.PROGRAM))


def test_no_engine():
    """Where no engine answers the error says what to look at."""
    with (
        DockerSandbox("test-none", hosts=[DockerHost(url="unix:///nowhere/docker.sock")]) as made,
        pytest.raises(EngineUnavailable, match="is it running"),
    ):
        made.run(Job(id="1", script="", level=Level.PROGRAM))


def test_missing_image(monkeypatch):
    """An image that is not built is named, with the command that builds it."""
    monkeypatch.setattr(image, "expected_tag", lambda: "mendbench-sandbox:not-there")

    with DockerSandbox("test-image") as made, pytest.raises(ImageMissing, match=r"not-there.*make image"):
        made.run(Job(id="1", script="", level=Level.PROGRAM))


def test_image_that_vanishes(monkeypatch):
    """An image removed while the bench runs is missing, not a failure of the script."""
    with DockerSandbox("test-vanished") as other:
        info = other.image()
    with DockerSandbox("test-vanished") as made:
        gone = type(info)(
            **{**{name: getattr(info, name) for name in info.__slots__}, "tag": "mendbench-sandbox:gone"}
        )
        monkeypatch.setattr(image, "find", lambda client: gone)

        with pytest.raises(ImageMissing, match="make image"):
            made.run(Job(id="1", script="", level=Level.PROGRAM))


# The SDK leaves a socket open whose connection is refused.
@pytest.mark.filterwarnings("ignore:.*unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")
def test_engine_that_dies_mid_run(make_proxy):
    """An engine that goes away during a run is our failure; its container ends by itself and is reaped."""
    run_id = f"test-{uuid.uuid4().hex[:8]}"
    job = Job(id="1", script="import time\ntime.sleep(60)\n", level=Level.PROGRAM, limits=Limits(wall_s=60.0))
    proxy = make_proxy()
    made = DockerSandbox(run_id, hosts=[DockerHost(url=f"unix://{proxy.path}")])
    client = connect()

    def running():
        return client.containers(filters={"label": f"mendbench.run={run_id}", "status": "running"})

    def at_work():
        processes = [
            row for entry in running() for row in client.top(entry["Id"], "-eo pid,uid")["Processes"]
        ]
        return any(int(uid) > 0 for _, uid in processes)

    try:
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(made.run, job)
            while not at_work():
                time.sleep(0.05)
            proxy.cut()
            error = type(answer.exception(timeout=60))
        made.close()
        # With it goes the traceback that holds the SDK's sockets.
        del answer
        gc.collect()

        assert error is EngineUnavailable
        deadline = time.monotonic() + 20
        while running() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert running() == []
    finally:
        for entry in client.containers(all=True, filters={"label": f"mendbench.run={run_id}"}):
            client.remove_container(entry["Id"], force=True)
        client.close()


class FullEngine(http.server.BaseHTTPRequestHandler):
    """An engine whose disk is full."""

    protocol_version = "HTTP/1.1"

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path.endswith("/version"):
            self._answer(200, b'{"ApiVersion": "1.41"}')
            return
        if "/containers/" in self.path:
            self._answer(200, b"[]")
            return
        labels = b'{"mendbench.identity": "i", "mendbench.python": "3.11.2", "mendbench.guest": "g", "mendbench.base": "b", "mendbench.packages": "p"}'
        self._answer(200, b'{"Id": "sha256:1", "Config": {"Labels": ' + labels + b"}}")

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(500, b'{"message": "mkdir /var/lib/docker/overlay2/x: no space left on device"}')

    def do_DELETE(self):
        self._answer(404, b'{"message": "No such container"}')

    def log_message(self, *args):
        pass


def test_full_disk_of_the_engine():
    """A full disk on the engine's side is our failure, and the error says so."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FullEngine)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with (
            DockerSandbox(
                "test-full", hosts=[DockerHost(url=f"tcp://127.0.0.1:{server.server_port}")]
            ) as made,
            pytest.raises(SandboxError, match="disk is full"),
        ):
            made.run(Job(id="1", script="", level=Level.PROGRAM))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
