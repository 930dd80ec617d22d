"""Throwaway containers on Docker engines, each locked down, each for one run (or few, where asked for)."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from sandbox.connect import TIMEOUT_S
from sandbox.desk import Desk
from sandbox.endpoint import Endpoint
from sandbox.errors import SandboxError, UnsupportedLevel
from sandbox.hosts import DockerHost
from sandbox.results import without_run
from sandbox.types import PROFILES, CompileReport, ImageInfo, Job, Level, RunResult

MARGIN_S = 120.0
"""What the warden may need beside the wall limit: compiling, collecting, starting, on a busy machine."""
MAX_SOURCE = 1024 * 1024
MAX_INPUT = 4 * 1024 * 1024
MAX_ATTEMPTS = 10_000
"""Per container: each has users of its own, and engines map only so many."""


class DockerSandbox:
    """Runs each job in a throwaway container. Safe to use from many threads."""

    def __init__(
        self,
        run_id: str,
        *,
        hosts: Sequence[DockerHost] = (),
        runtime: str | None = None,
        warm: int = 0,
        attempts_per_container: int = 1,
        timeout_s: int = TIMEOUT_S,
        margin_s: float = MARGIN_S,
        on_retired: Callable[[str], None] = lambda _why: None,
    ) -> None:
        """Prepare; nothing is asked of any engine yet.

        Args:
            run_id: label of all containers made here.
            hosts: the engines to use; the default one when empty.
            runtime: another OCI runtime that the engines know (e.g. `runsc`).
            warm: containers kept ready per profile, hash seed and level in use, on each engine.
            attempts_per_container: more than one lets a container take another job after a perfectly
                clean one: much faster for many samples, and a weaker promise.
            timeout_s: how long an engine may take for one answer.
            margin_s: how long a run may take beyond its own wall limit.
            on_retired: told why an engine is not used any more.
        """
        if not 1 <= attempts_per_container <= MAX_ATTEMPTS:
            raise SandboxError(
                f"{attempts_per_container} attempts per container; 1 to {MAX_ATTEMPTS} are possible"
            )
        endpoints = [
            Endpoint(
                host,
                run_id,
                runtime=runtime,
                # More than one beyond those that are busy would only take up memory.
                warm=min(warm, host.slots + 1),
                attempts_per_container=attempts_per_container,
                timeout_s=timeout_s,
                margin_s=margin_s,
            )
            for host in hosts or (DockerHost(),)
        ]
        self._desk = Desk(endpoints, on_retired)

    @property
    def slots(self) -> int:
        """How many jobs run at a time."""
        return self._desk.slots

    def run(self, job: Job) -> RunResult:
        """Run `job` in a container; see `Sandbox.run`. What one engine fails at another one tries."""
        self._check(job)
        oversized = _oversized(job, self.image())
        if oversized is not None:
            return oversized
        tried: list[Endpoint] = []
        while True:
            with self._desk.engine(tried) as endpoint:
                try:
                    result = endpoint.run(job)
                except SandboxError as exc:
                    tried.append(endpoint)
                    if not self._desk.failed(endpoint, exc, tried):
                        raise
                else:
                    self._desk.worked(endpoint)
                    return result

    def image(self) -> ImageInfo:
        """Say which image runs the jobs; see `Sandbox.image`. All engines in use have the same one."""
        return self._desk.image()

    def levels(self) -> frozenset[Level]:
        """Name the levels on offer."""
        return frozenset(Level)

    def close(self) -> None:
        """Remove what is left of this sandbox's containers. Safe to call twice."""
        self._desk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check(self, job: Job) -> None:
        if job.level not in self.levels():
            raise UnsupportedLevel(f"level {job.level} is not available in this sandbox")
        if job.level is not Level.PROGRAM and job.tests is None:
            raise UnsupportedLevel(f"level {job.level} needs tests; use level program for a script alone")
        if job.profile not in PROFILES:
            raise SandboxError(f"no profile {job.profile!r}; there are: {', '.join(PROFILES)}")


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
    return without_run(job, python=info.python, guest_version=info.guest_version, **facts)
