"""What happens to the reply as a whole: encodings, line ends, an end that comes too soon or never."""

import random
from dataclasses import replace

from tests.corpus.code_tools import compiles, simple, statements
from tests.corpus.draft import Dirt, Draft, Stage, fenced, lossless, lossy, normalising


def byte_order_mark(draft: Draft, rng: random.Random) -> Draft:
    """A byte order mark in front."""
    return replace(draft, text="\ufeff" + draft.text)


def crlf(draft: Draft, rng: random.Random) -> Draft | None:
    """All line ends are those of Windows."""
    return replace(draft, text=draft.text.replace("\n", "\r\n")) if "\r" not in draft.text else None


def cr_only(draft: Draft, rng: random.Random) -> Draft | None:
    """All line ends are those of old Macs."""
    return replace(draft, text=draft.text.replace("\n", "\r")) if "\r" not in draft.text else None


def blank_around(draft: Draft, rng: random.Random) -> Draft:
    """Blank lines and spaces around everything."""
    return replace(
        draft,
        text="\n" * rng.choice((1, 2, 5))
        + draft.text
        + "\n" * rng.choice((1, 3, 200))
        + rng.choice(("", "   ")),
    )


def half_an_emoji(draft: Draft, rng: random.Random) -> Draft:
    """A lone surrogate in the prose: an emoji that was cut in two."""
    found = fenced(draft)
    return replace(
        found,
        text=f"Here you go \ud83d\n\n{found.text}" if rng.random() < 0.5 else f"{found.text}\n\nDone \ude80",
    )


def replacement_characters(draft: Draft, rng: random.Random) -> Draft:
    """Bytes that could not be decoded, in the prose."""
    found = fenced(draft)
    return replace(found, text=f"Here\ufffds the code\ufffd\n\n{found.text}")


def cut_in_prose(draft: Draft, rng: random.Random) -> Draft:
    """The budget ran out in the explanation below the code."""
    found = fenced(draft)
    return replace(found, text=found.text + "\n\nThis function works by iterating over the li")


def cut_in_second_block(draft: Draft, rng: random.Random) -> Draft | None:
    """The budget ran out in the example of use."""
    if not draft.name or draft.asked.kind == "tests" or draft.form == "wrapped":
        return None
    found = fenced(draft)
    return replace(
        found, text=f"{found.text}\n\nExample usage:\n\n```python\nvalues = [1, 2, 3\nprint({draft.name}(val"
    )


def endless_sentence(draft: Draft, rng: random.Random) -> Draft:
    """The same sentence until the budget ran out."""
    found = fenced(draft)
    line = rng.choice(
        (
            "Note that this is a simple implementation. ",
            "I hope this helps!\n\n",
            "The above code is correct. The above code is correct.\n",
        )
    )
    return replace(found, text=found.text + "\n\n" + (line * 120)[: rng.randrange(1500, 4000)])


def endless_answer(draft: Draft, rng: random.Random) -> Draft | None:
    """The same fenced answer again and again, cut off at last."""
    if not draft.pristine or draft.form != "bare":
        return None
    one = fenced(draft).text + "\n\n"
    whole = one * 4
    return replace(draft, text=whole[: len(one) * 3 + rng.randrange(len(one))], form="fence")


def cut_in_code(draft: Draft, rng: random.Random) -> Draft | None:
    """The budget ran out in the code. Whole statements may be kept, or it goes back as it is, or nothing does."""
    if not draft.pristine or not simple(draft.text) or len(draft.text) < 40:
        return None
    cut = draft.text[: rng.randrange(len(draft.text) // 4, len(draft.text) - 2)]
    kept, whole = [], []
    for part in statements(draft.text):
        whole.append(part)
        if not cut.startswith("\n".join(whole)):
            break
        kept.append(part)
    accepted = tuple(text for text in ("\n".join(kept), cut) if text.strip() and compiles(text))
    text = cut if rng.random() < 0.4 else f"Here is the code:\n\n```python\n{cut}"
    return replace(
        draft,
        text=text,
        accepted=accepted,
        none_is_fine=True,
        broken_is_fine=True,
        layout_free=True,
        form="wrapped",
    )


def bare_twice_then_cut(draft: Draft, rng: random.Random) -> Draft | None:
    """A base model writes the code, then once more until the budget runs out."""
    if not draft.pristine or draft.form != "bare" or len(draft.text) < 30:
        return None
    body = draft.text.rstrip("\n")
    again = body[: rng.randrange(5, len(body) - 1)]
    whole = f"{body}\n\n\n{again}"
    return replace(
        draft,
        text=whole,
        accepted=(*draft.accepted, *((whole,) if compiles(whole) else ())),
        broken_is_fine=True,
        layout_free=True,
        form="wrapped",
    )


def body_only(draft: Draft, rng: random.Random) -> Draft | None:
    """A completion: the body without the def, which stood in the prompt."""
    lines = draft.text.rstrip("\n").split("\n")
    if not draft.pristine or not lines[0].startswith("def ") or not lines[0].endswith(":"):
        return None
    if any(line and not line[0].isspace() for line in lines[1:]):
        return None
    text = "\n".join(lines[1:]) + "\n"
    return replace(
        draft, text=text, accepted=(draft.text,), none_is_fine=True, broken_is_fine=True, form="wrapped"
    )


def python_two_print(draft: Draft, rng: random.Random) -> Draft | None:
    """Python 2, as old models write it: it goes back as it is, or is converted and said to be."""
    if not draft.pristine or not draft.name or draft.form != "bare":
        return None
    tail = f"\n\nprint {draft.name}.__name__\n"
    modern = draft.text.rstrip("\n") + f"\n\nprint({draft.name}.__name__)\n"
    return replace(
        draft,
        text=draft.text.rstrip("\n") + tail,
        accepted=(modern, draft.text),
        broken_is_fine=True,
        none_is_fine=True,
        layout_free=True,
    )


DIRT: tuple[Dirt, ...] = (
    lossy("body_only", Stage.CONTENT, body_only),
    lossy("python_two_print", Stage.CONTENT, python_two_print),
    lossy("cut_in_code", Stage.WRAP, cut_in_code),
    lossy("bare_twice_then_cut", Stage.WRAP, bare_twice_then_cut),
    lossless("endless_answer", Stage.WRAP, endless_answer),
    lossless("cut_in_second_block", Stage.AROUND, cut_in_second_block),
    *(
        lossless(make.__name__, Stage.WIRE, make)
        for make in (cut_in_prose, endless_sentence, blank_around, crlf)
    ),
    *(
        normalising(make.__name__, Stage.WIRE, make)
        for make in (half_an_emoji, replacement_characters, byte_order_mark, cr_only)
    ),
)
