"""The standard mutation-report JSON (schema version 2), which viewers of several tools can show."""

from typing import Any

from evaluator.suites.outcome import numbers
from sandbox.suite import KillKind, Version, VersionKind, VersionStatus
from sandbox.types import RunResult

_SHOWN = (VersionKind.MUTANT, VersionKind.COSMETIC, VersionKind.EXTREME)
_THRESHOLDS = {"high": 80, "low": 60}


def mutation_report(result: RunResult, script: str, tests: str) -> dict[str, Any]:
    """Return the report of one scored suite. Null versions are no mutants and are not in it."""
    facts = result.suite
    lines = script.split("\n")
    shown = [version for version in (facts.versions if facts else ()) if version.kind in _SHOWN]
    return {
        "schemaVersion": "2",
        "thresholds": _THRESHOLDS,
        "framework": {"name": "mendbench", "version": result.guest_version},
        "files": {
            "solution.py": {
                "language": "python",
                "source": script,
                "mutants": [_mutant(str(n), version, lines) for n, version in enumerate(shown)],
            }
        },
        "testFiles": {
            "test_solution.py": {
                "source": tests,
                "tests": [{"id": str(n), "name": test.id} for n, test in enumerate(result.tests)],
            }
        },
    }


def _mutant(name: str, version: Version, lines: list[str]) -> dict[str, Any]:
    killers = [str(n) for n in sorted(numbers(version.by))]
    return {
        "id": name,
        "mutatorName": version.operator,
        "location": {
            "start": _position(version.line, version.column, lines),
            "end": _position(version.end_line, version.end_column, lines),
        },
        "replacement": version.text,
        "status": _status(version),
        "statusReason": f"{version.kind}{': ' + version.kill if version.kill else ''}",
        "coveredBy": [str(n) for n in sorted(numbers(version.ran))],
        "killedBy": killers,
        "static": version.cold,
        "duration": round(version.wall_s * 1000),
    }


def _status(version: Version) -> str:
    if version.kind is VersionKind.COSMETIC and version.status is not VersionStatus.KILLED:
        # Shown, but not held against the suite.
        return "Ignored"
    if version.status is VersionStatus.KILLED:
        return "Timeout" if version.kill is KillKind.LOOP else "Killed"
    return {
        VersionStatus.SURVIVED: "Survived",
        VersionStatus.UNREACHED: "NoCoverage",
        VersionStatus.UNJUDGED: "Pending",
    }[version.status]


def _position(line: int, column: int, lines: list[str]) -> dict[str, int]:
    """Count from 1, in characters; Python's parser counts columns from 0, in bytes."""
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    characters = len(text.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "ignore"))
    return {"line": max(line, 1), "column": characters + 1}
