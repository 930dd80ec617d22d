"""A simulated model with known chances, and published counts: the numbers recover them."""

import math
import random
from typing import Any

import pytest

from evaluator.statistics.metrics import Group, groups, pass_at_k
from repair.llm import Arm
from repair.outcome import Verdict
from sandbox.types import TestOutcome, TestRecord

P, F = Verdict.PASSED, Verdict.TESTS_FAILED
FAILED = F
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


PUBLISHED = {
    # Passes of 10 samples for each of 164 tasks (X: all 10), as published in the README of
    # github.com/jamesmurdza/humaneval-results; pass@1, 2, 3, 5 and 10 of these tables.
    "gpt-3.5-turbo": (
        (
            "X4XXXXXXXXXXXXXXXXXXXXXXXXXXXXXX0XXX9XX2X0XXXXXXXXXXXX0XXXXXXXXXX6X8X67XXX2075XXX8"
            "X47XXX9XX0X1X0XX7X0XX2XXXX0X19X0X2XX20001XX00180010098X0X87X0XX0X9XXXXX7X0XXX5XXX0"
        ),
        (0.77, 0.805, 0.82, 0.837, 0.86),
    ),
    "gpt-4": (
        (
            "X6XXXXXXX0XXXXXXXXXXXXXXXXXXXXXX3XXXXXXXX6XXXXXXXXXXXXX0XXXXXXXX9XXXXXXXXX8X85XXXX"
            "X00XX0XXX0X0XXXXXXXXXXX93X1XXXXXX0XX140XXXXX58620X0X0XX99X59XXX0X08XX9X5X0XXXX5XX8"
        ),
        (0.848, 0.877, 0.889, 0.9, 0.909),
    ),
    "codellama-34b-instruct": (
        (
            "X0XXXX0X0X09XXXXXXX90XXX0X0XXXXX00XX0010X0XX0X4XXXX2XX2XXXX0XX0000X09040X0100010X0"
            "XX26X6100070200X000000758X0000X040X00008X19009X0000000X0X000XX900000X5X100404000X0"
        ),
        (0.451, 0.483, 0.499, 0.518, 0.543),
    ),
}


@pytest.mark.parametrize("model", PUBLISHED)
def test_pass_at_k_of_published_runs(model: str) -> None:
    """10 samples of 164 tasks give the known answers for three published models."""
    marks, expected = PUBLISHED[model]
    counts = [10 if mark == "X" else int(mark) for mark in marks]

    actual = [sum(pass_at_k(10, count, k) for count in counts) / len(counts) for k in (1, 2, 3, 5, 10)]

    assert len(counts) == 164
    assert [round(value, 3) for value in actual] == pytest.approx(expected, abs=0.0006)


def test_a_published_run_through_the_journal(builder: Any) -> None:
    """The same from records of samples; the interval is that of 164 tasks, not of 1,640 draws."""
    marks, expected = PUBLISHED["gpt-3.5-turbo"]
    for task, mark in enumerate(marks):
        passes = 10 if mark == "X" else int(mark)
        for sample in range(10):
            builder.sample("m", f"b/t{task}", [P if sample < passes else F], sample=sample)

    group = groups(builder.build())[0]

    found = [group.pass_at_1, *(group.pass_at_k[k] for k in (2, 3, 5, 10))]
    assert [rate.value for rate in found] == pytest.approx(expected, abs=0.0006)
    # A bootstrap over tasks gives [.709, .826]; draws taken as independent would give .749 … .790.
    assert (group.pass_at_1.low, group.pass_at_1.high) == pytest.approx((0.709, 0.826), abs=0.012)


def test_pass_at_k_equals_the_published_estimator() -> None:
    """On random tables the exact value is that of the product in the paper."""
    chance = random.Random(8)
    for _ in range(300):
        n = chance.randrange(1, 60)
        c, k = chance.randrange(n + 1), chance.randrange(1, n + 1)
        missed = math.prod(1 - k / draws for draws in range(n - c + 1, n + 1))
        assert pass_at_k(n, c, k) == pytest.approx(1.0 if n - c < k else 1 - missed)
