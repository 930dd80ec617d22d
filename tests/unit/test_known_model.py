"""A simulated model with known chances, and published counts: the numbers recover them."""

import random
from typing import Any

import pytest

from evaluator.metrics import Group, groups
from repair.llm import Arm
from repair.outcome import Verdict
from sandbox.types import TestOutcome, TestRecord

FAILED = Verdict.TESTS_FAILED
MENDS = {"syntax": 0.7, "name": 0.55, "assertion": 0.3, "time": 0.15}
"""Chance that one more call mends a failure of this class."""
SHARES = {"syntax": 0.25, "name": 0.2, "assertion": 0.4, "time": 0.15}
"""How failures are shared among the classes."""
FIRST, TASKS, SAMPLES, CALLS = 0.45, 120, 4, 4


def failing(kind: str, number: int) -> dict[str, Any]:
    """An attempt that fails in this class."""
    exc = {"name": "NameError", "assertion": "AssertionError"}.get(kind)
    if exc is None:
        verdict = {"syntax": Verdict.SYNTAX_ERROR, "time": Verdict.TIMED_OUT}[kind]
        return {"verdict": verdict, "code": f"x = {number}\n", "tests": ()}
    tests = (TestRecord(id="test_f", outcome=TestOutcome.FAILED, exc_type=exc),)
    return {"verdict": FAILED, "code": f"x = {number}\n", "tests": tests}


def draw(chance: random.Random) -> list[Any]:
    """One trajectory of the simulated model."""
    calls: list[Any] = []
    passed = chance.random() < FIRST
    while not passed and len(calls) < CALLS:
        (kind,) = chance.choices(list(SHARES), list(SHARES.values()))
        calls.append(failing(kind, len(calls)))
        passed = chance.random() < MENDS[kind]
    return [*calls, Verdict.PASSED][:CALLS] if passed else calls


@pytest.fixture(scope="module")
def simulated(make_builder: Any) -> Group:
    """The numbers of a run of that model, with a control arm that draws afresh as often."""
    builder, chance = make_builder(), random.Random(20)
    for task in range(TASKS):
        for sample in range(SAMPLES):
            calls = draw(chance)
            builder.sample("m", f"b/t{task}", calls, sample=sample)
            fresh = []
            while len(fresh) < CALLS and (not fresh or fresh[-1] is not Verdict.PASSED):
                fresh.append(Verdict.PASSED if chance.random() < FIRST else FAILED)
            builder.sample("m", f"b/t{task}", fresh, sample=sample, arm=Arm.CONTROL)
    (group,) = groups(builder.build())
    return group


def test_first_calls_are_recovered(simulated: Group) -> None:
    """The interval of pass@1 holds the chance that was put in, and is of use."""
    assert simulated.pass_at_1.low < FIRST < simulated.pass_at_1.high
    assert simulated.pass_at_1.high - simulated.pass_at_1.low < 0.12


@pytest.mark.parametrize("kind", MENDS)
def test_yields_by_class_are_recovered(simulated: Group, kind: str) -> None:
    """Every class's interval holds the chance that was put in, and not that of another class."""
    assert simulated.repairs is not None
    (found,) = [one for one in simulated.repairs.yields if one.failure == kind]

    assert found.mended.low < MENDS[kind] < found.mended.high
    assert found.mended_at_once.low < MENDS[kind] < found.mended_at_once.high
    assert found.mended.high - found.mended.low < 0.25
    others = [rate for name, rate in MENDS.items() if abs(rate - MENDS[kind]) > 0.2]
    assert not any(found.mended.low < rate < found.mended.high for rate in others)


def test_the_curve_is_recovered(simulated: Group) -> None:
    """Each point is the chance of success after so many calls."""
    mended = sum(SHARES[kind] * MENDS[kind] for kind in MENDS)
    for point in simulated.by_calls:
        truth = 1 - (1 - FIRST) * (1 - mended) ** point.x
        assert point.rate.low < truth < point.rate.high


def test_the_advantage_over_asking_again_is_recovered(simulated: Group) -> None:
    """Fresh draws of this model are better than its repairs: the advantage is below zero, and known."""
    assert simulated.control is not None
    mended = sum(SHARES[kind] * MENDS[kind] for kind in MENDS)
    by_repair = 1 - (1 - FIRST) * (1 - mended) ** (CALLS - 1)
    # As many calls as the repair arm took, which stops at its first success.
    chances, left = [], 1 - FIRST
    for call in range(1, CALLS + 1):
        ends = FIRST if call == 1 else left * mended if call < CALLS else left
        chances.append((call, ends))
        left -= ends if call > 1 else 0
    by_drawing = sum(share * (1 - (1 - FIRST) ** call) for call, share in chances)
    advantage = simulated.control.by_calls.advantage

    assert simulated.control.by_calls.fair.low < by_drawing < simulated.control.by_calls.fair.high
    assert advantage.low < 100 * (by_repair - by_drawing) < advantage.high
    assert simulated.control.by_calls.fair == simulated.control.by_calls.oracle
    assert simulated.control.by_calls.censored == 0
