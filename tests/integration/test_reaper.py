"""Nothing survives: neither a killed bench nor an engine's slip; what is not ours is never touched."""

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from sandbox import container
from sandbox.connect import connect
from sandbox.image import find
from sandbox.owner import FALLBACK_AGE_S, Owner, owner_id
from sandbox.reaper import LABEL_CREATED, LABEL_OWNER, LABEL_RUN, reap, remove, remove_run
from sandbox.types import PROFILES

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]
BENCH = """
import sys
from sandbox.engine import DockerSandbox
from sandbox.types import Job, Level, Limits

job = Job(id="1", script="import time\\ntime.sleep(60)\\n", level=Level.PROGRAM, limits=Limits(wall_s=60.0))
with DockerSandbox(sys.argv[1]) as sandbox:
    sandbox.run(job)
"""


@pytest.fixture
def client():
    made = connect()
    yield made
    made.close()


@pytest.fixture
def make(client):
    """Create containers (never started) with given labels; remove them in the end."""
    made = []

    def create(labels):
        body = container.body(find(client).tag, PROFILES["default"], "test", None, 0) | {"Labels": labels}
        made.append(client.create_container_from_config(body, container.random_name())["Id"])
        return made[-1]

    yield create
    for entry in made:
        remove(client, entry)


def ids(client, run_id, **filters):
    found = client.containers(all=True, filters={"label": f"{LABEL_RUN}={run_id}", **filters})
    return [entry["Id"] for entry in found]


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def dead_owner():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    me = Owner.me()
    start = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
    child.communicate()
    return Owner(host=me.host, boot=me.boot, namespace=me.namespace, pid=child.pid, start=start)


def test_owner_of_this_process_lives():
    """A running process is alive, however old its containers are; its text reads back as the same."""
    assert Owner.parse(owner_id()) == Owner.me()
    assert not Owner.me().is_gone(created=0.0)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc here")
def test_owner_that_ended_is_gone():
    """A process that ended is gone; so is one whose number another process has now."""
    me = Owner.me()
    reused = Owner(host=me.host, boot=me.boot, namespace=me.namespace, pid=os.getpid(), start="1")

    assert dead_owner().is_gone(time.time())
    assert reused.is_gone(time.time())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc here")
@pytest.mark.parametrize("field", ["host", "namespace"])
def test_owner_out_of_sight_is_judged_by_age(field):
    """An owner on another machine or in another pid namespace is left alone until its container is old."""
    dead = dead_owner()
    fields = {name: getattr(dead, name) for name in dead.__slots__} | {field: "elsewhere"}

    assert not Owner(**fields).is_gone(time.time())
    assert Owner(**fields).is_gone(time.time() - FALLBACK_AGE_S - 1)


def test_owner_before_a_reboot_is_gone():
    """Nothing that ran before this machine was started lives."""
    me = Owner.me()
    before = Owner(host=me.host, boot="another", namespace=me.namespace, pid=me.pid, start=me.start)

    assert before.is_gone(time.time())


def test_owner_without_proc_is_judged_by_pid():
    """Where there is no /proc, a process number that lives keeps its container until it is old."""
    me = Owner.me()
    alive = Owner(host=me.host, boot="-", namespace="-", pid=os.getpid(), start="-")
    dead = Owner(host=me.host, boot="-", namespace="-", pid=dead_owner().pid, start="-")

    assert not alive.is_gone(time.time())
    assert alive.is_gone(time.time() - FALLBACK_AGE_S - 1)
    assert dead.is_gone(time.time())


@pytest.mark.parametrize("text", ["", "x", "a/b/c/d/e", "a/b/c/1", "a/b/c/1/2/3"])
def test_nonsense_is_no_owner(text):
    """A label that we did not write names nobody."""
    assert Owner.parse(text) is None


def test_orphans_are_reaped_and_nothing_else(client, make):
    """Containers of ended owners go; those of live ones, of others, and with strange labels stay."""
    run_id = f"test-{uuid.uuid4().hex[:8]}"
    now = f"{time.time():.0f}"
    orphan = make({LABEL_RUN: run_id, LABEL_OWNER: str(dead_owner()), LABEL_CREATED: now})
    kept = [
        make({LABEL_RUN: run_id, LABEL_OWNER: owner_id(), LABEL_CREATED: "0"}),
        make({LABEL_RUN: run_id, LABEL_OWNER: "somebody", LABEL_CREATED: now}),
        make({LABEL_RUN: run_id, LABEL_CREATED: now}),
        make({LABEL_OWNER: str(dead_owner())}),
        make({"other": "label"}),
    ]

    reap(client)

    left = {entry["Id"] for entry in client.containers(all=True)}
    assert orphan not in left
    assert set(kept) <= left


def test_run_is_removed_alone(client, make):
    """Removing a run leaves other runs, and other owners of the same run, alone."""
    run_id = f"test-{uuid.uuid4().hex[:8]}"
    mine = make({LABEL_RUN: run_id, LABEL_OWNER: owner_id()})
    kept = [
        make({LABEL_RUN: run_id + "x", LABEL_OWNER: owner_id()}),
        make({LABEL_RUN: run_id, LABEL_OWNER: owner_id() + "0"}),
    ]

    removed = remove_run(client, run_id)

    left = {entry["Id"] for entry in client.containers(all=True)}
    assert len(removed) == 1
    assert mine not in left
    assert set(kept) <= left


def test_removing_what_is_gone_is_success(client):
    """A container that is not there any more counts as removed."""
    assert remove(client, "mendbench-not-there")


def test_killed_bench_leaves_nothing_running(client):
    """After kill -9 of the bench its container ends by itself, and the next reaping removes it."""
    run_id = f"test-{uuid.uuid4().hex[:8]}"
    bench = subprocess.Popen([sys.executable, "-c", BENCH, run_id], cwd=ROOT)
    until(lambda: ids(client, run_id, status="running"))
    # Until the script itself runs.
    time.sleep(1.5)

    bench.kill()
    bench.wait()

    until(lambda: not ids(client, run_id, status="running"))
    reap(client)
    assert ids(client, run_id) == []


def test_interrupted_bench_removes_its_container(client):
    """After Ctrl-C the bench itself removes its container."""
    run_id = f"test-{uuid.uuid4().hex[:8]}"
    bench = subprocess.Popen([sys.executable, "-c", BENCH, run_id], cwd=ROOT, stderr=subprocess.DEVNULL)
    until(lambda: ids(client, run_id, status="running"))
    time.sleep(1.0)

    bench.send_signal(2)
    bench.wait(timeout=30)

    assert ids(client, run_id) == []
