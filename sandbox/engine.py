"""One locked-down throwaway container per run, on a Docker engine."""

import contextlib
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self, cast

import docker
from requests.exceptions import ConnectionError as NoAnswer
from requests.exceptions import ReadTimeout

from sandbox import container, image, reaper, results
from sandbox.connect import TIMEOUT_S, connect, engine_errors
from sandbox.errors import LostResult, SandboxError, UnsupportedLevel
from sandbox.stream import FrameStream, RawSocket
from sandbox.types import PROFILES, CompileReport, ImageInfo, Job, KilledBy, Level, RunResult

__all__ = ["DockerSandbox", "connect"]

PROTOCOL = 2
MARGIN_S = 120.0
"""What the warden may need beside the wall limit: compiling, collecting, starting, on a busy machine."""
MAX_SOURCE = 1024 * 1024
MAX_INPUT = 4 * 1024 * 1024


class DockerSandbox:
    """Runs each job in a fresh container. Safe to use from many threads."""

    def __init__(
        self,
        run_id: str,
        *,
        runtime: str | None = None,
        base_url: str | None = None,
        timeout_s: int = TIMEOUT_S,
        margin_s: float = MARGIN_S,
    ) -> None:
        """Prepare; nothing is asked of the engine yet.

        Args:
            run_id: label of all containers made here.
            runtime: another OCI runtime that the engine knows (e.g. `runsc`).
            base_url: the engine; DOCKER_HOST or the usual socket when None.
            timeout_s: how long the engine may take for one answer.
            margin_s: how long a run may take beyond its own wall limit.
        """
        self._run_id = run_id
        self._runtime = runtime
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._margin_s = margin_s
        self._lock = threading.Lock()
        self._local = threading.local()
        self._clients: list[docker.APIClient] = []
        self._image: ImageInfo | None = None
        self._closed = False

    # The Sandbox protocol

    def run(self, job: Job) -> RunResult:
        """Run `job` in a fresh container; see `Sandbox.run`."""
        self._check(job)
        info = self.image()
        oversized = _oversized(job, info)
        if oversized is not None:
            return oversized
        client = self._client()
        with self._container(client, job, info) as container_id:
            try:
                return self._converse(client, container_id, job)
            except LostResult as loss:
                return self._explain(client, container_id, job, loss)

    def image(self) -> ImageInfo:
        """Say which image runs the jobs; see `Sandbox.image`."""
        with self._lock:
            known = self._image
        if known is None:
            with engine_errors("looking for the sandbox image"):
                known = image.find(self._client())
            with self._lock:
                self._image = known
        return known

    def levels(self) -> frozenset[Level]:
        """Name the levels on offer."""
        return frozenset({Level.SHARED, Level.PROGRAM})

    def close(self) -> None:
        """Remove what is left of this sandbox's containers. Safe to call twice."""
        with self._lock:
            clients, self._clients = self._clients, []
            was_open, self._closed = not self._closed, True
        if was_open and clients:
            # What cannot be removed now, the next reaping removes.
            with contextlib.suppress(SandboxError):
                client = connect(self._base_url, self._timeout_s)
                clients.append(client)
                reaper.remove_run(client, self._run_id)
        for client in clients:
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # One run

    def _check(self, job: Job) -> None:
        if job.level not in self.levels():
            raise UnsupportedLevel(f"level {job.level} is not available in this sandbox")
        if job.level is Level.SHARED and job.tests is None:
            raise UnsupportedLevel("level shared needs tests; use level program for a script alone")
        if job.profile not in PROFILES:
            raise SandboxError(f"no profile {job.profile!r}; there are: {', '.join(PROFILES)}")

    def _client(self) -> docker.APIClient:
        """Return this thread's own client: the SDK's are not safe to share."""
        client: docker.APIClient | None = getattr(self._local, "client", None)
        if client is None:
            client = connect(self._base_url, self._timeout_s)
            self._local.client = client
            with self._lock:
                self._clients.append(client)
        if self._closed:
            raise SandboxError("this sandbox is closed")
        return client

    @contextlib.contextmanager
    def _container(self, client: docker.APIClient, job: Job, info: ImageInfo) -> Iterator[str]:
        """Create a container, and remove it whatever happens."""
        body = container.body(info.tag, PROFILES[job.profile], self._run_id, self._runtime, job.hash_seed)
        name = container.random_name()
        try:
            with engine_errors("creating a container"):
                created = client.create_container_from_config(body, name)  # type: ignore[no-untyped-call]
            yield str(created["Id"])
        finally:
            # By name: an interrupt may have come between the request and its answer.
            with contextlib.suppress(SandboxError), engine_errors("removing a container"):
                reaper.remove(client, name)

    def _converse(self, client: docker.APIClient, container_id: str, job: Job) -> RunResult:
        # Attached before it starts: nothing that it says can be missed.
        with self._attached(client, container_id) as stream:
            with engine_errors("starting a container"):
                client.start(container_id)
            ready = stream.read(self._timeout_s)
            if ready.get("protocol") != PROTOCOL:
                raise SandboxError("the image's guest is of another version; build it again: `make image`")
            stream.send(results.encode_job(job), self._timeout_s)
            return _decode(job, stream.read(job.limits.wall_s + self._margin_s))

    @contextlib.contextmanager
    def _attached(self, client: docker.APIClient, container_id: str) -> Iterator[FrameStream]:
        params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        with engine_errors("attaching to a container"):
            attached = client.attach_socket(container_id, params=params)
        # The SDK wraps a plain socket so that it cannot be written to.
        stream = FrameStream(cast("RawSocket", getattr(attached, "_sock", attached)))
        try:
            yield stream
        finally:
            response = getattr(attached, "_response", None)
            if response is not None:
                response.close()
            attached.close()
            stream.close()

    def _explain(self, client: docker.APIClient, container_id: str, job: Job, loss: LostResult) -> RunResult:
        """Look why no result came: memory that ran out under the warden itself is a fact of the run."""
        state = self._state(client, container_id)
        if state.get("OOMKilled") and not state.get("Running"):
            info = self.image()
            return results.without_run(
                job, python=info.python, guest_version=info.guest_version, killed_by=KilledBy.MEMORY
            )
        raise LostResult(f"{loss} (container {_describe(state)})") from loss

    def _state(self, client: docker.APIClient, container_id: str) -> dict[str, Any]:
        with engine_errors("looking after a lost container"):
            # The end of the stream comes a moment before the end of the container.
            with contextlib.suppress(ReadTimeout, NoAnswer):
                client.wait(container_id, timeout=5)
            state: dict[str, Any] = client.inspect_container(container_id)["State"]
        return state


def _decode(job: Job, data: dict[str, Any]) -> RunResult:
    if "error" in data:
        raise SandboxError(f"the sandbox's warden failed: {data['error']}")
    if data.get("job_id") != job.id:
        raise LostResult("the container answered to another job")
    try:
        return results.decode_result(job, data)
    except (KeyError, TypeError, ValueError) as exc:
        raise SandboxError(f"the container's result cannot be read: {exc!r}; try `make image`") from exc


def _describe(state: dict[str, Any]) -> str:
    return (
        f"status {state.get('Status')}, exit code {state.get('ExitCode')}, {state.get('Error') or 'no error'}"
    )


def _oversized(job: Job, info: ImageInfo) -> RunResult | None:
    """Judge a source that is too long without running it: nobody wrote it to be read."""
    facts: dict[str, Any] = {}
    if len(job.script) > MAX_SOURCE:
        why = f"the script is {len(job.script)} characters long; {MAX_SOURCE} are allowed"
        facts["compiled"] = CompileReport(ok=False, exc_type="SourceTooLong", message=why)
    elif job.level is not Level.PROGRAM and len(job.tests or "") > MAX_SOURCE:
        facts["tests_error"] = f"the tests are longer than {MAX_SOURCE} characters"
    elif len(job.stdin) > MAX_INPUT:
        raise SandboxError(f"standard input of {len(job.stdin)} characters; {MAX_INPUT} are allowed")
    if not facts:
        return None
    return results.without_run(job, python=info.python, guest_version=info.guest_version, **facts)
