"""Files of databases that both sides see: SQLite makes them for their owner alone."""

import os
import sys
from pathlib import Path
from typing import Any

BOTH = "/work/both"
OPEN_FILE = 0o666


def open_up() -> None:
    """Make the file of a database, open to both sides, before SQLite does."""
    sys.addaudithook(_open)


def _open(event: str, args: tuple[Any, ...]) -> None:
    if event == "sqlite3.connect" and isinstance(args[0], str | os.PathLike):
        path = Path(args[0])
        if path.is_absolute() and path.is_relative_to(BOTH) and path.parent.is_dir() and not path.exists():
            path.touch(OPEN_FILE)
