"""Home of the zygote for children that need no pytest."""

from . import compiling, run_program
from .across import candidate
from .zygote import Forker

ROLES = {"compile": compiling.main, "program": run_program.main, "candidate": candidate.main}


def live(forker: Forker) -> None:
    """Fork on demand; in a child, do its role."""
    ROLES[forker.wait()]()
