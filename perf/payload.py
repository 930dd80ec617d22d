"""The attempt that every way runs: a script and a test file of five ordinary tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SCRIPT = '''\
"""Small statistics."""


def mean(values):
    if not values:
        raise ValueError("no values")
    return sum(values) / len(values)


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return mean(ordered[middle - 1 : middle + 1])


def histogram(words):
    counts = {}
    for word in words:
        counts[word.lower()] = counts.get(word.lower(), 0) + 1
    return counts
'''

TESTS = """\
import pytest

from solution import histogram, mean, median


def test_mean():
    assert mean([0.1, 0.2, 0.3]) == pytest.approx(0.2)


def test_mean_of_nothing():
    with pytest.raises(ValueError, match="no values"):
        mean([])


@pytest.mark.parametrize(("values", "expected"), [([3, 1, 2], 2), ([4, 1, 3, 2], 2.5)])
def test_median(values, expected):
    assert median(values) == expected


def test_histogram():
    assert histogram(["a", "B", "b", "A", "b"]) == {"a": 2, "b": 3}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A script, its tests, and the verdict that any way must come to."""

    script: str
    tests: str
    passes: bool

    @property
    def files(self) -> Mapping[str, str]:
        """Both files under the names they must have."""
        return {"solution.py": self.script, "test_solution.py": self.tests}


RIGHT = Payload(script=SCRIPT, tests=TESTS, passes=True)
WRONG = Payload(script=SCRIPT.replace("% 2", "% 3"), tests=TESTS, passes=False)


def write(payload: Payload, folder: Path) -> None:
    """Put both files into a folder."""
    for name, text in payload.files.items():
        (folder / name).write_text(text, encoding="utf-8")
