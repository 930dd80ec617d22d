"""mendbench doctor on real engines, on none, and on what only looks like one."""

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

from evaluator.doctor.examine import examine
from evaluator.doctor.finding import Wishes
from evaluator.doctor.programs import PROGRAMS
from sandbox import container
from sandbox.connect import connect
from sandbox.engine import DockerSandbox
from sandbox.hosts import DockerHost
from sandbox.image import find
from sandbox.owner import Owner
from sandbox.reaper import LABEL_CREATED, LABEL_OWNER, LABEL_RUN, remove
from sandbox.types import PROFILES

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "unix:///nowhere/docker.sock"


def doctor(*args, **variables):
    """Run the command as a person would; return its exit code, output and error output."""
    ran = subprocess.run(
        [sys.executable, "-m", "evaluator.cli", "doctor", *args],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return ran.returncode, ran.stdout, ran.stderr


def states(output):
    found = {}
    for finding in json.loads(output):
        found.setdefault(finding["check"], set()).add(finding["state"])
    return found


@pytest.fixture(scope="module")
def here():
    """What the doctor says of this machine."""
    return doctor("--json", "--config", os.devnull)


def test_this_machine_is_fit(here):
    """Where these tests can run, nothing is bad: each check gives its finding, each program its verdict."""
    code, output, errors = here
    found = states(output)

    assert (code, errors) == (0, "")
    assert not [finding for finding in json.loads(output) if finding["state"] == "bad"]
    assert set(found) == {
        "runs", "clock", "engine", "cgroups", "runtime", "seccomp", "users", "swap", "memory", "cpus",
        "leftovers", "image", "disk", "walls", "programs", "models",
    }  # fmt: skip
    whats = [finding["what"] for finding in json.loads(output) if finding["check"] == "programs"]
    assert len(whats) == len(PROGRAMS)


def test_every_finding_has_its_mend(here):
    """Whatever is not as it should be says what to do; findings of an engine name it."""
    for finding in json.loads(here[1]):
        assert (finding["state"] == "ok") == (finding["mend"] == "")
        assert bool(finding["host"]) == (
            finding["check"] not in {"runs", "models"}
            and not (finding["check"] == "clock" and "this machine's clock says" in finding["what"])
        )


def test_no_engine_is_one_finding():
    """Without an engine there is one bad finding with a mend, the rest is still looked at, and no traceback."""
    code, output, errors = doctor(DOCKER_HOST=NOWHERE)

    assert (code, errors) == (3, "")
    assert [line for line in output.splitlines() if line.startswith("BAD")] == [
        f"BAD  engine    no Docker engine answers at {NOWHERE} (No such file or directory)"
    ]
    assert "unset DOCKER_HOST" in output
    assert "GiB free" in output


def test_nonsense_for_an_address():
    """An address that makes no sense is a finding, not a traceback."""
    code, output, errors = doctor("--host", "gopher://x", "--json")

    assert (code, errors) == (3, "")
    assert states(output)["engine"] == {"bad"}


def test_image_that_is_missing():
    """Without the image, programs are not tried; how to build it is said."""
    code, output, _ = doctor("--json", MENDBENCH_BASE="of-nobody")
    (image,) = [finding for finding in json.loads(output) if finding["check"] == "image"]

    assert code == 3
    assert image["state"] == "bad"
    assert "make image" in image["mend"]
    assert "programs" not in states(output)


def test_runtime_that_is_missing(tmp_path):
    """A runtime that the engine does not know is named as the cause; the programs fail for it."""
    config = tmp_path / "bench.toml"
    config.write_text("[sandbox]\nruntime = 'no-such-runtime'\n")

    code, output, errors = doctor("--json", "--config", str(config))
    (runtime,) = [finding for finding in json.loads(output) if finding["check"] == "runtime"]

    assert (code, errors) == (3, "")
    assert runtime["state"] == "bad"
    assert "no-such-runtime" in runtime["mend"]
    assert states(output)["programs"] == {"bad"}


def quickly(wishes):
    """The findings up to the first program."""

    def open_sandbox(host):
        return DockerSandbox("test-doctor", hosts=[host])

    found = []
    for finding in examine(wishes, open_sandbox):
        if finding.check in {"walls", "models"}:
            break
        found.append(finding)
    return found


def test_containers_of_gone_owners_are_counted():
    """A container that a killed run left behind is noted, with the command that removes it."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    me = Owner.me()
    gone = Owner(host=me.host, boot=me.boot, namespace=me.namespace, pid=ended.pid, start="1")
    labels = {
        LABEL_RUN: f"test-{uuid.uuid4().hex[:8]}",
        LABEL_OWNER: str(gone),
        LABEL_CREATED: f"{time.time():.0f}",
    }
    client = connect()
    name = container.random_name()
    body = container.body(find(client).tag, PROFILES["default"], "test", None, 0) | {"Labels": labels}
    client.create_container_from_config(body, name)
    try:
        (finding,) = [finding for finding in quickly(Wishes()) if finding.check == "leftovers"]
    finally:
        remove(client, name)
        client.close()

    assert finding.state == "note"
    assert int(finding.what.split()[0]) >= 1
    assert finding.mend.startswith("mendbench reap")


class Impostor(http.server.BaseHTTPRequestHandler):
    """Answers everything with the same nonsense."""

    def log_message(self, *_args):
        """Say nothing."""

    def do_GET(self):
        body = self.server.nonsense
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815
    do_DELETE = do_GET  # noqa: N815


@pytest.fixture
def impostor():
    """Makes HTTP servers that answer with one body; returns their addresses."""
    servers = []

    def serve(nonsense):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Impostor)
        server.nonsense = nonsense
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        servers.append((server, thread))
        return f"tcp://127.0.0.1:{server.server_port}"

    yield serve
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"{}",
        b"[]",
        b"not json",
        b"null",
        b'{"ApiVersion": "1.41", "SecurityOptions": 7, "MemTotal": "much", "Runtimes": 3, "SystemTime": "noon"}',
    ],
)
def test_what_only_looks_like_an_engine(impostor, nonsense):
    """A server that answers nonsense gives bad findings, whatever the nonsense is; nothing stumbles."""
    address = impostor(nonsense)

    code, output, errors = doctor("--host", address, "--json")
    bad = [finding for finding in json.loads(output) if finding["state"] == "bad"]

    assert (code, errors) == (3, "")
    assert {finding["host"] for finding in bad} == {address}
    assert all(finding["mend"] for finding in bad)


def test_good_host_beside_a_dead_one():
    """Each host has findings of its own: a dead one does not hide a good one."""
    found = quickly(Wishes(hosts=(DockerHost(url=NOWHERE), DockerHost())))
    engines = [finding for finding in found if finding.check == "engine"]

    assert [finding.state for finding in engines] == ["bad", "ok"]
    assert engines[0].host == NOWHERE
    assert {finding.host for finding in found if finding.check == "image"} == {engines[1].host}
