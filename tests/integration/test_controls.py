"""Controls of tasks in the real sandbox: the shipped tasks are fit, and unfit tasks are found out."""

from pathlib import Path

import pytest

from evaluator.controls.check import check_task, skeleton
from evaluator.running.scheduler import side_by_side
from prompts.tasks import batch_root, load, parse
from sandbox.engine import DockerSandbox

pytestmark = pytest.mark.docker

HEAD = "Write `f`.\n\n"
RIGHT = "def f(x):\n    return x + 1\n"
TESTS = "from solution import f\n\n\ndef test_one():\n    assert f(1) == 2\n"
HOLDOUT = "from solution import f\n\n\ndef test_two():\n    assert f(5) == 6\n"


@pytest.fixture(scope="module")
def sandbox():
    """A real sandbox, closed after the module's tests."""
    with DockerSandbox("controls-test") as made:
        yield made


def task(*sections, head=""):
    text = head + HEAD + "".join(f"## {name}\n\n```python\n{code}```\n\n" for name, code in sections)
    return parse(text, Path("task.md"), "b")


def problems(sandbox, *sections):
    return check_task(task(*sections), sandbox).problems


@pytest.fixture(scope="module")
def shipped(sandbox):
    """The reports on all shipped tasks, by id."""
    reports = side_by_side(lambda found: check_task(found, sandbox), load(batch_root()), 2)
    return {report.task_id: report for report in reports}


@pytest.mark.slow
@pytest.mark.parametrize("task_id", [found.task_id for found in load(batch_root())])
def test_shipped_task_is_fit(task_id, shipped):
    """Every reference passes, and every empty and wrong solution fails."""
    report = shipped[task_id]

    assert report.problems == ()
    assert report.notes == ()
    assert report.ok
    assert report.controlled
    assert report.may_skip == {"shown": (), "holdout": ()}


def test_right_task(sandbox):
    """A wrong solution may fail the holdout alone."""
    wrong = ("Wrong", "def f(x):\n    return 2\n")

    report = check_task(task(("Tests", TESTS), ("Holdout", HOLDOUT), ("Reference", RIGHT), wrong), sandbox)

    assert (report.problems, report.notes) == ((), ())
    # Reference and skeleton on both parts, an empty file on one, the wrong solution on both.
    assert report.runs == 7


def test_reference_that_fails(sandbox):
    """The problem names the reference, the part, the test and the reason."""
    found = problems(
        sandbox,
        ("Tests", TESTS),
        ("Reference", RIGHT),
        ("Reference", RIGHT.replace("1", "2")),
        ("Wrong", "f = None\n"),
    )

    assert len(found) == 1
    assert (
        "reference 2 does not pass the shown tests: tests_failed; test_one failed: AssertionError" in found[0]
    )


def test_reference_that_does_not_load(sandbox):
    """A reference that fails at import is told apart from one that is wrong."""
    found = problems(sandbox, ("Tests", TESTS), ("Reference", "import nothing_of_the_kind\n"))

    assert "runtime_error; ModuleNotFoundError" in found[0]


def test_wrong_solution_that_passes(sandbox):
    """A wrong solution that nothing catches shows that the tests are too weak."""
    found = problems(
        sandbox, ("Tests", TESTS), ("Reference", RIGHT), ("Wrong", "def f(x):\n    return x * 2\n")
    )

    assert found == ("wrong solution 1 passes the shown tests: add a test that it fails",)


def test_tests_that_prove_nothing(sandbox):
    """Tests that an empty solution passes are refused."""
    vacuous = "from solution import f\n\n\ndef test_one():\n    assert callable(f)\n"

    found = problems(sandbox, ("Tests", vacuous), ("Reference", RIGHT))

    assert found == ("an empty solution passes the shown tests: they test nothing",)


def test_tests_that_do_not_need_the_solution(sandbox):
    """Tests that pass without any solution are refused twice over."""
    idle = (
        "def test_one():\n    try:\n        from solution import f\n    except ImportError:\n        pass\n"
    )

    found = problems(sandbox, ("Tests", idle), ("Reference", RIGHT))

    assert "an empty file passes the shown tests: they do not need the solution" in found


def test_skips_of_the_reference_are_allowed(sandbox):
    """What every reference skips may be skipped; what only one skips may not."""
    skipping = TESTS + (
        "\n\ndef test_later():\n    import pytest\n    import solution\n\n"
        "    if getattr(solution, 'LATER', True):\n        pytest.skip('later')\n"
    )
    strict = RIGHT + "LATER = False\n"

    both = check_task(task(("Tests", skipping), ("Reference", RIGHT)), sandbox)
    one = check_task(task(("Tests", skipping), ("Reference", RIGHT), ("Reference", strict)), sandbox)

    assert both.problems == ()
    assert both.may_skip == {"shown": ("test_later",)}
    assert one.may_skip == {"shown": ()}
    assert "reference 1 does not pass the shown tests" in one.problems[0]
    assert "test_later skipped" in one.problems[0]


FRAMES = (
    "from solution import f\n\n\ndef test_one():\n    assert f(1) == 2\n\n\n"
    "def test_module():\n    assert f.__code__.co_filename.endswith('solution.py')\n"
)


@pytest.mark.parametrize("grading", ["process", "shared"])
def test_tests_that_need_one_interpreter(sandbox, grading):
    """The test that works at level shared only is named; it is a fault where the task is graded otherwise."""
    found = task(
        ("Tests", FRAMES),
        ("Reference", RIGHT),
        ("Wrong", "def f(x):\n    return x\n"),
        head=f"---\ngrading: {grading}\n---\n",
    )
    report = check_task(found, sandbox, both_levels=True)

    assert report.needs_shared == {"shown": ("test_module",)}
    assert report.ok is (grading == "shared")
    if grading == "process":
        assert "passes the shown tests at level shared only" in report.problems[0]
        assert "write `grading: shared`" in report.problems[0]


def test_tests_that_work_at_both_levels(sandbox):
    """An ordinary task needs no level of its own; every reference ran at both."""
    wrong = ("Wrong", "def f(x):\n    return 2\n")
    found = task(("Tests", TESTS), ("Holdout", HOLDOUT), ("Reference", RIGHT), wrong)
    report = check_task(found, sandbox, both_levels=True)

    assert (report.problems, report.notes) == ((), ())
    assert report.needs_shared == {"shown": (), "holdout": ()}
    assert report.runs == 9


def test_reference_that_skips_everything(sandbox):
    """A test file that the reference skips as a whole proves nothing."""
    idle = "import pytest\nfrom solution import f\n\n\n@pytest.mark.skip\ndef test_one():\n    f(1)\n"

    found = problems(sandbox, ("Tests", idle), ("Reference", RIGHT))

    assert "reference 1 skips every one of the shown tests: they prove nothing" in found


def test_without_references(sandbox):
    """Without a reference the empty solution takes its names from the tests, and the gap is noted."""
    report = check_task(task(("Tests", TESTS)), sandbox)

    assert report.problems == ()
    assert [note.partition(":")[0] for note in report.notes] == ["no reference", "no wrong solution"]


def test_task_without_tests(sandbox):
    """Where there are no tests there is nothing to control, and no run is spent."""
    report = check_task(task(), sandbox)

    assert (report.controlled, report.ok, report.runs) == (False, True, 0)


def test_unknown_profile(sandbox):
    """A profile that does not exist is a problem of the task, not a crash."""
    found = task(("Tests", TESTS), ("Reference", RIGHT), head="---\nlimits: {profile: huge}\n---\n")

    assert "profile 'huge'" in check_task(found, sandbox).problems[0]


def test_skeleton_keeps_public_names_only():
    """The empty solution has functions, classes and values of the reference, and none of their behaviour."""
    reference = (
        "import os\nLIMIT = 3\nSIZE: int = 4\n_x = 1\n\n\nclass MyError(ValueError):\n    pass\n\n\n"
        "class Box(list):\n    def __init__(self):\n        raise KeyError\n\n    def size(self):\n        return 1\n\n\n"
        "class Odd(os.PathLike):\n    pass\n\n\nasync def go():\n    return 1\n\n\ndef _hidden():\n    return 1\n"
    )
    names: dict[str, object] = {}
    exec(skeleton(task(("Reference", reference))), names)

    assert {name for name in names if not name.startswith("__")} == {
        "LIMIT",
        "SIZE",
        "MyError",
        "Box",
        "Odd",
        "go",
    }
    assert names["LIMIT"] is None
    assert issubclass(names["MyError"], ValueError)
    with pytest.raises(NotImplementedError):
        names["Box"]().size()
    with pytest.raises(NotImplementedError):
        names["go"]()
