"""Whose turn it is on a server that one model at a time can be loaded on."""

from types import SimpleNamespace

import pytest

from evaluator.config import Config, ModelSection
from evaluator.running.plan import make_plan
from evaluator.running.scheduler import Lane
from evaluator.running.turns import Turns

HERE, THERE = "http://127.0.0.1:1234/v1", "http://127.0.0.1:4321/v1"


def turns(*models, repairer, parallel=False):
    """Turns of a plan with these models, as (name, address)."""
    sections = [ModelSection(name=name, base_url=url) for name, url in (*models, repairer)]
    config = Config.model_validate(
        {"repair": {"model": sections[-1].model_dump()}, "server": {"parallel_models": parallel}}
    )
    plan = make_plan(config, sections[:-1])
    return Turns(plan), plan.models


def lane(model, *specs):
    """A lane with samples of these names."""
    found = [SimpleNamespace(name=name, model=SimpleNamespace(label=model)) for name in specs]
    return Lane(server="s", model=model, specs=found, workers=1)


def test_they_take_turns_on_one_server():
    """First the measured model, then the repairing one, and again."""
    found, (a,) = turns(("a", HERE), repairer=("r", HERE))
    lanes = [lane("a", "one", "two")]
    asked = [(found.lets_measured(a), found.lets_repairer())]
    for _ in range(2):
        found.wait(lanes[0].specs[1])
        (due,) = found.next_lanes(lanes)
        assert [spec.name for spec in due.specs] == ["two"]
        asked.append((found.lets_measured(a), found.lets_repairer()))

    assert asked == [(True, False), (False, True), (True, False)]
    assert found.next_lanes(lanes) == []


@pytest.mark.parametrize(
    ("models", "parallel"),
    [
        ([("a", THERE)], False),
        ([("r", HERE)], False),
        ([("a", HERE)], True),
        ([("r", HERE), ("a", THERE)], False),
    ],
)
def test_nobody_waits_where_nothing_is_shared(models, parallel):
    """Servers of their own, a model that repairs itself, a server that holds several."""
    found, planned = turns(*models, repairer=("r", HERE), parallel=parallel)

    assert found.lets_repairer()
    assert all(map(found.lets_measured, planned))


def test_another_server_need_not_wait():
    """A model elsewhere is asked at any time; its repairs wait for their turn like all others."""
    found, (near, far) = turns(("near", HERE), ("far", THERE), repairer=("r", HERE))
    assert not found.lets_repairer()
    found.wait(lane("far", "x").specs[0])

    (due,) = found.next_lanes([lane("near"), lane("far")])

    assert due.model == "far"
    assert (found.lets_measured(near), found.lets_measured(far), found.lets_repairer()) == (False, True, True)
