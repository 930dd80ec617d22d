"""`python3 <flags> /opt/mendbench/guest`: the warden."""

import importlib
import sys


def main() -> None:
    """Import this folder as the package `guest` and run its warden."""
    home = sys.path[0].rpartition("/")[0]
    sys.path[0] = home
    warm_up = importlib.import_module("guest.warmup").WarmUp()
    module = importlib.import_module("guest.warden")
    warm_up.end()
    # Nothing that is imported from here on may come out of this folder.
    sys.path.remove(home)
    module.main()


# Not where multiprocessing imports this file once more, in a process that a script started.
if __name__ == "__main__":
    main()
