"""Children of zygotes are whole processes, whether forked in one step, in two or not at all."""

import uuid

import docker
import pytest

from sandbox import image
from sandbox.engine import DockerSandbox
from sandbox.types import Job, Level

pytestmark = pytest.mark.docker

IN_A_CONTAINER = """
import os, sys, threading, time
sys.path.insert(0, "/opt/mendbench")
from guest import forking

how = getattr(forking, sys.argv[1])
zygote = os.fork()
if zygote == 0:
    child = how()
    if child:
        os._exit(0)
    assert child == 0
    while os.getppid() != 1:
        # Whoever is between may not have ended yet.
        assert how is not forking._fork_sibling
        time.sleep(0.001)
    assert threading.get_native_id() == os.getpid() == int(os.readlink("/proc/self"))
    ran = []
    thread = threading.Thread(target=lambda: ran.append(threading.get_native_id()))
    thread.start()
    thread.join()
    assert ran != [os.getpid()] and len(ran) == 1
    if os.fork() == 0:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
    os.abort()
ended = dict(os.wait() for _ in range(2))
assert os.waitstatus_to_exitcode(ended.pop(zygote)) == 0
print([os.waitstatus_to_exitcode(status) for status in ended.values()])
"""
SIGNALS = """
import os, signal, sys, threading, time
caught = []
signal.signal(signal.SIGUSR1, lambda *_: caught.append("raised"))
signal.raise_signal(signal.SIGUSR1)
signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
print(caught, os.getppid(), threading.get_native_id() == os.getpid(), flush=True)
try:
    os.wait()
except ChildProcessError:
    print("no child", flush=True)
os.abort()
"""


@pytest.mark.parametrize("how", ["_fork_sibling", "_fork_twice", "fork_away"])
def test_a_child_of_the_parent(how):
    """Threads, forks and abort() work as in any process, and its parent is PID 1."""
    client = docker.APIClient(base_url=image.ensure(), version="auto", timeout=120)
    command = ["python3", "-I", "-S", "-B", "-c", IN_A_CONTAINER, how]
    container = client.create_container(image.expected_tag(), command, network_disabled=True)["Id"]
    try:
        client.start(container)
        client.wait(container)
        output = client.logs(container).decode()
    finally:
        client.remove_container(container, force=True, v=True)
        client.close()
    assert output == "[-6]\n"


@pytest.mark.parametrize("attempts", [1, 10], ids=["the zygote itself", "its child"])
def test_a_program_is_a_process_like_any_other(attempts):
    """It can send signals to itself and abort, and it has no children that it did not make."""
    with DockerSandbox(f"test-{uuid.uuid4().hex[:8]}", attempts_per_container=attempts) as sandbox:
        result = sandbox.run(Job(id=uuid.uuid4().hex, script=SIGNALS, level=Level.PROGRAM))
    assert result.stdout.head == "['raised', 'raised'] 1 True\nno child\n", result
    assert (result.signal, result.exit_code) == (6, None)
