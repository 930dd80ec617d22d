"""The mutation engine beside mutmut and cosmic-ray, on the same scripts and suites, in one run.

    python -m venv peers && peers/bin/pip install mutmut==3.8.1 cosmic-ray==8.7.0 pytest
    python -m perf.mutation_peers peers [--only loops] [--sample 20]

Where two of them judge the same mutant (the same function with the same syntax tree) the verdicts are
compared, and every difference is named. Times are wall and CPU time of each tool's own run, per mutant; ours
has extreme and null versions, orders and lone tests in its CPU time. Of cosmic-ray's mutants a sample is run.
"""

import argparse
import ast
import json
import os
import random
import resource
import sqlite3
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from evaluator.suites.runs import run_suite
from evaluator.suites.score import mutants
from sandbox.engine import DockerSandbox
from sandbox.suite import SuitePlan, Version, VersionStatus

HERE = Path(__file__).resolve().parent
DEMO = HERE.parent / "tests" / "integration" / "demo_suites.yaml"
SURVIVED = "survived"
GATES = {"loops": (20, 80), "straight": (4, 15)}
Verdicts = dict[tuple[str, str], str]
COSMIC = """[cosmic-ray]
module-path = "solution.py"
timeout = 10.0
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:cacheprovider tests"
[cosmic-ray.distributor]
name = "local"
"""
MUTMUT = "[mutmut]\npaths_to_mutate=solution.py\ntests_dir=tests/\nalso_copy=tests/\n"


def main() -> None:
    """Compare on every script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("venv", type=Path)
    parser.add_argument("--only")
    parser.add_argument("--sample", type=int, default=20)
    args = parser.parse_args()
    cases = yaml.safe_load((HERE / "mutation_peers.yaml").read_text())
    demo = yaml.safe_load(DEMO.read_text())
    cases["demo"] = {"script": demo["script"], "suite": demo["suites"]["careful"]}
    print(f"load average {os.getloadavg()[0]:.1f}")
    for name, case in cases.items():
        if args.only in {None, name}:
            _compare(name, case["script"], case["suite"], args)


def _compare(name: str, script: str, suite: str, args: argparse.Namespace) -> None:
    bin_ = args.venv.resolve() / "bin"
    ours, each, total, cpu = _ours(script, suite)
    print(
        f"{name}: ours {len(ours)} mutants, mean {each[0]:.1f} ms, p95 {each[1]:.1f} ms, "
        f"CPU {1000 * cpu / len(ours):.0f} ms each; all {total:.1f} s"
    )
    ratios = []
    for peer, run in (("mutmut", _mutmut), ("cosmic-ray", _cosmic)):
        with tempfile.TemporaryDirectory() as folder:
            before = _children_cpu()
            theirs, per_mutant = run(Path(folder), bin_, script, suite, args.sample)
            used = 1000 * (_children_cpu() - before) / max(len(theirs), 1)
        both = sorted(ours.keys() & theirs.keys())
        different = [key for key in both if ours[key] != theirs[key]]
        ratios.append(per_mutant / each[0])
        print(
            f"{name}: {peer} {len(theirs)} mutants, {per_mutant:.0f} ms each: {ratios[-1]:.0f} x ours; "
            f"CPU {used:.0f} ms each; "
            f"{len(both)} in common, {len(different)} judged differently"
        )
        for scope, tree in different:
            print(f"  {scope}: ours {ours[scope, tree]}, {peer} {theirs[scope, tree]}\n    {tree[:3000]}")
    if name in GATES:
        met = all(ratio >= gate for ratio, gate in zip(ratios, GATES[name], strict=True))
        print(f"{name}: gates {GATES[name]}: {'met' if met else 'MISSED'}")


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# Ours


def _ours(script: str, suite: str) -> tuple[Verdicts, tuple[float, float], float, float]:
    with DockerSandbox(f"perf-{uuid.uuid4().hex[:8]}") as sandbox:
        runs = run_suite(sandbox.run, script, suite, plan=SuitePlan(mutants=1000), hash_seeds=1)
    assert runs.main.suite is not None, runs.main
    made = mutants(runs.main.suite)
    walls = sorted(version.wall_s * 1000 for version in made if version.ran != "0")
    verdicts: Verdicts = {}
    for version in made:
        key = _changed(script, _applied(script, version))
        if key is not None:
            verdicts[key] = SURVIVED if version.status is not VersionStatus.KILLED else "killed"
    each = sum(walls) / len(walls), walls[int(len(walls) * 0.95)]
    return verdicts, each, runs.main.wall_s, runs.main.cpu_s


def _applied(script: str, version: Version) -> str:
    lines = script.encode().split(b"\n")
    start = sum(len(line) + 1 for line in lines[: version.line - 1]) + version.column
    end = sum(len(line) + 1 for line in lines[: version.end_line - 1]) + version.end_column
    whole = script.encode()
    for text in (f"({version.text})", version.text):
        changed = (whole[:start] + text.encode() + whole[end:]).decode()
        try:
            ast.parse(changed)
        except SyntaxError:
            continue
        return changed
    return ""


# Syntax trees as the common language


def _functions(source: str) -> dict[str, str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {}
    return dict(_walk(tree, ""))


def _walk(node: ast.AST, scope: str) -> Iterator[tuple[str, str]]:
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.ClassDef):
            yield from _walk(part, f"{scope}{part.name}.")
        elif isinstance(part, ast.FunctionDef):
            yield scope + part.name, _plain(part)


def _plain(node: ast.FunctionDef) -> str:
    node.name, node.decorator_list = "f", []
    return ast.unparse(node)


def _changed(script: str, mutated: str) -> tuple[str, str] | None:
    """Name the function that is different, and its text."""
    before, after = _functions(script), _functions(mutated)
    return next(((scope, text) for scope, text in after.items() if before.get(scope, text) != text), None)


# Theirs


def _lay_out(folder: Path, script: str, suite: str) -> None:
    (folder / "tests").mkdir()
    (folder / "solution.py").write_text(script)
    (folder / "tests" / "test_solution.py").write_text(suite)


def _mutmut(folder: Path, bin_: Path, script: str, suite: str, _sample: int) -> tuple[Verdicts, float]:
    _lay_out(folder, script, suite)
    (folder / "setup.cfg").write_text(MUTMUT)
    subprocess.run(
        [bin_ / "mutmut", "run", "--max-children", "1"], cwd=folder, capture_output=True, check=False
    )
    meta: dict[str, Any] = json.loads((folder / "mutants" / "solution.py.meta").read_text())
    versions = _functions((folder / "mutants" / "solution.py").read_text())
    verdicts = {}
    for key, code in meta["exit_code_by_key"].items():
        name = key.removeprefix("solution.")
        scope, _, _ = name.partition("__mutmut_")
        parts = scope.split("ǁ")
        clean = ".".join(parts[1:]) if len(parts) > 1 else scope.removeprefix("x_")
        text = versions.get(name) or next((t for s, t in versions.items() if s.endswith(name)), None)
        if text is not None and code is not None:
            verdicts[clean, text] = SURVIVED if code in {0, 33} else "killed"
    seconds = [value for value in meta["durations_by_key"].values() if value is not None]
    return verdicts, 1000 * sum(seconds) / max(len(seconds), 1)


def _cosmic(folder: Path, bin_: Path, script: str, suite: str, sample: int) -> tuple[Verdicts, float]:
    _lay_out(folder, script, suite)
    (folder / "c.toml").write_text(COSMIC.format(python=bin_ / "python"))
    subprocess.run(
        [bin_ / "cosmic-ray", "init", "c.toml", "c.db"], cwd=folder, check=True, capture_output=True
    )
    with sqlite3.connect(folder / "c.db") as base:
        jobs = [job for (job,) in base.execute("select job_id from work_items order by job_id")]
        specs = list(
            base.execute(
                "select job_id, operator_name, occurrence, operator_args from mutation_specs "
                "order by start_pos_row, start_pos_col, operator_name, occurrence"
            )
        )
        kept = {row[0] for row in random.Random(0).sample(specs, min(sample, len(specs)))}
        for job in jobs:
            if job not in kept:
                base.execute("delete from mutation_specs where job_id = ?", (job,))
                base.execute("delete from work_items where job_id = ?", (job,))
    start = time.monotonic()
    subprocess.run(
        [bin_ / "cosmic-ray", "exec", "c.toml", "c.db"], cwd=folder, capture_output=True, check=False
    )
    seconds = time.monotonic() - start
    with sqlite3.connect(folder / "c.db") as base:
        found = list(base.execute("select diff, test_outcome from work_results"))
    verdicts = {}
    for diff, outcome in found:
        key = _changed(script, _patched(script, diff or ""))
        if key is not None:
            verdicts[key] = SURVIVED if str(outcome).lower().endswith("survived") else "killed"
    return verdicts, 1000 * seconds / max(len(found), 1)


def _patched(script: str, diff: str) -> str:
    """Apply a unified diff of the whole file."""
    lines, result, at = script.splitlines(), [], 0
    for row in diff.splitlines():
        if row.startswith(("---", "+++")):
            continue
        if row.startswith("@@"):
            first = int(row.split()[1].split(",")[0].lstrip("-")) - 1
            result += lines[at:first]
            at = first
        elif row.startswith("+"):
            result.append(row[1:])
        elif row.startswith("-"):
            at += 1
        elif row.startswith(" ") and at < len(lines):
            result.append(lines[at])
            at += 1
    return "\n".join([*result, *lines[at:]]) + "\n"


if __name__ == "__main__":
    main()
