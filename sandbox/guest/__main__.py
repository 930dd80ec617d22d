"""`python3 <flags> /opt/mendbench/guest`: the warden."""

import importlib
import sys
from pathlib import Path


def main() -> None:
    """Import this folder as the package `guest` and run its warden."""
    home = str(Path(__file__).resolve().parent.parent)
    sys.path[0] = home
    module = importlib.import_module("guest.warden")
    # Nothing that is imported from here on may come out of this folder.
    sys.path.remove(home)
    module.main()


# Not where multiprocessing imports this file once more, in a process that a script started.
if __name__ == "__main__":
    main()
