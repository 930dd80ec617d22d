"""Histories become tasks, draws and recordings: what is served to which call, and what a plan makes of it."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from evaluator.config import Config
from evaluator.errors import UsageProblem
from evaluator.replay.histories import Histories, History, Round
from evaluator.replay.replay import make_replay, replay_notes, replay_plan
from prompts.recordings import Reply

FILE = Path("histories.jsonl")


def history(row, *replies, **fields):
    """One history with these replies."""
    values = {"model": "m", "task_key": "Suite/1", "prompt": "Write f.", "tests": None}
    rounds = tuple(Round(reply=Reply(content=text)) for text in replies)
    return History(place=f"line {row + 1}", row=row, rounds=rounds, **{**values, **fields})


ROWS = (
    history(0, "a0", "a1"),
    history(1, "b0"),
    history(2, "c0", model="other"),
    history(3, "d0", prompt="Write g."),
    history(4, "e0", task_key="größe: 7/Ä b"),
)


def test_rows_become_draws():
    """The same task of one model is drawn again; another model's is a draw of its own; another prompt another task."""
    replayed = make_replay(ROWS, "default", FILE)

    assert [(d.model, d.task_id, d.sample) for d in replayed.draws] == [
        ("m", "suite/1", 0),
        ("m", "suite/1", 1),
        ("other", "suite/1", 0),
        ("m", "suite/1~2", 0),
        ("m", "gr-e-7/b", 0),
    ]
    assert {task.task_id: task.family for task in replayed.tasks}["suite/1~2"] == "Suite/1"
    assert replayed.samples == 2


def test_rounds_are_found_by_their_place():
    """The n-th round is the reply to the n-th call, whatever kind of call it is."""
    replayed = make_replay(ROWS, "default", FILE)

    assert replayed.recordings["m"]["suite/1/default/0/repair/1"].content == "a1"
    assert replayed.recordings["other"]["suite/1/default/0/repair/0"].content == "c0"
    assert "suite/1/default/0/repair/2" not in replayed.recordings["m"]


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("suite/1/default/0/repair/2", "the recording in line 1 ends after round 1; call 2 asks for more"),
        ("suite/1/default/1/repair/1", "the recording in line 2 ends after round 0"),
        ("suite/1/default/9/repair/0", "no history of 'm' has call"),
        ("suite/1/default/0/control/0", "no history of 'm' has call"),
        ("nonsense", "is no call"),
        ("a/b/c/d/e", "is no call"),
        ("", "is no call"),
    ],
)
def test_what_is_missing_is_named(call, why):
    """A call without a reply is told the row whose recording has ended, or that there is none."""
    assert why in make_replay(ROWS, "default", FILE).why_missing("m", call)


def test_the_plan_draws_what_is_recorded():
    """Nothing is drawn that no row has, and every row is."""
    with ExitStack() as stack:
        plan = replay_plan(Config(), FILE, Histories(rows=ROWS), stack)

    drawn = {
        model.entry.label: [(spec.task.task_id, spec.sample) for spec in plan.specs(model)]
        for model in plan.models
    }
    assert drawn == {
        "m": [("suite/1", 0), ("suite/1", 1), ("suite/1~2", 0), ("gr-e-7/b", 0)],
        "other": [("suite/1", 0)],
    }
    assert plan.samples == len(ROWS)
    assert plan.replayed == str(FILE.resolve())
    # Not ours: how they were drawn, nobody here can say.
    assert (plan.config.sampling.temperature, plan.config.sampling.max_tokens) == (None, None)


def test_other_tasks_of_a_configuration_do_not_matter():
    """A bench.toml that chooses among other tasks leaves the histories whole."""
    other = {"limit": 1, "batches": ["basics"], "tasks": ["x"], "tasks_dir": "/nowhere", "samples": 7}
    with ExitStack() as stack:
        plan = replay_plan(Config.model_validate({"bench": other}), FILE, Histories(rows=ROWS), stack)
    assert sum(len(plan.specs(model)) for model in plan.models) == len(ROWS)


def test_several_templates_are_refused():
    """Replies cannot have answered several templates."""
    config = Config.model_validate({"bench": {"templates": ["default", "plan"]}})
    with ExitStack() as stack, pytest.raises(UsageProblem, match="one template"):
        replay_plan(config, FILE, Histories(rows=ROWS), stack)


def test_a_reader_is_told_of_the_rows():
    """Missing replies, missing tests and rows left out are each counted."""
    coded = history(0, tests_missing="tests of kind stdio cannot be run here")
    coded = History(
        **{name: getattr(coded, name) for name in coded.__slots__ if name != "rounds"},
        rounds=(Round(reply=Reply(content="x"), code_only=True), Round(reply=Reply(content="y"))),
    )
    notes = replay_notes(Histories(rows=(coded,), faults=("line 9: no `prompt`",)))

    assert [note.split(" ")[:3] for note in notes] == [
        ["1", "of", "2"],
        ["1", "of", "1"],
        ["1", "broken", "rows"],
    ]
    assert "stdio" in notes[1]
    assert "line 9" in notes[2]
