"""What passes from one dirt to the next: a reply in the making and what a careful person would take of it."""

import ast
import functools
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Literal

Form = Literal["bare", "fence", "wrapped"]


class Grade(StrEnum):
    """What a person does to get the answer out."""

    LOSSLESS = "lossless"
    """Takes characters away from around it or decodes it."""
    NORMALISING = "normalising"
    """Also replaces characters that cannot stand in code there."""
    LOSSY = "lossy"
    """Has to guess, or gives up."""


class Stage(IntEnum):
    """The order in which dirt is heaped on."""

    CONTENT = 0
    """Changes which program is the answer."""
    CHARACTERS = 1
    """Changes characters of the code."""
    LINES = 2
    """Changes lines of the code as a whole."""
    WRAP = 3
    """Puts the code into something: a fence, a tag, JSON."""
    AROUND = 4
    """Puts prose and other blocks around."""
    TURN = 5
    """Reasoning, roles and templates of a chat."""
    WIRE = 6
    """What happens to the text as a whole, last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the bench asked the model for."""

    required: tuple[str, ...] = ()
    kind: Literal["script", "tests"] = "script"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A reply so far."""

    text: str
    gold: str
    """The program that the dirt is about."""
    accepted: tuple[str, ...]
    """What a careful person would take; the first is the best. Empty: there is no answer."""
    asked: Asked = field(default_factory=Asked)
    form: Form = "bare"
    none_is_fine: bool = False
    """To hand back nothing is right."""
    broken_is_fine: bool = False
    """To hand back text that compile() refuses is right: the model hears of it."""
    layout_free: bool = False
    """Blank lines, quotes and comments between statements are nobody's to say: the tree decides."""

    @property
    def pristine(self) -> bool:
        """Whether the text is the program and nothing else."""
        return self.text == self.gold

    @property
    def name(self) -> str:
        """The name that was asked for, or nothing."""
        return self.asked.required[0] if self.asked.required else ""


Dirtier = Callable[[Draft, random.Random], Draft | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dirt:
    """One class of dirt. `make` returns None where the class cannot happen to a reply."""

    name: str
    stage: Stage
    grade: Grade
    make: Dirtier


def lossless(name: str, stage: Stage, make: Dirtier) -> Dirt:
    """Make a lossless class."""
    return Dirt(name=name, stage=stage, grade=Grade.LOSSLESS, make=make)


def normalising(name: str, stage: Stage, make: Dirtier) -> Dirt:
    """Make a normalising class."""
    return Dirt(name=name, stage=stage, grade=Grade.NORMALISING, make=make)


def lossy(name: str, stage: Stage, make: Dirtier) -> Dirt:
    """Make a lossy class."""
    return Dirt(name=name, stage=stage, grade=Grade.LOSSY, make=make)


def fence_for(code: str, least: int = 3) -> str:
    """Backticks as a careful model counts them: more than any run that begins a line of the code."""
    runs = [len(line) - len(line.lstrip("`")) for line in (each.strip() for each in code.split("\n"))]
    return "`" * max([least, *(run + 1 for run in runs if run >= 3)])


def block(code: str, label: str = "python", fence: str = "```") -> str:
    """Put code into a fence. Ends without a newline."""
    body = code if code.endswith("\n") else code + "\n"
    return f"{fence}{label}\n{body}{fence}"


def fenced(draft: Draft) -> Draft:
    """Put a bare text into the fence that most models use; leave what is wrapped."""
    if draft.form != "bare":
        return draft
    return replace(draft, text=block(draft.text), form="fence")


def names_of(code: str) -> tuple[str, ...]:
    """Public functions and classes at the top level."""
    return tuple(
        node.name
        for node in ast.parse(code).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
    )


@functools.lru_cache(maxsize=4096)
def tree(code: str) -> str | None:
    """The syntax tree as text, or nothing where compile() refuses the code."""
    try:
        compile(code, "reply", "exec", dont_inherit=True)
        return ast.dump(ast.parse(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def same_layout(left: str, right: str) -> bool:
    """Whether two texts differ in line ends, blanks at the ends of lines and outer blank lines at most."""
    return _bare(left) == _bare(right)


def _bare(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip(" \t") for line in lines).strip("\n")
