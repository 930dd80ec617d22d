"""Between jobs and results and their form in frames."""

from collections.abc import Mapping
from typing import Any

from sandbox.suite import decode_facts, encode_plan
from sandbox.types import (
    CompileReport,
    Evidence,
    ExceptionInfo,
    Flag,
    Frame,
    Job,
    KilledBy,
    Level,
    RunResult,
    Stream,
    TestOutcome,
    TestRecord,
)


def encode_job(job: Job) -> dict[str, Any]:
    """Return the job as the warden takes it."""
    limits = job.limits
    return {
        "id": job.id,
        "level": job.level.value,
        "script": job.script,
        "tests": None if job.level is Level.PROGRAM else job.tests,
        "hash_seed": job.hash_seed,
        "stdin": job.stdin,
        "argv": list(job.argv),
        "suite": None if job.suite is None else encode_plan(job.suite),
        "limits": {
            "wall_s": limits.wall_s,
            "cpu_s": limits.cpu_s,
            "file_bytes": limits.file_bytes,
            "output_bytes": limits.output_bytes,
            "output_hard_bytes": limits.output_hard_bytes,
        },
    }


def decode_result(job: Job, data: Mapping[str, Any]) -> RunResult:
    """Return the facts that the warden sent.

    Raises:
        KeyError, TypeError, ValueError: the warden speaks another language than this host.
    """
    tests = tuple(_test(record) for record in data["tests"])
    facts = {
        name: data[name]
        for name in ("exit_code", "signal", "wall_s", "cpu_s", "max_rss_bytes", "run_delay_s")
        if name in data
    }
    killed_by = data.get("killed_by")
    return RunResult(
        job_id=job.id,
        level=job.level,
        python=data["python"],
        guest_version=data["guest_version"],
        hash_seed=job.hash_seed,
        compiled=CompileReport(**data["compiled"]),
        tests_error=data["tests_error"],
        killed_by=None if killed_by is None else KilledBy(killed_by),
        cgroup_peak_bytes=data["cgroup_peak_bytes"],
        exception=_exception(data.get("exception")),
        tests=tests,
        evidence=_evidence(data["evidence"], tuple(test.id for test in tests)),
        stdout=Stream(**data.get("stdout", {})),
        stderr=Stream(**data.get("stderr", {})),
        flags=tuple(Flag(flag) for flag in data["flags"]),
        suspicious=tuple(data["suspicious"]),
        suite=decode_facts(data["suite"]) if "suite" in data else None,
        may_skip=job.may_skip,
        **facts,
    )


def _frames(data: list[Mapping[str, Any]]) -> tuple[Frame, ...]:
    return tuple(Frame(**frame) for frame in data)


def _exception(data: Mapping[str, Any] | None) -> ExceptionInfo | None:
    if data is None:
        return None
    return ExceptionInfo(exc_type=data["exc_type"], message=data["message"], frames=_frames(data["frames"]))


def _test(data: Mapping[str, Any]) -> TestRecord:
    changed = {"outcome": TestOutcome(data["outcome"]), "frames": _frames(data.get("frames", []))}
    return TestRecord(**{**data, **changed})


def _evidence(data: Mapping[str, Any] | None, expected: tuple[str, ...]) -> Evidence | None:
    if data is None:
        return None
    # The usual case travels as nothing: the ids are in the records already.
    collected = expected if data["collected"] is None else tuple(data["collected"])
    return Evidence(**{**data, "expected": expected, "collected": collected})


def without_run(job: Job, *, python: str, guest_version: str, **facts: Any) -> RunResult:
    """Return a result for a job whose container could not report: everything unsaid is empty."""
    return RunResult(
        job_id=job.id,
        level=job.level,
        python=python,
        guest_version=guest_version,
        hash_seed=job.hash_seed,
        may_skip=job.may_skip,
        **{"compiled": CompileReport(ok=True), **facts},
    )
