"""Suites are worth what they catch: the demonstration in the right order, and suites that play foul."""

import os
import uuid
from pathlib import Path

import pytest
import yaml

from evaluator.suites.outcome import SuiteOutcome, outcome_of
from evaluator.suites.runs import OtherScript, run_suite
from evaluator.suites.score import score
from sandbox.engine import DockerSandbox
from sandbox.suite import SuitePlan, VersionKind, VersionStatus
from sandbox.types import Job, Limits

pytestmark = [pytest.mark.docker, pytest.mark.keeps_container]

HERE = Path(__file__).resolve().parent
DEMO = yaml.safe_load((HERE / "demo_suites.yaml").read_text())
HOSTILE = yaml.safe_load((HERE / "hostile_suites.yaml").read_text())
ALL = os.environ.get("MENDBENCH_SUITES") == "all"
SMALL = SuitePlan(mutants=30, orders=2)
TINY = SuitePlan(mutants=6, orders=2, plain_wall_s=4.0, plain_cpu_s=2.0)
SCRIPT = """
LOW = 0

def f(x):
    y = x + 1
    return max(y, LOW)
"""


@pytest.fixture(scope="module")
def sandbox():
    with DockerSandbox(f"test-{uuid.uuid4().hex[:8]}", attempts_per_container=50) as made:
        yield made


@pytest.fixture
def scored(sandbox):
    def run(script, suite, plan, **facts):
        runs = run_suite(sandbox.run, script, suite, plan=plan, hash_seeds=1, **facts)
        return score(runs.main, siblings=runs.siblings), runs.main

    return run


@pytest.fixture(scope="module")
def demo(sandbox):
    """The score of each suite of the demonstration."""
    runs = {
        name: run_suite(sandbox.run, DEMO["script"], suite, plan=SMALL, hash_seeds=1)
        for name, suite in DEMO["suites"].items()
    }
    return {name: score(run.main) for name, run in runs.items()}


def test_the_demonstration_comes_out_in_the_right_order(demo):
    """All five pass; the mutation score tells them apart, and a suite without an oracle is behind."""
    scores = {name: each.mutation["stable_score"] for name, each in demo.items()}

    assert all(each.pass_rate["all_pass"] for each in demo.values())
    assert scores["careful"] > scores["types_only"] > scores["smoke"] > 0, scores
    assert scores["redefines"] == scores["mocks"] == 0


def test_the_demonstration_in_other_numbers(demo):
    """Coverage is high for three, assertions kill for two, and two test nothing, by name."""
    rates = {name: each.coverage["statement_rate"] for name, each in demo.items()}
    assert {name for name, rate in rates.items() if rate > 0.9} == {"careful", "smoke", "types_only"}
    assert {name for name, each in demo.items() if each.oracle["assertion_share"]} == {
        "careful",
        "types_only",
    }
    assert {name for name, each in demo.items() if each.vacuity["vacuous_share"] == 1} == {
        "redefines",
        "mocks",
    }
    assert demo["redefines"].vacuity["redefines"] == ["collatz", "gross"]
    assert demo["mocks"].vacuity["patches"] == ["collatz", "gross"]
    assert demo["careful"].reached == "discriminating"
    assert demo["smoke"].reached == "not_vacuous"


def test_equal_runs_have_equal_kills(sandbox):
    """The same suite kills the same mutants by the same tests again."""
    runs = [
        run_suite(sandbox.run, DEMO["script"], DEMO["suites"]["types_only"], plan=SMALL, hash_seeds=1).main
        for _ in range(2)
    ]

    kills = [{v.name: (v.status, v.kill, v.by) for v in run.suite.versions} for run in runs]
    assert kills[0] == kills[1]
    assert len(kills[0]) > 40


@pytest.mark.parametrize("name", [name for name, case in HOSTILE.items() if ALL or not case.get("rare")])
def test_hostile_suites(scored, name):
    """Each has a named outcome, and no score that it has not earned."""
    case = HOSTILE[name]
    wanted = case["outcome"] if isinstance(case["outcome"], list) else [case["outcome"]]

    found, run = scored(SCRIPT, case["suite"], TINY)

    assert found.outcome in wanted, (run.suite, run.tests, run.tests_error, run.killed_by)
    most = case.get("score", 1.0) if found.outcome is SuiteOutcome.SCORED else 0.0
    assert (found.mutation["stable_score"] or 0.0) <= most
    assert (found.mutation["stable_score"] or 0.0) >= case.get("least", 0.0)
    if "by_assertion" in case:
        assert bool(found.mutation["kills"].get("assertion")) is case["by_assertion"]
    if "hermetic" in case:
        assert found.hermeticity["hermetic"] is case["hermetic"]
    if case.get("slow"):
        assert not found.mutation["warm"]


COMPREHENSION = "def f(n):\n    return sum(k * k for k in range(n + 1))\n"
LOOKS = """
from solution import f

def look():
    code = f.__code__
    return code.co_code, code.co_names, len(code.co_consts)

SEEN = look()

def test_one():
    assert f(3) == 14
    assert {seen}
"""


@pytest.mark.parametrize("seen", ["look()[0] == SEEN[0]", "look()[1] == SEEN[1]", "look()[2] == SEEN[2]"])
def test_no_function_is_too_special_for_null_versions(scored, seen):
    """Code, names or constants of a function with another one in it give away no mutants."""
    found, _ = scored(COMPREHENSION, LOOKS.replace("{seen}", seen), TINY)

    assert found.outcome is SuiteOutcome.LOOKS_AT_CODE


def test_tests_that_meet_the_unchanged_script_are_named(scored):
    """Who reads the script's file kills nothing, and the score says who that is."""
    found, _ = scored(SCRIPT, HOSTILE["reads the source, and tests as well"]["suite"], TINY)

    assert found.oracle["outside"] == ["test_source"]
    assert found.vacuity["vacuous"] == []


def test_tests_that_ask_for_the_date_are_named(scored):
    """Each way to ask for the date is found out, by test."""
    found, _ = scored(SCRIPT, HOSTILE["asks for the date"]["suite"], TINY)

    assert found.hermeticity["dated"] == [
        "test_moment",
        "test_seconds",
        "test_year",
    ]


def test_the_slow_path_gives_the_same_verdicts(scored):
    """A suite with a thread is judged without forks of it; what it kills is the same."""
    suite = "from solution import f\n\ndef test_one():\n    assert f(1) == 2\n    assert f(-5) == 0\n"
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(30,), daemon=True).start()\n"

    kills = []
    for text in (suite, thread + suite):
        found, run = scored(SCRIPT, text, TINY)
        kills.append({v.name: (v.status, v.kill) for v in run.suite.versions})

    assert not found.mutation["warm"]
    assert kills[0] == kills[1]


def test_loops_and_module_level_faults_are_found(scored):
    """An endless loop is a kill of its own kind; a constant's mutants need a new import."""
    script = "LIMIT = 3\n\ndef count(n):\n    i = 0\n    while i < n and i < LIMIT:\n        i += 1\n    return i\n"
    suite = "from solution import count\n\ndef test_count():\n    assert [count(2), count(5)] == [2, 3]\n"

    found, run = scored(script, suite, SuitePlan(mutants=50, orders=1))

    assert found.mutation["kills"]["loop"] >= 1
    cold = [v for v in run.suite.versions if v.cold and v.kind is VersionKind.MUTANT]
    assert cold
    assert {v.status for v in cold} == {VersionStatus.KILLED}


def test_coverage_is_that_of_coverage_itself(scored):
    """Ticks move no line: the numbers are those that coverage.py has for the script without them."""
    script = (
        '"""Doc."""\n'
        "def sign(x):\n"
        '    """Say which."""\n'
        "    for _ in range(2):\n"
        "        if x > 0:\n"
        "            return 1\n"
        "    return [y for y in (-1,) if y][0]\n"
        "\n"
        "def other():\n"
        "    while True:\n"
        "        break\n"
    )
    suite = "from solution import sign\n\ndef test_sign():\n    assert sign(1) == 1\n"

    found, _ = scored(script, suite, SuitePlan(mutants=0, orders=0))

    assert (found.coverage["statements"], found.coverage["covered"]) == (8, 5)
    assert (found.coverage["branches"], found.coverage["covered_branches"]) == (4, 2)


def test_wrong_siblings_are_caught_and_right_ones_are_not(scored):
    """Catches and false alarms are told apart, and tests that pin one script's ways are named."""
    suite = (
        "from solution import f\n\n"
        "def test_value():\n    assert f(1) == 2\n\n"
        "def test_type_of_error():\n    try:\n        f('')\n    except TypeError:\n        return\n    assert False\n"
    )
    others = [
        OtherScript(name="right", right=True, script="def f(x):\n    return max(int(x) + 1, 0)\n"),
        OtherScript(name="wrong", right=False, script="def f(x):\n    return x\n"),
        OtherScript(name="broken", right=False, script="def g(x):\n    return x\n"),
    ]

    found, _ = scored(SCRIPT, suite, TINY, others=others)

    assert found.discrimination["caught"] == ["wrong", "broken"]
    assert found.discrimination["false_alarms"] == ["right"]
    assert found.pinning["pins"] == ["test_type_of_error"]


def test_hypothesis_suites_can_be_scored(scored):
    """Properties kill, and the same ones every time."""
    suite = (
        "from hypothesis import given, strategies as st\nfrom solution import f\n\n"
        "@given(st.integers(), st.text())\ndef test_never_below(x, text):\n"
        "    assert f(x) == (x + 1 if x > -1 else 0)\n"
    )

    found, run = scored(SCRIPT, suite, SuitePlan(mutants=4, orders=1))

    assert found.outcome is SuiteOutcome.SCORED, run
    assert found.mutation["stable_score"] > 0.5
    assert found.mutation["warm"]
    assert found.hermeticity["hermetic"]


def test_a_script_without_a_future(sandbox):
    """Where the script is broken nothing is said of the suite."""
    for script in ("def f(:\n", "raise RuntimeError('no')\n"):
        job = Job(
            id=uuid.uuid4().hex, script=script, tests="def test_a():\n    pass\n", suite=TINY, limits=Limits()
        )
        assert outcome_of(sandbox.run(job)) is SuiteOutcome.SCRIPT_BROKEN
