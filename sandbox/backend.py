"""The seam between the bench and whatever runs untrusted code."""

from types import TracebackType
from typing import Protocol, Self

from sandbox.types import ImageInfo, Job, Level, RunResult


class Sandbox(Protocol):
    """Runs one job at a time per caller; safe to call from many threads."""

    def run(self, job: Job) -> RunResult:
        """Run `job` in a fresh container and return the facts.

        Raises:
            SandboxError: no trustworthy result could be had; the caller may try again.
            UnsupportedLevel: this sandbox does not offer the job's level.
        """
        ...

    def image(self) -> ImageInfo:
        """Say which image runs the jobs.

        Raises:
            ImageMissing: the image is not built.
            EngineUnavailable: no engine answers.
        """
        ...

    def levels(self) -> frozenset[Level]:
        """Name the levels on offer."""
        ...

    def close(self) -> None:
        """Remove every container of this sandbox. Safe to call twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None: ...
