"""One constant says how tests are graded; configuration, command and task may say otherwise, in this order."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from evaluator.cli import group
from evaluator.config import SandboxSection, overlay
from evaluator.errors import ConfigProblem
from evaluator.jobs import JobMaker
from evaluator.running.sandboxes import sandbox_section
from prompts.tasks import parse
from sandbox.types import DEFAULT_LEVEL, GRADED, Level

TESTS = "## {}\n```python\nfrom solution import f\n\n\ndef test_a():\n    assert f(1) == 2\n```\n\n"


def task(*parts, grading=None):
    head = f"---\ngrading: {grading}\n---\n" if grading else ""
    text = head + "Write `f`.\n\n" + "".join(TESTS.format(part) for part in parts)
    return parse(text, Path("task.md"), "b")


def test_the_default():
    """Where nobody says anything tests are kept in another process than the script."""
    assert DEFAULT_LEVEL is Level.PROCESS
    assert SandboxSection().grading is DEFAULT_LEVEL
    assert JobMaker().job(task("Tests"), "").level is DEFAULT_LEVEL


@pytest.mark.parametrize("level", GRADED)
def test_configuration_and_flag(level, tmp_path, monkeypatch):
    """`[sandbox] grading` and `--grading` set the level of tests."""
    monkeypatch.chdir(tmp_path)
    Path("bench.toml").write_text(f'[sandbox]\ngrading = "{level}"\n')
    (other,) = set(GRADED) - {level}

    assert sandbox_section({}).grading is level
    assert sandbox_section({"grading": str(other)}).grading is other
    assert sandbox_section({"grading": "program"}).grading is level


@pytest.mark.parametrize("grading", ["program", "proces", ""])
def test_levels_that_grade_nothing(grading):
    """A level at which no tests run, or that does not exist, is refused with the key."""
    with pytest.raises(ConfigProblem, match="sandbox"):
        overlay({"sandbox": {"grading": grading}}, {}, "x")


@pytest.mark.parametrize(
    ("parts", "grading", "run", "levels"),
    [
        (("Tests", "Holdout"), None, Level.SHARED, ("shared", "shared", "shared")),
        (("Tests",), "shared", Level.PROCESS, ("shared", "program", "shared")),
        (("Tests", "Holdout"), "process", Level.SHARED, ("process", "process", "process")),
        ((), None, Level.PROCESS, ("program", "program", "program")),
        ((), "program", Level.PROCESS, ("program", "program", "program")),
        (("Holdout",), None, Level.PROCESS, ("program", "process", "process")),
    ],
)
def test_level_of_a_task(parts, grading, run, levels):
    """The task's own word stands over the run's; without tests there is only level program."""
    maker, found = JobMaker(section=SandboxSection(grading=run)), task(*parts, grading=grading)

    assert (maker.level(found), maker.level(found, "holdout"), maker.deciding_level(found)) == levels


@pytest.mark.parametrize(("command", "levels"), [("bench", GRADED), ("run", Level), ("score", Level)])
def test_commands_offer_the_levels(command, levels):
    """Each command names the levels that it can grade at."""
    shown = " ".join(CliRunner().invoke(group, [command, "--help"]).output.split())

    assert f"--grading [{'|'.join(levels)}]" in shown
