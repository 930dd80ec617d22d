"""What models put around code, or before its lines, in the shapes in which different tools and models do."""

import json

import pytest

from repair.cleaning.clean import Asked, clean_reply
from repair.cleaning.lexer import quoted
from repair.cleaning.lines import split_lines
from repair.cleaning.marks import MARKS
from repair.cleaning.tags import tagged_blocks
from repair.script import CleanOutcome

ADD = "def add(a, b):\n    return a + b\n"
TWO = f"import math\n\n\ndef area(r):\n    return math.pi * r * r\n\n\n{ADD}"
NAMED = 'PAIR = ("<think>", "</s>")\n\n\ndef add(a, b):\n    """Not "<|im_end|>"."""\n    return a + b\n'
BLOCK = f"```python\n{ADD}```"


def cleaned(reply, *required, kind="script"):
    """Clean a reply."""
    return clean_reply(reply, asked=Asked(required=required, kind=kind))


def before_each(text, mark, *, bare=None):
    """Put a mark before each line, and perhaps another one before blank lines."""
    marks = (mark if line or bare is None else bare for line in text.removesuffix("\n").split("\n"))
    return "".join(
        f"{each}{line}\n" for each, line in zip(marks, text.removesuffix("\n").split("\n"), strict=True)
    )


def numbered(text, shape, start=1):
    """Number lines as a tool does."""
    lines = text.removesuffix("\n").split("\n")
    return "".join(shape.format(start + n) + line + "\n" for n, line in enumerate(lines))


LAYERS = {
    "mail": before_each(TWO, "> ", bare=">"),
    "mail without blanks": before_each(TWO, ">"),
    "mail twice": before_each(before_each(TWO, "> "), "> "),
    "mail, blank lines bare": before_each(TWO, "> ", bare=""),
    "mail with prose around": f"He wrote:\n\n{before_each(TWO, '> ')}\nThat is it.\n",
    "cat -n": numbered(TWO, "{:6}\t"),
    "numbers with arrows": numbered(TWO, "{:5}\u2192"),
    "numbers with bars": numbered(TWO, "{:3} | "),
    "numbers with colons": numbered(TWO, "{}: "),
    "numbers from the middle": numbered(TWO, "{} ", start=97),
    "numbers, none for blank lines": "".join(
        f"{n}. {line}\n" if line else "\n" for n, line in enumerate(TWO.removesuffix("\n").split("\n"), 1)
    ),
    "numbers in a fence": f"Here:\n\n```python\n{numbered(TWO, '{:2}  ')}```\n",
    "IPython": "In [1]: import math\n\nIn [2]: def area(r):\n   ...:     return math.pi * r * r\n   ...:\n"
    "\nIn [12]: def add(a, b):\n    ...:     return a + b\n    ...:\n",
    "git diff": f"diff --git a/x.py b/x.py\nnew file mode 100644\n--- /dev/null\n+++ b/x.py\n@@ -0,0 +1,9 @@\n{before_each(TWO, '+')}",
    "a diff in a fence": f"```diff\n{before_each(TWO, '+')}```",
    "a whole file's diff": "```diff\n--- a/x.py\n+++ b/x.py\n@@ -1,9 +1,9 @@\n import math\n \n \n def area(r):\n-    return 3 * r * r\n"
    "+    return math.pi * r * r\n \n \n def add(a, b):\n-    return a - b\n+    return a + b\n```",
    "an edit block": f"x.py\n```\n<<<<<<< SEARCH\n=======\n{TWO}>>>>>>> REPLACE\n```",
    "rulers": f"{'-' * 40}\n{TWO}{'-' * 40}\n",
    "titled rulers": f"===== x.py =====\n{TWO}===== end =====\n",
    "MBPP": f"[BEGIN]\n{TWO}[DONE]",
    "BBCode": f"[code=python]\n{TWO}[/code]",
    "Confluence": f"{{code:python|title=x.py}}\n{TWO}{{code}}",
    "LaTeX": f"\\begin{{lstlisting}}[language=Python]\n{TWO}\\end{{lstlisting}}",
    "Org": f"#+BEGIN_SRC python :results output\n{TWO}#+END_SRC",
    "Org in tags": f"<solution>\n#+begin_src python\n{TWO}#+end_src\n</solution>",
    "a file tag": f'<file path="x.py">\n{TWO}</file>',
    "an artifact": f'<artifact identifier="x" type="application/code" title="X">\n{TWO}</artifact>',
    "CDATA": f'<file name="x.py"><![CDATA[\n{TWO}]]></file>',
    "a parameter": f'<invoke name="write"><parameter name="path">x.py</parameter>\n<parameter name="content">\n{TWO}</parameter>\n</invoke>',
    "a parameter of Llama": f"<function=python>\n<parameter=code>\n{TWO}</parameter>\n</function>",
    "tags in tags": f"<answer>\n[PYTHON]\n{TWO}[/PYTHON]\n[TESTS]\nassert add(1, 2) == 3\n[/TESTS]\n</answer>",
    "quotes for a fence": f"'''python\n{TWO}'''",
    "two backticks for a fence": f"Here:\n\n``python\n{TWO}``\n",
    "a heredoc": f"```bash\ncat <<'EOF' > x.py\n{TWO}EOF\npython x.py\n```",
    "a heredoc for python": f"python3 - <<PY\n{TWO}PY\n",
    "a heredoc for tee": f'```sh\n$ tee x.py << "END"\n{TWO}END\n```',
    "a call": json.dumps({"name": "python", "arguments": {"code": TWO}}),
    "a call of OpenAI": json.dumps({"tool_calls": [{"function": {"name": "run", "arguments": json.dumps({"code": TWO})}}]}),
    "a call in tags": f"<tool_call>\n{json.dumps({'name': 'python', 'arguments': {'source': TWO}})}\n</tool_call>",
    "JSON behind prose": f"Here is the result:\n\n{json.dumps({'language': 'python', 'solution_code': TWO})}",
    "JSON in a bare fence": f"```\n{json.dumps({'explanation': 'Adds.', 'code': TWO}, indent=2)}\n```",
    "JSON with a list of lines": json.dumps({"code": TWO.splitlines()}),
    "a Python literal": repr({"code": TWO}),
    "a notebook": json.dumps({"cells": [{"cell_type": "markdown", "source": ["# X"]}, {"cell_type": "code", "source": TWO.splitlines(keepends=True)}], "nbformat": 4}),
    "one line": TWO.replace("\n", "\\n"),
    "one line in quotes": json.dumps(TWO)[1:-1].join("''"),
    "a cell that is written": f"%%writefile x.py\n{TWO}",
    "a cell that is timed": f"```python\n%%time\n{TWO}```",
    "a space in front": f" {TWO}",
    "two spaces in front": f"  {TWO}",
    "a token in front": f"<s> {TWO}",
    "tokens at both ends": f"<|begin_of_text|>{TWO}<|eot_id|>",
    "DeepSeek's tokens": f"<\uff5cbegin\u2581of\u2581sentence\uff5c>{TWO}<\uff5cend\u2581of\u2581sentence\uff5c>",
    "channels": f"<|channel|>analysis<|message|>Add? {BLOCK}<|end|><|start|>assistant<|channel|>final<|message|>```python\n{TWO}```<|return|>",
    "Mistral's thoughts": f"[THINK]\n{BLOCK}\nNo.\n[/THINK]\n{TWO}",
    "Kimi's thoughts": f"\u25c1think\u25b7{BLOCK}\u25c1/think\u25b7\n{TWO}",
    "a scratchpad": f"<scratchpad>\n{BLOCK}\n</scratchpad>\n\n```python\n{TWO}```",
    "a response without its prompt": f"### Response:\n{TWO}",
    "repeated, then cut": f"{TWO}\n\n{TWO}\n\n{TWO[:60]}",
    "repeated in fences, then cut": f"```python\n{TWO}```\n\n```python\n{TWO}```\n\n```python\n{TWO[:-12]}",
    "prose in an unclosed block": f"```python\n{TWO}\nThis computes both.\n\n```bash\npython x.py\n```",
    "a fence below": f"{TWO}```\n\nRun it:\n\n```python\nprint(add(1, 2))\n```",
    "text behind the closing fence": f"```python\n{TWO}``` \u2705 done, isn't it?",
    "code on the opening fence": f"```python {TWO}```",
    "an apostrophe in the prose below": f"Here it is:\n\n{TWO}\nIt isn't hard.\n",
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_comes_off_without_loss(name):
    """What is below comes back to the byte, nothing is said to be lost, and it stays as it is."""
    script = cleaned(LAYERS[name], "add")

    assert script.code is not None
    assert script.code.strip() == TWO.strip() or name == "IPython"
    assert compile(script.code, "x", "exec").co_names == compile(TWO, "x", "exec").co_names
    assert script.outcome is CleanOutcome.CLEANED
    assert cleaned(script.code, "add").code == script.code


KEPT = {
    "a quotation": "> Note: `add` is simple.\n",
    "a numbered list": "1. Read the input.\n2. Add.\n3. Print.\n",
    "a diff of a part": "@@ -10,3 +10,4 @@\n x = 1\n-y = 2\n+y = 3\n",
    "two hunks": "@@ -1,1 +1,1 @@\n-x = 1\n+x = 2\n@@ -9,1 +9,1 @@\n-y = 1\n+y = f(2)\n",
    "a list with pluses": "+ first\n+ second\n",
}


@pytest.mark.parametrize("name", KEPT)
def test_what_only_looks_like_a_layer_is_no_code(name):
    """No program is made of prose, or of half a patch."""
    assert not cleaned(KEPT[name]).compiles


@pytest.mark.parametrize("context", [0, 1, 3])
def test_a_patch_that_may_go_on_is_lossy(context):
    """Three lines of context at the end are what a diff shows of a longer file."""
    below = "".join(f" x{n} = {n}\n" for n in range(context))
    script = cleaned(f"@@ -1,3 +1,3 @@\n-def f(): return 1\n+def f(): return 2\n{below}", "f")

    assert script.compiles
    assert (script.outcome is CleanOutcome.LOSSY) == (context == 3)


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark.name)
def test_marks_are_all_or_none(mark):
    """Plain code bears no mark, and neither does nothing."""
    assert mark.cuts(TWO.split("\n")) is None
    assert mark.cuts([]) is None


@pytest.mark.parametrize(
    "around", ["{}\n<|im_end|>", "<s>{}", "```python\n{}\n</s>", "Sure:\n\n{}\nDone.</s>", "\ufeff{}"]
)
def test_tokens_inside_strings_stay(around):
    """A program about chat templates keeps its strings, whatever is glued to it."""
    script = cleaned(around.format(NAMED), "add")

    assert (script.code.strip(), script.outcome) == (NAMED.strip(), CleanOutcome.CLEANED)


@pytest.mark.parametrize(
    ("line", "inside"),
    [
        ('x = "</think>"', True),
        ('p = re.compile(r"<t>(.*)</think>", re.S)', True),
        ("I'm done.</think> It's fine.", False),
        ("the `</think>` tag", True),
        ("``` </think> ```", False),
        ("say \u201c</think>\u201d", True),
        ("</think>", False),
    ],
)  # fmt: skip
def test_quoted(line, inside):
    """A tag in a string or in backticks is talked about; apostrophes quote nothing."""
    start = line.index("</think>")
    assert quoted(line, start, start + len("</think>")) is inside


def test_a_closing_tag_in_a_string_closes_nothing():
    """Code that writes its own wrapping is not cut in two."""
    code = 'def wrap(x):\n    return "<code>" + x + "</code>"\n'
    assert [block.closed for block in tagged_blocks(split_lines(f"<code>\n{code}</code>\n"))] == [True]
    assert cleaned(f"<code>\n{code}</code>\n", "wrap").code == code


FIRST = "def helper(x):\n    return x\n"
RIVALS = {
    "an import of it": (f"{BLOCK}\n\n```python\nfrom solution import add\n\nprint(add(1, 2))\n```", ADD),
    "a sketch": (f"{BLOCK}\n\nTo log:\n\n```python\ndef add(*args):\n    print(args)\n    # ... existing code ...\n```", ADD),
    "its last line": (f"```python\n{TWO}```\n\nThe last part:\n\n```python\n{ADD}```", TWO),
    "an alternative": (f"{BLOCK}\n\nOr:\n\n```python\ndef add_v2(a, b):\n    return sum((a, b))\n```", ADD),
    "a demo": (f"{BLOCK}\n\n```python\nclass Sample:\n    x = add(1, 2)\n\nprint(Sample())\n```", ADD),
    "a draft above code without fence": (f"```python\ndef add(a, b):\n    return a - b\n```\n\nNo, better:\n\n{ADD}", ADD),
    "code with a closing fence alone": (f"Use:\n\n```python\nvalue = add\n```\n\nSo:\n\n{ADD}```\n\nOr:\n\n```python\ndef plus(a, b):\n    return a + b\n```", ADD),
    "answers to other problems": (f"Problem 1: {'long ' * 60}\n\n```python\n{FIRST}```\n\nProblem 2: {'long ' * 60}\n\n```python\n{ADD}```", ADD),
    "a second part that goes on": (f"```python\n{ADD}```\n\nThen:\n\n```python\ndef twice(a):\n    return add(a, a)\n```", f"{ADD}\n\ndef twice(a):\n    return add(a, a)\n"),
    "a first part": (f"First:\n\n```python\n{FIRST}```\n\nThen:\n\n```python\n{ADD}```", f"{FIRST}\n\n{ADD}"),
}  # fmt: skip


@pytest.mark.parametrize("name", RIVALS)
def test_which_block_is_the_answer(name):
    """Examples, sketches, quotations and other problems' answers are not; parts of the program are."""
    reply, code = RIVALS[name]
    script = cleaned(reply, "add")

    assert script.code.strip() == code.strip()
    assert script.outcome is CleanOutcome.CLEANED


def test_a_mislabelled_correction_wins():
    """The label of another language does not make Python a draft."""
    draft = ADD.replace("+", "-")
    assert cleaned(f"```python\n{draft}```\n\nOops:\n\n```scss\n{ADD}```", "add").code == ADD


def test_half_a_statement_of_python_2_is_not_prose():
    """`print x` is a statement that is broken: to drop it is a loss, and said to be one."""
    script = cleaned(f"Here:\n\n{ADD}\nprint add.__name__, 1\nfor x in\n\nDone.\n", "add")
    assert script.outcome in {CleanOutcome.LOSSY, CleanOutcome.UNPARSABLE}


def test_what_stays_broken_is_a_fixed_point():
    """Text that no rule can help comes back the same when it is cleaned again."""
    reply = "Here is the code:\n\n```python\n\n\n\ndef add(a, b):\n    return (a +\n\n"
    first = cleaned(reply, "add")

    assert first.outcome is CleanOutcome.UNPARSABLE
    assert cleaned(first.code, "add").code == first.code


@pytest.mark.parametrize(
    ("code", "prompt", "flags"),
    [
        ("def solve(a, b):\n    return a + b\n", "Write `add(a, b)`.", ("another_name: solve",)),
        ("def solve(a):\n    return a\n", "Write `add(a, b)`.", ()),
        ("def solve(a):\n    return a\n", "", ("another_name: solve",)),
        ("def solve(a):\n    return a\n\n\ndef other(a):\n    return a\n", "", ()),
        (ADD, "", ()),
    ],
)
def test_another_name_is_flagged_and_never_changed(code, prompt, flags):
    """The one function with a wrong name is seen, if its parameters are as many; nothing is renamed."""
    script = clean_reply(code, asked=Asked(required=("add",), prompt=prompt))
    assert (script.code, script.flags) == (code, flags)
