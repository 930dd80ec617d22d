"""The walls that an engine can put between a container and its machine."""

from collections.abc import Iterator

from evaluator.doctor.engine import DAEMON_JSON, Engine
from evaluator.doctor.finding import Finding, bad, note, ok


def seccomp(engine: Engine) -> Iterator[Finding]:
    """Look whether the engine can filter system calls."""
    profile = engine.options.get("seccomp")
    if profile is None:
        what = "the engine cannot filter system calls (no seccomp)"
        yield bad("seccomp", what, "use a kernel with CONFIG_SECCOMP and an engine built with it")
    else:
        yield ok(
            "seccomp",
            f"the engine can filter system calls (without ours, its profile is {profile or 'unnamed'})",
        )


def user_namespace(engine: Engine) -> Iterator[Finding]:
    """Look whether root of a container is nobody outside."""
    if "rootless" in engine.options:
        yield ok("users", "rootless: root of a container is an ordinary user outside")
    elif "userns" in engine.options:
        yield ok("users", "userns-remap: root of a container is nobody outside")
    else:
        what = "root of a container is root of the machine's user namespace (only the candidate is not root)"
        mend = (
            f'for another wall: {{"userns-remap": "default"}} in {DAEMON_JSON}, rootless Docker,\n'
            'or a kernel of its own for each container: runtime = "runsc" in [sandbox]'
        )
        yield note("users", what, mend)
