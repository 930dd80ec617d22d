"""Prose and other blocks around the block that is the answer."""

import random
from dataclasses import replace

from tests.corpus.code_tools import compiles, renamed, simple, statements, stub, wrong_version
from tests.corpus.dirt import words
from tests.corpus.draft import Dirt, Draft, Stage, block, fenced, lossless


def _top(draft: Draft, text: str, rng: random.Random) -> Draft:
    found = fenced(draft)
    return replace(found, text=text + words.gap(rng) + found.text)


def _tail(draft: Draft, text: str, rng: random.Random) -> Draft:
    found = fenced(draft)
    return replace(found, text=found.text + words.gap(rng) + text)


def _code(draft: Draft) -> str | None:
    """The answer, where further blocks can be made from it and stand beside it."""
    return draft.gold if draft.form != "wrapped" and draft.accepted and simple(draft.gold) else None


def _script(draft: Draft) -> str | None:
    return None if draft.asked.kind == "tests" or not draft.name else _code(draft)


def _rival(draft: Draft) -> str | None:
    """The answer, where a rival of it can stand beside it: one that is no cleaner than the answer itself."""
    return _script(draft) if draft.gold.strip("\n") in draft.text else None


def prose_before(draft: Draft, rng: random.Random) -> Draft:
    """Prose above."""
    return _top(draft, words.before(rng), rng)


def prose_after(draft: Draft, rng: random.Random) -> Draft:
    """Prose below."""
    return _tail(draft, words.after(rng), rng)


def prose_with_inline_fence(draft: Draft, rng: random.Random) -> Draft:
    """Prose that quotes a name between three backticks."""
    name = draft.name or "main"
    text = rng.choice(
        (
            f"Here is the python function ```{name}()``` that does it.\n",
            f"# Explanation: The code ```{name}``` is below.\n",
            f"Use ``{name}`` or `{name}()`:\n",
        )
    )
    return _top(draft, text, rng) if rng.random() < 0.5 else _tail(draft, text, rng)


def file_name_above(draft: Draft, rng: random.Random) -> Draft:
    """The name of the file stands above the block."""
    return _top(
        draft,
        rng.choice(("solution.py", "**solution.py**", "`solution.py`:", "### File: `solution.py`")),
        rng,
    )


def shell_block_before(draft: Draft, rng: random.Random) -> Draft | None:
    """How to install what is needed, first."""
    shell = rng.choice(
        (
            block("pip install numpy", "bash"),
            block("$ python3 -m venv .venv\n$ pip install pytest", "console"),
            block("numpy>=1.24\npytest", "text"),
        )
    )
    return (
        _top(draft, "First install the requirements:\n\n" + shell + "\n\nThen:", rng)
        if _code(draft)
        else None
    )


def shell_block_after(draft: Draft, rng: random.Random) -> Draft | None:
    """How to run it, below."""
    shell = block(
        rng.choice(("python solution.py", "pytest -q", "python -m solution < input.txt")),
        rng.choice(("bash", "sh", "shell", "")),
    )
    return _tail(draft, "Run it with:\n\n" + shell, rng) if _code(draft) else None


def output_block(draft: Draft, rng: random.Random) -> Draft | None:
    """What it prints, in a block."""
    out = block(
        rng.choice(("5\n10\n15", "[1, 2, 3]", "Test passed successfully!", "{'a': 1, 'b.c': 2}")),
        rng.choice(("", "text", "vbnet", "json", "css", "output")),
    )
    return _tail(draft, "### Output:\n\n" + out, rng) if _code(draft) else None


def data_block_before(draft: Draft, rng: random.Random) -> Draft | None:
    """Example data in a Python block of its own, before the answer."""
    data = rng.choice(
        (
            "obj = {\n    'a': 1,\n    'b': {'c': 2},\n}",
            "items = [3, 1, 2]",
            "{\n    'a': 1,\n    'b.c': 2,\n}",
        )
    )
    return _top(draft, "### Example:\n" + block(data) + "\n\n### Function:", rng) if _script(draft) else None


def usage_block(draft: Draft, rng: random.Random) -> Draft | None:
    """An example of use in a block of its own, below."""
    if not _script(draft):
        return None
    use = rng.choice(
        (
            "result = {0}\nprint(result)",
            "print({0}.__name__)  # Output: {0}",
            ">>> {0}.__name__\n'{0}'",
            "from solution import {0}\n\nprint({0})",
            "# Example usage\nfor x in range(3):\n    print({0}, x)",
        )
    )
    label = rng.choice(("python", "python", "", "scss", "less"))
    return _tail(draft, "You can use it like this:\n" + block(use.format(draft.name), label), rng)


def usage_block_before(draft: Draft, rng: random.Random) -> Draft | None:
    """An example of use in a block of its own, above."""
    if not _script(draft):
        return None
    return _top(
        draft, f"We want to be able to write:\n\n{block(f'value = {draft.name}')}\n\nThis makes it so:", rng
    )


def tests_block(draft: Draft, rng: random.Random) -> Draft | None:
    """A suite of tests in a block of its own, below."""
    if not _script(draft):
        return None
    low = draft.name.lower()
    suite = rng.choice((
        f"import pytest\nfrom solution import {draft.name}\n\n\ndef test_{low}():\n    assert {draft.name} is not None\n\n\ndef test_{low}_callable():\n    assert callable({draft.name})\n",
        f"import unittest\n\nfrom solution import {draft.name}\n\n\nclass Test{draft.name.title()}(unittest.TestCase):\n    def test_it(self):\n        self.assertTrue(callable({draft.name}))\n\n\nif __name__ == '__main__':\n    unittest.main()\n",
        f"assert {draft.name} is not None\nassert callable({draft.name})\n",
    ))  # fmt: skip
    return _tail(draft, f"And here are some tests (`test_solution.py`):\n\n{block(suite)}", rng)


def script_block_before_tests(draft: Draft, rng: random.Random) -> Draft | None:
    """Asked for tests, the model repeats the script under test first."""
    if draft.asked.kind != "tests" or not _code(draft):
        return None
    script = "def gcd(a, b):\n    while b:\n        a, b = b, a % b\n    return abs(a)\n"
    return _top(
        draft,
        f"The code under test (`solution.py`):\n\n{block(script)}\n\nThe tests (`test_solution.py`):",
        rng,
    )


def stub_before(draft: Draft, rng: random.Random) -> Draft | None:
    """The signatures come first, as a plan."""
    plan = stub(draft.gold) if _rival(draft) else None
    return (
        _top(draft, f"Let's start with the signature:\n\n{block(plan)}\n\nNow fill it in:", rng)
        if plan
        else None
    )


def draft_then_fixed(draft: Draft, rng: random.Random) -> Draft | None:
    """A wrong answer, a correction, and the right one."""
    code = _rival(draft)
    wrong = wrong_version(code, rng) if code else None
    said = rng.choice(
        (
            "Wait, there is a bug in the code above. Here is the corrected version:",
            "Oops, that fails for empty input. Let me fix that:",
            "I apologize for the mistake. The corrected code:",
        )
    )
    return _top(draft, f"{words.before(rng)}\n\n{block(wrong)}\n\n{said}", rng) if wrong else None


def quoted_buggy_code(draft: Draft, rng: random.Random) -> Draft | None:
    """A repair: the old code is shown first, under its own heading."""
    code = _rival(draft)
    wrong = wrong_version(code, rng) if code else None
    return (
        _top(draft, f"### Original code (buggy)\n\n{block(wrong)}\n\n### Fixed code", rng) if wrong else None
    )


def other_name_after(draft: Draft, rng: random.Random) -> Draft | None:
    """An alternative under another name, below."""
    code = _rival(draft)
    other = (
        renamed(code, draft.name, draft.name + rng.choice(("_v2", "_recursive", "Alternative")))
        if code
        else None
    )
    return (
        _tail(draft, f"Alternatively, you could write:\n\n{block(other)}\n\nBoth work.", rng)
        if other
        else None
    )


def same_name_after(draft: Draft, rng: random.Random) -> Draft | None:
    """A second version of the same, below: either may be taken, but not both."""
    code = _rival(draft)
    other = wrong_version(code, rng) if code else None
    if not other:
        return None
    found = _tail(draft, f"Here is another version:\n\n{block(other)}", rng)
    return replace(found, accepted=(*found.accepted, other))


def repeated_answer(draft: Draft, rng: random.Random) -> Draft | None:
    """The same block twice."""
    code = _code(draft)
    return _tail(draft, f"The full code again:\n\n{block(code)}", rng) if code and draft.pristine else None


def snippet_after(draft: Draft, rng: random.Random) -> Draft | None:
    """A hint of a change in a block that leaves most out, below."""
    if not _rival(draft):
        return None
    hint = rng.choice((
        f"def {draft.name}(...):\n    ...\n    # rest of the code stays the same\n",
        f"def {draft.name}(*args):\n    print('called')  # add this line\n    # ... existing code ...\n",
        "    if not items:\n        return None\n",
        "return x if x else default",
    ))  # fmt: skip
    return _tail(draft, f"If you want logging, change it like so:\n\n{block(hint)}", rng)


def walk_through(draft: Draft, rng: random.Random) -> Draft | None:
    """Lines of the answer are explained, each in a small block, below."""
    code = _script(draft)
    lines = [line for line in code.split("\n") if len(line.strip()) > 5 and "```" not in line] if code else []
    if len(lines) < 2:
        return None
    shown = rng.sample(lines, min(3, len(lines)))
    text = "\n\n".join(
        f"{n}. This line matters:\n\n{block(line.strip() if rng.random() < 0.5 else line)}"
        for n, line in enumerate(shown, 1)
    )
    return _tail(draft, "### How it works\n\n" + text, rng)


def other_files(draft: Draft, rng: random.Random) -> Draft | None:
    """A whole project: a read-me, requirements, a Dockerfile beside the answer."""
    if not _code(draft):
        return None
    more = rng.choice((
        "`README.md`\n\n````markdown\n# Tool\n\n```bash\npython solution.py\n```\n````",
        'Dockerfile:\n\n```dockerfile\nFROM python:3.12\nCOPY solution.py .\nCMD ["python", "solution.py"]\n```',
        'config.json\n```json\n{"name": "tool", "debug": true}\n```',
        "The same in JavaScript:\n\n```javascript\nfunction main(a) {\n  return a + 1;\n}\n```",
    ))  # fmt: skip
    return _top(draft, more + "\n\n`solution.py`", rng) if rng.random() < 0.4 else _tail(draft, more, rng)


def pseudocode_before(draft: Draft, rng: random.Random) -> Draft | None:
    """A plan in pseudo-code comes first."""
    plan = "function solve(input):\n    set result to empty\n    for each item in input:\n        update result\n    return result"
    return (
        _top(
            draft,
            f"Pseudocode:\n\n{block(plan, rng.choice(('', 'text', 'plaintext', 'python')))}\n\nPython:",
            rng,
        )
        if _code(draft)
        else None
    )


def split_blocks(draft: Draft, rng: random.Random) -> Draft | None:
    """The program comes in two or three blocks with explanations between."""
    if not draft.pristine or draft.form != "bare" or not simple(draft.text):
        return None
    parts = statements(draft.text)
    if len(parts) < 2:
        return None
    cuts = sorted(rng.sample(range(1, len(parts)), min(len(parts) - 1, rng.choice((1, 1, 2)))))
    pieces = ["\n".join(parts[a:b]) for a, b in zip([0, *cuts], [*cuts, len(parts)], strict=True)]
    if not all(compiles(piece) and piece.strip() for piece in pieces):
        return None
    text = "First, the beginning:\n\n" + block(pieces[0].strip("\n"))
    for piece in pieces[1:]:
        text += f"\n\n{rng.choice(words.BETWEEN)}\n\n{block(piece.strip(chr(10)))}"
    return replace(draft, text=text, form="fence", layout_free=True)


DIRT: tuple[Dirt, ...] = (
    lossless("split_blocks", Stage.WRAP, split_blocks),
    *(
        lossless(make.__name__, Stage.AROUND, make)
        for make in (
            prose_before, prose_after, prose_with_inline_fence, file_name_above, shell_block_before,
            shell_block_after, output_block, data_block_before, usage_block, usage_block_before, tests_block,
            script_block_before_tests, stub_before, draft_then_fixed, quoted_buggy_code, other_name_after,
            same_name_after, repeated_answer, snippet_after, walk_through, other_files, pseudocode_before,
        )
    ),
)  # fmt: skip
