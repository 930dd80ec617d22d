"""One Docker engine at work: its clients, its image, its pool, and whether it can be relied on."""

import threading

import docker

from sandbox import container, image
from sandbox.connect import connect, engine_errors
from sandbox.errors import LostResult, SandboxError
from sandbox.hosts import DockerHost
from sandbox.pool import Kind, WarmPool
from sandbox.reaper import remove_run
from sandbox.results import without_run
from sandbox.session import Session, in_words, open_session, remove, state_of
from sandbox.tunnel import tunnel_to
from sandbox.types import PROFILES, ImageInfo, Job, KilledBy, RunResult


class Endpoint:
    """Runs jobs on one engine. Safe to use from many threads."""

    def __init__(
        self,
        host: DockerHost,
        run_id: str,
        *,
        runtime: str | None,
        warm: int,
        attempts_per_container: int,
        timeout_s: int,
        margin_s: float,
    ) -> None:
        """Prepare; nothing is asked of the engine yet. For the parameters see DockerSandbox."""
        self.host = host
        self._run_id, self._runtime = run_id, runtime
        self._most_jobs = attempts_per_container
        self._timeout_s, self._margin_s = timeout_s, margin_s
        self._tunnel = tunnel_to(host)
        self._lock = threading.Lock()
        self._local = threading.local()
        self._clients: list[docker.APIClient] = []
        self._image: ImageInfo | None = None
        self._closed = False
        self._pool = WarmPool(self._open, self._remove, depth=warm)

    def image(self) -> ImageInfo:
        """Say which image this engine has; see `Sandbox.image`."""
        with self._lock:
            known = self._image
        if known is None:
            with engine_errors("looking for the sandbox image"):
                known = image.find(self._client())
            with self._lock:
                self._image = known
        return known

    def run(self, job: Job) -> RunResult:
        """Run a job that has been checked; see `Sandbox.run`."""
        self._client()
        kind = Kind(profile=PROFILES[job.profile], hash_seed=job.hash_seed, level=job.level)
        session = self._pool.take(kind)
        reusable = False
        try:
            result, reusable = session.run(
                job,
                keep=session.jobs + 1 < self._most_jobs,
                send_s=self._timeout_s,
                margin_s=self._margin_s,
            )
        except LostResult as loss:
            return self._explain(session, job, loss)
        finally:
            if reusable:
                self._pool.give_back(kind, session)
            else:
                self._pool.discard(session)
        return result

    def close(self) -> None:
        """Remove what is left of this sandbox's containers. Safe to call twice."""
        with self._lock:
            was_open, self._closed = not self._closed, True
        self._pool.close()
        with self._lock:
            clients, self._clients = self._clients, []
        if was_open and clients:
            self._remove_all(clients)
        for client in clients:
            client.close()
        if self._tunnel is not None:
            self._tunnel.close()

    def _connect(self) -> docker.APIClient:
        return connect(self.host if self._tunnel is None else self._tunnel.near(), self._timeout_s)

    def _remove_all(self, clients: list[docker.APIClient]) -> None:
        try:
            client = self._connect()
            clients.append(client)
            remove_run(client, self._run_id)
        except SandboxError:
            # What cannot be removed now, the next reaping removes.
            return

    def _client(self) -> docker.APIClient:
        """Return this thread's own client: the SDK's are not safe to share."""
        if self._closed:
            raise SandboxError("this sandbox is closed")
        return self._any_client()

    def _any_client(self) -> docker.APIClient:
        if self._tunnel is not None:
            self._tunnel.near()
        client: docker.APIClient | None = getattr(self._local, "client", None)
        if client is None:
            client = self._connect()
            self._local.client = client
            with self._lock:
                self._clients.append(client)
        return client

    def _open(self, kind: Kind) -> Session:
        body = container.body(
            self.image().tag,
            kind.profile,
            self._run_id,
            self._runtime,
            kind.hash_seed,
            level=kind.level,
            once=self._most_jobs == 1,
        )
        return open_session(self._client(), body, self._timeout_s)

    def _remove(self, session: Session) -> None:
        try:
            client = self._any_client()
        except SandboxError:
            # What cannot be removed now, the next reaping removes.
            return
        remove(client, session.name)

    def _explain(self, session: Session, job: Job, loss: LostResult) -> RunResult:
        """Look why no result came: memory that ran out under the warden itself is a fact of the run."""
        state = state_of(self._client(), session.container_id)
        if state.get("OOMKilled") and not state.get("Running"):
            info = self.image()
            return without_run(
                job, python=info.python, guest_version=info.guest_version, killed_by=KilledBy.MEMORY
            )
        raise LostResult(f"{loss} (container {in_words(state)})") from loss
