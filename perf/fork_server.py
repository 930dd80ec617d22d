"""A warm interpreter that forks for each attempt: the floor under every way that starts something.

Reads a folder's name per line on standard input, runs pytest there in a fork of itself, writes the exit
code as a line. No isolation at all.
"""

import contextlib
import gc
import io
import os
import sys
import tempfile
from pathlib import Path

import pytest

from perf.payload import RIGHT, write

ARGS = ("-q", "-p", "no:cacheprovider", "test_solution.py")


def session(folder: str) -> int:
    """Run pytest in a fork, in silence; return its exit code."""
    child = os.fork()
    if child == 0:
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(silence, stream)
        os.chdir(folder)
        os._exit(int(pytest.main(list(ARGS))))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def warm_up() -> None:
    """Have everything imported that a session imports, and forget the session itself."""
    home, path, modules = Path.cwd(), list(sys.path), set(sys.modules)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        write(RIGHT, Path(folder))
        os.chdir(folder)
        pytest.main(list(ARGS))
    os.chdir(home)
    sys.path[:] = path
    for name in {"solution", "test_solution"} - modules:
        sys.modules.pop(name, None)
    sys.path_importer_cache.clear()


def main() -> None:
    """Serve until standard input ends."""
    warm_up()
    gc.freeze()
    for line in sys.stdin:
        print(session(line.rstrip("\n")), flush=True)


if __name__ == "__main__":
    main()
