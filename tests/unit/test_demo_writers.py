"""The recorded writers: whole, of different quality, and between them every way in which a suite goes wrong."""

import pytest

from prompts.recordings import LAST_CALL, load_recordings, writers_root
from prompts.suite_prompts import SUITE_TEMPLATE
from prompts.tasks import batch_root, load
from repair.cleaning.clean import Asked, clean_reply

RECORDED = load_recordings(writers_root())
TASKS = {task.task_id: task for task in load(batch_root(), ("basics",))}


def suite(writer, task_id, number=0):
    task = TASKS[task_id]
    asked = Asked(required=task.entry_point, kind="tests", subject=task.references[0])
    reply = RECORDED[writer][f"{task_id}/{SUITE_TEMPLATE}/0/repair/{number}"]
    return clean_reply(reply.content, asked=asked)


@pytest.mark.parametrize("writer", RECORDED)
@pytest.mark.parametrize("task_id", TASKS)
def test_every_call_has_a_reply(writer, task_id):
    """However long a trajectory gets, no call is without a reply, and every reply counts its tokens."""
    for number in range(LAST_CALL + 1):
        reply = RECORDED[writer][f"{task_id}/{SUITE_TEMPLATE}/0/repair/{number}"]
        assert reply.prompt_tokens
        assert reply.completion_tokens


def test_nothing_else_is_recorded():
    """Every recorded call belongs to a shipped task of the demo."""
    calls = {call.rsplit("/", 3)[0] for replies in RECORDED.values() for call in replies}

    assert calls == {f"{task_id}/{SUITE_TEMPLATE}" for task_id in TASKS}
    assert sorted(RECORDED) == ["demo-careful", "demo-hasty", "demo-smoke"]


def test_what_goes_wrong_goes_wrong():
    """A wrong module, a missing import, prose without code, a copy of the script, a mock, a refusal."""
    assert "bind_to_solution" in [edit.rule for edit in suite("demo-hasty", "basics/clock").edits]
    assert "import pytest" not in suite("demo-hasty", "basics/runs").code
    assert "import pytest" in suite("demo-hasty", "basics/runs", 1).code
    assert suite("demo-hasty", "basics/shorten").code is None
    assert "def fewest_coins" in suite("demo-smoke", "basics/coins").code
    assert "patch(" in suite("demo-smoke", "basics/runs").code
    assert suite("demo-smoke", "basics/workdays").code is None


@pytest.mark.parametrize("task_id", TASKS)
def test_careful_suites_are_suites(task_id):
    """The careful writer's all compile as they are."""
    assert suite("demo-careful", task_id).compiles
