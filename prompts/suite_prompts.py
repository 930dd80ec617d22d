"""Templates of the test-writing track: how a script becomes the messages of a first call.

A template is a folder with `suite.md` and, if wanted, `system.md`, in the Jinja language. They see three
names: `script` (the script, fenced; empty where the writer may not see it), `prompt` (the task's text;
empty where only the code is shown) and `names` (what the module defines). Tests, holdout, other references
and wrong solutions are out of their reach.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from prompts.errors import TemplateError
from prompts.render import Pair, Template, render_source, template_root, template_source

_NAME = re.compile(r"[a-z0-9_-]+")
_PROBES = ("the text of a task: {{ 7 * 7 }}", "print('a script')")
_FENCE = re.compile(r"`{3,}")
_SHORTEST = 3
SUITE_TEMPLATE = "tests"
"""The template that ships."""


def suite_template_names() -> tuple[str, ...]:
    """The templates of the track that ship with the project."""
    return tuple(sorted(path.parent.name for path in template_root().glob("*/suite.md")))


def load_suite_template(name_or_path: str) -> Template:
    """Load a shipped template by its name, or any other by the path of its folder.

    Raises:
        TemplateError: there is no such template, it cannot be rendered, or it shows no script.
    """
    folder = template_root() / name_or_path if name_or_path in suite_template_names() else Path(name_or_path)
    if not (folder / "suite.md").is_file():
        known = ", ".join(suite_template_names())
        raise TemplateError(
            f"no template `{name_or_path}` for test suites, and no folder of that name with a suite.md; "
            f"there are: {known}"
        )
    folder = folder.resolve()
    if not _NAME.fullmatch(folder.name):
        raise TemplateError(f"{folder}: bad template name; use small letters, digits, `-` and `_`")
    system = template_source(folder / "system.md") if (folder / "system.md").is_file() else None
    template = Template(name=folder.name, system=system, user=template_source(folder / "suite.md"))
    shown = render_suite(template, prompt=_PROBES[0], script=_PROBES[1], names=("f",))[-1][1]
    for probe, name in zip(_PROBES, ("prompt", "script"), strict=True):
        if probe not in shown:
            raise TemplateError(f"{folder / 'suite.md'}: never shows {{{{ {name} }}}}; put it there")
    return template


def render_suite(template: Template, *, prompt: str, script: str, names: Sequence[str]) -> tuple[Pair, ...]:
    """Make the messages of a first call, as (role, content) pairs.

    Raises:
        TemplateError: the template fails on this script.
    """
    facts = {"prompt": prompt, "script": _fenced(script) if script else "", "names": list(names)}
    user: Pair = ("user", render_source(template.user, facts, where=f"template {template.name}"))
    if not template.system:
        return (user,)
    return (("system", render_source(template.system, facts, where=f"template {template.name}")), user)


def _fenced(script: str) -> str:
    """Fence a script that may be another model's, so that it cannot end its fence."""
    longest = max((len(run) for run in _FENCE.findall(script)), default=_SHORTEST - 1)
    fence = "`" * max(longest + 1, _SHORTEST)
    return f"{fence}python\n{script.rstrip()}\n{fence}"
