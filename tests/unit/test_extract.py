"""Which part of a reply is the answer: one test for each way in which models wrap code."""

import json

import pytest
from markdown_it import MarkdownIt

from repair.cleaning.extract import extract
from repair.cleaning.lines import join_lines, split_lines
from repair.cleaning.oracle import Oracle
from repair.cleaning.scan import Label, fenced_blocks, label_of

CODE = "def add(a, b):\n    return a + b\n"
OTHER = "def add(a, b):\n    return a - b\n"

PART_1 = "result = add(1, 2)\nprint(result)\nassert result == 3\nprint(add(3, 4))\n"
PART_2 = "def test_add():\n    assert add(1, 2) == 3\n\n\ndef test_zero():\n    assert add(0, 0) == 0\n"
PART_3 = "def add(a, b):\n    ...\n"
PART_4 = "import math\n"
PART_5 = "def add(a, b):\n    return math.fsum((a, b))\n"
PART_6 = "def add(a, b):\n    return helper(a) + b\n"
PART_7 = "def helper(a):\n    return a\n"
PART_8 = "print(add(1, 2))\n"
PART_9 = "x = 1\n"
PART_10 = "y = 2\n"
PART_11 = "ls -l\n"
TESTS = "from solution import add\n"


def best(reply, *required, kind="script"):
    found = extract(reply, required=required, kind=kind)
    return found[0].code if found else None


def fence(code, label="python", mark="```"):
    return f"{mark}{label}\n{code}{mark}\n"


def indented(code, margin):
    return "".join(f"{margin}{line}" if line.strip() else line for line in code.splitlines(keepends=True))


WRAPPED = {
    "one fence": f"Here you are:\n\n{fence(CODE)}\nHope it helps!",
    "no label": f"Here:\n{fence(CODE, '')}Done.",
    "capital label": fence(CODE, "Python"),
    "short label": fence(CODE, "py"),
    "versioned label": fence(CODE, "python3"),
    "braced label": fence(CODE, "{.python}"),
    "label with title": fence(CODE, 'python title="add.py"'),
    "label with file": fence(CODE, "python:add.py"),
    "file name as label": fence(CODE, "add.py"),
    "tildes": fence(CODE, mark="~~~"),
    "four backticks": fence(CODE, mark="````"),
    "indented fence": "Look:\n\n" + indented(fence(CODE), "   "),
    "fence in a list": "1. First:\n\n" + indented(fence(CODE), "   ") + "2. Done",
    "fence on a list item": "- ```python\n" + indented(CODE + "```\n", "  "),
    "fence in a quotation": indented(fence(CODE), "> "),
    "unclosed fence": f"Sure:\n```python\n{CODE}",
    "missing opener": f"{CODE}```\nThis adds two numbers.\n",
    "closer glued to code": f"```python\n{CODE.rstrip()}```\nDone.",
    "opener glued to prose": f"Here is the code: ```python\n{CODE}```\n",
    "code on the opening line": "```python def add(a, b):\n    return a + b\n```\n",
    "unclosed, then closed": f"```python\nbroken(\n```python\n{CODE}```\n",
    "language on the first line": f"```\npython\n{CODE}```",
    "bare language line": f"python\n{CODE}",
    "wrapped in a Markdown block": f"````markdown\n# Solution\n{fence(CODE)}````\n",
    "wrong label": f"```less\n{CODE}```\n",
    "shell block beside it": f"{fence('pip install add', 'bash')}\n{fence(CODE)}\n{fence('python add.py', 'sh')}",
    "output beside it": f"{fence(CODE)}\nIt prints:\n{fence('3', '')}",
    "usage after it": f"{fence(CODE)}\nUse it:\n{fence(PART_1)}",
    "closed reasoning": f"<think>\nMaybe\n{fence(OTHER)}no.\n</think>\n\n{fence(CODE)}",
    "other reasoning tag": f"<thinking>hm</thinking>\n{fence(CODE)}",
    "reasoning without opener": f"Maybe\n{fence(OTHER)}no.\n</think>\n{CODE}",
    "reasoning, then bare code": f"<think>hm</think>\n{CODE}",
    "end token": f"{CODE}<|im_end|>",
    "end token in a fence": f"```python\n{CODE}<|endoftext|>\n```",
    "next turn": f"{fence(CODE)}<|im_end|>\n<|im_start|>user\nNow subtract.<|im_end|>\n{fence(OTHER)}",
    "next instruction": f"{fence(CODE)}\n### Instruction:\nNow subtract.\n{fence(OTHER)}",
    "echoed prompt": f"### Instruction:\nComplete:\ndef add(a, b):\n\n### Response:\n{CODE}",
    "colour codes": f"\x1b[32mHere:\x1b[0m\n\x1b[1m```python\x1b[0m\n{CODE}\x1b[0m```\n",
    "JSON object": json.dumps({"explanation": "adds", "code": CODE}),
    "JSON in a fence": fence(json.dumps({"code": CODE}) + "\n", "json"),
    "fence in JSON": json.dumps({"answer": f"Here:\n{fence(CODE)}"}),
    "HTML": "<pre><code>" + CODE.replace("+", "+") + "</code></pre>",
    "interpreter session": ">>> def add(a, b):\n...     return a + b\n... \n",
    "new-file diff": "--- /dev/null\n+++ b/add.py\n@@ -0,0 +1,2 @@\n" + indented(CODE, "+"),
    "diff in a fence": fence(indented(CODE, "+"), "python"),
    "line numbers": "```python\n1 def add(a, b):\n2     return a + b\n```\n",
    "PYTHON tags": f"Assistant:\n[PYTHON]\n{CODE}[/PYTHON]\n[TESTS]\nassert add(1, 2) == 3\n[/TESTS]\n",
    "solution tags": f"<thought> easy </thought>\n<solution>\n{CODE}</solution>\n",
    "prose around bare code": f"Here is the function.\n\n{CODE}\nIt's simple, isn't it?\n",
    "Markdown's indented code": f"Here is the function:\n\n{indented(CODE, '    ')}\nThat is all.\n",
    "indented as a whole": indented(CODE, "    "),
    "a space in front": f" {CODE}",
    "carriage returns": f"Here:\n{fence(CODE)}".replace("\n", "\r\n"),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_code_comes_out_of_its_wrapping(name):
    """What a person would take out of the reply is taken, and means the same."""
    assert best(WRAPPED[name], "add").strip() == CODE.strip()


@pytest.mark.parametrize("name", WRAPPED)
def test_wrapping_is_seen_without_a_required_name(name):
    """The same is found when nobody says what the answer must define."""
    assert best(WRAPPED[name]).strip() == CODE.strip()


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (f"{fence(OTHER)}\nWait, that is wrong:\n{fence(CODE)}", CODE),
        (f"{fence(CODE)}\nTests:\n{fence(PART_2)}", CODE),
        (f"{fence(CODE)}\nOr with a stub:\n{fence(PART_3)}", CODE),
        (
            f"{fence(PART_4)}\nthen\n{fence(PART_5)}",
            "import math\n\n\ndef add(a, b):\n    return math.fsum((a, b))\n",
        ),
        (
            f"{fence(PART_6)}\nwith\n{fence(PART_7)}",
            "def add(a, b):\n    return helper(a) + b\n\n\ndef helper(a):\n    return a\n",
        ),
    ],
    ids=["correction", "tests", "stub", "imports", "helper"],
)
def test_several_blocks(reply, expected):
    """The last full definition wins; blocks that it needs are joined in their order."""
    assert best(reply, "add") == expected


def test_tests_are_preferred_where_tests_are_wanted():
    """For a test suite the block with the tests is the answer, not the script beside it."""
    tests = "def test_add():\n    assert add(1, 2) == 3\n"
    script = CODE + "\n\ndef more():\n    return 1\n"
    assert "def test_add" in best(f"{fence(script)}\n{fence(TESTS + tests)}", kind="tests")


@pytest.mark.parametrize(
    "reply",
    ["<think>\nlet me see\n" + fence(CODE), "<think>" + CODE, "Hm.\n<think>\n" + fence(CODE)],
    ids=["fence", "bare", "later"],
)
def test_unfinished_reasoning_is_not_mined(reply):
    """A draft inside reasoning that never ended is no answer."""
    assert extract(reply, required=("add",)) == ()


def test_reasoning_tags_in_code_are_code():
    """A tag inside a block that compiles belongs to the program."""
    code = 'TEXT = """\n<think>\nx\n</think>\n"""\n\n\ndef strip():\n    return TEXT\n'
    assert best(f"Here:\n{fence(code)}", "strip") == code


@pytest.mark.parametrize("quotes", ['"""', "'''"])
def test_fences_in_a_docstring_do_not_end_the_block(quotes):
    """A closing fence inside triple quotes is text, if the code compiles with it."""
    code = f"def add(a, b):\n    {quotes}Add.\n\n```python\nadd(1, 2)\n```\n    {quotes}\n    return a + b\n"
    assert best(f"Here:\n{fence(code)}Bye.", "add") == code


def test_a_quote_that_never_closes_does_not_swallow_the_next_block():
    """The first closing fence counts again, if the quotes never close."""
    broken = 'def add(a, b):\n    """Add.\n    return a\n'
    assert best(f"{fence(broken)}\nCorrected:\n{fence(CODE)}", "add") == CODE


@pytest.mark.parametrize(
    "reply",
    ["", "   \n", "I'm sorry, but I cannot help with that.", "Sure!", "The answer is 42.", "Note: done", "yes",
     "<solution> The answer to the question is 42. </solution>", "```\n42\n```", "```python\n# your code here\n```"],
)  # fmt: skip
def test_no_code_in_prose(reply):
    """Prose that happens to compile, and output, are no code."""
    assert extract(reply) == ()


def test_attempt_beats_example():
    """A broken definition of what is asked for is the answer, rather than a usage example that compiles."""
    broken = "def add(a, b)\n    return a + b\n"
    assert best(f"{fence(broken)}\nUse it:\n{fence(PART_8)}", "add") == broken


def test_doctests_are_not_a_transcript():
    """A cut-off function with doctests is not mended into its own examples."""
    reply = 'def add(a, b):\n    """Add.\n\n    >>> add(1, 2)\n    3\n'
    assert best(reply, "add") == reply


def test_spans_point_at_the_code():
    """The spans are the places of the reply from which the code was taken."""
    reply = f"Here:\n{fence(CODE)}Bye."
    (start, end), *rest = extract(reply)[0].spans
    assert reply[start:end] == CODE.rstrip("\n")
    assert rest == []


@pytest.mark.parametrize(
    ("info", "label"),
    [("", Label.NONE), ("PYTHON", Label.PYTHON), ("python3.11", Label.PYTHON), ("{.python .numberLines}", Label.PYTHON),
     ("bash", Label.FOREIGN), ("javascript", Label.FOREIGN), ("pycon", Label.PYTHON), ("pytest", Label.FOREIGN)],
)  # fmt: skip
def test_labels(info, label):
    """An info string says whether a block is Python, something else, or nothing."""
    assert label_of(info) is label


MARKDOWN = [
    f"Text.\n\n{fence(PART_9)}\nMore.\n\n{fence(PART_10, '')}",
    f"{fence(PART_9, mark='~~~')}\n{fence(PART_11, 'bash')}",
    f"{fence(PART_9, mark='`````')}text\n",
    "- item\n\n" + indented(fence("if x:\n    y = 1\n"), "  ") + "\n- other\n",
    "```python\nx = 1\n",
    "```\n~~~\n```\n",
    "````\n```\n````\n",
    "   ```python\n   x = 1\n     y\n   ```\n",
    "> ```python\n> x = 1\n> ```\n",
    "```python\nx = 1\n    ```\ny = 2\n```\n",
    "```python\n\nx = 1\n\n\n```\n",
    "1. one\n\n   ```py\n   x = 1\n   ```\n\n2. two\n",
]


@pytest.mark.parametrize("text", MARKDOWN)
def test_fences_of_well_formed_markdown(text):
    """On well-formed Markdown the blocks are those of a Markdown parser."""
    expected = [token.content for token in MarkdownIt().parse(text) if token.type == "fence"]
    found = fenced_blocks(split_lines(text), lambda code: Oracle(len(code)).facts(code).compiles)
    assert [join_lines(block.lines) for block in found] == expected
