"""Suites that models wrote and others ran: how often is our verdict the recorded one.

    python -m perf.suites_recorded test_suites.jsonl [--slots 2] [--mutants 0]

Rows with a `sut` (the script under test) and a recorded `verdict` count. The reply is cleaned and bound to
`solution` first. Prints every row on which the two differ, and the share on which they agree.
"""

import argparse
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evaluator.suites.outcome import SuiteOutcome, outcome_of, passes
from evaluator.suites.runs import LIMITS
from repair.cleaning.caged import Cleaner
from repair.reply import plain
from sandbox.engine import DockerSandbox
from sandbox.hosts import DockerHost
from sandbox.suite import QUICK, SuitePlan
from sandbox.types import Job

GATE = 0.99


def main() -> None:
    """Run all rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--mutants", type=int, default=0)
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.file.read_text().splitlines()]
    rows = [row for row in rows if row.get("sut") and row.get("verdict") in {"pass", "fail"}]
    plan = SuitePlan(mutants=args.mutants, orders=3) if args.mutants else QUICK
    with (
        DockerSandbox(
            f"perf-{uuid.uuid4().hex[:8]}", hosts=[DockerHost(slots=args.slots)], attempts_per_container=50
        ) as sandbox,
        Cleaner(workers=1) as cleaner,
        ThreadPoolExecutor(args.slots) as pool,
    ):
        suites = [cleaner.clean(plain(row["raw_reply"] or row["code"]), kind="tests").code for row in rows]
        found = list(pool.map(lambda pair: _judge(sandbox, plan, *pair), zip(rows, suites, strict=True)))
    agreed = 0
    for row, (passed, outcome, why) in zip(rows, found, strict=True):
        same = passed == (row["verdict"] == "pass")
        agreed += same
        if not same:
            print(
                f"{row['id']}: recorded {row['verdict']}, again {row.get('fresh_pytest')}, here {outcome}: "
                + why
            )
    share = agreed / len(rows)
    print(
        f"{agreed} of {len(rows)} agree: {share:.1%}, gate {GATE:.0%}: {'met' if share >= GATE else 'MISSED'}"
    )


def _judge(
    sandbox: DockerSandbox, plan: SuitePlan, row: dict[str, str], suite: str | None
) -> tuple[bool, str, str]:
    if suite is None:
        return False, "no_code", ""
    job = Job(id=uuid.uuid4().hex, script=row["sut"], tests=suite, suite=plan, limits=LIMITS)
    result = sandbox.run(job)
    outcome = outcome_of(result)
    bad = [
        f"{test.id} {test.exc_type} {test.message[:80]}" for test in result.tests if test.outcome != "passed"
    ]
    why = "; ".join(bad[:2]) or result.tests_error or (result.suite.reason if result.suite else "")
    ended = {SuiteOutcome.SCORED, SuiteOutcome.FLAKY, SuiteOutcome.LOOKS_AT_CODE}
    return outcome in ended and passes(result), str(outcome), why[:300]


if __name__ == "__main__":
    main()
