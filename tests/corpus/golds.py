"""The gold programs, byte for byte, and what a prompt would have asked for."""

import functools
from dataclasses import dataclass
from pathlib import Path

from tests.corpus.draft import Asked, Draft, names_of

FOLDER = Path(__file__).resolve().parent / "gold"
SUITES = ("pytest_basic", "pytest_fixtures", "pytest_inline_snapshot", "unittest_suite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """One program."""

    name: str
    code: str
    asked: Asked

    def draft(self) -> Draft:
        """Begin a reply."""
        return Draft(text=self.code, gold=self.code, accepted=(self.code,), asked=self.asked)


@functools.cache
def golds() -> tuple[Gold, ...]:
    """All of them, by name."""
    return tuple(_gold(path) for path in sorted(FOLDER.glob("*.py")))


def _gold(path: Path) -> Gold:
    code = path.read_bytes().decode("utf-8")
    names = names_of(code)
    asked = Asked(kind="tests") if path.stem in SUITES else Asked(required=names[-1:])
    return Gold(name=path.stem, code=code, asked=asked)
