"""Templates: what a model gets to read, and above all what it does not."""

import re
from pathlib import Path

import pytest

from prompts.errors import TemplateError
from prompts.render import load_template, render, template_names
from prompts.tasks import batch_root, load, parse

HOSTILE = (
    "Use {{ prompt }}, {% raw %}{{ 7 * 7 }}, {# no #}, $name, ${x}, %s, {0}, <b> & \"quotes\" 'too' \\n."
)


def task(prompt, entry_point=""):
    head = f"---\nentry_point: {entry_point}\n---\n" if entry_point else ""
    return parse(head + prompt + "\n", Path("a.md"), "b")


@pytest.fixture
def folder(tmp_path):
    """Write a template and give its folder."""

    def make(user, system=None, name="mine"):
        path = tmp_path / name
        path.mkdir()
        (path / "user.md").write_text(user)
        if system is not None:
            (path / "system.md").write_text(system)
        return path

    return make


class TestShipped:
    def test_two_ship(self):
        """There is a default and something to compare it with."""
        assert template_names() == ("default", "plan")

    @pytest.mark.parametrize("name", template_names())
    @pytest.mark.parametrize("found", load(batch_root()), ids=lambda t: t.task_id)
    def test_shows_the_prompt_and_nothing_else_of_the_task(self, name, found):
        """No line of tests, holdout, references or wrong solutions is in any message."""
        text = "\n".join(content for _, content in render(load_template(name), found))
        hidden = "\n".join([found.tests or "", found.holdout or "", *found.references, *found.wrong])
        prompt_lines = {line.strip() for line in found.prompt.split("\n")}
        secrets = {line.strip() for line in hidden.split("\n")} - prompt_lines
        shown = {line.strip() for line in text.split("\n")}

        assert found.prompt in text
        assert not {line for line in secrets & shown if len(line) > 3}
        assert not re.search(r"\b(tests?|pytest|holdout)\b", text, re.IGNORECASE)

    @pytest.mark.parametrize("name", template_names())
    def test_says_what_is_wanted(self, name):
        """The model is told the language, the form of the answer and the names it must define."""
        text = render(load_template(name), task("Do it.", "[run, Error]"))[-1][1]

        assert "Python 3.11" in text
        assert "```python" in text
        assert "`run`, `Error`" in text

    @pytest.mark.parametrize("name", template_names())
    def test_without_entry_point(self, name):
        """A task that names nothing gets no empty demand."""
        text = render(load_template(name), task("Do it."))[-1][1]

        assert "must define `" not in text
        assert "``" not in text.replace("```", "")

    @pytest.mark.parametrize("name", template_names())
    def test_prompt_comes_through_unharmed(self, name):
        """What looks like a placeholder in a task is text, not a command."""
        assert HOSTILE in render(load_template(name), task(HOSTILE))[-1][1]

    def test_default_has_a_system_message(self):
        """Roles come in the order in which they are sent."""
        assert [role for role, _ in render(load_template("default"), task("p"))] == ["system", "user"]
        assert [role for role, _ in render(load_template("plan"), task("p"))] == ["user"]


class TestLoading:
    def test_any_folder_may_be_a_template(self, folder):
        """A path works like a name; the folder's name is the template's."""
        template = load_template(folder("Task: {{ prompt }}", "Names: {{ entry_point | join(' ') }}"))

        assert template.name == "mine"
        assert render(template, task("go", "[f, g]")) == (("system", "Names: f g"), ("user", "Task: go"))

    def test_hash_follows_the_text(self, folder):
        """Both sources are in the hash, the name is not."""
        one = load_template(folder("{{ prompt }}", name="a"))
        same = load_template(folder("{{ prompt }}", name="b"))
        other = load_template(folder("{{ prompt }}", "Be brief.", name="c"))

        assert one.sha256 == same.sha256
        assert one.sha256 != other.sha256

    def test_unknown_name(self):
        """A misspelt name gets the nearest."""
        with pytest.raises(TemplateError, match="did you mean `plan`"):
            load_template("plna")

    @pytest.mark.parametrize(
        ("user", "words"),
        [
            ("Write it.", "never shows the task"),
            ("{{ prompt", "user.md:1: "),
            ("a\n{% if %}{{ prompt }}", "user.md:2: "),
            ("{{ prompt }} {{ tests }}", "'tests' is undefined"),
            ("{{ prompt }} {{ prompt.__class__.__mro__ }}", "unsafe"),
            ("{{ prompt }} {{ 1 / 0 }}", "division by zero"),
            ("{{ prompt }} {{ entry_point + 1 }}", "can only concatenate"),
        ],
    )
    def test_broken_template(self, folder, user, words):
        """A template is tried when it is loaded, not in the middle of a run."""
        with pytest.raises(TemplateError) as caught:
            load_template(folder(user))

        assert words in str(caught.value)
        assert "user.md" in str(caught.value)

    def test_broken_system_message(self, folder):
        """The system message is tried as well."""
        with pytest.raises(TemplateError, match=r"system\.md"):
            load_template(folder("{{ prompt }}", "{{ nothing }}"))

    def test_not_utf8(self, folder):
        """The place of the bad byte is said."""
        path = folder("{{ prompt }}")
        (path / "user.md").write_bytes(b"{{ prompt }} \xff")

        with pytest.raises(TemplateError, match="not UTF-8 at byte 13"):
            load_template(path)

    def test_bad_name(self, folder):
        """The name is part of a call's identity, so it is as plain as a task's."""
        with pytest.raises(TemplateError, match="bad template name"):
            load_template(folder("{{ prompt }}", name="My Template"))
