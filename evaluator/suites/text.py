"""What `suites score` shows to people. Everything that a model wrote is made safe to print."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from evaluator.safe_text import one_line
from evaluator.suites.advice import Advice
from evaluator.suites.outcome import SuiteOutcome
from evaluator.suites.score import SuiteScore, mutants
from sandbox.suite import SuiteFacts, VersionStatus
from sandbox.types import RunResult

_SURVIVORS = 12
_HINTS = 8
_WIDTH = 120


def show(score: SuiteScore, run: RunResult, hints: Sequence[Advice]) -> None:
    """Print the outcome, the numbers, the mutants that survived, and what the suite's text suggests."""
    console = Console(highlight=False)
    style = "bold green" if score.outcome is SuiteOutcome.SCORED else "bold red"
    console.print(Text.assemble((str(score.outcome), style), f"  (came through: {score.reached})"))
    for row in _rows(score, run):
        console.print(Text(row), soft_wrap=True)
    for hint in hints[:_HINTS]:
        place = hint.where or f"line {hint.line}"
        console.print(
            Text(f"  hint       {one_line(place, _WIDTH)}: {hint.text} ({hint.rule})"), soft_wrap=True
        )
    if len(hints) > _HINTS:
        console.print(Text(f"  … and {len(hints) - _HINTS} more hints"))


def _rows(score: SuiteScore, run: RunResult) -> Iterator[str]:
    facts = run.suite or SuiteFacts()
    for reason in filter(None, (run.tests_error, facts.reason, facts.unmade)):
        yield f"  {one_line(reason, _WIDTH)}"
    rates, mutation = score.pass_rate, score.mutation
    yield f"passes            {rates['passed']} of {rates['collected']} tests"
    yield f"stable            {_flaky(score.stability)}"
    yield f"hermetic          {_leaks(score.hermeticity)}"
    if score.coverage:
        seen = score.coverage
        branches = _percent(seen["branch_rate"])
        yield f"coverage          {_percent(seen['statement_rate'])} statements, {branches} branches"
    yield (
        f"mutation score    {_percent(mutation['stable_score'])} "
        f"({mutation['killed']} of {mutation['mutants']}; {mutation['unreached']} not reached; "
        f"list {mutation['list'] or 'empty'})"
    )
    kills = ", ".join(f"{kind} {count}" for kind, count in sorted(mutation["kills"].items()))
    yield f"kills by          {kills or 'none'}"
    if score.oracle["outside"]:
        outside = one_line(", ".join(score.oracle["outside"]), _WIDTH)
        yield f"kill nothing      {outside} (they read the script's file or start a program)"
    vacuity = score.vacuity
    yield f"extreme mutants   {_percent(vacuity['killed_share'])}; {len(vacuity['vacuous'])} vacuous tests"
    found = score.discrimination
    if found["wrong"] or found["right"]:
        yield (
            f"other scripts     catches {len(found['caught'])} of {found['wrong']} wrong, "
            f"rejects {len(found['false_alarms'])} of {found['right']} right"
        )
    yield f"needed            {len(score.economy['needed'])} of {score.economy['tests']} tests"
    alive = [version for version in mutants(facts) if version.status is not VersionStatus.KILLED]
    for version in alive[:_SURVIVORS]:
        place = f"{version.line}:{version.column + 1}"
        yield f"  {version.status:<10} {place:<8} {version.operator}  {one_line(version.text, _WIDTH)}"
    if len(alive) > _SURVIVORS:
        yield f"  … and {len(alive) - _SURVIVORS} more"


def _flaky(stability: dict[str, Any]) -> str:
    runs = f"{stability['orders']} orders, {stability['hash_seeds']} hash seeds"
    if not stability["flaky"]:
        return f"yes ({runs})"
    return f"no: {one_line(', '.join(stability['flaky']), _WIDTH)}"


def _leaks(facts: dict[str, Any]) -> str:
    if facts["hermetic"]:
        return "yes"
    found = [f"{name} {facts[name]}" for name in ("network", "processes", "files") if facts[name]]
    if facts["dated"]:
        found.append("the date: " + one_line(", ".join(facts["dated"]), _WIDTH))
    return f"no: {', '.join(found) or 'sleeps ' + str(facts['slept_s']) + ' s'}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
