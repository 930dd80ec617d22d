"""What hypothesis works out of Unicode before its first text: made with the image, read in a moment.

Without it each process of a run that draws a text would spend two seconds on it.
"""

import contextlib
from pathlib import Path
from typing import Any

FOLDER = Path("/opt/mendbench/hypothesis")


def load() -> None:
    """Have the tables in memory, from the folder; a hypothesis that keeps them elsewhere does without."""
    with contextlib.suppress(Exception):
        from hypothesis import configuration  # noqa: PLC0415 -- slow, and seldom needed
        from hypothesis.internal import charmap  # noqa: PLC0415

        tables: Any = charmap
        configuration.set_hypothesis_home_dir(FOLDER)
        try:
            tables.charmap()
            tables.categories()
            tables.intervals_from_codec("utf-8")
        finally:
            configuration.set_hypothesis_home_dir(None)


if __name__ == "__main__":
    load()
