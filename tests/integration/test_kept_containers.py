"""Which attempts leave a container that takes another one."""

import uuid

import pytest

from sandbox.engine import DockerSandbox
from sandbox.types import Job, Level

pytestmark = pytest.mark.docker

CONNECTION = """
import socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
far, _ = server.accept()
client.close()
far.close()
server.close()
"""


@pytest.fixture
def sandbox():
    with DockerSandbox(f"test-{uuid.uuid4().hex[:8]}", attempts_per_container=10) as made:
        yield made


def is_used_again_after(sandbox, script):
    """Run `script`, then another one; only a container's first attempt knows its peak of memory."""
    for source in (script, "x = 1\n"):
        result = sandbox.run(Job(id=uuid.uuid4().hex, script=source, level=Level.PROGRAM))
        assert result.exit_code == 0, result
    return result.cgroup_peak_bytes is None


def test_an_attempt_that_leaves_nothing(sandbox):
    """The container is used again."""
    assert is_used_again_after(sandbox, "print('done')\n")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(CONNECTION, id="a connection"),
        pytest.param("import subprocess\nsubprocess.Popen(['sleep', '60'])\n", id="a process"),
    ],
)
def test_an_attempt_that_leaves_something(sandbox, script):
    """What cannot be removed ends the container: a closed connection holds its ports for a minute."""
    assert not is_used_again_after(sandbox, script)
