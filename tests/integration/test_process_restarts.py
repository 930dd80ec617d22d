"""Level process: a test that ends the script's process costs itself; the next one finds a fresh one."""

import uuid

import pytest

from sandbox.engine import DockerSandbox
from sandbox.types import Flag, Job, KilledBy, Level, Limits
from sandbox.verdict import RunVerdict, judge

pytestmark = pytest.mark.docker

PATIENT = Limits(wall_s=30.0, cpu_s=20.0)
SHORT = Limits(wall_s=6.0, cpu_s=20.0)
FIVE = "import solution\n" + "".join(
    f"\ndef test_{n}():\n    assert solution.f({n}) == {n} + 1\n" for n in range(5)
)
REST = {f"test_{n}": "passed" for n in range(5)}


@pytest.fixture(scope="module")
def sandbox():
    with DockerSandbox(f"test-{uuid.uuid4().hex[:8]}") as made:
        yield made


@pytest.fixture
def run(sandbox):
    def run(script, tests=FIVE, limits=PATIENT):
        job = Job(id=uuid.uuid4().hex, script=script, tests=tests, level=Level.PROCESS, limits=limits)
        return sandbox.run(job)

    return run


def in_test(text, number=2, head=""):
    """A right script that does `text` in one test."""
    lines = "".join(f"        {line}\n" for line in text.splitlines())
    return f"import os, signal, time\n{head}\ndef f(x):\n    if x == {number}:\n{lines}    return x + 1\n"


def outcomes(result):
    return {test.id: str(test.outcome) for test in result.tests}


def canaries_stand(result):
    evidence = result.evidence
    return evidence.canaries_right and evidence.finished and evidence.exit_consistent


@pytest.mark.parametrize("number", [0, 2])
@pytest.mark.parametrize(
    ("text", "limits", "verdict"),
    [
        pytest.param("time.sleep(600)", SHORT, RunVerdict.TIMED_OUT, id="asleep"),
        pytest.param("os.kill(os.getpid(), signal.SIGSTOP)", SHORT, RunVerdict.TIMED_OUT, id="stopped"),
        pytest.param("while True: pass", Limits(wall_s=60.0, cpu_s=2.0), RunVerdict.CPU_LIMIT, id="busy"),
    ],
)
def test_endless_test_costs_itself(run, text, limits, verdict, number):
    """One test without end uses up its share and is named; the other four pass."""
    result = run(in_test(text, number), limits=limits)

    assert judge(result) is verdict
    assert outcomes(result) == REST | {f"test_{number}": "timed_out"}
    assert canaries_stand(result)


def test_endless_last_test(run):
    """The last test has all the time that is left."""
    result = run(in_test("time.sleep(600)", 4), limits=SHORT)

    assert judge(result) is RunVerdict.TIMED_OUT
    assert result.killed_by is KilledBy.WALL
    assert outcomes(result) == REST | {"test_4": "timed_out"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("os._exit(0)", id="exit"),
        pytest.param("import ctypes; ctypes.string_at(0)", id="segmentation fault"),
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", id="signal"),
        pytest.param("os.kill(os.getpid(), signal.SIGXCPU)", id="the signal of used-up time"),
        pytest.param("os.close(5)", id="link closed"),
        pytest.param(
            "import socket; socket.socket(fileno=5).shutdown(2); time.sleep(60)", id="link shut down"
        ),
        pytest.param("os.chmod('/work/run', 0); os._exit(0)", id="folder locked"),
        pytest.param("if os.fork() == 0:\n    time.sleep(60)\nos._exit(0)", id="a child keeps the link"),
        pytest.param(
            "if os.fork() == 0:\n    time.sleep(0.2)\n    return 3\nos._exit(0)", id="a child answers"
        ),
    ],
)
def test_crash_costs_itself(run, text):
    """A process that ends in a test costs that test; the next ones pass in a fresh process."""
    result = run(in_test(text))

    assert judge(result) is RunVerdict.CRASHED
    assert outcomes(result) == REST | {"test_2": "crashed"}
    assert canaries_stand(result)


BOMB = """
try:
    for _ in range(200):
        if os.fork() == 0:
            {child}
except OSError:
    pass
os._exit(1)
"""


@pytest.mark.parametrize("child", ["time.sleep(60)", "os._exit(0)"], ids=["alive", "zombies"])
def test_no_place_left_for_a_process(run, child):
    """What a fork bomb has taken is given back before the next process starts."""
    result = run(in_test(BOMB.format(child=child)))

    assert judge(result) is RunVerdict.CRASHED
    assert outcomes(result) == REST | {"test_2": "crashed"}
    assert Flag.PIDS_EXHAUSTED in result.flags


FILL = """
for number in range(8):
    for folder in ('/work/run', '/tmp', '/dev/shm'):
        try:
            with open(f'{folder}/{number}', 'wb', 0) as file:
                while True:
                    file.write(bytes(4096))
        except OSError:
            pass
os._exit(1)
"""


def test_full_disk(run):
    """A disk that the script has filled fails what needs it, and nothing else."""
    tests = FIVE + "\ndef test_path(tmp_path):\n    assert solution.f(9) == 10\n"

    result = run(in_test(FILL), tests)

    assert judge(result) is RunVerdict.CRASHED
    assert outcomes(result) == REST | {"test_2": "crashed", "test_path": "error"}
    assert canaries_stand(result)
    assert Flag.DISK_FULL in result.flags


def test_fresh_process_has_fresh_state(run):
    """What the script has remembered is gone after a restart; names that tests hold lead to the new one."""
    script = in_test("os._exit(0)").replace("return x", "SEEN.append(x)\n    return x") + "SEEN = []\n"
    tests = (
        "from solution import SEEN, f\nimport solution\n"
        + FIVE
        + "\ndef test_seen():\n    assert solution.SEEN == [3, 4]\n"
    )

    result = run(script, tests)

    assert outcomes(result) == REST | {"test_2": "crashed", "test_seen": "passed"}


def test_objects_from_before_are_stale(run):
    """An object of a process that has ended cannot be used any more, and says so."""
    script = in_test("os._exit(0)") + "\nclass Thing:\n    def get(self):\n        return 1\n"
    tests = FIVE.replace("import solution\n", "import solution\nthing = solution.Thing()\n") + (
        "\ndef test_old():\n    thing.get()\n\ndef test_new():\n    assert solution.Thing().get() == 1\n"
    )

    result = run(script, tests)

    assert outcomes(result) == REST | {"test_2": "crashed", "test_old": "failed", "test_new": "passed"}
    assert result.tests[5].exc_type == "StaleObject"


ONCE = "seen = os.path.exists('/tmp/seen')\nopen('/tmp/seen', 'w').close()\nif seen:\n    {then}\n"


@pytest.mark.parametrize(
    "then", ["os._exit(3)", "raise ValueError", "os.kill(0, 9)"], ids=["exits", "raises", "killed"]
)
def test_no_second_start(run, then):
    """A script that cannot be started again costs every test that needs it, not those that do not."""
    tests = FIVE + "\ndef test_alone():\n    assert 1 + 1 == 2\n"

    result = run(in_test("os._exit(0)", head=ONCE.format(then=then)), tests)

    assert judge(result) is RunVerdict.CRASHED
    crashed = {f"test_{n}": "crashed" for n in (2, 3, 4)}
    assert outcomes(result) == REST | crashed | {"test_alone": "passed"}
    assert canaries_stand(result)


def test_endless_second_start(run):
    """A second import without end costs a share of the time, and then the next test has its turn."""
    result = run(in_test("os._exit(0)", head=ONCE.format(then="time.sleep(600)")), limits=SHORT)

    assert judge(result) is RunVerdict.TIMED_OUT
    assert outcomes(result)["test_2"] == "crashed"
    assert outcomes(result)["test_3"] == "timed_out"


def test_many_crashes(run):
    """Hundreds of restarts use nothing up: each crash costs its test, and the last test passes."""
    tests = (
        "import pytest\nimport solution\n\n@pytest.mark.parametrize('x', range(300))\n"
        "def test_crash(x):\n    solution.f(2)\n\ndef test_last():\n    assert solution.f(1) == 2\n"
    )

    result = run(in_test("os._exit(0)"), tests, Limits(wall_s=300.0, cpu_s=200.0))

    assert judge(result) is RunVerdict.CRASHED
    found = outcomes(result)
    assert found.pop("test_last") == "passed"
    assert set(found.values()) == {"crashed"}
    assert canaries_stand(result)
