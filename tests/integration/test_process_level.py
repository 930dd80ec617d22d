"""Level process in real containers: what honest and broken code gets, and what a script can reach."""

import uuid

import pytest

from sandbox.engine import DockerSandbox
from sandbox.types import Flag, Job, KilledBy, Level, Limits
from sandbox.verdict import RunVerdict, judge

pytestmark = [pytest.mark.docker, pytest.mark.keeps_container]

PATIENT = Limits(wall_s=20.0, cpu_s=10.0)
RIGHT = "def f(x):\n    return x + 1\n"
TESTS = "from solution import f\n\ndef test_one():\n    assert f(1) == 2\n\ndef test_two():\n    assert f(2) == 3\n"


@pytest.fixture(scope="module")
def sandbox():
    with DockerSandbox(f"test-{uuid.uuid4().hex[:8]}", attempts_per_container=50) as made:
        yield made


@pytest.fixture
def run(sandbox):
    def run(script, tests=TESTS, **facts):
        facts = {"limits": PATIENT, **facts}
        return sandbox.run(Job(id=uuid.uuid4().hex, script=script, tests=tests, level=Level.PROCESS, **facts))

    return run


def outcomes(result):
    return {test.id: str(test.outcome) for test in result.tests}


# What is reported


def test_passing(run):
    """A right script passes, with every piece of evidence and without a flag."""
    result = run(RIGHT)

    assert judge(result) is RunVerdict.PASSED
    assert (result.flags, result.killed_by, result.suspicious) == ((), None, ())
    evidence = result.evidence
    assert evidence.collected == evidence.expected == ("test_one", "test_two")
    assert evidence.canaries_right
    assert evidence.finished
    assert evidence.exit_consistent


def test_syntax_error(run):
    """A script that does not compile is a syntax error with its line, and no test is reported."""
    result = run("x = 1\ndef f(:\n")

    assert judge(result) is RunVerdict.SYNTAX_ERROR
    assert (result.compiled.line, result.tests) == (2, ())


def test_import_error_has_frames(run):
    """An error at import is reported with the frames that it has in the script."""
    result = run("def g():\n    return 1 / 0\n\n\ng()\n")

    assert judge(result) is RunVerdict.RUNTIME_ERROR
    assert result.exception.exc_type == "ZeroDivisionError"
    assert [(frame.file, frame.line) for frame in result.exception.frames] == [
        ("solution.py", 5),
        ("solution.py", 2),
    ]


def test_failing_call_has_frames_of_both(run):
    """An error in a call is reported with the test's frame and the script's."""
    result = run("def f(x):\n    raise KeyError(x)\n")

    assert judge(result) is RunVerdict.TESTS_FAILED
    first = result.tests[0]
    assert (first.exc_type, first.message) == ("KeyError", "1")
    assert {frame.file for frame in first.frames} == {"test_solution.py", "solution.py"}


@pytest.mark.parametrize(
    ("tests", "why"),
    [
        pytest.param("def test_(:\n", "do not compile", id="do not compile"),
        pytest.param("from solution import f\n\nx = 1\n", "no tests", id="none"),
        pytest.param(
            "from solution import f\n\ndef test_a():\n    assert eval('f(1)') == 2\n", "eval()", id="eval"
        ),
        pytest.param(
            "import pickle\nfrom solution import f\n\ndef test_a():\n    pickle.dumps(f)\n",
            "pickle",
            id="pickle",
        ),
    ],
)
def test_tests_that_cannot_be_run(run, tests, why):
    """Tests that cannot be run in two processes are no tests, and the reason is named."""
    result = run(RIGHT, tests)

    assert judge(result) is RunVerdict.NO_TESTS
    assert why in result.tests_error


# Surroundings


def test_output_is_in_order(run):
    """What script and tests print comes out in the order in which they printed it."""
    script = (
        "import sys\nprint('import')\ndef f(x):\n    print('call', x)\n    print('bad', x, file=sys.stderr)\n"
    )
    tests = (
        "from solution import f\n\ndef test_a():\n    print('before')\n    f(1)\n    print('between')\n"
        "    f(2)\n    print('after')\n"
    )

    result = run(script, tests)

    assert result.stdout.text.split("\n") == [
        *("import", "before", "call 1", "between", "call 2", "after"),
        "",
    ]
    assert result.stderr.text == "bad 1\nbad 2\n"


@pytest.mark.parametrize("fixture", ["capsys", "capfd"])
def test_output_is_captured(run, fixture):
    """Tests capture what the script prints, with and without a file number below."""
    script = "import sys\ndef f(x):\n    print('out', x)\n    print('err', x, file=sys.stderr)\n"
    tests = (
        f"from solution import f\n\ndef test_a({fixture}):\n    f(1)\n"
        f"    assert {fixture}.readouterr() == ('out 1\\n', 'err 1\\n')\n"
        f"    f(2)\n    assert {fixture}.readouterr().out == 'out 2\\n'\n"
    )

    result = run(script, tests)

    assert judge(result) is RunVerdict.PASSED
    assert result.stdout.text == ""


def test_input_comes_from_the_tests(run):
    """The script reads what the tests have put into standard input."""
    script = "import sys\ndef f():\n    return input('? '), sys.stdin.read()\n"
    tests = (
        "import io\nfrom solution import f\n\ndef test_a(monkeypatch):\n"
        "    monkeypatch.setattr('sys.stdin', io.StringIO('one\\ntwo\\nthree'))\n"
        "    assert f() == ('one', 'two\\nthree')\n"
    )

    assert judge(run(script, tests)) is RunVerdict.PASSED


def test_facts_of_both_processes_count(run):
    """CPU time and memory of the script's process are in the facts, and so is its waiting."""
    script = (
        "import time\ndef f(x):\n    kept = b'x' * (150 << 20)\n"
        "    while time.process_time() < 1.0:\n        pass\n    return x + 1 + len(kept) * 0\n"
    )

    result = run(script)

    assert judge(result) is RunVerdict.PASSED
    assert 0.5 < result.cpu_s < 5
    assert result.wall_s >= result.cpu_s / 2
    assert 150 << 20 < result.max_rss_bytes < 400 << 20
    assert result.run_delay_s is not None
    assert result.run_delay_s >= 0


# Limits


def test_memory(run):
    """A test that takes all memory costs itself; the next one finds a fresh process."""
    script = "def f(x):\n    kept = []\n    while x == 1:\n        kept.append(b'x' * (1 << 20))\n    return x + 1\n"

    result = run(script)

    assert judge(result) is RunVerdict.OUT_OF_MEMORY
    assert outcomes(result) == {"test_one": "crashed", "test_two": "passed"}


@pytest.mark.parametrize("at", ["import", "call"])
@pytest.mark.parametrize("stream", [1, 2, 6, 7])
def test_output_limit(run, stream, at):
    """Output without end is killed for that, whichever way it takes."""
    flood = f"    while True:\n        os.write({stream}, b'x' * 4096)\n"
    script = f"import os\ndef f(x):\n{flood}\n" + ("f(1)\n" if at == "import" else "")

    result = run(script)

    assert judge(result) is RunVerdict.OUTPUT_LIMIT
    assert Flag.OUTPUT_TRUNCATED in result.flags


# What the script can reach


@pytest.mark.parametrize("fd", [3, 5])
def test_nonsense_to_the_other_side_is_tampering(run, fd):
    """Who writes nonsense into the report or the link has tampered."""
    result = run(f"import os\ndef f(x):\n    os.write({fd}, b'nonsense\\n' * 9)\n    return x + 1\n")

    assert judge(result) is RunVerdict.TAMPERED
    assert result.evidence.protocol_broken


@pytest.mark.parametrize("used", ["1e9", "-1e9", "1e999", "-1e999", "0.5"])
def test_a_forged_beginning_is_tampering(run, used):
    """The script cannot say how much time it had used before it began."""
    script = f"""import os\nos.write(3, b'{{"event": "begin", "cpu_s": {used}}}\\n')\n{RIGHT}"""

    result = run(script)

    assert judge(result) is RunVerdict.TAMPERED
    assert 0 <= result.cpu_s < 10


def test_files_of_the_script(run):
    """The script's process has its streams, the report, the link and two more pipes; nothing else."""
    script = (
        "import os\ndef f(x):\n    found = []\n    for fd in range(256):\n        try:\n"
        "            found.append((fd, os.readlink(f'/proc/self/fd/{fd}').partition(':')[0]))\n"
        "        except OSError:\n            pass\n    return found\n"
    )
    tests = (
        "from solution import f\n\ndef test_a():\n    assert f(1) == [(0, '/dev/null'), (1, 'pipe'), (2, 'pipe'),"
        " (3, 'pipe'), (5, 'socket'), (6, 'pipe'), (7, 'pipe')]\n"
    )

    result = run(script, tests)

    assert judge(result) is RunVerdict.PASSED, result.tests


SEARCH = """
import os

def seen(path):
    try:
        with open(path, 'rb') as file:
            return file.read(1 << 20)
    except OSError:
        return b''

def f(word):
    word = word[::-1].encode()
    found = []
    for top in ('/work', '/tmp', '/dev/shm', '/proc'):
        for here, folders, names in os.walk(top, onerror=lambda _: None):
            if here.startswith('/proc/') and here.split('/')[2] in {'self', 'thread-self', str(os.getpid())}:
                folders.clear()
                continue
            found += [f'{here}/{name}' for name in names if word in seen(f'{here}/{name}')]
    return found

AT_IMPORT = f('drow_gnorts_yrev')
"""


def test_tests_cannot_be_read(run):
    """No file that the script can open holds a word of the tests, neither at import nor in a call."""
    tests = (
        "import solution\n\ndef test_very_strong_word():\n    assert solution.AT_IMPORT == []\n"
        "    assert solution.f('drow_gnorts_yrev') == []\n"
    )

    result = run(SEARCH, tests)

    assert judge(result) is RunVerdict.PASSED, result.tests


REACH = """
import ctypes, os, signal

libc = ctypes.CDLL(None, use_errno=True)

def f(x):
    reached = []
    for pid in map(int, filter(str.isdigit, os.listdir('/proc'))):
        if pid == os.getpid():
            continue
        for number in (0, signal.SIGSTOP, signal.SIGKILL):
            try:
                os.kill(pid, number)
                reached.append(('kill', pid))
            except PermissionError:
                pass
        if libc.ptrace(16, pid, 0, 0) == 0:
            reached.append(('ptrace', pid))
        for name in ('mem', 'environ', 'maps', 'fd/0', 'fd/3', 'fd/5', 'cwd/.', 'root/work'):
            try:
                os.close(os.open(f'/proc/{pid}/{name}', os.O_RDONLY))
                reached.append((name, pid))
            except OSError:
                pass
    return reached
"""


def test_other_processes_cannot_be_reached(run):
    """The script can neither signal, trace nor look into the tests' process, or any other."""
    tests = "from solution import f\n\ndef test_a():\n    assert f(1) == []\n"

    result = run(REACH, tests)

    assert judge(result) is RunVerdict.PASSED, result.tests


# Containers that are used again


@pytest.mark.parametrize(
    "script",
    [RIGHT, "def f(x):\n    return x\n", "1 / 0\n", "def f(:\n"],
    ids=["right", "wrong", "raises", "syntax error"],
)
def test_twenty_attempts_in_one_container(script):
    """Every honest attempt leaves its container fit for the next; only the first knows the peak of memory."""
    with DockerSandbox(f"test-{uuid.uuid4().hex[:8]}", attempts_per_container=20) as sandbox:
        jobs = [Job(id=uuid.uuid4().hex, script=script, tests=TESTS, level=Level.PROCESS) for _ in range(20)]
        results = [sandbox.run(job) for job in jobs]

    assert len({judge(result) for result in results}) == 1
    assert [result.cgroup_peak_bytes is None for result in results] == [False, *[True] * 19]


def test_an_attempt_sees_nothing_of_the_one_before(run):
    """Files of both sides are gone when the next attempt begins, and both users are others."""
    script = (
        "import os\nprint(os.getuid(), [sorted(os.listdir(at)) for at in ('/work/run', '/work/both', '/tmp', '/dev/shm')])\n"
        "def f(x, folder):\n    os.makedirs(f'{folder}/a/b')\n"
        "    for at in (folder, '/work/run', '/tmp', '/dev/shm'):\n        open(f'{at}/left', 'w').close()\n    return x\n"
    )
    tests = "from solution import f\n\ndef test_a(tmp_path):\n    assert f(1, str(tmp_path)) == 1\n    open('mine', 'w').close()\n"

    users, seen = zip(*(run(script, tests).stdout.text.split(" ", 1) for _ in range(3)), strict=True)

    assert len(set(users)) == 3
    assert set(seen) == {"[['solution.py'], [], [], []]\n"}


def test_kills_are_named(run):
    """An import without end is killed for its wall time, and no test is blamed."""
    result = run("import time\ntime.sleep(60)\n", limits=Limits(wall_s=1.0))

    assert judge(result) is RunVerdict.TIMED_OUT
    assert result.killed_by is KilledBy.WALL
    assert outcomes(result) == {"test_one": "missing", "test_two": "missing"}
