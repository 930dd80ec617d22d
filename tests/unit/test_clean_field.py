"""Shapes that were met in recorded replies of real models, each cut down to what matters."""

import pytest

from repair.cleaning.clean import Asked, clean_reply
from repair.cleaning.prompts import signatures

PLAIN = "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n"
MEMO = "def fib(n, memo={}):\n    return memo.setdefault(n, n)\n"
PROMPT = "Write a function fib(n) with input n, where fib(0) == 0."


def clean(reply, prompt="", required=("fib",)):
    return clean_reply(reply, asked=Asked(required=required, prompt=prompt))


def fence(code):
    return f"```python\n{code}```\n"


def test_the_signature_of_the_prompt_decides_between_variants():
    """A later, cleverer variant with other parameters is not what was asked for."""
    reply = f"{fence(PLAIN)}\nFaster, with a memo:\n\n{fence(MEMO)}"

    assert clean(reply, PROMPT).code == PLAIN
    assert clean(reply).code == MEMO
    assert clean(reply, "Write fib(n, memo={}).").code == MEMO


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        (PROMPT, ("n",)),
        ("def fib(n: int, *, memo: dict[str, int] = None) -> int:\n", ("n", "memo")),
        ("fib(0) is 0, fib(1) is 1", ()),
        ("my_fib(x)", ()),
        ("", ()),
    ],
)
def test_signatures(prompt, names):
    """Parameters are names; calls with values say nothing."""
    assert signatures(prompt, ("fib",)) == (frozenset({("fib", names)}) if names else frozenset())


@pytest.mark.parametrize(
    "reply",
    [
        f"```python\n{PLAIN}``\n\nThat's it.\n",  # a closing fence that lost a backtick
        f"The answer is <solution>{PLAIN.rstrip()}</solution>",
        f"### Instruction:\nWrite it:\n\ndef fib(n):\n    pass\n\n### Response:{PLAIN}",
        f"{fence(PLAIN)}\n### Instruction:\nAnother.\n\n### Response:\n{fence(MEMO)}",
        f"{fence(PLAIN)}\nHuman: Now with a memo, please\n{fence(MEMO)}",
        "Here:\n\n" + PLAIN.replace("    ", "\u00a0" * 4) + "\nBye.",
        f"<pre><code class=\"language-python\">{PLAIN.replace('<', '&lt;')}</code></pre>\n<p>Done</p>",
        "python\r" + PLAIN.replace("\n", "\r"),
    ],
)  # fmt: skip
def test_the_code_comes_out(reply):
    """What a person would take is what comes."""
    script = clean(reply)

    assert script.compiles
    assert script.code.replace("\r", "\n").strip() == PLAIN.strip()


@pytest.mark.parametrize(
    ("body", "tail"),
    [
        ("    return n\n", ""),
        ("return n\n", ""),
        ("x = n\nreturn x\n", ""),
        ("    return n\n", "\n\nassert fib(2) == 1\n"),
        ("    return helper(n)\n", "\n\ndef helper(n):\n    return n\n"),
    ],
)
def test_bodies_go_on_from_the_prompt(body, tail):
    """A body, with or without its indentation; examples behind it go, helpers stay."""
    prompt = 'def fib(n):\n    """The n-th number."""\n'
    script = clean(body + tail, prompt)

    assert script.compiles
    assert script.code.startswith(prompt)
    assert [edit.rule for edit in script.edits] == ["completion"]
    assert ("helper(n):" in script.code, "assert" in script.code) == ("helper" in tail, False)


def test_a_whole_answer_is_no_body():
    """The prompt is put in front of nothing that defines what was asked for."""
    assert clean(fence(PLAIN), "def fib(n):\n").code == PLAIN
    assert clean(PLAIN, "def fib(n):\n").code == PLAIN


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("I'm sorry, but I cannot help with that.", "refusal"),
        ("```javascript\nfunction fib(n) { return n; }\n```", "other_language: javascript"),
        ("<think>\ndef fib(n): ...", "reasoning_unfinished"),
        ("", "empty reply"),
    ],
)
def test_why_there_is_no_code(reply, reason):
    """No code has a reason that can be counted."""
    assert clean(reply).reason == reason


def test_what_is_seen_and_left_alone():
    """Flags say what a reader should know."""
    code = f"{PLAIN}\n\n{MEMO}\n\nprint(fib(int(input())))\n"

    assert clean(code).code == code
    assert clean(code).flags == ("redefined: fib", "runs_at_import", "reads_input")
