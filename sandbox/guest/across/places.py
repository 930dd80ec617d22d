"""Folders and files that both sides see: made by the tests, and open to the script's user."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _pytest import tmpdir

from . import databases
from .databases import BOTH, OPEN_FILE

SHARED = ("/work/run", BOTH, "/tmp", "/dev/shm")  # noqa: S108 -- where the script can write, too
OPEN = 0o777


def open_up() -> None:
    """Have what tests make for the script be open to it: `tmp_path`, `tempfile`, new files and folders."""
    os.umask(0)
    tempfile.tempdir = BOTH
    os.environ["TMPDIR"] = BOTH
    factory: Any = pytest.TempPathFactory
    for name in ("mktemp", "getbasetemp"):
        setattr(factory, name, _opened(getattr(factory, name)))
    # It names the folder after the test, and values of parameters are in that name.
    tmpdir._mk_tmp = lambda _request, factory: factory.mktemp("test", numbered=True)  # type: ignore[assignment] # noqa: SLF001
    tempfile.mkdtemp = _opened(tempfile.mkdtemp)
    inner: Any = tempfile
    databases.open_up()
    inner._mkstemp_inner = _opened_file(inner._mkstemp_inner)  # noqa: SLF001 -- what all files of `tempfile` come from


def _opened(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(*args: Any, **kwargs: Any) -> Any:
        path = make(*args, **kwargs)
        for each in (Path(path), Path(path).parent):
            # The folder of all folders of a user is pytest's own, and closed.
            if each.is_relative_to(BOTH) and str(each) != BOTH and each.stat().st_uid == os.getuid():
                each.chmod(OPEN)
        return path

    return made


def _opened_file(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(*args: Any, **kwargs: Any) -> Any:
        fd, path = make(*args, **kwargs)
        os.fchmod(fd, OPEN_FILE)
        return fd, path

    return made
