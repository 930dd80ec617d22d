"""Our own side breaks while hostile code runs: nothing hangs, nothing stays, no script is blamed."""

import contextlib
import gc
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from sandbox import reaper
from sandbox.connect import connect
from sandbox.engine import DockerSandbox
from sandbox.errors import SandboxError
from sandbox.hosts import DockerHost
from sandbox.types import Job, Level, Limits

ENGINE = "/var/run/docker.sock"
ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.skipif(not Path(ENGINE).exists(), reason="the engine is not on the usual socket"),
]
# It outlives everything that only asks.
STUBBORN = """
import os, signal, time
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    os.fork()
while True:
    time.sleep(1)
"""
FLOOD = "import sys\nfor _ in range(2000):\n    print('x' * 1000)\nsys.exit(3)\n"
BENCH = """
import sys
from sandbox.engine import DockerSandbox
from sandbox.types import Job, Level, Limits
with DockerSandbox(sys.argv[1]) as sandbox:
    sandbox.run(Job(id="1", script=sys.argv[2], level=Level.PROGRAM, limits=Limits(wall_s=120.0)))
"""


def job(script, wall_s):
    return Job(id=uuid.uuid4().hex, script=script, level=Level.PROGRAM, limits=Limits(wall_s=wall_s))


@pytest.fixture
def run_id():
    return f"abuse-{uuid.uuid4().hex[:8]}"


def wait_until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert condition()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_bench_that_is_killed_under_a_stubborn_script(run_id, containers_of, how):
    """When the bench is killed, what runs for it ends by itself, however stubborn, and is then reaped."""
    command = [sys.executable, "-P", "-c", BENCH, run_id, STUBBORN]
    with subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}) as bench:
        wait_until(lambda: containers_of(run_id, status="running"))
        time.sleep(1.5)
        # A bench that stands still reads nothing either; its end must still be the end of all.
        bench.send_signal(how)
        bench.kill()
    wait_until(lambda: not containers_of(run_id, status="running"))
    with closing(connect()) as client:
        reaper.reap(client)
    assert containers_of(run_id) == []


class Gate:
    """Stands before the engine's socket, and holds back the answers once `holds` was in a request."""

    def __init__(self, folder, holds):
        self.url = f"unix://{folder}/gate.sock"
        self._holds = holds
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{folder}/gate.sock")
        self._listener.listen()
        self._ends = []
        self._open = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(ENGINE)
            self._ends += [near, far]
            held = threading.Event()
            for pump in (self._forth, self._back):
                self._threads.append(threading.Thread(target=pump, args=(near, far, held)))
                self._threads[-1].start()

    def _forth(self, near, far, held):
        with contextlib.suppress(OSError):
            while data := near.recv(65536):
                if self._holds in data:
                    held.set()
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)

    def _back(self, near, far, held):
        with contextlib.suppress(OSError):
            while True:
                data = far.recv(65536)
                if held.is_set():
                    self._open.wait()
                if not data:
                    break
                near.sendall(data)
            near.shutdown(socket.SHUT_WR)

    def close(self):
        """Let everything go. Safe to call twice."""
        if self._open.is_set():
            return
        self._open.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()


@pytest.fixture
def gate():
    """Makes gates; a short path, because those of sockets are limited."""
    folder, made = tempfile.mkdtemp(prefix="mb-"), []

    def build(holds):
        made.append(Gate(folder, holds))
        return made[-1]

    yield build
    for one in made:
        one.close()
    shutil.rmtree(folder)


@pytest.mark.parametrize("script", [STUBBORN, FLOOD], ids=["stubborn", "flood"])
@pytest.mark.parametrize("holds", [b"/containers/create", b"/attach", b"/start", b'"script"'])
# The SDK leaves a socket open whose answer never comes.
@pytest.mark.filterwarnings("ignore:.*unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")
def test_engine_that_falls_silent(run_id, gate, containers_of, bench, holds, script):
    """An engine that hangs, or a stream that nobody reads, costs the worker its margin and not more."""
    begin, held = time.monotonic(), gate(holds)
    hosts = (DockerHost(url=held.url),)

    with (
        DockerSandbox(run_id, hosts=hosts, timeout_s=5, margin_s=3.0) as sandbox,
        pytest.raises(SandboxError),
    ):
        sandbox.run(job(script, 1.0))

    assert time.monotonic() - begin < 60
    with closing(connect()) as client:
        reaper.remove_run(client, run_id)
    assert containers_of(run_id) == []
    held.close()
    # With the exceptions go the tracebacks that hold the SDK's sockets.
    gc.collect()
    bench.assert_unharmed()
