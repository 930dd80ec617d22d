"""Dirt that changes what the answer is: things in the same block that a person would leave there."""

import random
from dataclasses import replace

from tests.corpus.code_tools import compiles
from tests.corpus.draft import Dirt, Draft, Stage, lossless


def _added(draft: Draft, more: str, *also: str) -> Draft | None:
    whole = draft.text.rstrip("\n") + "\n" + more
    if not compiles(whole):
        return None
    return replace(draft, text=whole, gold=whole, accepted=(whole, *also))


def demo_in_block(draft: Draft, rng: random.Random) -> Draft | None:
    """An example of use below the code, in the same block: it stays."""
    if not draft.name or draft.asked.kind == "tests":
        return None
    call = rng.choice(
        (
            "\n# Example usage:\nprint({0})\n",
            '\n\n# Test the function\nresult = {0}\nprint(f"Result: {{result}}")  # Output: 5\n',
            '\n\nif __name__ == "__main__":\n    print({0}.__doc__)\n',
        )
    )
    return _added(draft, call.format(draft.name))


def asserts_in_block(draft: Draft, rng: random.Random) -> Draft | None:
    """A few asserts below the code: they stay."""
    if not draft.name or draft.asked.kind == "tests":
        return None
    return _added(
        draft, f"\n\n# Test cases\nassert {draft.name} is not None\nassert callable({draft.name})\n"
    )


def tests_in_block(draft: Draft, rng: random.Random) -> Draft | None:
    """A pytest suite below the code: it may stay or be split off."""
    if not draft.name or draft.asked.kind == "tests":
        return None
    suite = f"\n\nimport pytest\n\n\ndef test_{draft.name.lower()}_exists():\n    assert callable({draft.name})\n\n\ndef test_{draft.name.lower()}_fails():\n    with pytest.raises(Exception):\n        {draft.name}(*range(99))\n"
    return _added(draft, suite, draft.text)


def file_comment(draft: Draft, rng: random.Random) -> Draft | None:
    """The name of the file in a comment on top: it stays, or goes."""
    whole = (
        rng.choice(("# solution.py\n", "# filename: main.py\n\n", "# file: src/solution.py\n")) + draft.text
    )
    return replace(draft, text=whole, gold=whole, accepted=(whole, draft.text)) if compiles(whole) else None


def comment_tail(draft: Draft, rng: random.Random) -> Draft | None:
    """A base model runs on in comments: they may stay or go."""
    tail = rng.choice(("\n#\n", "\n# \n# \n# \n", "\n# [DONE]\n", "\n\n# END OF FILE\n", "\n\n#\n\n\n\n\n\n"))
    return _added(draft, tail, draft.text)


DIRT: tuple[Dirt, ...] = tuple(
    lossless(make.__name__, Stage.CONTENT, make)
    for make in (demo_in_block, asserts_in_block, tests_in_block, file_comment, comment_tail)
)
