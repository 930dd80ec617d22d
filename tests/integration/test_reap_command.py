"""mendbench reap: says what it removes, and touches nothing else unless told to.

`--all` is tried on a pretended engine only: on a real one it would hit whatever else runs there.
"""

import http.server
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from evaluator.running.reaping import reap_host
from sandbox import container
from sandbox.connect import connect
from sandbox.hosts import DockerHost
from sandbox.image import find
from sandbox.owner import Owner, owner_id
from sandbox.reaper import LABEL_CREATED, LABEL_OWNER, LABEL_RUN, remove
from sandbox.types import PROFILES

ROOT = Path(__file__).resolve().parents[2]


def reap(*args, **variables):
    """Run the command as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "evaluator.cli", "reap", *args],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def gone_owner():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    me = Owner.me()
    return str(Owner(host=me.host, boot=me.boot, namespace=me.namespace, pid=ended.pid, start="1"))


def labels(owner):
    run_id = f"test-{uuid.uuid4().hex[:8]}"
    return {LABEL_RUN: run_id, LABEL_OWNER: owner, LABEL_CREATED: f"{time.time():.0f}"}


@pytest.fixture
def client():
    made = connect()
    yield made
    made.close()


@pytest.fixture
def make(client):
    """Create containers (never started) of an owner; remove them in the end."""
    made = []

    def create(owner):
        body = container.body(find(client).tag, PROFILES["default"], "test", None, 0)
        name = container.random_name()
        client.create_container_from_config(body | {"Labels": labels(owner)}, name)
        made.append(name)
        return name

    yield create
    for name in made:
        remove(client, name)


def names(client):
    return {entry["Names"][0].lstrip("/") for entry in client.containers(all=True)}


def reap_an_orphan(client, make, *args):
    """Make an orphan and run the command; again, where a bench of another test that began was quicker."""
    for _ in range(5):
        orphan = make(gone_owner())
        ran = reap(*args)
        if orphan in ran.stdout and ("--dry-run" not in args or orphan in names(client)):
            break
    return orphan, ran


@pytest.mark.docker
def test_dry_run_only_says(client, make):
    """A dry run names what would go, and it is all still there."""
    orphan, ran = reap_an_orphan(client, make, "--dry-run")

    assert ran.returncode == 0
    assert f"would remove {orphan} (created, " in ran.stdout
    assert orphan in names(client)


@pytest.mark.docker
def test_orphans_go_and_others_stay(client, make):
    """What is removed is named; containers of a process that lives stay and are counted."""
    mine = make(owner_id())

    orphan, ran = reap_an_orphan(client, make)

    assert ran.returncode == 0
    assert f"removed {orphan} (" in ran.stdout
    assert mine not in ran.stdout
    assert "of running benches stay" in ran.stdout
    assert orphan not in names(client)
    assert mine in names(client)


@pytest.mark.docker
def test_json_says_the_same(client, make):
    """The JSON has every container that was removed or kept, with its run and its owner."""
    mine = make(owner_id())

    orphan, ran = reap_an_orphan(client, make, "--json")
    (host,) = json.loads(ran.stdout)
    removed = {entry["name"]: entry for entry in host["removed"]}
    kept = {entry["name"]: entry for entry in host["kept"]}

    assert removed[orphan]["orphaned"] is True
    assert removed[orphan]["run"].startswith("test-")
    assert kept[mine]["pid"] == os.getpid()
    assert host["problem"] == ""


def test_no_engine():
    """Where no engine answers, that is said in one line with what to look at, and the exit code is 3."""
    ran = reap(DOCKER_HOST="unix:///nowhere/docker.sock")

    assert (ran.returncode, ran.stdout) == (3, "")
    assert "does not answer" in ran.stderr
    assert "Traceback" not in ran.stderr


class Pretended(http.server.BaseHTTPRequestHandler):
    """An engine with a list of containers; those of `stuck` cannot be removed."""

    def log_message(self, *_args):
        """Say nothing."""

    def _answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if "/containers/json" in self.path:
            self._answer(200, self.server.containers)
        else:
            self._answer(200, {"ApiVersion": "1.41", "MinAPIVersion": "1.12"})

    def do_DELETE(self):
        wanted = self.path.partition("/containers/")[2].partition("?")[0]
        if wanted in self.server.stuck:
            self._answer(500, {"message": "driver failed"})
        else:
            self.server.deleted.append(wanted)
            self._answer(204, {})


@pytest.fixture
def pretended():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pretended)
    server.containers, server.stuck, server.deleted = [], set(), []
    server.url = f"tcp://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def entry(name, owner, **more):
    return {"Id": name, "Names": [f"/{name}"], "State": "running", "Labels": labels(owner) | more}


def test_all_takes_living_ones_too_but_nothing_of_others(pretended):
    """With --all, containers of processes that live go, too, with a warning; without our labels none goes."""
    pretended.containers = [
        entry("mine", owner_id()),
        entry("orphan", gone_owner()),
        entry("strange", "somebody"),
        {"Id": "foreign", "Names": None, "State": "running", "Labels": None},
    ]

    ran = reap("--host", pretended.url, "--all")

    assert ran.returncode == 0
    assert pretended.deleted == ["mine", "orphan"]
    assert "--all: runs that are under way now lose their containers" in ran.stderr


def test_without_all_living_ones_stay(pretended):
    """Only the container of the ended process goes."""
    pretended.containers = [entry("mine", owner_id()), entry("orphan", gone_owner())]

    reaped = reap_host(DockerHost(url=pretended.url))

    assert pretended.deleted == ["orphan"]
    assert [container.name for container in reaped.kept] == ["mine"]


def test_container_that_will_not_go(pretended):
    """A container that the engine would not remove is named, the others are removed, the exit code is 3."""
    pretended.containers = [entry("stuck", gone_owner()), entry("orphan", gone_owner())]
    pretended.stuck = {"stuck"}

    ran = reap("--host", pretended.url)

    assert ran.returncode == 3
    assert "did not remove stuck (" in ran.stderr
    assert pretended.deleted == ["orphan"]


def test_dead_host_does_not_stop_the_others(pretended):
    """Several hosts are done one after the other; one that does not answer costs only the exit code."""
    pretended.containers = [entry("orphan", gone_owner())]

    ran = reap("--host", "unix:///nowhere/docker.sock", "--host", pretended.url)

    assert ran.returncode == 3
    assert pretended.deleted == ["orphan"]
    assert "unix:///nowhere/docker.sock" in ran.stderr


def test_labels_are_shown_safely(pretended):
    """Whatever a label says, it moves no cursor."""
    pretended.containers = [entry("orphan", gone_owner(), **{LABEL_RUN: "x\x1b[2J\ny"})]

    ran = reap("--host", pretended.url)

    assert "\x1b" not in ran.stdout
    assert len(ran.stdout.splitlines()) == 2
