"""Home of the zygote for children that need no pytest."""

from . import compiling, run_program
from .across import candidate
from .zygote import Forker


def _mutate() -> None:
    # Not before it is asked for: every container would wait for what few of them need.
    from .mutation import make  # noqa: PLC0415

    make.main()


ROLES = {
    "compile": compiling.main,
    "program": run_program.main,
    "candidate": candidate.main,
    "mutate": _mutate,
}


def live(forker: Forker) -> None:
    """Fork on demand; in a child, do its role."""
    ROLES[forker.wait()]()
