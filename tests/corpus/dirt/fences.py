"""Fences, as the Markdown rules have them and as models write them."""

import random
import re
from dataclasses import replace

from tests.corpus.code_tools import compiles, simple
from tests.corpus.draft import Dirt, Draft, Stage, block, fence_for, lossless


def _fence(draft: Draft, text: str) -> Draft:
    return replace(draft, text=text, form="fence")


def _holds_fence(draft: Draft) -> bool:
    return any(line.strip().startswith(("```", "~~~")) for line in draft.text.split("\n"))


def _body(draft: Draft) -> str:
    return draft.text if draft.text.endswith("\n") else draft.text + "\n"


def fence(draft: Draft, rng: random.Random) -> Draft:
    """The usual fence. Where the code holds fences it is as wrong as models are."""
    return _fence(draft, block(draft.text))


def fence_without_label(draft: Draft, rng: random.Random) -> Draft:
    """No label."""
    return _fence(draft, block(draft.text, ""))


def fence_label_variants(draft: Draft, rng: random.Random) -> Draft:
    """Labels that mean Python."""
    label = rng.choice((
        "Python", "PYTHON", "py", "python3", "Py", "{.python}", "{python}", 'python title="solution.py"',
        "python:solution.py", "python ", " python", "python\r", 'python linenums="1"', "python {1,3}",
        "python3.11", "{.python .numberLines}", "python,editable", "python filename=main.py", "ipython", "pytest",
    ))  # fmt: skip
    return _fence(draft, block(draft.text, label))


def fence_wrong_label(draft: Draft, rng: random.Random) -> Draft:
    """The label of some other language, in front of Python."""
    labels = (
        "scss",
        "css",
        "vbnet",
        "less",
        "makefile",
        "javascript",
        "java",
        "text",
        "plaintext",
        "code",
        "ruby",
        "tool_code",
        "sage",
        "cython",
        "c++",
    )
    return _fence(draft, block(draft.text, rng.choice(labels)))


def tilde_fence(draft: Draft, rng: random.Random) -> Draft:
    """Tildes."""
    return _fence(draft, block(draft.text, rng.choice(("python", "")), rng.choice(("~~~", "~~~~"))))


def longer_fence(draft: Draft, rng: random.Random) -> Draft:
    """Four or more backticks, and more than any inside."""
    return _fence(draft, block(draft.text, fence=fence_for(draft.text, rng.choice((4, 5)))))


def lopsided_fence(draft: Draft, rng: random.Random) -> Draft:
    """The closing fence is longer or shorter than the opening one."""
    opener, closer = rng.choice((("````", "```"), ("```", "````"), ("```", "`````")))
    return _fence(draft, f"{opener}python\n{_body(draft)}{closer}")


def unclosed_fence(draft: Draft, rng: random.Random) -> Draft:
    """The closing fence never came."""
    return _fence(draft, f"```{rng.choice(('python', 'python', ''))}\n{_body(draft)}")


def closing_fence_only(draft: Draft, rng: random.Random) -> Draft:
    """The template had opened the fence."""
    return _fence(draft, f"{_body(draft)}```")


def glued_closer(draft: Draft, rng: random.Random) -> Draft | None:
    """The closing fence stands at the end of the last line of code."""
    return (
        _fence(draft, f"```python\n{draft.text.rstrip()}{rng.choice(('```', ' ```'))}")
        if draft.text.strip()
        else None
    )


def glued_opener(draft: Draft, rng: random.Random) -> Draft:
    """The opening fence stands at the end of a line of prose."""
    lead = rng.choice(("Here is the code: ", "Sure, here you go:", "**Answer:** ", "1. Solution: "))
    return _fence(draft, lead + block(draft.text))


def code_on_opener_line(draft: Draft, rng: random.Random) -> Draft | None:
    """The first line of code stands right behind the label."""
    if draft.text[:1].isspace() or not draft.text.strip():
        return None
    return _fence(draft, f"```python {_body(draft)}```")


def double_opener(draft: Draft, rng: random.Random) -> Draft:
    """A fence around the fence."""
    inner = block(draft.text)
    return _fence(
        draft, rng.choice((f"```\n{inner}\n```", f"```python\n{inner}\n```", f"```python\n{inner}"))
    )


def labelled_closer(draft: Draft, rng: random.Random) -> Draft:
    """The closing fence carries the label as well."""
    return _fence(draft, f"```python\n{_body(draft)}```python")


def quote_fence(draft: Draft, rng: random.Random) -> Draft | None:
    """Apostrophes or two backticks instead of three backticks."""
    if "'''" in draft.text or "``" in draft.text:
        return None
    mark = rng.choice(("'''", "``"))
    return _fence(draft, f"{mark}python\n{_body(draft)}{mark}")


def text_behind_closer(draft: Draft, rng: random.Random) -> Draft:
    """Prose or a token stands right behind the closing fence."""
    tail = rng.choice((
        "Develop an advanced Python program for managing multiple user accounts.", "<|end_of_turn|>", " This works.",
        "<|im_end|>", "</s>", ".", " \u2705", "  ### Explanation:",
    ))  # fmt: skip
    return _fence(draft, block(draft.text) + tail)


def empty_block_first(draft: Draft, rng: random.Random) -> Draft:
    """A block with nothing in it comes first."""
    return _fence(
        draft, rng.choice(("```python\n```\n\n", "```\n\n```\n", "```python\n\n```\n")) + block(draft.text)
    )


def opener_twice(draft: Draft, rng: random.Random) -> Draft:
    """The opening line is written twice, the closing one once."""
    return _fence(draft, "```python\n" + rng.choice(("", "\n")) + block(draft.text))


def whole_in_markdown(draft: Draft, rng: random.Random) -> Draft:
    """The whole reply is put into a Markdown block."""
    inner = f"# Solution\n\n{block(draft.text)}\n\nThis solves it."
    mark = rng.choice(("```", "````"))
    return _fence(draft, f"{mark}markdown\n{inner}\n{mark}")


def list_item(draft: Draft, rng: random.Random) -> Draft | None:
    """The block belongs to a list item: fence and code are indented."""
    if "\t" in draft.text:
        return None
    mark, pad = rng.choice((("1. ", "   "), ("- ", "  "), ("* ", "    "), ("10. ", "    ")))
    inner = "\n".join(pad + line if line else "" for line in block(draft.text).split("\n"))
    return _fence(draft, f"{mark}Write the code:\n\n{inner}\n\n{mark}Run it.")


def indented_fence(draft: Draft, rng: random.Random) -> Draft:
    """The fences are indented, the code is not. Markdown takes as many blanks from lines that have them."""
    pad = rng.choice((" ", "  ", "   "))
    rendered = re.sub(rf"(?m)^ {{1,{len(pad)}}}", "", draft.text)
    accepted = (*draft.accepted, *((rendered,) if compiles(rendered) else ()))
    found = _fence(draft, f"{pad}```python\n{_body(draft)}{pad}```")
    return replace(found, accepted=accepted) if draft.pristine else found


def indented_code_in_fence(draft: Draft, rng: random.Random) -> Draft | None:
    """The code is indented, the fences are not."""
    if "\t" in draft.text or not draft.pristine:
        return None
    inner = "\n".join("    " + line if line else "" for line in draft.text.split("\n"))
    return _fence(draft, block(inner.rstrip(" ")))


def quoted_block(draft: Draft, rng: random.Random) -> Draft:
    """Prose and block are in a block quote."""
    lines = f"Here is the code:\n\n{block(draft.text)}\n\nThat's it.".split("\n")
    return _fence(draft, "\n".join(f"> {line}" if line else ">" for line in lines))


def indented_block(draft: Draft, rng: random.Random) -> Draft | None:
    """Markdown's older way: four blanks before every line, prose around."""
    if "\t" in draft.text or not draft.pristine or _holds_fence(draft):
        return None
    inner = "\n".join("    " + line if line else "" for line in draft.text.strip("\n").split("\n"))
    lead = rng.choice(("Here is the function:", "You could write it like this::", "Solution:"))
    return replace(draft, text=f"{lead}\n\n{inner}\n\nIt returns the result.\n", form="wrapped")


def prose_without_fence(draft: Draft, rng: random.Random) -> Draft | None:
    """Prose above and below, and no fence at all."""
    if not draft.pristine or not simple(draft.text):
        return None
    lead = rng.choice(
        ("Here is the code:", "Sure, here's your Python function:", "Answer:", "The solution is as follows.")
    )
    tail = rng.choice(
        (
            "This function does what you asked for.",
            "I hope this helps!",
            "Note that the input isn't checked.",
            "",
        )
    )
    return replace(draft, text=f"{lead}\n\n{draft.text.rstrip()}\n\n{tail}\n", form="wrapped")


def inline_code(draft: Draft, rng: random.Random) -> Draft | None:
    """A one-liner between single backticks in a sentence."""
    code = draft.text.strip()
    if "\n" in code or "`" in code or not draft.pristine:
        return None
    return replace(draft, text=f"You can simply write `{code}` and be done.", form="wrapped")


DIRT: tuple[Dirt, ...] = tuple(
    lossless(make.__name__, Stage.WRAP, make)
    for make in (
        fence, fence_without_label, fence_label_variants, fence_wrong_label, tilde_fence, longer_fence,
        lopsided_fence, unclosed_fence, closing_fence_only, glued_closer, glued_opener, code_on_opener_line,
        double_opener, labelled_closer, quote_fence, text_behind_closer, empty_block_first, opener_twice,
        whole_in_markdown, list_item, indented_fence, indented_code_in_fence, quoted_block, indented_block,
        prose_without_fence, inline_code,
    )
)  # fmt: skip
