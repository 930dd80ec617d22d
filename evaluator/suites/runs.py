"""Runs a suite: on its script as a suite to be scored, with other hash seeds, and on other scripts."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluator.suites.outcome import SuiteOutcome, outcome_of
from evaluator.suites.score import Sibling
from sandbox.suite import SuitePlan
from sandbox.types import Job, Level, Limits, RunResult

LIMITS = Limits(wall_s=900.0, cpu_s=240.0)
"""Of one scoring, which is some hundreds of runs of the tests."""
_ENOUGH = frozenset({SuiteOutcome.SCORED, SuiteOutcome.FAILS, SuiteOutcome.FLAKY, SuiteOutcome.LOOKS_AT_CODE})
"""Only what ran is worth more runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherScript:
    """Another script for the same task."""

    name: str
    script: str
    right: bool
    signature: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRuns:
    """All runs of one suite."""

    main: RunResult
    other_seeds: tuple[RunResult, ...]
    siblings: tuple[Sibling, ...]


def run_suite(
    run: Callable[[Job], RunResult],
    script: str,
    tests: str,
    *,
    plan: SuitePlan | None = None,
    hash_seed: int = 0,
    hash_seeds: int = 3,
    others: Sequence[OtherScript] = (),
    profile: str = "default",
) -> SuiteRuns:
    """Do all runs, one after another.

    Args:
        run: runs one job.
        script: what is tested.
        tests: the suite.
        plan: what to do; the usual plan if None.
        hash_seed: of the scoring itself.
        hash_seeds: how many hash seeds in all.
        others: right and wrong siblings of the script.
        profile: size of the container.
    """
    plan = plan or SuitePlan()
    main = run(suite_job(script, tests, plan, hash_seed, profile))
    if outcome_of(main) not in _ENOUGH:
        return SuiteRuns(main=main, other_seeds=(), siblings=())
    quick = plan.quick
    seeds = tuple(
        run(suite_job(script, tests, quick, (hash_seed + number) % (1 << 32), profile))
        for number in range(1, hash_seeds)
    )
    siblings = tuple(
        Sibling(
            name=other.name,
            right=other.right,
            signature=other.signature,
            result=run(suite_job(other.script, tests, quick, hash_seed, profile)),
        )
        for other in others
    )
    return SuiteRuns(main=main, other_seeds=seeds, siblings=siblings)


def suite_job(script: str, tests: str, plan: SuitePlan, hash_seed: int, profile: str) -> Job:
    """Make the job that runs a suite on a script."""
    return Job(
        id=secrets.token_hex(16),
        script=script,
        tests=tests,
        level=Level.SHARED,
        limits=LIMITS,
        profile=profile,
        hash_seed=hash_seed,
        suite=plan,
    )
