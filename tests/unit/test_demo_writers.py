"""The recorded writers: whole, of different quality, and between them every way in which a suite goes wrong."""

import ast
from contextlib import ExitStack

import pytest

from evaluator.config import BenchSection, Config
from evaluator.suites.planning import demo_writing_plan
from prompts.recordings import LAST_CALL, load_recordings, writers_root
from prompts.suite_prompts import SUITE_TEMPLATE
from prompts.tasks import batch_root, load
from repair.cleaning.clean import Asked, clean_reply

RECORDED = load_recordings(writers_root())
TASKS = {task.task_id: task for task in load(batch_root())}
WITHOUT = {
    ("demo-hasty", "basics/shorten", 0),
    ("demo-hasty", "data/query", 0),
    ("demo-smoke", "basics/workdays", 0),
    ("demo-smoke", "basics/workdays", 1),
}
"""Replies that hold no suite, or half of one, and are meant to."""


def reply(writer, task_id, number=0):
    return RECORDED[writer][f"{task_id}/{SUITE_TEMPLATE}/0/repair/{number}"]


def suite(writer, task_id, number=0):
    task = TASKS[task_id]
    asked = Asked(required=task.entry_point, kind="tests", subject=task.references[0])
    return clean_reply(reply(writer, task_id, number).content, asked=asked)


@pytest.mark.parametrize("writer", RECORDED)
@pytest.mark.parametrize("task_id", TASKS)
def test_every_call_has_a_reply(writer, task_id):
    """However long a trajectory gets, no call is without a reply, and every reply counts its tokens."""
    for number in range(LAST_CALL + 1):
        found = reply(writer, task_id, number)
        assert found.prompt_tokens
        assert found.completion_tokens


def test_nothing_else_is_recorded():
    """Every recorded call belongs to a shipped task."""
    calls = {call.rsplit("/", 3)[0] for replies in RECORDED.values() for call in replies}

    assert calls == {f"{task_id}/{SUITE_TEMPLATE}" for task_id in TASKS}
    assert sorted(RECORDED) == ["demo-careful", "demo-hasty", "demo-smoke"]


@pytest.mark.parametrize("writer", RECORDED)
@pytest.mark.parametrize("task_id", TASKS)
def test_replies_hold_suites(writer, task_id):
    """Each reply holds tests that compile, but for those that are meant to hold none."""
    for number in (0, 1):
        found = suite(writer, task_id, number)
        whole = found.compiles and any(
            node.name.startswith("test_")
            for node in ast.walk(ast.parse(found.code))
            if isinstance(node, ast.FunctionDef)
        )
        assert whole is ((writer, task_id, number) not in WITHOUT), found.outcome


@pytest.mark.parametrize("task_id", TASKS)
def test_careful_suites_name_the_script(task_id):
    """The careful writer's suites all import what they test, and define none of it."""
    tree = ast.parse(suite("demo-careful", task_id, 1).code)
    taken = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "solution"
        for alias in node.names
    }

    assert taken == set(TASKS[task_id].entry_point)
    assert not taken & {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


def test_what_goes_wrong_goes_wrong():
    """A wrong module, a missing import, prose without code, half a suite, copies of the script, mocks, a refusal."""
    assert "bind_to_solution" in [edit.rule for edit in suite("demo-hasty", "basics/clock").edits]
    assert "bind_to_solution" in [edit.rule for edit in suite("demo-careful", "data/table").edits]
    assert "joined_blocks" in [edit.rule for edit in suite("demo-hasty", "programs/bookings").edits]
    assert "import pytest" not in suite("demo-hasty", "basics/runs").code
    assert "import pytest" in suite("demo-hasty", "basics/runs", 1).code
    assert suite("demo-hasty", "basics/shorten").code is None
    assert reply("demo-hasty", "data/query").finish_reason == "length"
    assert "def fewest_coins" in suite("demo-smoke", "basics/coins").code
    assert "def read_records" in suite("demo-hasty", "data/records").code
    assert "patch(" in suite("demo-smoke", "basics/runs").code
    assert "MagicMock(" in suite("demo-smoke", "programs/cache").code
    assert suite("demo-smoke", "basics/workdays").code is None


def test_some_suites_are_repaired():
    """Who answers a failure with another suite does so for the tasks that are meant."""
    repaired = {
        writer: {task for task in TASKS if reply(writer, task, 0) != reply(writer, task, 1)}
        for writer in RECORDED
    }

    assert repaired == {
        "demo-careful": {"basics/shorten", "data/changes", "programs/calculator", "programs/limiter"},
        "demo-hasty": {
            "basics/clock",
            "basics/runs",
            "basics/shorten",
            "data/changes",
            "data/query",
            "programs/cache",
            "programs/csv_summary",
        },
        "demo-smoke": set(),
    }


@pytest.mark.parametrize(
    ("asked", "batches"),
    [
        ({}, {"basics"}),
        ({"batches": ("data",)}, {"data"}),
        ({"batches": ("data", "programs")}, {"data", "programs"}),
        ({"tasks": ("*",)}, {"basics", "data", "programs"}),
    ],
)
def test_what_the_demo_plays(asked, batches):
    """One batch if nothing is named, so that it ends soon; else what is named, five tasks of each batch."""
    with ExitStack() as stack:
        plan = demo_writing_plan(Config(bench=BenchSection(**asked)), stack)

    assert [each.task_id.partition("/")[0] for each in plan.subjects] == [
        batch for batch in sorted(batches) for _ in range(5)
    ]
    assert [model.entry.label for model in plan.base.models] == ["demo-careful", "demo-hasty", "demo-smoke"]
