"""Templates: how a task becomes the messages of a first call.

A template is a folder with `user.md` and, if wanted, `system.md`, in the Jinja language. They see two
names: `prompt` (the task's text) and `entry_point` (a list of names, empty if the task names none). Tests,
holdout, references and wrong solutions are out of their reach, so no template can show them to a model.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jinja2 import StrictUndefined, TemplateSyntaxError
from jinja2 import TemplateError as JinjaError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from prompts.errors import TemplateError
from prompts.tasks import Task

Pair = tuple[Literal["system", "user"], str]

_NAME = re.compile(r"[a-z0-9_-]+")
_PROBE = "the text of a task: {{ 7 * 7 }} {% raw %} $prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The source of one template."""

    name: str
    system: str | None = None
    user: str

    @property
    def sha256(self) -> str:
        """Hash of both sources, not of the name."""
        return hashlib.sha256(json.dumps([self.system, self.user]).encode()).hexdigest()


def template_root() -> Path:
    """The folder of the templates that ship with the project."""
    return Path(__file__).resolve().parent / "templates"


def template_names() -> tuple[str, ...]:
    """The templates that ship with the project."""
    return tuple(sorted(path.parent.name for path in template_root().glob("*/user.md")))


def load_template(name_or_path: str | Path) -> Template:
    """Load a shipped template by its name, or any other by the path of its folder.

    Raises:
        TemplateError: there is no such template, or it cannot be rendered.
    """
    folder = _folder(str(name_or_path))
    if not _NAME.fullmatch(folder.name):
        raise TemplateError(f"{folder}: bad template name; use small letters, digits, `-` and `_`")
    system = template_source(folder / "system.md") if (folder / "system.md").is_file() else None
    template = Template(name=folder.name, system=system, user=template_source(folder / "user.md"))
    if _PROBE not in _render(template.user, _PROBE, (), where=str(folder / "user.md")):
        raise TemplateError(f"{folder / 'user.md'}: never shows the task; put {{{{ prompt }}}} into it")
    if template.system:
        _render(template.system, _PROBE, (), where=str(folder / "system.md"))
    return template


def render(template: Template, task: Task) -> tuple[Pair, ...]:
    """Make the messages of a first call, as (role, content) pairs.

    Raises:
        TemplateError: the template fails on this task.
    """
    names = task.entry_point or ()
    where = f"template {template.name} with task {task.task_id}"
    user: Pair = ("user", _render(template.user, task.prompt, names, where=where))
    if not template.system:
        return (user,)
    return (("system", _render(template.system, task.prompt, names, where=where)), user)


def _folder(name_or_path: str) -> Path:
    if name_or_path in template_names():
        return template_root() / name_or_path
    folder = Path(name_or_path)
    if (folder / "user.md").is_file():
        return folder.resolve()
    near = difflib.get_close_matches(name_or_path, template_names(), n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(template_names())}"
    raise TemplateError(f"no template `{name_or_path}`, and no folder of that name with a user.md; {hint}")


def template_source(path: Path) -> str:
    """Read a file of a template.

    Raises:
        TemplateError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TemplateError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    except OSError as error:
        raise TemplateError(f"{path}: cannot be read: {error.strerror}") from None


def _render(source: str, prompt: str, names: tuple[str, ...], *, where: str) -> str:
    return render_source(source, {"prompt": prompt, "entry_point": list(names)}, where=where)


def render_source(source: str, facts: Mapping[str, object], *, where: str) -> str:
    """Render the source of a template.

    Raises:
        TemplateError: it fails, or names what it does not get; says `where`.
    """
    try:
        return _environment().from_string(source).render(**facts).strip()
    except TemplateSyntaxError as error:
        raise TemplateError(f"{where}:{error.lineno}: {error.message}") from None
    except (JinjaError, TypeError, ValueError, ArithmeticError) as error:
        raise TemplateError(f"{where}: {error}") from None


def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # A prompt is no web page: <, & and quotes must reach the model as they are.
        autoescape=False,
    )
