"""Cleaning of recorded replies of many models, where that data is at hand. Nothing of it is run."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from repair.cleaning.caged import Cleaner
from repair.script import CleanOutcome, EditClass

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("MENDBENCH_DATA", ROOT.parent / "shared" / "data"))

pytestmark = pytest.mark.skipif(
    not (DATA / "raw_replies.jsonl").exists(), reason="recorded replies are not here (set MENDBENCH_DATA)"
)

FLOORS = {
    "ALL": 0.85,
    "prose_before": 0.90,
    "prose_after": 0.95,
    "one_fence": 0.91,
    "many_fences": 0.93,
    "unclosed_fence": 0.83,
    "think_tags": 0.80,
    "other_lang_fence": 0.87,
    "repl_prompt": 0.77,
    "bare_code": 0.95,
    "codellama_tags": 1.00,
    "xml_tags": 0.80,
}
"""Share of replies, by kind of dirt, whose code compiles and defines what was asked for."""


def read(name):
    with (DATA / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def required(row):
    return (row["entry_point"],) if row.get("entry_point") else ()


@pytest.fixture(scope="module")
def cleaned():
    with Cleaner(workers=2) as cleaner:
        return [
            (row, cleaner.clean(row["raw_reply"], required=required(row)))
            for row in read("raw_replies.jsonl")
        ]


def test_no_child_dies(cleaned):
    """No recorded reply costs a child its life or its time."""
    assert [row["id"] for row, script in cleaned if script.reason.startswith("worker")] == []


def test_share_that_compiles(cleaned):
    """For each kind of dirt at least the share that was once reached compiles after cleaning."""
    total: Counter[str] = Counter()
    good: Counter[str] = Counter()
    for row, script in cleaned:
        labels = {*row["labels"], "ALL"}
        total.update(labels)
        good.update(labels if script.compiles else ())
    missed = {
        label: good[label] / total[label]
        for label, floor in FLOORS.items()
        if good[label] < floor * total[label]
    }
    assert missed == {}


def test_clean_code_is_kept(cleaned):
    """What compiles as it came is not touched."""
    raw = [(row, script) for row, script in cleaned if script.outcome is CleanOutcome.RAW]
    assert len(raw) > 90
    assert all(script.code == row["raw_reply"] for row, script in raw)


def test_outcomes_agree_with_edits(cleaned):
    """An outcome is lossy exactly where an edit was."""
    for _, script in cleaned:
        lossy = any(edit.kind is EditClass.LOSSY for edit in script.edits)
        assert not lossy or script.outcome is CleanOutcome.LOSSY


def test_cleaned_code_is_raw_code(cleaned):
    """Cleaning twice changes nothing."""
    with Cleaner(workers=2) as cleaner:
        for row, script in cleaned:
            if script.compiles:
                again = cleaner.clean(script.code, required=required(row))
                assert (again.code, again.outcome) == (script.code, CleanOutcome.RAW)


def test_recorded_suites():
    """Nearly all recorded test suites compile after cleaning, and import the script by its right name."""
    with Cleaner(workers=2) as cleaner:
        texts = [row.get("raw_reply") or row.get("code") for row in read("test_suites.jsonl")]
        scripts = [cleaner.clean(text, kind="tests") for text in texts if text]
    assert sum(script.compiles for script in scripts) >= 0.99 * len(scripts)
    assert sum("from solution import" in (script.code or "") for script in scripts) > 150
