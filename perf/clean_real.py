"""How many recorded replies pass their tests once cleaned, beside other ways to take code out of them.

    python -m perf.clean_real FOLDER            FOLDER holds raw_replies.jsonl and solutions.jsonl
    python -m perf.clean_real FOLDER --losses   also list the rows where another way passes and ours does not

The other ways were run once, by the source of the rows; their verdicts are in the rows. Ours is run here, in
the sandbox, at level shared, because these tests look at the script from inside.

Exit code 1: a target is missed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from perf.real_tests import as_pytest
from repair.cleaning.caged import Cleaner
from repair.cleaning.oracle import free_names
from repair.script import Script

Row = dict[str, Any]
OURS, UNION = "mendbench", "any of the others"
KEPT_TARGET = 0.995
"""Share of the rows that some other way passes, and ours must too."""
_FILES = ("solutions.jsonl", "raw_replies.jsonl")
_WORKERS = 2


def main() -> int:
    """Clean, score, compare."""
    options = _options()
    rows = list(read_rows(options.folder))
    scripts = clean_all(rows)
    with tempfile.TemporaryDirectory() as folder:
        out = options.out or Path(folder, "scored.jsonl")
        passed = score(rows, scripts, out, attempts=options.attempts_per_container)
    print(table(rows, scripts, passed))
    print(speed(rows))
    if options.losses:
        print("\n".join(lost(rows, passed)))
    return 0 if reached(rows, passed) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m perf.clean_real", description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--losses", action="store_true", help="list the rows that ours alone does not pass")
    parser.add_argument("--out", type=Path, help="keep the scored rows here: what is known is not run again")
    parser.add_argument("--attempts-per-container", type=int, default=50)
    return parser.parse_args()


def read_rows(folder: Path) -> Iterator[Row]:
    """Rows with a reply and the verdicts of other ways, each once."""
    found: dict[str, Row] = {}
    for name in _FILES:
        with (folder / name).open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                found[row["id"]] = found.get(row["id"], {}) | row
    return (row for row in found.values() if row.get("raw_reply") and row.get("fresh_by_strategy"))


def clean_all(rows: list[Row]) -> list[Script]:
    """What the cleaner makes of each reply."""
    with Cleaner(workers=_WORKERS) as cleaner, ThreadPoolExecutor(_WORKERS) as pool:
        return list(pool.map(lambda row: _clean(cleaner, row), rows))


def _clean(cleaner: Cleaner, row: Row) -> Script:
    return cleaner.clean(row["raw_reply"], required=required(row), prompt=row.get("prompt") or "")


def speed(rows: list[Row]) -> str:
    """Milliseconds per reply, one after the other in one child, the way to it and back included."""
    took: list[float] = []
    with Cleaner(workers=1) as cleaner:
        for row in [*rows[:20], *rows]:
            began = time.perf_counter()
            _clean(cleaner, row)
            took.append(1000 * (time.perf_counter() - began))
        began = time.perf_counter()
        cleaner.clean("The quick brown fox (jumps) over: the lazy dog.\n" * 21_000)
        prose = time.perf_counter() - began
    times = sorted(took[20:])
    p50, p99 = times[len(times) // 2], times[int(0.99 * len(times))]
    return (
        f"per reply: p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {times[-1]:.0f} ms; 1 MB of prose {prose:.2f} s"
    )


def required(row: Row) -> tuple[str, ...]:
    """Names that the answer must define: the entry point, or else what the tests need."""
    if row.get("entry_point"):
        return (row["entry_point"],)
    return tuple(sorted(free_names(row["tests"])))


def score(rows: list[Row], scripts: list[Script], out: Path, *, attempts: int) -> set[str]:
    """Ids of the rows whose script passes its tests."""
    wanted = {}
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as samples:
        for row, script in zip(rows, scripts, strict=True):
            if script.code is not None:
                tests = as_pytest(row["tests_kind"], row["tests"], row.get("entry_point") or "")
                wanted[row["id"]] = sample = {"id": _sample_id(row, script), "solution": script.code}
                samples.write(json.dumps({**sample, "tests": tests}) + "\n")
        samples.flush()
        command = [sys.executable, "-m", "evaluator.cli", "score", samples.name, "--out", str(out)]
        options = ["--grading", "shared", "--attempts-per-container", str(attempts)]
        subprocess.run([*command, *options], check=True)
    with out.open(encoding="utf-8") as lines:
        verdicts = {line["id"]: line["verdict"] for line in map(json.loads, lines)}
    found = {row_id: verdicts[sample["id"]] for row_id, sample in wanted.items()}
    unscored = [row_id for row_id, verdict in found.items() if verdict == "sandbox_error"]
    if unscored:
        raise SystemExit(f"{len(unscored)} rows could not be scored: {unscored[:5]}")
    return {row_id for row_id, verdict in found.items() if verdict == "passed"}


def _sample_id(row: Row, script: Script) -> str:
    """Another script of a row is another sample."""
    return f"{row['id']}#{script.sha256[:12]}"


def others(row: Row) -> frozenset[str]:
    """The other ways that pass."""
    return frozenset(way for way, verdict in row["fresh_by_strategy"].items() if verdict == "pass")


def lost(rows: list[Row], passed: set[str]) -> list[str]:
    """The rows that another way passes, and ours does not."""
    return [
        f"{row['id']}: {', '.join(sorted(others(row)))}"
        for row in rows
        if others(row) and row["id"] not in passed
    ]


def reached(rows: list[Row], passed: set[str]) -> bool:
    """Whether ours keeps what others pass, and passes more in all."""
    union = [row for row in rows if others(row)]
    kept = sum(row["id"] in passed for row in union)
    return kept >= KEPT_TARGET * len(union) and len(passed) > len(union)


def table(rows: list[Row], scripts: list[Script], passed: set[str]) -> str:
    """Rows that pass by way, and what ours did."""
    ways: Counter[str] = Counter(way for row in rows for way in others(row))
    union = [row for row in rows if others(row)]
    counted = [*sorted(ways.items(), key=lambda item: item[1]), (UNION, len(union)), (OURS, len(passed))]
    lines = [f"{len(rows)} replies", f"{'way':20} {'pass':>6} {'share':>8}"]
    lines += [f"{way:20} {count:6} {100 * count / len(rows):6.1f} %" for way, count in counted]
    kept = sum(row["id"] in passed for row in union)
    lines.append(f"kept of what any other way passes: {kept}/{len(union)} = {100 * kept / len(union):.2f} %")
    outcomes = Counter(str(script.outcome) for script in scripts)
    lines.append("outcomes: " + ", ".join(f"{name} {count}" for name, count in outcomes.most_common()))
    rules = Counter(edit.rule for script in scripts for edit in script.edits)
    lines.append("rules: " + ", ".join(f"{name} {count}" for name, count in rules.most_common()))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
