"""The numbers of one suite, M1 to M10 of docs/test-suites.md, from the facts of its runs. Pure."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from evaluator.suites.outcome import (
    Stage,
    SuiteOutcome,
    flaky,
    hermetic,
    numbers,
    outcome_of,
    passes,
)
from sandbox.suite import KillKind, SuiteFacts, Version, VersionKind, VersionStatus
from sandbox.types import RunResult, TestOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Sibling:
    """What the suite made of another script for the same task."""

    name: str
    right: bool
    """Whether that script is a right solution."""
    result: RunResult
    signature: str = ""
    """Which hidden tests it fails; wrong siblings with the same signature count once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteScore:
    """All that is said of one suite. Shares are None where there is nothing to have a share of."""

    outcome: SuiteOutcome
    reached: Stage
    """The last stage of the funnel that it came through, with all before it."""
    funnel: dict[str, bool]
    pass_rate: dict[str, Any]
    stability: dict[str, Any]
    hermeticity: dict[str, Any]
    coverage: dict[str, Any] | None
    mutation: dict[str, Any]
    oracle: dict[str, Any]
    vacuity: dict[str, Any]
    discrimination: dict[str, Any]
    pinning: dict[str, Any]
    economy: dict[str, Any]


def score(
    result: RunResult,
    *,
    other_seeds: tuple[RunResult, ...] = (),
    siblings: Sequence[Sibling] = (),
    script_is_right: bool = True,
    pool: Collection[str] | None = None,
) -> SuiteScore:
    """Compute everything.

    Args:
        result: of the job that scored the suite.
        other_seeds: of quick jobs with other hash seeds.
        siblings: what the suite made of other scripts for the task.
        script_is_right: whether the script under test is a right solution.
        pool: names of the mutants that any suite known so far has killed, for the relative score.
    """
    facts = result.suite or SuiteFacts()
    outcome = outcome_of(result, other_seeds=other_seeds)
    mutation = _mutation(facts, outcome, pool)
    vacuity = _vacuity(result, facts)
    discrimination = _discrimination(siblings)
    funnel = _funnel(result, facts, other_seeds, vacuity, mutation, discrimination)
    return SuiteScore(
        outcome=outcome,
        reached=_last(funnel),
        funnel={str(stage): holds for stage, holds in funnel.items()},
        pass_rate=_pass_rate(result),
        stability=_stability(result, facts, other_seeds),
        hermeticity=_hermeticity(result, facts),
        coverage=_coverage(facts),
        mutation=mutation,
        oracle=_oracle(result, facts),
        vacuity=vacuity,
        discrimination=discrimination,
        pinning=_pinning(result, siblings, script_is_right=script_is_right),
        economy=_economy(result, facts),
    )


def share(part: int, whole: int) -> float | None:
    """Return a share, or None of nothing."""
    return round(part / whole, 6) if whole else None


def mutants(facts: SuiteFacts, kind: VersionKind = VersionKind.MUTANT) -> list[Version]:
    """Return the versions of one kind."""
    return [version for version in facts.versions if version.kind is kind]


def list_id(made: Sequence[Version]) -> str:
    """Return a short name of a list of mutants: scores with the same one compare. Empty for none."""
    names = "\n".join(sorted(version.name for version in made))
    return sha256(names.encode("utf-8", "replace")).hexdigest()[:12] if names else ""


def _killed(versions: Sequence[Version]) -> list[Version]:
    return [version for version in versions if version.status is VersionStatus.KILLED]


def _funnel(
    result: RunResult,
    facts: SuiteFacts,
    others: tuple[RunResult, ...],
    vacuity: dict[str, Any],
    mutation: dict[str, Any],
    discrimination: dict[str, Any],
) -> dict[Stage, bool]:
    asserted = any(v.kill is KillKind.ASSERTION for v in _killed(mutants(facts)))
    return {
        Stage.RECEIVED: True,
        Stage.COMPILES: not result.tests_error,
        Stage.BINDS: facts.binds,
        Stage.COLLECTS: bool(result.tests) and not facts.failed,
        Stage.PASSES: passes(result),
        Stage.STABLE: bool(result.tests) and not flaky(result, others),
        Stage.HERMETIC: bool(result.tests) and hermetic(facts),
        Stage.NOT_VACUOUS: vacuity["tests"] > len(vacuity["vacuous"]),
        Stage.DISCRIMINATING: mutation["stable_score"] not in {None, 0.0}
        and (asserted or bool(discrimination["caught"])),
    }


def _last(funnel: dict[Stage, bool]) -> Stage:
    last = Stage.RECEIVED
    for stage, holds in funnel.items():
        if not holds:
            break
        last = stage
    return last


def _pass_rate(result: RunResult) -> dict[str, Any]:
    outcomes = Counter(str(test.outcome) for test in result.tests)
    # A fixture or a module that is not there says nothing of the script.
    environment = sum(
        test.exc_type in {"ModuleNotFoundError", "FixtureLookupError"} and test.phase != "call"
        for test in result.tests
    )
    passed = outcomes.get("passed", 0)
    return {
        "collected": len(result.tests),
        "passed": passed,
        "rate": share(passed, len(result.tests)),
        "all_pass": passes(result),
        "outcomes": dict(sorted(outcomes.items())),
        "environment": environment,
    }


def _stability(result: RunResult, facts: SuiteFacts, others: tuple[RunResult, ...]) -> dict[str, Any]:
    found = flaky(result, others)
    return {
        "orders": len(facts.orders),
        "alone": facts.alone_runs,
        "hash_seeds": 1 + len(others),
        "flaky": sorted(found),
        "flake_rate": share(len(found), len(result.tests)),
    }


def _hermeticity(result: RunResult, facts: SuiteFacts) -> dict[str, Any]:
    return {
        "hermetic": hermetic(facts),
        "network": facts.network,
        "processes": facts.processes,
        "files": facts.files,
        "slept_s": facts.slept_s,
        "dated": sorted(result.tests[n].id for n in numbers(facts.dated) if n < len(result.tests)),
        "places": {kind: list(found) for kind, found in facts.places.items()},
    }


def _coverage(facts: SuiteFacts) -> dict[str, Any] | None:
    seen = facts.coverage
    if seen is None:
        return None
    return {
        "statements": seen.statements,
        "covered": seen.covered,
        "statement_rate": share(seen.covered, seen.statements),
        "branches": seen.branches,
        "covered_branches": seen.covered_branches,
        "branch_rate": share(seen.covered_branches, seen.branches),
    }


def _mutation(facts: SuiteFacts, outcome: SuiteOutcome, pool: Collection[str] | None) -> dict[str, Any]:
    made = mutants(facts)
    count = Counter(version.status for version in made)
    # What nobody had time to judge was not caught.
    honest = outcome not in {SuiteOutcome.LOOKS_AT_CODE, SuiteOutcome.CRASHED, SuiteOutcome.UNFINISHED}
    rate = share(count[VersionStatus.KILLED], len(made)) if honest else 0.0
    stable = rate if outcome is SuiteOutcome.SCORED else 0.0 if made else None
    known = None if pool is None else [version for version in made if version.name in pool]
    relative = None if known is None or not honest else share(len(_killed(known)), len(known))
    cosmetic = mutants(facts, VersionKind.COSMETIC)
    return {
        "stable_score": stable,
        "score_at_pass": rate,
        "relative_to_pool": relative,
        "mutants": len(made),
        "list": list_id(made),
        **{str(status): count[status] for status in VersionStatus},
        "kills": dict(Counter(str(version.kill) for version in _killed(made))),
        "cosmetic": {"mutants": len(cosmetic), "killed": len(_killed(cosmetic))},
        "ways_found": facts.found,
        "left_out": dict(facts.left_out),
        "unmade": facts.unmade,
        "warm": facts.warm,
    }


def _oracle(result: RunResult, facts: SuiteFacts) -> dict[str, Any]:
    killed = _killed(mutants(facts))
    by_assertion = sum(version.kill is KillKind.ASSERTION for version in killed)
    return {
        "assertion_share": share(by_assertion, len(killed)),
        "assertions": sum(facts.asserts),
        "per_test": round(sum(facts.asserts) / len(facts.asserts), 3) if facts.asserts else None,
        "tests_without": sum(count == 0 for count in facts.asserts),
        "outside": sorted(result.tests[n].id for n in numbers(facts.outside) if n < len(result.tests)),
    }


def _vacuity(result: RunResult, facts: SuiteFacts) -> dict[str, Any]:
    extremes = mutants(facts, VersionKind.EXTREME)
    seen = {number for version in extremes for number in numbers(version.by)}
    passed = [n for n, test in enumerate(result.tests) if test.outcome is TestOutcome.PASSED]
    # What was not tried on them has not passed on them.
    seen |= set(numbers(facts.outside))
    vacuous = [result.tests[n].id for n in passed if n not in seen] if extremes else []
    return {
        "extremes": len(extremes),
        "killed": len(_killed(extremes)),
        "killed_share": share(len(_killed(extremes)), len(extremes)),
        "tests": len(passed) if extremes else 0,
        "vacuous": vacuous,
        "vacuous_share": share(len(vacuous), len(passed)) if extremes else None,
        "redefines": list(facts.redefines),
        "patches": list(facts.patches),
    }


def _discrimination(siblings: Sequence[Sibling]) -> dict[str, Any]:
    right = [sibling for sibling in siblings if sibling.right]
    wrong = _distinct([sibling for sibling in siblings if not sibling.right])
    caught = [sibling.name for sibling in wrong if _rejects(sibling)]
    alarms = [sibling.name for sibling in right if _rejects(sibling)]
    rates = share(len(caught), len(wrong)), share(len(alarms), len(right))
    return {
        "wrong": len(wrong),
        "caught": caught,
        "catch_rate": rates[0],
        "right": len(right),
        "false_alarms": alarms,
        "false_alarm_rate": rates[1],
        "youden_j": None if rates[0] is None or rates[1] is None else round(rates[0] - rates[1], 6),
    }


def _distinct(siblings: Sequence[Sibling]) -> list[Sibling]:
    """Keep one of those that fail in the same way: else one popular mistake would decide."""
    seen: dict[str, Sibling] = {}
    for number, sibling in enumerate(siblings):
        seen.setdefault(sibling.signature or f"#{number}", sibling)
    return list(seen.values())


def _rejects(sibling: Sibling) -> bool:
    return not passes(sibling.result)


def _passed_ids(result: RunResult) -> frozenset[str]:
    return frozenset(test.id for test in result.tests if test.outcome is TestOutcome.PASSED)


def _pinning(result: RunResult, siblings: Sequence[Sibling], *, script_is_right: bool) -> dict[str, Any]:
    """Compare with right siblings: which tests hold to what only this script does, and which deny it."""
    right = [_passed_ids(sibling.result) for sibling in siblings if sibling.right]
    here = _passed_ids(result)
    every = frozenset(test.id for test in result.tests)
    fits_all = frozenset.intersection(*right) if right else frozenset()
    pins = sorted(here - fits_all) if right else []
    reveals = sorted((every - here) & fits_all) if right else []
    return {
        "script_is_right": script_is_right,
        "compared_with": len(right),
        "pins": pins,
        "pins_share": share(len(pins), len(here)) if right else None,
        "reveals": reveals,
        "reveals_bug": None if script_is_right or not right else bool(reveals),
    }


def _economy(result: RunResult, facts: SuiteFacts) -> dict[str, Any]:
    kills = [int(version.by, 16) for version in _killed(mutants(facts))]
    needed = smallest_cover(kills, len(result.tests)) if kills else []
    return {
        "tests": len(result.tests),
        "needed": [result.tests[number].id for number in needed],
        "redundant_share": share(len(result.tests) - len(needed), len(result.tests)),
        "wall_s": round(sum(test.wall_s for test in result.tests), 6),
    }


def smallest_cover(kills: Sequence[int], tests: int) -> list[int]:
    """Choose few tests that together show every mutant, greedily: an upper bound of the fewest."""
    left, chosen = list(kills), []
    while left:
        counts = Counter(n for mask in left for n in range(tests) if mask >> n & 1)
        if not counts:
            break
        best = min(counts, key=lambda n: (-counts[n], n))
        chosen.append(best)
        left = [mask for mask in left if not mask >> best & 1]
    return sorted(chosen)
