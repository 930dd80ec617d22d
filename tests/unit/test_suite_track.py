"""The plan of a run of writers, what is written down of it, and whether another plan continues it."""

import pytest

from evaluator.config import Config, ModelSection, SuitesSection
from evaluator.errors import RunIncompatible, UsageProblem
from evaluator.jobs import JobMaker
from evaluator.suites.baseline import LABEL
from evaluator.suites.planning import writing_plan
from evaluator.suites.track import check_same_subjects, writing_manifest
from sandbox.types import ImageInfo

IMAGE = ImageInfo(identity="i", tag="t", digest="d", python="3.11", guest_version="g", base="b")
MODEL = ModelSection(name="m", base_url="http://127.0.0.1:9/v1")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.py").write_text("def a(): return 1\n")
    (tmp_path / "b.py").write_text("def b(): return 2\n")
    return tmp_path


def plan_of(folder, *, samples=2, models=(MODEL,), baselines=("ghostwriter",)):
    config = Config(suites=SuitesSection(source=str(folder), baselines=baselines))
    bench = config.bench.model_copy(update={"samples": samples})
    return writing_plan(config.model_copy(update={"bench": bench}), models)


def manifest_of(plan):
    return writing_manifest(plan, "id", IMAGE, JobMaker())


def test_what_is_planned(folder):
    """Models write `samples` suites for each script, a baseline one; the manifest lists each."""
    plan = plan_of(folder)
    manifest = manifest_of(plan)
    draws = list(manifest.planned())

    assert plan.suites == len(draws) == 2 * 2 + 2
    assert sum(model == LABEL for model, *_ in draws) == 2
    assert manifest.track == "suites"
    assert manifest.baselines == (LABEL,)
    assert [subject.code for subject in manifest.subjects] == ["def a(): return 1\n", "def b(): return 2\n"]
    assert {task.basis for task in manifest.tasks} == {"model-written"}


def test_the_same_plan_goes_on(folder):
    """Planned again, it is the same run."""
    check_same_subjects(plan_of(folder), manifest_of(plan_of(folder)))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({}, r"/b"),
        ({"models": (MODEL.model_copy(update={"base_url": "http://127.0.0.1:8/v1"}),)}, "m"),
        ({"baselines": ()}, "ghostwriter"),
    ],
)
def test_another_plan_does_not(folder, change, named):
    """A changed script, another server, a missing baseline: each is named."""
    manifest = manifest_of(plan_of(folder))
    if not change:
        (folder / "b.py").write_text("def b(): return 3\n")

    with pytest.raises(RunIncompatible, match=named):
        check_same_subjects(plan_of(folder, **change), manifest)


def test_attempts_need_their_run():
    """It is said which option is missing."""
    with pytest.raises(UsageProblem, match="--run"):
        writing_plan(Config(suites=SuitesSection(source="attempts")), (MODEL,))
