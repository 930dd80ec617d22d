"""Which scripts suites are written for, and which others they are tried on."""

import pytest

from evaluator.errors import UsageProblem
from evaluator.suites.subjects import of_attempts, of_folder, of_references
from prompts.tasks import load
from repair.outcome import Verdict
from sandbox.types import TestOutcome, TestRecord

TASK = """---
entry_point: f
family: letters
---
Write `f`.

## Tests

```python
from solution import f

def test_f():
    assert f() == 1
```

## Reference

```python
def f():
    return 1
```

## Reference

```python
f = lambda: 1
```

## Wrong

```python
def f():
    return 2
```
"""
PASS = (TestRecord(id="test_f", outcome=TestOutcome.PASSED),)


def fails(name):
    return (TestRecord(id=name, outcome=TestOutcome.FAILED),)


@pytest.fixture
def tasks(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "t.md").write_text(TASK, encoding="utf-8")
    return load(tmp_path)


@pytest.fixture
def run(builder):
    """Two models that wrote the same script, and one whose script is wrong, after others."""
    builder.task("b/t", has_holdout=False)
    for model in ("one", "two"):
        builder.sample(
            model, "b/t", [{"verdict": Verdict.PASSED, "code": "def f(): return 1\n", "tests": PASS}]
        )
    wrong = [
        {"verdict": Verdict.TESTS_FAILED, "code": f"def f(): return {n}\n", "tests": fails(name)}
        for n, name in ((5, "test_f"), (6, "test_f"), (7, "test_g"))
    ]
    builder.sample("three", "b/t", wrong)
    builder.sample("four", "b/t", [{"verdict": Verdict.SYNTAX_ERROR, "code": "def f(:\n"}])
    return builder.build()


def test_references(tasks):
    """The first reference, tried on the others of its task."""
    (subject,) = of_references(tasks)

    assert (subject.task_id, subject.family, subject.names, subject.right) == ("b/t", "letters", ("f",), True)
    assert subject.prompt == tasks[0].prompt
    assert [(other.name, other.right) for other in subject.others] == [
        ("b/t reference 2", True),
        ("b/t wrong 1", False),
    ]


def test_references_with_a_run(tasks, run):
    """Attempts of a run join: right ones once each, wrong ones once for each way to fail."""
    (subject,) = of_references(tasks, run)

    added = subject.others[2:]
    assert [other.script for other in added if other.right] == ["def f(): return 1\n"]
    assert len([other for other in added if not other.right]) == 2


def test_attempts(tasks, run):
    """What was held in the end, equal scripts once with all their authors; what cannot be imported is out."""
    found = {subject.authors: subject for subject in of_attempts(tasks, run)}

    assert set(found) == {("one", "two"), ("three",)}
    assert found["one", "two"].right
    assert not found["three",].right
    assert found["three",].code == "def f(): return 7\n"
    assert all(subject.task_id.startswith("b/t@") for subject in found.values())
    assert all(subject.code not in {other.script for other in subject.others} for subject in found.values())


def test_no_attempts(tasks, builder):
    """A run without a usable script is refused with a word on what to do."""
    builder.sample("m", "b/t", [Verdict.NO_CODE])

    with pytest.raises(UsageProblem, match="no script"):
        of_attempts(tasks, builder.build())


def test_folder(tmp_path):
    """Every .py file, with its description beside it; names are read off the lines, and tests left out."""
    (tmp_path / "a.py").write_text(
        "LIMIT = 3\n\nclass A:\n    def m(self): ...\n\nasync def g():\n    _x = 1\n"
    )
    (tmp_path / "a.md").write_text("What a does.\n")
    (tmp_path / "test_a.py").write_text("")
    (tmp_path / "_b.py").write_text("")

    (subject,) = of_folder(tmp_path)

    assert subject.names == ("A", "g", "LIMIT")
    assert subject.prompt == "What a does."
    assert subject.task_id == f"{tmp_path.name}/a"


@pytest.mark.parametrize("make", [False, True])
def test_folder_without_scripts(tmp_path, make):
    """A folder that is not there, or is empty, is named."""
    folder = tmp_path / "mine"
    if make:
        folder.mkdir()

    with pytest.raises(UsageProblem, match="mine"):
        of_folder(folder)


def test_hash_follows_what_decides(tasks, run):
    """Another script to be tried on makes it another subject."""
    assert of_references(tasks)[0].sha256 != of_references(tasks, run)[0].sha256
    assert of_references(tasks)[0].sha256 == of_references(tasks)[0].sha256
