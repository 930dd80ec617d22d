"""`python3 <flags> /opt/mendbench/guest ROLE`: the warden, or one of the children that it starts."""

import importlib
import sys
from pathlib import Path

ROLES = {"warden": "warden", "collect": "collect", "shared": "run_shared", "program": "run_program"}


def main() -> None:
    """Import this folder as the package `guest` and run what the role names."""
    home = str(Path(__file__).resolve().parent.parent)
    sys.path[0] = home
    module = importlib.import_module(f"guest.{ROLES[sys.argv[1]]}")
    # Nothing that is imported from here on may come out of this folder.
    sys.path.remove(home)
    module.main()


# Not where multiprocessing imports this file once more, in a process that a script started.
if __name__ == "__main__":
    main()
