"""Several engines, and engines that are far away: TLS and SSH, spreading, failing over, giving up."""

import asyncio
import gc
import shutil
import subprocess
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncssh
import pytest

from sandbox.connect import connect
from sandbox.engine import DockerSandbox
from sandbox.errors import EngineUnavailable
from sandbox.hosts import DockerHost
from sandbox.types import Job, Level
from sandbox.verdict import RunVerdict, judge

pytestmark = [
    pytest.mark.docker,
    # The SDK leaves a socket open whose connection is refused.
    pytest.mark.filterwarnings("ignore:.*unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning"),
    # The SSH server drops what it was about to forward when its connection is cut.
    pytest.mark.filterwarnings("ignore:.*forward_unix_connection:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:.*forward_unix_connection:pytest.PytestUnraisableExceptionWarning"),
]


def job(script="print('there')\n"):
    return Job(id=uuid.uuid4().hex, script=script, level=Level.PROGRAM)


def run_id():
    return f"test-{uuid.uuid4().hex[:8]}"


def unix(proxy, slots=1):
    return DockerHost(url=f"unix://{proxy.path}", slots=slots)


def test_jobs_are_spread_over_engines(make_proxy):
    """With two engines of one slot each, two jobs run at the same time, one on each."""
    near, far = make_proxy(), make_proxy()
    with DockerSandbox(run_id(), hosts=[unix(near), unix(far)]) as sandbox:
        assert sandbox.slots == 2
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(sandbox.run, [job("import time\ntime.sleep(1.5)\n") for _ in range(2)]))

        places = sandbox._desk._places
        assert [judge(result) for result in results] == [RunVerdict.PASSED] * 2
        assert all(place.endpoint._clients for place in places)


def test_slots_of_an_engine_are_kept(make_proxy):
    """An engine with one slot runs one job at a time, however many come."""
    client = connect()
    name = run_id()
    seen = []
    with DockerSandbox(name, hosts=[unix(make_proxy())]) as sandbox, ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(sandbox.run, job("import time\ntime.sleep(0.3)\n")) for _ in range(4)]
        while not all(each.done() for each in jobs):
            label = {"label": f"mendbench.run={name}", "status": "running"}
            seen.append(len(client.containers(filters=label)))
        assert [judge(each.result()) for each in jobs] == [RunVerdict.PASSED] * 4
    client.close()

    # One that ends may still be seen while the next one starts.
    assert 1 <= max(seen) <= 2


def test_job_moves_to_another_engine(make_proxy):
    """An engine that goes away is retired with a message, and its jobs are done elsewhere."""
    lost, kept = make_proxy(), make_proxy()
    said = []
    with DockerSandbox(run_id(), hosts=[unix(lost, 2), unix(kept, 2)], on_retired=said.append) as sandbox:
        sandbox.image()
        lost.cut()
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(sandbox.run, [job() for _ in range(8)]))
    gc.collect()

    assert [judge(result) for result in results] == [RunVerdict.PASSED] * 8
    assert len(said) == 1
    assert lost.path in said[0]
    assert "not used any more" in said[0]


def test_last_engine_is_never_retired(make_proxy):
    """Where only one engine is left, its errors are the caller's to deal with."""
    proxy, said = make_proxy(), []
    with DockerSandbox(run_id(), hosts=[unix(proxy)], on_retired=said.append) as sandbox:
        sandbox.image()
        proxy.cut()
        for _ in range(4):
            with pytest.raises(EngineUnavailable):
                sandbox.run(job())
    gc.collect()

    assert said == []


def test_engine_that_is_not_there_from_the_start(make_proxy):
    """An engine that never answers is left out, and the run goes on without it."""
    said = []
    hosts = [DockerHost(url="unix:///nowhere/docker.sock", slots=1), unix(make_proxy())]
    with DockerSandbox(run_id(), hosts=hosts, on_retired=said.append) as sandbox:
        result = sandbox.run(job())

        assert sandbox.slots == 1
    gc.collect()

    assert judge(result) is RunVerdict.PASSED
    assert "nowhere" in said[0]


# TLS


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


@pytest.fixture
def certificates(tmp_path):
    """A folder as DOCKER_CERT_PATH has it, with the server's own pair beside it."""
    ca = [str(tmp_path / "ca.pem"), str(tmp_path / "ca-key.pem")]
    key_kind = ("-newkey", "rsa:2048", "-nodes", "-days", "2")
    openssl("req", "-x509", *key_kind, "-subj", "/CN=test authority", "-out", ca[0], "-keyout", ca[1])
    for name, subject in (("cert", "client"), ("server", "localhost")):
        request, extra = str(tmp_path / f"{name}.csr"), tmp_path / f"{name}.ext"
        key = {"cert": "key.pem"}.get(name, f"{name}-key.pem")
        openssl(
            "req", *key_kind[:3], "-subj", f"/CN={subject}", "-out", request, "-keyout", str(tmp_path / key)
        )
        extra.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n", encoding="ascii")
        sign = ("-CA", ca[0], "-CAkey", ca[1], "-CAcreateserial", "-days", "2", "-extfile", str(extra))
        openssl("x509", "-req", "-in", request, *sign, "-out", str(tmp_path / f"{name}.pem"))
    return tmp_path


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command to make certificates with")
def test_engine_behind_tls(make_proxy, certificates):
    """Over TCP with TLS both sides show certificates, and attached streams work as on a socket."""
    import ssl

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    proxy = make_proxy(tls=context)
    host = DockerHost(url=f"tcp://127.0.0.1:{proxy.port}", cert_path=certificates, slots=1)

    with DockerSandbox(run_id(), hosts=[host], warm=1) as sandbox:
        results = [sandbox.run(job()) for _ in range(3)]

    assert [judge(result) for result in results] == [RunVerdict.PASSED] * 3
    assert results[0].stdout.text == "there\n"
    stranger = DockerSandbox(run_id(), hosts=[DockerHost(url=f"tcp://127.0.0.1:{proxy.port}", slots=1)])
    with stranger, pytest.raises(EngineUnavailable):
        stranger.image()
    gc.collect()


# SSH


class SshServer(asyncssh.SSHServer):
    """Lets everybody in who has the key, and forwards the engine's socket."""

    def unix_connection_requested(self, dest_path):
        return True


async def _echo_and_wait(process):
    """What a shell would make of the tunnel's command."""
    process.stdout.write("mendbench-tunnel\n")
    await process.stdin.read()
    process.exit(0)


class Machine:
    """A machine with an SSH server, in a thread of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.connections = []
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(20)

    async def _listen(self):
        keys = self.folder / "authorized_keys"
        keys.write_bytes(self.key.export_public_key())
        self._server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            authorized_client_keys=str(keys),
            server_factory=self._make,
            process_factory=_echo_and_wait,
            encoding="utf-8",
        )
        return self._server.get_port()

    def _make(self):
        machine = self

        class Noted(SshServer):
            def connection_made(self, conn):
                machine.connections.append(conn)

        return Noted()

    def drop(self):
        """Cut every connection, as a network does."""
        for connection in self.connections:
            self.loop.call_soon_threadsafe(connection.abort)
        self.connections = []

    async def _end(self):
        self._server.close()
        for connection in self.connections:
            connection.abort()
        await self._server.wait_closed()
        await asyncio.sleep(0.2)

    def close(self):
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(20)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose SSH server this user can log in to without a question."""
    if shutil.which("ssh") is None:
        pytest.skip("no ssh command")
    made = Machine(tmp_path)
    key = tmp_path / "id"
    key.write_bytes(made.key.export_private_key())
    key.chmod(0o600)
    # ssh takes the user's home from the password database: a config can only come by a command of its own.
    command = tmp_path / "bin" / "ssh"
    command.parent.mkdir()
    options = f"-F none -i {key} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    command.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} {options} "$@"\n', encoding="ascii")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:/usr/bin:/bin")
    yield made
    made.close()


def ssh(machine, slots=1):
    return DockerHost(url=f"ssh://tester@127.0.0.1:{machine.port}", slots=slots)


def test_engine_behind_ssh(machine):
    """An engine behind SSH runs jobs as a near one does, warm containers included, and ssh ends with it."""
    with DockerSandbox(run_id(), hosts=[ssh(machine, 2)], warm=1) as sandbox:
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(sandbox.run, [job() for _ in range(4)]))
        tunnel = sandbox._desk._places[0].endpoint._tunnel
        process, folder = tunnel._process, Path(tunnel._folder)

    assert [judge(result) for result in results] == [RunVerdict.PASSED] * 4
    assert process.poll() is not None
    assert not folder.exists()


def test_tunnel_that_collapses_is_dug_again(machine):
    """After a lost connection the next job goes through a new tunnel; the lost one is our failure."""
    with DockerSandbox(run_id(), hosts=[ssh(machine)]) as sandbox:
        assert judge(sandbox.run(job())) is RunVerdict.PASSED
        machine.drop()
        deadline = time.monotonic() + 30
        while True:
            try:
                result = sandbox.run(job())
                break
            except EngineUnavailable:
                assert time.monotonic() < deadline
                time.sleep(0.2)
    gc.collect()

    assert judge(result) is RunVerdict.PASSED


def test_ssh_that_does_not_get_there(machine):
    """A machine that does not let us in is named, with ssh's own complaint."""
    machine.folder.joinpath("id").write_bytes(
        asyncssh.generate_private_key("ssh-ed25519").export_private_key()
    )

    message = r"tester@127\.0\.0\.1.*Permission denied"
    with (
        DockerSandbox(run_id(), hosts=[ssh(machine)]) as sandbox,
        pytest.raises(EngineUnavailable, match=message),
    ):
        sandbox.image()
