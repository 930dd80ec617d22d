"""Two attempts after one another: the second sees nothing of the first, even in the same container."""

import functools
import uuid

import pytest

from sandbox.engine import DockerSandbox
from sandbox.types import Job, Level
from sandbox.verdict import RunVerdict, judge

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture(scope="module")
def look(snapshot, options):
    """Says what an attempt sees in a container that no other has been in; of each mode, once."""

    @functools.cache
    def look(mode):
        with DockerSandbox(f"abuse-{uuid.uuid4().hex[:8]}", **options[mode]) as sandbox:
            return sandbox.run(snapshot.job()).stdout.text

    return look


@pytest.fixture
def untouched(look, mode):
    """What an attempt sees in a container of this test's mode that no other has been in."""
    return look(mode)


def test_second_attempt_sees_nothing(attempt, trace, snapshot, untouched):
    """Whatever the first attempt leaves behind, the second sees what an untouched container shows."""
    trace.check(attempt(trace))

    result = attempt(snapshot)

    assert result.stdout.text.splitlines() == untouched.splitlines()
    snapshot.check(result)


def test_snapshot_is_whole(untouched):
    """The script that looks for traces comes to its end."""
    assert untouched.splitlines()[-1].startswith("times")


@pytest.mark.parametrize(("mode", "same"), [("strict", False), ("reuse", True)], indirect=["mode"])
def test_containers_are_used_again_only_where_asked_for(sandbox, same):
    """Honest attempts share a container in the mode that allows it, and never otherwise."""
    script = "import os\nprint(os.uname().nodename)\n"
    jobs = [Job(id=uuid.uuid4().hex, script=script, level=Level.PROGRAM) for _ in range(3)]

    names = {sandbox.run(job).stdout.text for job in jobs}

    assert (len(names) == 1) is same


@pytest.mark.parametrize("mode", ["reuse"], indirect=True)
def test_users_differ(sandbox):
    """Attempts in the same container are different users."""
    script = "import os\nprint(os.uname().nodename, os.getuid())\n"
    jobs = [Job(id=uuid.uuid4().hex, script=script, level=Level.PROGRAM) for _ in range(3)]

    results = [sandbox.run(job) for job in jobs]

    assert all(judge(result) is RunVerdict.PASSED for result in results)
    assert len({result.stdout.text for result in results}) == 3
