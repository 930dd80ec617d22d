"""One container from its creation to its removal, and the conversation with the warden in it."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any, cast

import docker
from requests.exceptions import ConnectionError as NoAnswer
from requests.exceptions import ReadTimeout

from sandbox import container, reaper, results
from sandbox.connect import engine_errors
from sandbox.errors import LostResult, SandboxError
from sandbox.stream import FrameStream, RawSocket
from sandbox.types import Job, RunResult

PROTOCOL = 3


class Session:
    """A container whose warden is ready for a job."""

    def __init__(self, name: str, container_id: str, attached: Any) -> None:
        """Take over a container that runs; use `open_session`."""
        self.name = name
        self.container_id = container_id
        self.ready_at = time.monotonic()
        self.jobs = 0
        self._attached = attached
        # The SDK wraps a plain socket so that it cannot be written to.
        self.stream = FrameStream(cast("RawSocket", getattr(attached, "_sock", attached)))

    def run(self, job: Job, *, keep: bool, send_s: float, margin_s: float) -> tuple[RunResult, bool]:
        """Have the warden do a job; say whether the container can take another one.

        Args:
            job: what to do.
            keep: whether another one might follow.
            send_s: how long the job may take to be taken over.
            margin_s: how long the result may take beyond the job's own wall limit.

        Raises:
            LostResult: no result came.
            SandboxError: the warden failed, or speaks another language.
        """
        self.jobs += 1
        self.stream.send({**results.encode_job(job), "keep": keep}, send_s)
        data = self.stream.read(job.limits.wall_s + margin_s)
        return _decode(job, data), data.get("reusable") is True

    def hang_up(self) -> None:
        """Close the connection; the warden ends when it notices. Safe to call twice."""
        response = getattr(self._attached, "_response", None)
        if response is not None:
            response.close()
        self._attached.close()
        self.stream.close()


def open_session(client: docker.APIClient, body: dict[str, Any], timeout_s: float) -> Session:
    """Create a container, start it and wait until its warden is ready. Nothing stays when that fails.

    Raises:
        SandboxError: the engine or the warden would not.
    """
    name = container.random_name()
    try:
        with engine_errors("creating a container"):
            created = client.create_container_from_config(body, name)  # type: ignore[no-untyped-call]
        return _start(client, name, str(created["Id"]), timeout_s)
    except BaseException:
        # By name: an interrupt may have come between the request and its answer.
        remove(client, name)
        raise


def remove(client: docker.APIClient, name: str) -> None:
    """Remove a container; what cannot be removed now, the next reaping removes."""
    with contextlib.suppress(SandboxError), engine_errors("removing a container"):
        reaper.remove(client, name)


def _start(client: docker.APIClient, name: str, container_id: str, timeout_s: float) -> Session:
    # Attached before it starts: nothing that it says can be missed, and the SDK reads no byte too many.
    params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
    with engine_errors("attaching to a container"):
        session = Session(name, container_id, client.attach_socket(container_id, params=params))
    with _hung_up_on_error(session):
        with engine_errors("starting a container"):
            client.start(container_id)
        ready = _read_ready(client, session, timeout_s)
        if "error" in ready:
            raise SandboxError(f"the sandbox's warden failed: {ready['error']}")
        if ready.get("protocol") != PROTOCOL:
            raise SandboxError("the image's guest is of another version; build it again: `make image`")
    session.ready_at = time.monotonic()
    return session


def _read_ready(client: docker.APIClient, session: Session, timeout_s: float) -> dict[str, Any]:
    try:
        return session.stream.read(timeout_s)
    except LostResult as loss:
        # Where the engine itself has gone, that is what this raises.
        state = state_of(client, session.container_id)
        raise LostResult(f"a container was not ready for a job: {loss} ({in_words(state)})") from loss


@contextlib.contextmanager
def _hung_up_on_error(session: Session) -> Iterator[None]:
    try:
        yield
    except BaseException:
        session.hang_up()
        raise


def state_of(client: docker.APIClient, container_id: str) -> dict[str, Any]:
    """Look how a container ended that fell silent.

    Raises:
        SandboxError: the engine does not say.
    """
    with engine_errors("looking after a lost container"):
        # The end of the stream comes a moment before the end of the container.
        with contextlib.suppress(ReadTimeout, NoAnswer):
            client.wait(container_id, timeout=5)
        state: dict[str, Any] = client.inspect_container(container_id)["State"]
    return state


def in_words(state: dict[str, Any]) -> str:
    """Say how a container ended."""
    return (
        f"status {state.get('Status')}, exit code {state.get('ExitCode')}, {state.get('Error') or 'no error'}"
    )


def _decode(job: Job, data: dict[str, Any]) -> RunResult:
    if "error" in data:
        raise SandboxError(f"the sandbox's warden failed: {data['error']}")
    if data.get("job_id") != job.id:
        raise LostResult("the container answered to another job")
    try:
        return results.decode_result(job, data)
    except (KeyError, TypeError, ValueError) as exc:
        raise SandboxError(f"the container's result cannot be read: {exc!r}; try `make image`") from exc
