"""The recorded demo: everything can be seen in it, and nobody can take it for a measurement."""

import ast
import json
from collections import Counter

import pytest

from evaluator.runs.journal import load_run
from prompts.tasks import batch_root, load
from repair.llm import Arm, CallKind
from repair.outcome import Verdict

pytestmark = [pytest.mark.docker, pytest.mark.slow]

SEEN = {
    Verdict.PASSED,
    Verdict.TESTS_FAILED,
    Verdict.RUNTIME_ERROR,
    Verdict.SYNTAX_ERROR,
    Verdict.OUT_OF_MEMORY,
    Verdict.CPU_LIMIT,
    Verdict.OUTPUT_LIMIT,
    Verdict.NO_CODE,
    Verdict.TRUNCATED,
}
CHEATS = ("os._exit(0)", "sys.exit(0)", "pytest.skip")


@pytest.fixture(scope="module")
def demo(tmp_path_factory, make_bench):
    """One whole demo run: its folder, its data, what it printed."""
    bench = make_bench(tmp_path_factory.mktemp("demo"))
    done = bench("bench", "--no-check-tasks")
    assert done.returncode == 0, done.stderr
    (folder,) = bench.runs()
    return folder, load_run(folder), done


def test_every_sample_is_scored(demo):
    """No reply is missing, and every trajectory comes to its end."""
    _, run, _ = demo

    assert Counter(trajectory.first.arm for trajectory in run.trajectories) == dict.fromkeys(Arm, 30)
    assert not any(trajectory.unscored for trajectory in run.trajectories)


def test_repair_is_compared_with_asking_again(demo):
    """Screen and summary say what repair is worth against fresh draws, by the fair choice and by an oracle."""
    folder, _, done = demo
    rows = json.loads((folder / "summary.json").read_text())["bases"]["own"]["leaderboard"]

    assert len(rows) == 2
    for row in rows:
        assert row["control"]["samples"] == 15
        for equal in (row["control"]["by_calls"], row["control"]["by_tokens"]):
            assert equal["fair"]["N"] == equal["advantage"]["N"] == 15
            assert equal["censored"] == 0
    assert done.stdout.count("advantage of repair") == 4
    assert "those after the first are drawn at 0.9" in done.stdout


def test_what_can_happen_happens(demo):
    """Verdicts, kinds of calls, repairs that work and that do not, and false accepts are all there."""
    _, run, _ = demo
    repaired = [t for t in run.trajectories if t.first.arm is Arm.REPAIR]
    ends = {(len(t.attempts) > 1, t.attempts[-1].success) for t in repaired}

    assert {attempt.verdict for attempt in run.attempts} >= SEEN
    assert {attempt.kind for attempt in run.attempts} == set(CallKind) - {CallKind.CLEANUP}
    assert ends == {(False, True), (False, False), (True, True), (True, False)}
    assert any(a.verdict is Verdict.PASSED and not a.success for a in run.attempts)
    assert "stuck" in {trajectory.attempts[-1].stop for trajectory in repaired}


def test_no_cheat_passes(demo):
    """A script that ends or skips its tests is never scored as passed."""
    _, run, _ = demo
    cheats = [a for a in run.attempts if any(trick in (a.script.code or "") for trick in CHEATS)]

    assert cheats
    assert not any(attempt.success for attempt in cheats)


def test_everything_says_what_it_is(demo):
    """Screen, page, tables and data each say that no model was measured."""
    folder, run, done = demo

    assert run.manifest.recorded_demo
    for text in (done.stdout, done.stderr):
        assert "no model was measured" in text
    for name in ("report.html", "report.md", "junit.xml"):
        assert "no model was measured" in (folder / name).read_text(encoding="utf-8")
    assert json.loads((folder / "summary.json").read_text())["recorded_demo"] is True


def test_no_prompt_holds_anything_of_a_holdout(demo):
    """No test name and no assertion of a holdout that the shown part lacks is in any request."""
    _, run, _ = demo
    sent = "\n".join(m.content for reply in run.completions.values() for m in reply.messages)
    secrets = []
    for task in load(batch_root()):
        for node in ast.walk(ast.parse(task.holdout)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
                secrets.append(node.name)
            if isinstance(node, ast.Assert):
                secrets.append(ast.unparse(node))
        shown = task.prompt + (task.tests or "")
        secrets = [secret for secret in secrets if secret not in shown]

    assert len(secrets) > 50
    assert [secret for secret in secrets if secret in sent] == []
