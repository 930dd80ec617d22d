"""Replies that hold no answer. A careful person hands back nothing."""

import random
from dataclasses import replace

from tests.corpus.code_tools import simple
from tests.corpus.dirt import words
from tests.corpus.draft import Dirt, Draft, Stage, block, lossless


def _nothing(draft: Draft, text: str, *, broken: bool = False) -> Draft:
    return replace(
        draft, text=text, gold=text, accepted=(), none_is_fine=True, broken_is_fine=broken, form="wrapped"
    )


def refusal(draft: Draft, rng: random.Random) -> Draft:
    """The model declines."""
    return _nothing(draft, rng.choice((
        "I apologize, but as a responsible AI language model, I cannot provide a function that reveals personal data.",
        "I cannot provide a function that reveals personally identifiable information. I am designed to prioritize privacy and avoid disclosing sensitive data.",
        "I'm sorry but the given task is incomplete and does not provide enough information.",
        " Hello! I'm here to help you with your question. However, I must point out that the question contains some harmful assumptions.\nIf you have any other questions, please feel free to ask!",
        "I'm sorry, I can't help with that.",
    )))  # fmt: skip


def question_back(draft: Draft, rng: random.Random) -> Draft:
    """The model asks back."""
    name = draft.name or "main"
    return _nothing(draft, rng.choice((
        f"Could you please clarify what `{name}` should return for an empty input?",
        f"Before I write `{name}(x)`, I have two questions:\n\n1. May x be negative?\n2. Should it raise `ValueError`?",
        "Which version of Python do you use?",
    )))  # fmt: skip


def empty(draft: Draft, rng: random.Random) -> Draft:
    """Nothing, or blanks."""
    return _nothing(
        draft, rng.choice(("", "\n", "   \n\n", "\n" * 512, "    ", "\t\n", "```python\n```", "```\n\n```\n"))
    )


def a_word(draft: Draft, rng: random.Random) -> Draft:
    """A word or a value. It compiles, and is no program."""
    return _nothing(
        draft,
        rng.choice(
            (
                "Sure",
                "Done.",
                "OK",
                "Yes",
                "42",
                "[1, 2, 3]",
                "python",
                "None",
                "True",
                "Sure!",
                '{"answer": 42}',
                '""',
                "...",
                "print",
            )
        ),
    )


def only_prose(draft: Draft, rng: random.Random) -> Draft:
    """A description without code."""
    return _nothing(
        draft,
        f"{rng.choice(words.AFTER)}\n\nTo do this, sort the list first, then walk over it with two pointers; if left < right, move left.\n\n{rng.choice(words.AFTER)}",
    )


def other_language(draft: Draft, rng: random.Random) -> Draft:
    """An answer in another language: nothing, or text that does not compile."""
    return _nothing(draft, "Here is the solution:\n\n" + rng.choice((
        block("function add(a, b) {\n  return a + b;\n}\n\nconsole.log(add(1, 2));", "javascript"),
        block("public class Main {\n    public static int add(int a, int b) {\n        return a + b;\n    }\n}", "java"),
        block("fn add(a: i32, b: i32) -> i32 {\n    a + b\n}", "rust"),
        block("#include <stdio.h>\nint main(void) {\n    return 0;\n}", "c"),
        block("SELECT name FROM users WHERE age > 30;", "sql"),
        block("echo hello\nls -la | grep py", "bash"),
    )), broken=True)  # fmt: skip


def unfinished_think(draft: Draft, rng: random.Random) -> Draft | None:
    """The budget ran out while the model was thinking; the tries in there are no answer."""
    code = draft.gold if simple(draft.gold) else None
    if not code or "</think>" in code or "</thinking>" in code:
        return None
    tag = rng.choice(("<think>", "<think>", "<thinking>"))
    text = f"{tag}\nOkay, let me see. Perhaps:\n\n{block(code)}\n\nWait, but that fails for"
    return _nothing(draft, text)


def only_output(draft: Draft, rng: random.Random) -> Draft:
    """Not the program but what it would print."""
    return _nothing(
        draft,
        "The output is:\n\n"
        + block(
            rng.choice(("Hello, world!\nDone in 0.3 s", "Result: 5\nResult: 8", "YES\nNO NO\nYES")),
            rng.choice(("", "text")),
        ),
        broken=True,
    )


def traceback(draft: Draft, rng: random.Random) -> Draft:
    """An error message instead of an answer."""
    return _nothing(
        draft,
        'Traceback (most recent call last):\n  File "solution.py", line 3, in <module>\n    main()\nValueError: bad input\n',
        broken=True,
    )


DIRT: tuple[Dirt, ...] = tuple(
    lossless(make.__name__, Stage.WRAP, make)
    for make in (
        refusal, question_back, empty, a_word, only_prose, other_language, unfinished_think, only_output, traceback,
    )
)  # fmt: skip
