"""How every command opens the sandbox: one place for what is put around the containers."""

from sandbox.backend import Sandbox


def open_sandbox(run_id: str, *, runtime: str | None = None, attempts_per_container: int = 1) -> Sandbox:
    """Open a sandbox whose time limits are fair (see `sandbox.fair`); closing it removes its containers.

    Args:
        run_id: label of all its containers.
        runtime: another OCI runtime that the engine knows.
        attempts_per_container: how often a container that is still clean is used.
    """
    from sandbox.engine import DockerSandbox  # noqa: PLC0415 - loads the Docker SDK
    from sandbox.fair import FairSandbox  # noqa: PLC0415

    del attempts_per_container  # every attempt has a container of its own
    return FairSandbox(DockerSandbox(run_id=run_id, runtime=runtime))
