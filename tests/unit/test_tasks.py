"""Task files: what is a task, and what is said about a file that is none."""

from pathlib import Path

import pytest

from prompts.errors import NothingSelected, TaskError, TaskErrors
from prompts.tasks import Task, TaskLimits, batch_root, load, load_batch, parse

TESTS = "from solution import f\n\n\ndef test_f():\n    assert f(1) == 2\n"
REFERENCE = "def f(x):\n    return x + 1\n"


def section(name: str, code: str = TESTS) -> str:
    return f"## {name}\n\n```python\n{code}```\n\n"


def task(text: str, name: str = "add-one") -> Task:
    return parse(text, Path(f"{name}.md"), "basics")


def fault(text: str, name: str = "add-one") -> TaskError:
    with pytest.raises(TaskError) as caught:
        task(text, name)
    return caught.value


class TestParse:
    def test_plain_markdown_is_a_complete_task(self):
        """A file without front matter and sections is all prompt."""
        found = task("# Hello\n\nPrint *hello*.\n\n## Notes\n\n- none\n")

        assert found.task_id == "basics/add-one"
        assert found.prompt == "# Hello\n\nPrint *hello*.\n\n## Notes\n\n- none"
        assert (found.tests, found.holdout, found.references, found.wrong) == (None, None, (), ())
        assert found.family == "basics/add-one"
        assert found.limits == TaskLimits()

    def test_every_section_and_key(self):
        """Front matter and sections all reach the task, and nothing of them the prompt."""
        text = (
            "---\nentry_point: [f, G]\ntags: [a, b]\ndifficulty: hard\nfamily: ones\n"
            "limits: {wall_s: 4, cpu_s: 1.5, file_bytes: 10, profile: large}\ngrading: shared\n---\n"
            "Write `f`.\n\n"
            + section("Tests")
            + section("Holdout", TESTS.replace("1) == 2", "5) == 6"))
            + section("Reference", REFERENCE)
            + section("Reference", "f = lambda x: 1 + x\n")
            + section("Wrong", "def f(x):\n    return 2\n")
        )

        found = task(text)

        assert found.prompt == "Write `f`."
        assert found.tests == TESTS
        assert "f(5) == 6" in (found.holdout or "")
        assert found.references == (REFERENCE, "f = lambda x: 1 + x\n")
        assert found.wrong == ("def f(x):\n    return 2\n",)
        assert found.entry_point == ("f", "G")
        assert found.tags == ("a", "b")
        assert (found.difficulty, found.family, found.grading) == ("hard", "ones", "shared")
        assert found.limits == TaskLimits(wall_s=4.0, cpu_s=1.5, file_bytes=10, profile="large")

    def test_single_values_may_stand_without_a_list(self):
        """One entry point or tag needs no brackets."""
        found = task("---\nentry_point: f\ntags: short\n---\nWrite f.\n")

        assert (found.entry_point, found.tags) == (("f",), ("short",))

    @pytest.mark.parametrize("newline", ["\r\n", "\r"])
    def test_line_ends_of_other_systems(self, newline):
        """Line ends make no difference, and a byte order mark neither."""
        text = "---\nentry_point: f\n---\nWrite f.\n\n" + section("Tests")

        assert task("\ufeff" + text.replace("\n", newline)) == task(text)

    def test_headings_in_fences_lists_and_quotes_are_text(self):
        """Only a heading of the document itself opens a section."""
        prompt = "Read this:\n\n```markdown\n## Tests\n```\n\n- ## Wrong\n\n> ## Holdout\n\n    ## Reference"

        found = task(prompt + "\n\n" + section("Tests"))

        assert found.prompt == prompt
        assert found.tests == TESTS

    def test_prose_in_a_section_is_a_comment(self):
        """Text beside the block of a section belongs to nobody."""
        found = task(
            "Write f.\n\n## Wrong\n\nForgets the one.\n\n```py\ndef f(x): ...\n```\n\nSo it fails.\n"
        )

        assert found.prompt == "Write f."
        assert found.wrong == ("def f(x): ...\n",)

    def test_holdout_alone(self):
        """A task may have nothing that could be fed back."""
        found = task("Write f.\n\n" + section("Holdout"))

        assert found.tests is None
        assert found.holdout == TESTS

    def test_underlined_heading_opens_a_section_too(self):
        """Both of Markdown's ways to write a heading count."""
        found = task("Write f.\n\nTests\n-----\n\n```python\n" + TESTS + "```\n")

        assert (found.prompt, found.tests) == ("Write f.", TESTS)

    @pytest.mark.parametrize(
        ("text", "line", "words"),
        [
            ("", 1, "no prompt"),
            ("---\ntags: a\n---\n\n" + section("Tests"), 4, "no prompt"),
            ("---\ntags: a\n", 1, "never closed"),
            ("---\ntags: [a\nfamily: b\n---\np\n", 3, "bad YAML"),
            ("---\n- a\n---\np\n", 2, "`key: value`"),
            ("---\nfamily: a\nfamily: b\n---\np\n", 3, "given twice"),
            ("---\nlimits: {wall_s: 1, wall_s: 2}\n---\np\n", 2, "given twice"),
            ("---\ntags: a\nentrypoint: f\n---\np\n", 3, "did you mean `entry_point`?"),
            ("---\ncolour: red\n---\np\n", 2, "known: entry_point, tags"),
            ("---\nentry_point: two words\n---\np\n", 2, "not a Python name"),
            ("---\ntags: 7\n---\np\n", 2, "must be a text"),
            ("---\nentry_point:\n---\np\n", 2, "must be a text"),
            ("---\ndifficulty: brutal\n---\np\n", 2, "easy, medium, hard"),
            ("---\ngrading: proces\n---\np\n", 2, "process, shared, program"),
            ("---\nlimits: 5\n---\np\n", 2, "pairs"),
            ("---\nlimits: {walls: 5}\n---\np\n", 2, "did you mean `wall_s`?"),
            ("---\nlimits: {wall_s: yes}\n---\np\n", 2, "must be a number"),
            ("---\nlimits: {wall_s: .inf}\n---\np\n", 2, "above zero"),
            ("---\nlimits: {cpu_s: 0}\n---\np\n", 2, "above zero"),
            ("---\nlimits: {file_bytes: 1.5}\n---\np\n", 2, "whole number"),
            ("---\ngrading: program\n---\np\n\n" + section("Tests"), 2, "runs no tests"),
            ("p\n\n## Test\n", 3, "did you mean the section `## Tests`?"),
            ("p\n\n## tests\n", 3, "did you mean the section `## Tests`?"),
            ("p\n\n## **Hold-out**\n", 3, "did you mean the section `## Holdout`?"),
            ("p\n\n" + section("Hidden tests"), 3, "did you mean the section `## Tests`?"),
            ("p\n\n" + section("Tests").replace("## ", "### "), 3, "did you mean the section `## Tests`?"),
            ("p\n\n" + section("Tests") + "## Refrence\n", 13, "did you mean `## Reference`?"),
            ("p\n\n" + section("Tests") + "## More\n", 13, "unknown section `## More`"),
            ("p\n\n" + section("Tests") + section("Tests"), 13, "second section `## Tests`; line 3 has one"),
            ("p\n\n## Tests\n\nlater\n", 3, "no fenced block"),
            ("p\n\n## Tests\n\n- a\n\n  ```python\n  1\n  ```\n", 3, "no fenced block"),
            ("p\n\n## Wrong\n\n```python\n1\n```\n\n```python\n2\n```\n", 9, "2 fenced blocks"),
            ("p\n\n## Wrong\n\n```text\n1\n```\n", 5, "must start with ```python"),
            ("p\n\n## Wrong\n\n```\n1\n```\n", 5, "must start with ```python"),
            ("p\n\n```\nopen\n\n" + section("Tests"), 3, "swallows a section"),
            ("p\n\n" + section("Tests") + "```\nopen\n", 13, "never closed; end it with ```"),
            ("p\n\n## Tests\n\n~~~~python\n1\n~~~\n", 5, "never closed; end it with ~~~~"),
            ("p\n\n" + section("Tests", TESTS + "assert f( ==\n"), 11, "`## Tests` is not Python"),
            ("p\n\n" + section("Wrong", "x = 1\nreturn =\n"), 7, "`## Wrong` is not Python"),
            ("p\n\n" + section("Tests", "def test_f():\n    pass\n"), 6, "never imports `solution`"),
            ("p\n\n" + section("Holdout", "import solution\n"), 6, "defines no test"),
            ("p\n\nq\0r\n", 3, "NUL"),
        ],
    )
    def test_fault_with_line(self, text, line, words):
        """Each fault is named with the line of the file and what to do."""
        error = fault(text)

        assert words in error.message
        assert error.line == line
        assert str(error).startswith(f"add-one.md:{line}: ")

    @pytest.mark.parametrize("name", ["Add", "add one", "ädd", "a.b"])
    def test_bad_name(self, name):
        """Ids are safe everywhere: file names, addresses, reports."""
        assert "bad file name" in str(fault("p\n", name))

    def test_deep_nesting_is_a_fault_of_the_file(self):
        """A parser that gives up is reported like any other fault."""
        assert "`## Wrong`" in str(fault("p\n\n" + section("Wrong", "x = " + "(" * 5000 + ")" * 5000 + "\n")))

    def test_prompt_may_speak_of_tests(self):
        """A heading that merely mentions a reserved word, without Python below it, is prompt."""
        assert task("p\n\n## What is a wrong input\n\nNone.\n").prompt.endswith("None.")


class TestHash:
    def test_hash_follows_what_matters(self):
        """Whatever changes what is asked or judged changes the hash; tags do not."""
        base = "Write f.\n\n" + section("Tests") + section("Wrong", "f = 1\n")
        changed = [
            base.replace("Write", "Make"),
            base.replace("== 2", "== 3"),
            base.replace("f = 1", "f = 2"),
            "---\nlimits: {wall_s: 2}\n---\n" + base,
            "---\nfamily: x\n---\n" + base,
            "---\nentry_point: f\n---\n" + base,
            "---\ngrading: process\n---\n" + base,
        ]

        hashes = {task(text).sha256 for text in [base, *changed]}

        assert len(hashes) == len(changed) + 1
        assert task("---\ntags: x\n---\n" + base).sha256 == task(base).sha256

    def test_holdout_is_not_mistaken_for_tests(self):
        """The same code in another section is another task."""
        assert task("p\n\n" + section("Tests")).sha256 != task("p\n\n" + section("Holdout")).sha256


@pytest.fixture
def folder(tmp_path):
    """Two batches, with files that are no tasks beside them."""
    for batch, names in {"one": ("a", "b"), "two": ("a", "c")}.items():
        (tmp_path / batch).mkdir()
        for name in names:
            (tmp_path / batch / f"{name}.md").write_text(f"Write {name}.\n")
    (tmp_path / "one" / "README.md").write_text("About.\n")
    (tmp_path / "one" / "_draft.md").write_text("")
    (tmp_path / "_old").mkdir()
    (tmp_path / "_old" / "x.md").write_text("")
    (tmp_path / "empty").mkdir()
    return tmp_path


def ids(tasks):
    return [found.task_id for found in tasks]


class TestLoad:
    def test_folder_of_batches(self, folder):
        """Tasks come in the order of their ids; drafts and readmes are left out."""
        assert ids(load(folder)) == ["one/a", "one/b", "two/a", "two/c"]

    def test_folder_of_tasks_is_one_batch(self, folder):
        """A folder of files is a batch of its own name."""
        assert ids(load(folder / "two")) == ids(load_batch(folder / "two")) == ["two/a", "two/c"]

    def test_single_file(self, folder):
        """A file alone is a task of its folder's batch."""
        assert ids(load(folder / "one" / "b.md")) == ["one/b"]

    @pytest.mark.parametrize(
        ("batches", "tasks", "expected"),
        [
            (["two"], None, ["two/a", "two/c"]),
            (None, ["a"], ["one/a", "two/a"]),
            (None, ["one/b", "two/*"], ["one/b", "two/a", "two/c"]),
            (["one"], ["a"], ["one/a"]),
        ],
    )
    def test_choice(self, folder, batches, tasks, expected):
        """Batches are chosen by name, tasks by id, name or pattern."""
        assert ids(load(folder, batches, tasks)) == expected

    @pytest.mark.parametrize(
        ("batches", "tasks", "words"),
        [
            (["tow"], None, "no batch `tow`"),
            (None, ["one/aa"], "did you mean `one/a`?"),
            (["two"], ["b"], "no task `b`"),
            (None, ["q*"], "there are: one/a, one/b"),
        ],
    )
    def test_choice_of_what_is_not_there(self, folder, batches, tasks, words):
        """What is not there is named, with the nearest that is."""
        with pytest.raises(NothingSelected, match=words.replace("?", r"\?")):
            load(folder, batches, tasks)

    def test_nothing_there(self, tmp_path):
        """An empty folder and a missing one are errors, not empty runs."""
        with pytest.raises(NothingSelected, match="no tasks"):
            load(tmp_path)
        with pytest.raises(NothingSelected, match="no such file"):
            load(tmp_path / "missing")
        with pytest.raises(NothingSelected, match="no tasks"):
            load_batch(tmp_path)

    def test_all_faults_at_once(self, folder):
        """One round of mending is enough: every broken file is named."""
        (folder / "one" / "a.md").write_text("")
        (folder / "two" / "c.md").write_bytes(b"line\ncaf\xe9\n")

        with pytest.raises(TaskErrors) as caught:
            load(folder)

        first, second = caught.value.errors
        assert first.path == folder / "one" / "a.md"
        assert "byte 8 is 0xe9" in second.message
        assert second.line == 2
        assert str(first) in str(caught.value)
        assert str(second) in str(caught.value)

    def test_faults_elsewhere_do_not_matter(self, folder):
        """A broken file that was not asked for stops nothing."""
        (folder / "two" / "c.md").write_text("")

        assert ids(load(folder, None, ["one/a"])) == ["one/a"]

    def test_same_id_twice(self, tmp_path):
        """Two files of one id are refused, and both are named."""
        root = tmp_path / "twin"
        (root / "twin").mkdir(parents=True)
        (root / "a.md").write_text("p\n")
        (root / "twin" / "a.md").write_text("q\n")

        with pytest.raises(TaskErrors) as caught:
            load(root)

        assert "`twin/a` is taken by" in str(caught.value)
        assert str(root / "a.md") in str(caught.value)
        assert str(root / "twin" / "a.md") in str(caught.value)

    def test_bad_folder_name(self, tmp_path):
        """The name of a batch is part of the id, and as safe."""
        (tmp_path / "My Tasks").mkdir()
        (tmp_path / "My Tasks" / "a.md").write_text("p\n")

        with pytest.raises(TaskErrors, match="bad folder name `My Tasks`"):
            load(tmp_path)

    def test_unreadable_file(self, tmp_path):
        """A file that cannot be opened is a fault of that file."""
        (tmp_path / "a.md").symlink_to(tmp_path / "a.md")
        (tmp_path / "b.md").write_text("p\n")

        assert ids(load(tmp_path)) == [f"{tmp_path.name}/b"]


class TestShipped:
    def test_three_batches_of_five(self):
        """Fifteen tasks ship, and templates and recordings are not among them."""
        tasks = load(batch_root())

        assert len(tasks) == 15
        assert {batch: sum(t.batch == batch for t in tasks) for batch in ("basics", "data", "programs")} == {
            "basics": 5,
            "data": 5,
            "programs": 5,
        }

    @pytest.mark.parametrize("found", load(batch_root()), ids=lambda t: t.task_id)
    def test_each_is_complete(self, found):
        """Each has tests, a stronger holdout, a reference and two wrong solutions at least."""
        assert found.tests
        assert found.holdout
        assert found.references
        assert len(found.wrong) >= 2
        assert found.entry_point
        assert found.difficulty
        assert found.tests.count("def test_") >= 4
        assert found.holdout.count("def test_") >= 5
