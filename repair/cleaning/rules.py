"""Every rule of cleaning, in the order in which it may fire: its class, what it does, and one example.

The code of a rule stands where its stage does; what is said of it stands here alone, and
`docs/cleaning.md` is made of it. An edit can only be recorded under a name of this table.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from repair.cleaning.lines import Span
from repair.cleaning.rule_examples import EXAMPLES, Example
from repair.script import Edit, EditClass

MAX_SPANS: Final = 64
_L, _N, _X = EditClass.LOSSLESS, EditClass.NORMALISING, EditClass.LOSSY


class Stage(StrEnum):
    """When a rule is asked."""

    REPLY = "the whole reply"
    FIND = "where the code is"
    LINES = "what stands before every line"
    FORM = "the form of code that does not compile"
    JOIN = "blocks that belong together"
    INVENT = "what is dropped or invented, as a last resort"
    TREE = "code that compiles"
    MODEL = "clean-up by a model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, as people read of it."""

    name: str
    stage: Stage
    kinds: tuple[EditClass, ...]
    """Its class; two where it depends on the text."""
    says: str

    @property
    def example(self) -> Example:
        """A reply on which it fires."""
        return EXAMPLES[self.name]


def _rules(stage: Stage, *rows: tuple[str, EditClass | tuple[EditClass, ...], str]) -> Iterable[Rule]:
    for name, kinds, says in rows:
        yield Rule(name=name, stage=stage, kinds=kinds if isinstance(kinds, tuple) else (kinds,), says=says)


RULES: Final[tuple[Rule, ...]] = (
    *_rules(
        Stage.REPLY,
        ("too_large", _X, "Of a reply over 256 KiB or 10,000 lines only the likeliest block is looked at."),
        ("ansi_codes", _N, "Colour codes of a terminal go, except from blocks that compile with them."),
        (
            "reasoning",
            _L,
            (
                "What stands in `<think>` and its relatives is set aside, also where only the "
                "closing tag is there. An answer inside reasoning that never ends is no answer."
            ),
        ),
        (
            "mined_reasoning",
            _X,
            "The reasoning is searched, because the policy asks for it and the answer is empty.",
        ),
        ("echoed_prompt", _L, "A repeated instruction goes; the answer comes after `### Response:`."),
        (
            "next_turn",
            _L,
            "After some code, the first sign of another turn of the conversation ends the reply.",
        ),
        ("special_tokens", _N, "Tokens of the chat template go, if the code does not compile with them."),
    ),
    *_rules(
        Stage.FIND,
        (
            "tagged_block",
            _L,
            (
                "`[PYTHON]`, `<solution>`, `<file name=…>`, `<parameter=code>`, `\\begin{verbatim}`, "
                "`#+BEGIN_SRC`, and a shell's `<<EOF` are fences."
            ),
        ),
        (
            "fence",
            _L,
            (
                "A fenced block: any label of Python, `~~~`, longer, indented, quoted, glued to prose; a "
                "closing fence inside a string closes nothing."
            ),
        ),
        ("unclosed_fence", _L, "A block that nothing closes runs to the next block or to the end."),
        (
            "json",
            _L,
            (
                "A JSON object, list or string that carries the code is unwrapped: under a telling key, in "
                "the arguments of a call, or in the cells of a notebook."
            ),
        ),
        ("yaml", _L, "A YAML block (`code: |`) is unwrapped."),
        ("stray_closer", _L, "Code, and then a closing fence that nothing opened: what stands before it."),
        (
            "repeated_code",
            _L,
            "Of the same code again and again, cut off at last, the first time is the answer.",
        ),
        ("prose_lines", _L, "Without fences, lines of prose between top-level statements go."),
        ("indented_block", _L, "Markdown's other kind of code block: indented by four."),
        ("inline_code", _L, "A line between backticks in a sentence, if it defines what was asked for."),
        (
            "largest_block",
            _L,
            "The largest block of a reply that no parser may see goes to the sandbox as it is.",
        ),
    ),
    *_rules(
        Stage.LINES,
        ("quote_marks", _L, "`> ` before every line goes, as in mail."),
        ("repl_transcript", _L, "Of a session at `>>>` what was typed is kept, if the first line was typed."),
        ("notebook_prompts", _L, "Of a session at `In [1]:` what was typed is kept."),
        (
            "line_numbers",
            _L,
            "Line numbers go, if every line has one and they go up by one; blank lines may lack theirs.",
        ),
        ("added_lines", _L, "A diff that only adds is the new file."),
        ("edit_block", _L, "An edit block (`<<<<<<< SEARCH`) that looks for nothing writes a new file."),
        ("rulers", _L, "Rulers above and below the code go: `-----`, `--- BEGIN CODE ---`."),
        (
            "patched_lines",
            (_L, _X),
            (
                "A diff whose one hunk begins at the first line shows the file as it is afterwards; lossy "
                "where it ends with the three lines that a diff of a longer file ends with. Any other diff "
                "needs a base that is not here."
            ),
        ),
    ),
    *_rules(
        Stage.FORM,
        ("language_line", _L, "A first line that only names the language goes: it would compile, as a name."),
        ("invisible_characters", _N, "Byte order marks and NUL go."),
        ("lone_surrogates", _N, "Halves of characters, which cannot be encoded, are replaced."),
        ("escaped_newlines", _L, "Code on one line with `\\n` written out is the inside of a string."),
        (
            "cell_magic",
            _L,
            "`%%writefile` and its like on the first line go.",
        ),
        ("first_line_space", _L, "One to three spaces before the first line alone go."),
        ("dedent", _L, "Indentation that all lines have goes."),
        ("html_escaped", _L, "HTML escaping and the tags of a page are undone."),
        (
            "typographic_characters",
            _N,
            (
                "Odd spaces, curly quotes and typographic signs get their ASCII back, "
                "outside of strings and comments."
            ),
        ),
        ("markdown_escapes", _N, "Outside of strings a backslash before a sign is Markdown's."),
        ("first_line_dedent", _L, "The first line lost its indentation and the others kept theirs."),
        (
            "mixed_tabs",
            (_N, _X),
            "Tabs count eight columns, or else four; lossy where both fit and differ.",
        ),
    ),
    *_rules(
        Stage.JOIN,
        (
            "joined_blocks",
            _L,
            "A block that defines what the chosen one leaves free is put beside it; with tests, more tests.",
        ),
    ),
    *_rules(
        Stage.INVENT,
        ("notebook_magics", _X, "Lines that only a notebook understands (`%`, `!`) become comments."),
        (
            "python_2",
            _X,
            "`print x`, `except E, e`, `raise E, x` and `<>` of Python 2 are rewritten.",
        ),
        ("completion", _X, "A body without its `def` gets the prompt that it goes on from."),
        (
            "cut_off_tail",
            _X,
            (
                "The last statement, which the end of the reply cut off, is dropped. No bracket is "
                "ever closed for a model."
            ),
        ),
        (
            "broken_statements",
            _X,
            "Statements that do not compile are dropped, if nothing that stays needs them.",
        ),
        (
            "missing_imports",
            _X,
            "A name of the standard library that is used and never bound is imported, from a fixed table.",
        ),
    ),
    *_rules(
        Stage.TREE,
        ("split_tests", _L, "Tests beside the script become a file of their own."),
        ("split_script", _L, "A copy of the script inside its tests goes, if both mean the same."),
        ("bind_to_solution", _N, "Tests that import a module that cannot exist import `solution`."),
    ),
    *_rules(
        Stage.MODEL,
        (
            "llm_cleanup",
            _X,
            "A model mended what no rule could: accepted only if little changed and no name was lost.",
        ),
    ),
)
"""In the order in which they are asked."""

_KINDS: Final = {rule.name: rule.kinds for rule in RULES}


def edit(
    name: str, *, dropped_chars: int = 0, detail: str = "", spans: Iterable[Span] = (), lossy: bool = False
) -> Edit:
    """Record that a rule fired; `lossy` picks the worse of two classes.

    Raises:
        KeyError: no rule has this name.
    """
    kinds = _KINDS[name]
    return Edit(
        rule=name,
        kind=kinds[-1] if lossy else kinds[0],
        detail=detail,
        dropped_chars=max(dropped_chars, 0),
        spans=tuple(spans)[:MAX_SPANS],
    )
