"""A model with known chances, over HTTP, client, cleaner, loop, journal and report: the numbers recover them.

Only the sandbox is not real, because thousands of runs would take minutes: it judges a script by the words
that the simulated model has put into it.
"""

import itertools
import random
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from evaluator.config import Config, ModelSection
from evaluator.jobs import JobMaker
from evaluator.keys import derived_int
from evaluator.replay.recorded import RecordedServer
from evaluator.report.summary import summarise
from evaluator.running.manifest import make_manifest
from evaluator.running.pipeline import Parts, run_plan
from evaluator.running.plan import make_plan
from evaluator.runs.journal import load_run
from evaluator.statistics.ledger_files import read_ledger
from prompts.recordings import Reply
from prompts.tasks import Task
from repair.cleaning.caged import Cleaner
from sandbox.fake import IMAGE, FakeSandbox, fake_result
from sandbox.types import TestOutcome, TestRecord

TASKS, SAMPLES, CALLS = 60, 3, 4
FIRST, OVERFIT, FLAKY, BREAKS = 0.4, 0.15, 0.2, 0.25
"""Chances: a draw passes what is shown; what passes fails the holdout; it is flaky; a repair breaks a test."""
MENDS = {"name": 0.8, "type or value": 0.55, "assertion": 0.25}
"""Chance that a repair which breaks nothing passes what is shown, by what failed before."""
SHARES = {"name": 0.3, "type or value": 0.3, "assertion": 0.4}
RAISES = {"name": "NameError", "type or value": "TypeError", "assertion": "AssertionError"}
MAIN_SEED = derived_int(32, 0, "hash")


class Simulated:
    """Draws the replies of one model: what it would say is fixed before anybody asks."""

    def __init__(self, seed):
        self.chance, self.number = random.Random(seed), 0

    def say(self, kind):
        """A reply whose script is of this kind, unlike any other."""
        self.number += 1
        flaky = kind in {"good", "overfit"} and self.chance.random() < FLAKY
        code = f"KIND = {kind!r}\nNUMBER = {self.number}\nFLAKY = {flaky}\n\n\ndef f(x):\n    return x\n"
        return Reply(content=f"Here:\n\n```python\n{code}```\n", prompt_tokens=80, completion_tokens=20)

    def passing(self):
        """What passes the shown tests; sometimes nothing more than that."""
        return "overfit" if self.chance.random() < OVERFIT else "good"

    def failing(self):
        """A failure of some class."""
        return self.chance.choices(list(SHARES), list(SHARES.values()))[0]

    def draw(self):
        """A fresh draw."""
        return self.passing() if self.chance.random() < FIRST else self.failing()

    def repaired(self):
        """The calls of one repair arm; a script that breaks something leaves the state as it was."""
        kinds = [self.draw()]
        state = kinds[0]
        while len(kinds) < CALLS:
            if state in {"good", "overfit"}:
                kinds.append("good")
            elif self.chance.random() < BREAKS:
                kinds.append("broken")
            else:
                state = self.passing() if self.chance.random() < MENDS[state] else self.failing()
                kinds.append(state)
        return kinds


def outcomes_of(kind, *, holdout, lucky):
    """How the tests of a script of this kind come out."""
    passes = kind == "good" or (kind == "overfit" and not holdout)
    exc = "" if passes and lucky else RAISES.get(kind, "AssertionError")
    outcomes = {"test_a": kind != "broken", "test_b": passes and lucky}
    return tuple(
        TestRecord(
            id=name, outcome=TestOutcome.PASSED if good else TestOutcome.FAILED, exc_type="" if good else exc
        )
        for name, good in outcomes.items()
    )


def judge(job):
    """Judge a script by its words."""
    kind, flaky = re.search(r"KIND = '(.+)'", job.script)[1], "FLAKY = True" in job.script
    tests = outcomes_of(kind, holdout=job.tests != "shown", lucky=not flaky or job.hash_seed == MAIN_SEED)
    named = {test.id: str(test.outcome) for test in tests}
    return replace(fake_result(job, named), tests=tests, exit_code=int("failed" in named.values()))


class Silent:
    """Watches nothing."""

    def attempt(self, record):
        """See `evaluator.running.progress.Watcher`."""

    def sample(self, spec, last, seconds):
        """See `evaluator.running.progress.Watcher`."""

    def interrupted(self):
        """See `evaluator.running.progress.Watcher`."""


def recordings(seed):
    """Everything that the model would say."""
    model, found = Simulated(seed), {}
    for task in range(TASKS):
        for sample in range(SAMPLES):
            place = f"b/t{task}/default/{sample}"
            for number, kind in enumerate(model.repaired()):
                found[f"{place}/repair/{number}"] = model.say(kind)
            for number in range(4 * CALLS):
                found[f"{place}/control/{number}"] = model.say(model.draw())
    return {"m": found}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a run of that model."""
    folder = tmp_path_factory.mktemp("simulated") / "run"
    tasks = [
        Task(
            batch="b",
            name=f"t{n}",
            path=Path("t.md"),
            prompt="Write f.",
            tests="shown",
            holdout="pass",
            family="",
        )
        for n in range(TASKS)
    ]
    config = Config.model_validate(
        {"bench": {"samples": SAMPLES, "flake_checks": 1}, "repair": {"control": True, "repairs": CALLS - 1}}
    )
    stop, jobs = threading.Event(), JobMaker()
    with RecordedServer(recordings(6)) as server, Cleaner(workers=2) as cleaner:
        section = ModelSection(name="m", base_url=server.base_url)
        plan = make_plan(config, [section], tasks=tasks)
        parts = Parts(
            sandbox=FakeSandbox(judge), cleaner=cleaner, jobs=jobs, slots=4, recorded=frozenset({"m"})
        )
        manifest = make_manifest(plan, "simulated", IMAGE, jobs)
        run_plan(plan, manifest, folder, parts, Silent(), stop)
    return folder


@pytest.fixture(scope="module")
def row(folder):
    """Its line of the leaderboard, from the files of the run."""
    (found,) = summarise(read_ledger(folder))["bases"]["own"]["leaderboard"]
    return found


def curve():
    """The share of samples that pass what is shown after each call, and how many end there."""
    left = {kind: (1 - FIRST) * share for kind, share in SHARES.items()}
    passed = [FIRST]
    for _ in range(CALLS - 1):
        kept = {kind: share * BREAKS for kind, share in left.items()}
        tried = {kind: share * (1 - BREAKS) for kind, share in left.items()}
        failed = sum(share * (1 - MENDS[kind]) for kind, share in tried.items())
        passed.append(passed[-1] + sum(share * MENDS[kind] for kind, share in tried.items()))
        left = {kind: kept[kind] + failed * SHARES[kind] for kind in SHARES}
    return passed


def asking_again():
    """The chance that the first of as many draws as repair took that passes what is shown is a success."""
    passed = curve()
    ends = [passed[0], *(b - a for a, b in itertools.pairwise(passed))]
    ends[-1] += 1 - passed[-1]
    return sum(share * (1 - (1 - FIRST) ** calls) for calls, share in enumerate(ends, 1)) * (1 - OVERFIT)


def known(row):
    """Every rate with its truth."""
    good = 1 - OVERFIT
    yield "pass@1", row["pass_at_1"], FIRST * good
    for point, truth in zip(row["by_calls"], curve(), strict=True):
        yield f"after {point['x']} calls", point["rate"], truth * good
    for found in row["repairs"]["yields"]:
        yield found["failure"], found["mended"], (1 - BREAKS) * MENDS[found["failure"]] * good
    yield "regressions", row["repairs"]["regressions"], BREAKS
    yield "false accepts", row["false_accepts"], OVERFIT
    yield "flaky", row["flaky"], FLAKY
    yield "fair choice", row["control"]["by_calls"]["fair"], asking_again()


def test_every_rate_is_recovered(row):
    """Of a dozen 95 % intervals at most one misses the truth; each is of use, and far rates are outside."""
    checked = list(known(row))
    missed = [name for name, found, truth in checked if not found["low"] <= truth <= found["high"]]

    assert len(checked) == 12
    assert len(missed) <= 1, [(name, found, truth) for name, found, truth in checked if name in missed]
    for name, found, truth in checked:
        assert found["high"] - found["low"] < 0.35, name
        assert abs(found["value"] - truth) < 0.15, name
    ends = {name: (found["low"], found["high"]) for name, found, _ in checked}
    assert ends["name"][0] > ends["assertion"][1]
    assert ends["after 3 calls"][0] > ends["pass@1"][1]


def test_the_advantage_over_asking_again_is_recovered(row):
    """Repair minus the fair choice, by the same samples, holds the difference of the two truths."""
    truth = 100 * (curve()[-1] * (1 - OVERFIT) - asking_again())
    advantage = row["control"]["by_calls"]["advantage"]

    assert advantage["low"] <= truth <= advantage["high"]
    assert advantage["N"] == TASKS * SAMPLES
    assert row["control"]["by_calls"]["censored"] == 0
    assert row["control"]["by_tokens"]["fair"] == row["control"]["by_calls"]["fair"]


def test_nothing_is_lost_on_the_way(folder, row):
    """All planned samples are scored, all changes that broke something were taken back, no reply is missing."""
    run = load_run(folder)
    broken = [a for a in run.attempts if "'broken'" in (a.script.code or "")]

    assert (row["scored"], row["unscored"], row["repairs"]["well_formed"]["value"]) == (
        TASKS * SAMPLES,
        0,
        1.0,
    )
    assert broken
    assert all(attempt.taken_back for attempt in broken)
    assert not any(a.taken_back for a in run.attempts if a not in broken)
