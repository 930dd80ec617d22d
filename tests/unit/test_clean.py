"""What cleaning makes of a reply: outcome, edits, and the promises that hold for every text."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from repair.cleaning.clean import Asked, clean_reply
from repair.cleaning.extract import search
from repair.cleaning.gates import MAX_BYTES, refusal, too_large
from repair.cleaning.mend import REPAIRS
from repair.cleaning.oracle import Oracle
from repair.script import CleanOutcome, EditClass

CODE = "def add(a, b):\n    return a + b\n"
TWO = f"{CODE}\n\ndef sub(a, b):\n    return a - b\n"
BLOCK = f"```python\n{CODE}```\n"

RAW = {
    "plain": CODE,
    "no line end": CODE.rstrip(),
    "carriage returns": CODE.replace("\n", "\r\n"),
    "fence in a docstring": f'"""Usage:\n\n{BLOCK}"""\n\n{CODE}',
    "tags in a string": f'TEXT = "<think>"\n{CODE}',
    "entities in a string": f'TEXT = "&lt;b&gt;"\n{CODE}',
    "curly quotes in a string": f'TEXT = "\u201cx\u201d\u00a0"\n{CODE}',
    "escape code in a string": f'RED = "\x1b[31m"\n{CODE}',
    "prompts in a docstring": '"""\n>>> add(1, 2)\n3\n"""\n' + CODE,
    "statements only": "for i in range(3):\n    print(i)\n",
    "one call": "print('hello')\n",
    "tests beside it": f"{CODE}\n\ndef test_add():\n    assert add(1, 2) == 3\n",
    "another name": "def plus(a, b):\n    return a + b\n",
    "main guard": f"{CODE}\nif __name__ == '__main__':\n    print(add(1, 2))\n",
}


@pytest.mark.parametrize("name", RAW)
def test_what_compiles_is_kept_to_the_byte(name):
    """A reply that is code comes back as it is, with no edit."""
    script = clean_reply(RAW[name], asked=Asked(required=("add",)))
    assert (script.code, script.outcome, script.edits) == (RAW[name], CleanOutcome.RAW, ())


def test_raw_compiles_asks_for_the_required_names():
    """Raw credit is given only to code that defines what was asked for."""
    assert clean_reply(CODE, asked=Asked(required=("add",))).raw_compiles
    assert not clean_reply(CODE, asked=Asked(required=("plus",))).raw_compiles
    assert not clean_reply(BLOCK, asked=Asked(required=("add",))).raw_compiles


MENDED = {
    "byte order mark": (f"\ufeff{CODE}", CODE, "invisible_characters"),
    "NUL": (CODE.replace("a, b", "a,\x00 b"), CODE, "invisible_characters"),
    "no-break spaces": (CODE.replace("    ", "\u00a0" * 4), CODE, "typographic_characters"),
    "zero-width space": (CODE.replace("return", "\u200breturn"), CODE, "typographic_characters"),
    "curly quotes": ("def hi():\n    return \u201chi, it\u2019s\u201d\n", 'def hi():\n    return "hi, it\u2019s"\n', "typographic_characters"),
    "single curly quotes": ("def hi():\n    return \u2018hi\u2019\n", "def hi():\n    return 'hi'\n", "typographic_characters"),
    "minus sign": ("def neg():\n    return \u22121\n", "def neg():\n    return -1\n", "typographic_characters"),
    "less or equal": ("def low(a):\n    return a \u2264 1\n", "def low(a):\n    return a <= 1\n", "typographic_characters"),
    "full-width signs": ("def add\uff08a\uff0c b\uff09\uff1a\n    return a + b\n", CODE, "typographic_characters"),
    "mixed tabs": ("def add(a, b):\n        if a:\n\t\treturn a\n        return a + b\n", "def add(a, b):\n        if a:\n                return a\n        return a + b\n", "mixed_tabs"),
    "escaped underscores": ("def add(a, b):\n    a\\_b = a + b\n    return a\\_b\n", "def add(a, b):\n    a_b = a + b\n    return a_b\n", "markdown_escapes"),
    "escaped HTML": ("def low(a):\n    return a &lt; 1\n", "def low(a):\n    return a < 1\n", "html_escaped"),
    "first line without margin": ("def add(a, b):\n        return a + b\n\n    def sub(a, b):\n        return a - b\n", "def add(a, b):\n    return a + b\n\ndef sub(a, b):\n    return a - b\n", "first_line_dedent"),
    "lone surrogate": ("def hi():\n    return 'x\ud83d'\n", "def hi():\n    return 'x\ufffd'\n", "lone_surrogates"),
}  # fmt: skip


@pytest.mark.parametrize("name", MENDED)
@pytest.mark.parametrize("fenced", [False, True], ids=["bare", "fenced"])
def test_mends_of_form(name, fenced):
    """Each repair of form gives code that compiles, changes nothing else and says its name."""
    dirty, clean, rule = MENDED[name]
    script = clean_reply(f"Here:\n```python\n{dirty}```\n" if fenced else dirty)
    assert script.code == clean
    assert script.outcome is CleanOutcome.CLEANED
    assert rule in [edit.rule for edit in script.edits]


@pytest.mark.parametrize(
    "reply", ["def low(a):\n    return a &amp;lt; 1\n", "def low(a):\n    return a &lt; 1\n"]
)
def test_escaped_code_that_compiles_by_accident(reply):
    """`a &lt; 1` is valid Python, and means something else."""
    script = clean_reply(reply)
    assert script.code == "def low(a):\n    return a < 1\n"
    assert not script.raw_compiles


def test_strings_keep_their_characters():
    """Odd characters inside strings stay, when those outside are mended."""
    script = clean_reply("def hi():\n\u00a0\u00a0return '\u00a0\u201cx\u201d \u2264'\n")
    assert script.code == "def hi():\n  return '\u00a0\u201cx\u201d \u2264'\n"


def test_broken_code_is_not_deleted_to_make_the_rest_pass():
    """Code that the rest needs is never dropped: the reply stays unparsable and whole."""
    reply = "```python\ndef helper(:\n    pass\n\n\ndef add(a, b):\n    return helper(a) + b\n```"
    script = clean_reply(reply, asked=Asked(required=("add",)))
    assert script.outcome is CleanOutcome.UNPARSABLE
    assert "def helper(:" in script.code
    assert "SyntaxError" in script.reason


def test_cut_off_tail_is_dropped_and_marked():
    """What stands before a cut-off statement is kept, as lossy, with the number of characters dropped."""
    tail = "def sub(a, b):\n    return (a -\n"
    script = clean_reply(f"```python\n{CODE}\n\n{tail}", asked=Asked(required=("add",)))
    assert script.code.strip() == CODE.strip()
    assert script.outcome is CleanOutcome.LOSSY
    assert [edit.dropped_chars for edit in script.edits if edit.kind is EditClass.LOSSY] == [len(tail)]


def test_cut_off_answer_is_not_salvaged():
    """If what is asked for is the part that was cut, nothing is left to salvage."""
    script = clean_reply(
        f"```python\n{CODE}\n\ndef sub(a, b):\n    return (a -\n", asked=Asked(required=("sub",))
    )
    assert script.outcome is CleanOutcome.UNPARSABLE
    assert "return (a -" in script.code


@pytest.mark.parametrize(
    ("reply", "reasoning", "reason"),
    [("<think>hm", "", "reasoning_unfinished"), ("", "hm", "reasoning_unfinished"), ("", "", "empty reply"),
     ("Sorry, no.", "", "no code found"), ("Sorry, no.", f"hm {BLOCK}", "no code found")],
)  # fmt: skip
def test_reasons_for_no_code(reply, reasoning, reason):
    """Where there is no code, the reason tells reasoning that never ended from a refusal."""
    script = clean_reply(reply, reasoning=reasoning)
    assert (script.code, script.outcome, script.reason) == (None, CleanOutcome.NO_CODE, reason)


BINDINGS = [
    ("from your_module import add", "from solution import add"),
    ("from .add_module import add", "from solution import add"),
    ("from src.adder import add, sub  # both", "from solution import add, sub  # both"),
    ("import adder", "import solution as adder"),
    ("import adder as a", "import solution as a"),
    ("from adder import *", "from solution import *"),
    ("from unittest.mock import patch\nimport adder\npatch('adder.sub')", "from unittest.mock import patch\nimport solution as adder\npatch('solution.sub')"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), BINDINGS)
def test_suites_are_bound_to_the_script(before, after):
    """A suite that imports the script by a made-up name imports `solution` afterwards."""
    tests = "\n\ndef test_add():\n    assert add(1, 2) == 3\n"
    script = clean_reply(before + tests, asked=Asked(required=("add",), kind="tests"))
    assert script.code == after + tests
    assert [edit.rule for edit in script.edits] == ["bind_to_solution"]


@pytest.mark.parametrize(
    "imports", ["from solution import add", "import pytest\nimport math", "import one\nimport two", "from solution import add\nimport helper"]
)  # fmt: skip
def test_right_imports_stay(imports):
    """Known modules stay, and nothing is guessed where several could be meant."""
    code = f"{imports}\n\ndef test_add():\n    assert True\n"
    script = clean_reply(code, asked=Asked(kind="tests"))
    assert (script.code, script.outcome) == (code, CleanOutcome.RAW)


DIRT = ["```python\n", "```\n", "```", "~~~\n", '"""', "'''", "<think>", "</think>", "<|im_end|>", "[PYTHON]", "\t", "    ",
        ">>> ", "(", ")", "[", "{", "def f():\n", "  return 1\n", "class A:\n", "x = 1\n", "import os\n", "\u201c", "\u201d", "\u00a0",
        "Here is it.\n", "\r\n", "\r", "\x00", "\ud800", "\ufeff", "\u2028", "\x0c", "\\", "&lt;", "+", "-", "1 ", "@", "#", "\n", "\n\n",
        "> ", "- ", '{"code": "', '"}', "\x1b[0m", "async ", "lambda: ", "if x:\n", "else:\n", "python\n", "### Response:\n"]  # fmt: skip
REPLIES = st.one_of(st.text(), st.lists(st.sampled_from(DIRT), max_size=40).map("".join))
RELAXED = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


@RELAXED
@given(REPLIES)
def test_any_text_gives_a_script(reply):
    """No text makes cleaning raise; code that is said to compile does."""
    script = clean_reply(reply, asked=Asked(required=("f",)))
    assert (script.code is None) == (script.outcome is CleanOutcome.NO_CODE)
    assert script.compiles == (script.code is not None and Oracle(len(reply)).facts(script.code).compiles)
    assert all(0 <= start <= end <= len(reply) for start, end in script.spans)


@RELAXED
@given(REPLIES)
@example("PYTHON\nPYTHON\nx = 1")
@example("p&#121;thon\nx = 1 &amp;&amp;lt; 2")
@example("```\nlambda:0\n0")
def test_cleaning_twice_changes_nothing(reply):
    """Cleaned code is raw code to a second cleaning."""
    once = clean_reply(reply)
    if once.compiles:
        twice = clean_reply(once.code)
        assert (twice.code, twice.outcome) == (once.code, CleanOutcome.RAW)


@RELAXED
@given(REPLIES)
def test_lossless_code_comes_from_the_reply(reply):
    """After lossless edits alone, the characters of the code appear in the reply, in that order."""
    script = clean_reply(reply)
    rules = {edit.rule for edit in script.edits}
    decoded = rules & {"json", "html_escaped"}
    if (
        script.code is not None
        and not decoded
        and all(edit.kind is EditClass.LOSSLESS for edit in script.edits)
    ):
        remaining = iter(reply)
        assert all(char in remaining for char in script.code if not char.isspace())


@pytest.mark.parametrize(
    "reply", [f"Here:\n{BLOCK}Bye.", f"<think>\nhm\n</think>\n{TWO}", f"Sure.\n\n{TWO}\nThat's it."]
)
def test_cut_at_every_character(reply):
    """A reply cut anywhere gives a script, whose code is a part of the reply in one piece."""
    for end in range(len(reply)):
        script = clean_reply(reply[:end], asked=Asked(required=("add",)))
        assert (script.code or "").strip() in reply


@pytest.mark.parametrize(
    "unit",
    [BLOCK, "```\n", "```python\n", 'x = """\n```\n', "prose (see below\n", "def f(:\n  x\n", "<think>\n", "</think>\n", "<code>\n",
     "\n\nfoo\n\n    x = (\n", "if x:\n\t\t(\n        y\n", "text\n```python\nx = '''\n```\n"],
)  # fmt: skip
def test_work_grows_with_the_reply_and_not_faster(unit):
    """The number of compile() calls is linear in the number of lines, and their text in that of the reply."""
    reply = unit * 300
    oracle = Oracle(len(reply))
    search(reply, reasoning="", required=("f",), kind="script", oracle=oracle)
    assert oracle.calls <= 3 * reply.count("\n") + 50
    assert oracle.chars <= 10 * len(reply) + 50_000


@pytest.mark.parametrize(
    ("text", "word"),
    [("(" * 300, "too_deep"), ("x = " + "1+" * 2000 + "1", "too_long_chain"), ("x = a" + ".b" * 2000, "too_long_chain"),
     ("x = f" + "()" * 2000, "too_long_chain"), ("x = " + "not " * 2000 + "y", "too_long_chain"),
     ("".join(" " * n + "if x:\n" for n in range(150)), "too_deep"), ("if x:\n  y\n" + "elif x:\n  y\n" * 2000, "too_deep"),
     ("x" * (MAX_BYTES + 1), "too_large"), ("\n" * 20_000, "too_large"), ("\u20ac" * MAX_BYTES, "too_large")],
)  # fmt: skip
def test_gates(text, word):
    """Texts that crash or freeze a parser are refused before one sees them."""
    assert refusal(text) == word


@pytest.mark.parametrize(
    "text",
    [CODE, "x = [" + "1, " * 5000 + "]", "x = '" + "(" * 5000 + "'", "# " + "+" * 5000, "x = 1 + 2\n" * 5000],
)
def test_ordinary_code_passes_the_gates(text):
    """Long tables, strings, comments and many short lines are no reason to refuse."""
    assert refusal(text) == ""
    assert not too_large(text)


def test_rules_have_names_of_their_own():
    """Every repair of form is recorded under a name that no other has."""
    names = [rule.name for rule in REPAIRS]
    assert len(set(names)) == len(names)


def test_layout_is_no_difference():
    """Two replies whose code differs in layout and comments alone have one syntax hash; others do not."""
    one = clean_reply("```python\ndef f(x):\n    return x\n```")
    two = clean_reply("```python\n# again\ndef f( x ):\n\n    return (x)\n```")
    other = clean_reply("```python\ndef f(x):\n    return -x\n```")

    assert one.code != two.code
    assert one.fingerprint == two.fingerprint != other.fingerprint
