"""One example per rule: a reply on which it fires, and the code that comes out.

`docs/cleaning.md` shows them, and a test cleans each of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A reply, what was asked for, and the code that is expected."""

    reply: str
    code: str
    required: tuple[str, ...] = ()
    kind: Literal["script", "tests"] = "script"
    prompt: str = ""
    subject: str = ""
    mine_reasoning: bool = False
    shown: bool = True
    """Whether the reply is of a size, and of characters, to be shown as it is."""
    by_hand: bool = False
    """The rule needs more than a reply (a model, a size); a test of its own covers it."""


_ADD = "def add(a, b):\n    return a + b\n"
_FENCED = f"```python\n{_ADD}```\n"
_TEST = "def test_add():\n    assert add(1, 2) == 3\n"
_PROMPT = 'def add(a, b):\n    """Sum of two numbers."""\n'
_LOOP = "def first(xs):\n    for x in xs:\n        return x\n"


def _indented(text: str, by: str) -> str:
    return "".join(f"{by}{line}" for line in text.splitlines(keepends=True))


EXAMPLES: Final[Mapping[str, Example]] = {
    "too_large": Example(
        reply="word " * 60_000 + f"\n{_FENCED}", code=_ADD, required=("add",), shown=False, by_hand=True
    ),
    "reasoning": Example(reply=f"<think>\nPerhaps a - b? No.\n</think>\n{_ADD}", code=_ADD),
    "mined_reasoning": Example(reply=f"<think>\n{_FENCED}</think>\n", code=_ADD, mine_reasoning=True),
    "echoed_prompt": Example(reply=f"### Instruction:\nWrite add.\n\n### Response:\n{_ADD}", code=_ADD),
    "next_turn": Example(reply=f"{_FENCED}<|im_start|>user\nThanks!\n", code=_ADD),
    "ansi_codes": Example(reply="\x1b[1mdef add(a, b):\x1b[0m\n    return a + b\n", code=_ADD, shown=False),
    "special_tokens": Example(reply=f"<s>{_ADD}", code=_ADD),
    "tagged_block": Example(reply=f"[PYTHON]\n{_ADD}[/PYTHON]\n", code=_ADD),
    "fence": Example(reply=f"Here it is:\n\n{_FENCED}\nIt adds.\n", code=_ADD),
    "unclosed_fence": Example(reply=f"Here it is:\n\n```python\n{_ADD}", code=_ADD),
    "json": Example(reply='{"code": "def add(a, b):\\n    return a + b\\n"}', code=_ADD),
    "yaml": Example(reply=f"code: |\n{_indented(_ADD, '  ')}", code=_ADD),
    "stray_closer": Example(reply=f"{_ADD}```\n\nThis adds.\n", code=_ADD),
    "prose_lines": Example(reply=f"Here is the function:\n\n{_ADD}\nIt adds two numbers.\n", code=_ADD),
    "indented_block": Example(reply=f"Here it is.\n\n{_indented(_ADD, '    ')}\nIt adds.\n", code=_ADD),
    "largest_block": Example(
        reply=f"```python\n{'x = 1 ' * 60_000}\n```\n", code="", shown=False, by_hand=True
    ),
    "language_line": Example(reply=f"python\n{_ADD}", code=_ADD),
    "invisible_characters": Example(reply=f"\ufeff{_ADD}", code=_ADD, shown=False),
    "lone_surrogates": Example(reply=f"{_ADD}# \ud800\n", code=f"{_ADD}# \ufffd\n", shown=False),
    "cell_magic": Example(reply=f"%%writefile add.py\n{_ADD}", code=_ADD),
    "first_line_space": Example(reply=f" {_ADD}", code=_ADD),
    "dedent": Example(reply=_indented(_ADD, "  "), code=_ADD),
    "repl_transcript": Example(
        reply=">>> def add(a, b):\n...     return a + b\n...\n>>> add(1, 2)\n3\n", code=f"{_ADD}\nadd(1, 2)\n"
    ),
    "quote_marks": Example(reply=_indented(_ADD, "> "), code=_ADD),
    "notebook_prompts": Example(
        reply="In [1]: def add(a, b):\n   ...:     return a + b\n\nIn [2]: add(1, 2)\nOut[2]: 3\n",
        code=f"{_ADD}\nadd(1, 2)\n",
    ),
    "edit_block": Example(reply=f"<<<<<<< SEARCH\n=======\n{_ADD}>>>>>>> REPLACE\n", code=_ADD),
    "rulers": Example(reply=f"--- BEGIN CODE ---\n{_ADD}--- END CODE ---\n", code=_ADD),
    "patched_lines": Example(
        reply="@@ -1,2 +1,2 @@\n def add(a, b):\n-    return a - b\n+    return a + b\n",
        code=_ADD,
    ),
    "escaped_newlines": Example(reply=r"def add(a, b):\n    return a + b\n", code=_ADD),
    "repeated_code": Example(reply=f"{_ADD}\n{_ADD}\ndef add(a, b", code=_ADD),
    "inline_code": Example(
        reply="Simply write `add = lambda a, b: a + b` and be done.",
        code="add = lambda a, b: a + b\n",
        required=("add",),
    ),
    "line_numbers": Example(reply="1 def add(a, b):\n2     return a + b\n", code=_ADD),
    "added_lines": Example(
        reply="--- /dev/null\n+++ b/add.py\n@@ -0,0 +1,2 @@\n+def add(a, b):\n+    return a + b\n", code=_ADD
    ),
    "html_escaped": Example(
        reply="def less(a, b):\n    return a &lt; b\n", code="def less(a, b):\n    return a < b\n"
    ),
    "typographic_characters": Example(
        reply="def hello():\n    return \u201chello\u201d\n", code='def hello():\n    return "hello"\n'
    ),
    "markdown_escapes": Example(
        reply="def first\\_of(xs):\n    return xs\\[0\\]\n", code="def first_of(xs):\n    return xs[0]\n"
    ),
    "first_line_dedent": Example(
        reply="import math\n\n    def area(r):\n        return math.pi * r * r\n",
        code="import math\n\ndef area(r):\n    return math.pi * r * r\n",
    ),
    "mixed_tabs": Example(reply="def first(xs):\n    for x in xs:\n\treturn x\n", code=_LOOP, shown=False),
    "joined_blocks": Example(
        reply="```python\nimport math\n```\nthen\n```python\ndef area(r):\n    return math.pi * r * r\n```\n",
        code="import math\n\n\ndef area(r):\n    return math.pi * r * r\n",
        required=("area",),
    ),
    "notebook_magics": Example(
        reply=f"```python\n%matplotlib inline\n{_ADD}```\n", code=f"# %matplotlib inline\n{_ADD}"
    ),
    "python_2": Example(reply='def hello():\n    print "hello"\n', code='def hello():\n    print("hello")\n'),
    "completion": Example(
        reply="    return a + b\n", code=f"{_PROMPT}    return a + b\n", prompt=_PROMPT, required=("add",)
    ),
    "cut_off_tail": Example(
        reply=f"```python\n{_ADD}\n\ndef sub(a, b):\n    return (a -", code=f"{_ADD}", required=("add",)
    ),
    "broken_statements": Example(
        reply=f"```python\ndef sub(a, b):\n    return (a -\n\n\n{_ADD}```\n", code=_ADD, required=("add",)
    ),
    "missing_imports": Example(
        reply="def area(r):\n    return math.pi * r * r\n",
        code="import math\ndef area(r):\n    return math.pi * r * r\n",
    ),
    "split_tests": Example(reply=f"```python\n{_ADD}\n\n{_TEST}```\n", code=_ADD, required=("add",)),
    "split_script": Example(
        reply=f"{_ADD}\n\n{_TEST}", code=f"from solution import add\n\n\n{_TEST}", kind="tests", subject=_ADD
    ),
    "bind_to_solution": Example(
        reply=f"from adder import add\n\n\n{_TEST}",
        code=f"from solution import add\n\n\n{_TEST}",
        kind="tests",
        required=("add",),
    ),
    "llm_cleanup": Example(
        reply="def add(a, b:\n    return a + b\n", code=_ADD, required=("add",), by_hand=True
    ),
}
