"""docs/metrics.md says what the code computes, and leaves nothing out."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from evaluator.report.summary import summarise
from evaluator.statistics.catalogue import COMPARISON, COUNT, GROUP, tables
from evaluator.statistics.compare import Difference, within
from evaluator.statistics.ledger import ledger_of
from repair.llm import Arm
from repair.outcome import Verdict

DOCS = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
NAMES = {"basis", "model", "batch", "template", "levels", "rank"}
"""What a group is about, not numbers of it."""


@pytest.fixture(scope="module")
def run(make_builder: Any) -> Any:
    """A run that has every number: repairs, controls, several samples, two models."""
    builder = make_builder()
    for model in ("a", "b"):
        for task in ("b/one", "b/two"):
            for sample in range(2):
                builder.sample(model, task, [Verdict.TESTS_FAILED, Verdict.PASSED], sample=sample)
                builder.sample(model, task, [Verdict.PASSED], sample=sample, arm=Arm.CONTROL)
    return builder.build()


@pytest.fixture(scope="module")
def row(run: Any) -> dict[str, Any]:
    """One line of the leaderboard in summary.json."""
    found: dict[str, Any] = summarise(run)["bases"]["own"]["leaderboard"][0]
    return found


def test_the_page_is_the_table_of_the_code() -> None:
    """Not a row more, less or different."""
    page = DOCS.read_text(encoding="utf-8")

    assert page.endswith(f"<!-- made by: python -m evaluator.statistics.catalogue -->\n\n{tables()}\n")


def test_every_number_is_where_the_table_says(row: dict[str, Any]) -> None:
    """Each place leads to something in a real summary."""
    for metric in GROUP:
        value: Any = row
        for part in metric.where.split("."):
            assert part in value, metric.where
            value = value[part]
        assert value is not None, metric.where


def test_no_number_of_a_summary_is_missing(row: dict[str, Any]) -> None:
    """Whoever adds a number adds its formula."""
    nested = {"cost", "repairs", "control"}
    there = {key for key in row if key not in NAMES | nested}
    there |= {f"{outer}.{key}" for outer in nested for key in row[outer]}

    assert there == {metric.where for metric in GROUP}


def test_no_number_of_a_comparison_is_missing(run: Any) -> None:
    """The same for what compare prints; names of sides and methods are no numbers."""
    words = {"first", "second", "basis", "measure", "low", "high", "method", "p_method"}
    fields = {field.name for field in dataclasses.fields(Difference)}

    assert fields - words == {metric.where for metric in COMPARISON}
    assert within(ledger_of(run))


def test_rates_have_the_interval_that_the_table_names(row: dict[str, Any]) -> None:
    """What has a low and a high end is said to have an interval, by the method that it names."""
    methods = {"W": "wilson", "D": "Newcombe", "S": "unbiased pass@k, wilson"}
    for metric in GROUP:
        value: Any = row
        for part in metric.where.split("."):
            value = value[part]
        if isinstance(value, dict) and "method" in value:
            assert value["method"].startswith((methods[metric.interval], "none")), metric.where
            assert {"n", "N", "low", "high"} <= value.keys()
        elif metric.interval == COUNT:
            assert not isinstance(value, dict) or "low" not in value, metric.where
