"""Comparisons: paired, with flips, doubts, and refusals."""

import json
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats
from statsmodels.stats.multitest import multipletests

from evaluator.errors import UsageProblem
from evaluator.runs.journal import Journal
from evaluator.statistics.comparable import check_comparable
from evaluator.statistics.compare import between, within
from evaluator.statistics.ledger import ledger_of
from repair.outcome import Verdict

P, F, LLM = Verdict.PASSED, Verdict.TESTS_FAILED, Verdict.LLM_ERROR


def run_of(make_builder: Any, outcomes: dict[str, list[Any]], **manifest: Any) -> Any:
    """A run with one sample of each task per model; outcomes are verdicts or lists of them."""
    builder = make_builder()
    for model, verdicts in outcomes.items():
        for number, verdict in enumerate(verdicts):
            calls = verdict if isinstance(verdict, list) else [verdict]
            builder.sample(model, f"b/t{number:03}", calls)
    return builder.build(**manifest)


def pick(found: Any, measure: str = "pass@1") -> Any:
    """The one comparison of this measure."""
    (one,) = [one for one in found if one.measure == measure]
    return one


def test_mcnemar_of_a_recorded_run(make_builder: Any) -> None:
    """16 tasks gained, 1 lost of 164 (a recorded repair loop): p = 0.00027."""
    before = [F] * 16 + [P] + [P] * 119 + [F] * 28
    after = [P] * 16 + [F] + [P] * 119 + [F] * 28
    one = pick(within(ledger_of(run_of(make_builder, {"a": before, "b": after}))))

    assert one.p == pytest.approx(0.00027, abs=0.00001)
    assert one.p == pytest.approx(stats.binomtest(1, 17).pvalue)
    assert (one.p_method, len(one.gained), one.lost) == ("exact McNemar", 16, ("b/t016",))
    assert one.points == pytest.approx(100 * 15 / 164)
    assert (one.low, one.high) == pytest.approx((4.3, 14.3), abs=0.1)


def test_which_tasks_flipped(make_builder: Any) -> None:
    """Both directions are named; unscored tasks are left out and counted."""
    run = run_of(make_builder, {"a": [P, F, P, F, P], "b": [F, P, P, F, LLM]})
    one = pick(within(ledger_of(run)))

    assert (one.gained, one.lost, one.tasks, one.unpaired) == (("b/t001",), ("b/t000",), 4, 1)


def test_after_repair_is_compared_too(make_builder: Any) -> None:
    """Equal first calls, better repairs."""
    run = run_of(make_builder, {"a": [F] * 8, "b": [[F, P]] * 5 + [F] * 3})
    found = within(ledger_of(run))

    assert pick(found).points == 0.0
    assert pick(found, "after repair").points == pytest.approx(62.5)


def test_several_samples_use_a_clustered_t_test(make_builder: Any) -> None:
    """Shares of tasks are compared as scipy's paired t-test does, where families are tasks."""
    generator = np.random.default_rng(6)
    builder, shares = make_builder(), {}
    for model, chance in (("a", 0.4), ("b", 0.6)):
        hits = generator.random((12, 4)) < chance
        shares[model] = hits.mean(axis=1)
        for task, row in enumerate(hits):
            for number, hit in enumerate(row):
                builder.sample(model, f"b/t{task:03}", [P if hit else F], sample=number)
    one = pick(within(ledger_of(builder.build())))

    assert one.p_method == "clustered t-test"
    assert one.p == pytest.approx(stats.ttest_rel(shares["b"], shares["a"]).pvalue)


def test_holm_over_all_pairs(make_builder: Any) -> None:
    """Three models make three pairs; their p values are adjusted together."""
    verdicts = {"a": [F] * 20, "b": [P] * 6 + [F] * 14, "c": [P] * 12 + [F] * 8}
    found = [one for one in within(ledger_of(run_of(make_builder, verdicts))) if one.measure == "pass@1"]

    expected = multipletests([one.p for one in found], method="holm")[1]
    assert [one.p_holm for one in found] == pytest.approx(expected)
    assert any(one.p_holm > one.p for one in found)


def test_families_weigh_as_one(make_builder: Any) -> None:
    """Ten paraphrases that flip together are one fact."""
    found = []
    for family in ("", "same"):
        builder = make_builder()
        for number in range(20):
            builder.task(f"b/t{number}", family=family if number < 10 else f"f{number}")
            builder.sample("a", f"b/t{number}", [F])
            builder.sample("b", f"b/t{number}", [P if number < 10 else F])
        found.append(pick(within(ledger_of(builder.build()))))

    apart, tied = found
    assert apart.p < 0.01 < tied.p
    assert tied.high - tied.low > apart.high - apart.low
    assert tied.detectable > apart.detectable


def test_templates_of_one_model(make_builder: Any) -> None:
    """A run with two templates compares them for each model."""
    builder = make_builder()
    for number in range(6):
        builder.sample("m", f"b/t{number}", [F], template="plain")
        builder.sample("m", f"b/t{number}", [P], template="plan")
    one = pick(within(ledger_of(builder.build())))

    assert (one.first, one.second, one.points) == ("m / plain", "m / plan", 100.0)


def test_runs_are_compared_model_by_model(make_builder: Any) -> None:
    """A model is compared with itself; the run's name is beside it."""
    a = run_of(make_builder, {"m": [F, F, P], "n": [P, P, P]}, run_id="first")
    b = run_of(make_builder, {"m": [P, F, P], "n": [P, P, P]}, run_id="second")
    found = [one for one in between(ledger_of(a), ledger_of(b)) if one.measure == "pass@1"]

    assert [(one.first, one.second, one.gained) for one in found] == [
        ("m [first]", "m [second]", ("b/t000",)),
        ("n [first]", "n [second]", ()),
    ]


def test_equal_scripts_that_are_judged_otherwise_are_flakes(make_builder: Any) -> None:
    """The same code, another verdict: neither model nor prompt did that."""
    a = run_of(make_builder, {"m": [P, P]})
    b = run_of(make_builder, {"m": [P, F]})
    one = pick(between(ledger_of(a), ledger_of(b)))

    assert (one.same_scripts, one.other_verdicts) == (2, 1)


def changed(run: Any, **update: Any) -> Any:
    """The manifest of a run with other facts."""
    return run.manifest.model_copy(update=update)


@pytest.mark.parametrize("aspect", ["tasks", "limits", "image", "policy", "templates"])
def test_what_is_not_comparable_is_refused(make_builder: Any, aspect: str) -> None:
    """The message names what differs; --across lets it through and says so."""
    run = run_of(make_builder, {"m": [P]})
    (task,) = run.manifest.tasks
    other = {
        "tasks": {"tasks": (task.model_copy(update={"sha256": "other"}),)},
        "limits": {"config": {**run.manifest.config, "sandbox": {"wall_s": 3.0}}},
        "image": {"image": changed(run).image.__class__(**{**_fields(run.manifest.image), "identity": "x"})},
        "policy": {"config": {**run.manifest.config, "repair": {"repairs": 3, "policy": "none"}}},
        "templates": {"templates": {"default": "another"}},
    }[aspect]
    manifest = changed(run, **other)

    with pytest.raises(UsageProblem, match=rf"{aspect}: .*(?s:.*)--across {aspect}$"):
        check_comparable(run.manifest, manifest)
    (note,) = check_comparable(run.manifest, manifest, across=[aspect])
    assert note.startswith(f"compared across {aspect}: ")
    assert check_comparable(run.manifest, run.manifest) == []


def test_tests_that_models_wrote_must_be_the_same(make_builder: Any) -> None:
    """Other tests, or tests for each script alone, are no common ground."""
    run = run_of(make_builder, {"m": [P]})
    (task,) = run.manifest.tasks

    def judged(by: str) -> Any:
        return changed(run, tasks=(task.model_copy(update={"basis": "model-written", "tests_sha256": by}),))

    for one, other in (("a", "b"), ("", ""), ("a", "")):
        with pytest.raises(UsageProblem, match="different tests that models wrote"):
            check_comparable(judged(one), judged(other))
    assert check_comparable(judged("a"), judged("a")) == []


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def test_the_command(make_builder: Any, tmp_path: Any) -> None:
    """Two folders in, text or JSON out; what is not comparable ends with its name."""
    from evaluator.commands.compare import command

    runs = {
        "one": run_of(make_builder, {"m": [F, F, P]}, run_id="one"),
        "two": run_of(make_builder, {"m\x1b[31m": [P, F, P]}, run_id="two"),
        "odd": run_of(make_builder, {"m": [P]}, run_id="odd", templates={"default": "another"}),
    }
    for name, run in runs.items():
        with Journal(tmp_path / name) as journal:
            journal.write_manifest(run.manifest)
            for attempt in run.attempts:
                journal.append(attempt)

    def call(*arguments: str) -> Any:
        return CliRunner().invoke(command, [*arguments, "--runs-dir", str(tmp_path)])

    said = call("one", "two").output
    assert "33.3 % → 66.7 % on 3 tasks" in said
    assert "better on 1: b/t000" in said
    assert "\x1b" not in said
    assert json.loads(call("one", "two", "--json").output)["comparisons"][0]["gained"] == ["b/t000"]
    assert isinstance(call("one", "odd").exception, UsageProblem)
    assert "tasks are only in one" in call("one", "odd", "--across", "templates").output
