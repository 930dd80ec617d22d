"""One small test session in the zygote, so that what pytest imports and builds late is there already."""

import contextlib
import io
import linecache
import sys
import tempfile
from pathlib import Path

import pytest

from . import suite

TESTS = """
import pytest

@pytest.fixture
def one():
    return 1

@pytest.mark.parametrize("number", [1, 2])
def test_right(number, one):
    assert number >= one

def test_wrong(tmp_path_factory, monkeypatch, capsys):
    with pytest.raises(ZeroDivisionError):
        1 / 0
    assert [1, 2.0, "a"] == pytest.approx([1, 3.0])
"""


def warm_up() -> None:
    """Run the session; nothing of it stays but what was imported.

    Raises:
        RuntimeError: pytest does not work here.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        file = Path(folder) / "test_warm_up.py"
        file.write_text(TESTS, encoding="utf-8")
        before = set(sys.modules)
        status = pytest.main(suite.arguments([str(file)], TESTS, 0))
    for name in set(sys.modules) - before:
        if "warm_up" in name:
            del sys.modules[name]
    linecache.clearcache()
    if status != pytest.ExitCode.TESTS_FAILED:
        raise RuntimeError(f"the warm-up session ended with {status!r}")
