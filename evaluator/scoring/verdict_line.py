"""A verdict and its facts as one JSON object: what `run --json` prints and `score` writes per row."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from repair.script import CleanOutcome, Script
from sandbox.types import CompileReport, ExceptionInfo, Level, RunResult, TestRecord
from sandbox.verdict import judge

_ALWAYS = frozenset({"id", "outcome"})


def facts(
    runs: dict[str, RunResult], verdict: str, *, level: Level | None, script: Script | None = None
) -> dict[str, Any]:
    """Put the facts of a judged script together: of its last run, with the tests of all runs.

    Args:
        runs: what ran, in order: `shown`, then `holdout` where there is one; empty if nothing ran.
        verdict: the judgement of all of it.
        level: how far the tests were kept away from the script.
        script: how the script came out of a reply, where it did.
    """
    last = runs[next(reversed(runs))] if runs else None
    return {
        "verdict": verdict,
        "parts": {part: str(judge(result)) for part, result in runs.items()},
        "level": None if level is None else str(level),
        "tests": [
            _test(test, part, several=len(runs) > 1) for part, run in runs.items() for test in run.tests
        ],
        **_of_run(last),
        "clean": None if script is None else _cleaning(script),
    }


def _of_run(run: RunResult | None) -> dict[str, Any]:
    if run is None:
        run_facts: dict[str, Any] = dict.fromkeys(("exit_code", "signal", "killed_by"))
        run_facts |= {"wall_s": 0.0, "cpu_s": 0.0, "max_rss_bytes": 0, "run_delay_s": None}
        run_facts |= {"exception": None, "compiled": None, "tests_error": "", "stdout": "", "stderr": ""}
        return {**run_facts, "flags": [], "suspicious": [], "contended": None}
    return {
        "exit_code": run.exit_code,
        "signal": run.signal,
        "killed_by": None if run.killed_by is None else str(run.killed_by),
        "wall_s": run.wall_s,
        "cpu_s": run.cpu_s,
        "max_rss_bytes": run.max_rss_bytes,
        "run_delay_s": run.run_delay_s,
        "exception": None if run.exception is None else _exception(run.exception),
        "compiled": _compiled(run.compiled),
        "tests_error": run.tests_error,
        "stdout": run.stdout.text,
        "stderr": run.stderr.text,
        "flags": [str(flag) for flag in run.flags],
        "suspicious": list(run.suspicious),
        "contended": None if run.contended is None else _first_run(run.contended),
    }


def _test(test: TestRecord, part: str, *, several: bool) -> dict[str, Any]:
    record = {key: value for key, value in asdict(test).items() if key in _ALWAYS or value}
    record.pop("frames", None)
    return {**record, "outcome": str(test.outcome), **({"part": part} if several else {})}


def _exception(exception: ExceptionInfo) -> dict[str, Any]:
    return asdict(exception)


def _compiled(report: CompileReport) -> dict[str, Any]:
    return {"ok": True} if report.ok else asdict(report)


def _first_run(run: RunResult) -> dict[str, Any]:
    """What is kept of a run that hit a time limit while it waited for a CPU."""
    return {
        "verdict": str(judge(run)),
        "wall_s": run.wall_s,
        "cpu_s": run.cpu_s,
        "run_delay_s": run.run_delay_s,
    }


def _cleaning(script: Script) -> dict[str, Any]:
    return {
        "outcome": str(script.outcome),
        "rules": [edit.rule for edit in script.edits],
        "sha256": None if script.outcome is CleanOutcome.NO_CODE else script.sha256,
        "reason": script.reason,
    }


def dump(line: Mapping[str, Any]) -> str:
    """Write the object as one line of ASCII."""
    return json.dumps(line, ensure_ascii=True, separators=(",", ":"))
