"""Characters that editors, browsers and tokenizers put where code has others."""

import html
import itertools
import random
import re
import tokenize
from dataclasses import replace

from tests.corpus.code_tools import compiles, edit_tokens, lines_in_strings, offsets, simple, tokens
from tests.corpus.draft import Dirt, Draft, Stage, lossless, normalising

SIGNS = {
    "-": "\u2212", "<=": "\u2264", ">=": "\u2265", "!=": "\u2260", "*": "\u00d7", "...": "\u2026",
    ":": "\uff1a", ",": "\uff0c", "(": "\uff08", ")": "\uff09", "=": "\uff1d",
}  # fmt: skip
ZERO_WIDTH = ("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad")


def _replaced(draft: Draft, text: str) -> Draft | None:
    return replace(draft, text=text) if text != draft.text else None


def _plain(draft: Draft) -> bool:
    return draft.pristine and simple(draft.text)


def smart_quotes(draft: Draft, rng: random.Random) -> Draft | None:
    """A word processor has curled the quotes around strings."""
    if not _plain(draft):
        return None
    found, change = tokens(draft.text), {}
    for index, token in enumerate(found):
        quoted = re.fullmatch(r"""([A-Za-z]*)(["'])((?!\2\2)[^\n]*)\2""", token.string)
        if (
            token.type == tokenize.STRING
            and quoted
            and "f" not in quoted[1].lower()
            and "\\" not in quoted[3]
        ):
            left, right = "\u201c\u201d" if quoted[2] == '"' else "\u2018\u2019"
            change[index] = f"{quoted[1]}{left}{quoted[3]}{right}"
    return _replaced(draft, edit_tokens(draft.text, change, found))


def typographic_operators(draft: Draft, rng: random.Random) -> Draft | None:
    """One kind of operator, or two, as typography has it."""
    if not _plain(draft):
        return None
    found = tokens(draft.text)
    here = sorted({token.string for token in found if token.type == tokenize.OP and token.string in SIGNS})
    chosen = rng.sample(here, min(len(here), rng.choice((1, 2))))
    change = {i: SIGNS[t.string] for i, t in enumerate(found) if t.type == tokenize.OP and t.string in chosen}
    return _replaced(draft, edit_tokens(draft.text, change, found))


def nbsp_between_tokens(draft: Draft, rng: random.Random) -> Draft | None:
    """No-break spaces around some operators."""
    if not _plain(draft):
        return None
    found, starts, spots = tokens(draft.text), offsets(draft.text), []
    for one, two in itertools.pairwise(found):
        if one.end[0] == two.start[0] and two.start[1] - one.end[1] == 1 and two.type != tokenize.COMMENT:
            spots.append(starts[one.end[0] - 1] + one.end[1])
    if not spots:
        return None
    chars = list(draft.text)
    space = rng.choice(("\u00a0", "\u202f", "\u2009", "\u3000"))
    for at in rng.sample(spots, max(1, len(spots) // 3)):
        chars[at] = space
    return _replaced(draft, "".join(chars))


def _indent_with(draft: Draft, space: str) -> Draft | None:
    if not _plain(draft):
        return None
    # Whether those in strings are meant nobody can tell: of whatever part of the program is taken.
    kept = [_with_indents(text, space, strings_only=True) for text in draft.accepted if compiles(text)]
    accepted = tuple(dict.fromkeys((*draft.accepted, *kept)))
    text = _with_indents(draft.text, space)
    return replace(draft, text=text, accepted=accepted) if text != draft.text else None


def _with_indents(code: str, space: str, *, strings_only: bool = False) -> str:
    """Other blanks before the lines, or before those that begin inside a string."""
    inside, out = lines_in_strings(code), []
    for number, line in enumerate(code.split("\n")):
        rest = line.lstrip(" ")
        other = space * (len(line) - len(rest)) + rest
        out.append(other if number in inside or not strings_only else line)
    return "\n".join(out)


def nbsp_indentation(draft: Draft, rng: random.Random) -> Draft | None:
    """Copied from a web page: the indentation is of no-break spaces."""
    return _indent_with(draft, "\u00a0")


def ideographic_indentation(draft: Draft, rng: random.Random) -> Draft | None:
    """The indentation is of wide or narrow Unicode spaces."""
    return _indent_with(draft, rng.choice(("\u3000", "\u2003", "\u2002", "\u205f")))


def zero_width(draft: Draft, rng: random.Random) -> Draft | None:
    """Zero-width characters between tokens and at the ends of lines."""
    if not _plain(draft):
        return None
    found, starts = tokens(draft.text), offsets(draft.text)
    spots = sorted(
        {starts[token.end[0] - 1] + token.end[1] for token in found if token.type != tokenize.COMMENT}
    )
    text, char = draft.text, rng.choice(ZERO_WIDTH)
    for at in sorted(rng.sample(spots, max(1, len(spots) // 10)), reverse=True):
        text = text[:at] + char + text[at:]
    return _replaced(draft, text)


def line_separators(draft: Draft, rng: random.Random) -> Draft | None:
    """U+2028 for some ends of lines."""
    if not _plain(draft) or "#" in draft.text:
        return None
    inside, lines = lines_in_strings(draft.text), draft.text.split("\n")
    if inside or len(lines) < 3:
        return None
    ends = [rng.choice(("\n", "\n", "\u2028")) for _ in lines]
    ends[0] = "\u2028"
    text = "".join(line + end for line, end in zip(lines[:-1], ends, strict=False)) + lines[-1]
    return _replaced(draft, text)


def nul_bytes(draft: Draft, rng: random.Random) -> Draft | None:
    """NUL at the end, or at the ends of some lines."""
    if rng.random() < 0.5:
        return _replaced(draft, draft.text + "\0" * rng.choice((1, 3)))
    if not _plain(draft):
        return None
    inside, lines = lines_in_strings(draft.text), draft.text.split("\n")
    dirty = [
        line + ("\0" if number + 1 not in inside and line.strip() and rng.random() < 0.3 else "")
        for number, line in enumerate(lines)
    ]
    return _replaced(draft, "\n".join(dirty))


def ansi_colours(draft: Draft, rng: random.Random) -> Draft | None:
    """A terminal's colours around keywords and strings."""
    if not _plain(draft):
        return None
    found = tokens(draft.text)
    change = {
        i: f"\x1b[{rng.choice(('32', '1;34', '38;5;214'))}m{token.string}\x1b[0m"
        for i, token in enumerate(found)
        if token.type == tokenize.STRING
        or token.string in {"def", "class", "return", "import", "for", "if", "print"}
    }
    return _replaced(draft, edit_tokens(draft.text, change, found))


def html_entities(draft: Draft, rng: random.Random) -> Draft | None:
    """The code went through an HTML escape."""
    text = html.escape(draft.text, quote=rng.random() < 0.7)
    return _replaced(draft, text if rng.random() < 0.7 else text.replace("&#x27;", "&#39;"))


def markdown_escapes(draft: Draft, rng: random.Random) -> Draft | None:
    """Unfenced code with the underscores and asterisks escaped."""
    if re.search(r"\\[_*]", draft.text) or "\\\n" in draft.text:
        return None
    return _replaced(draft, re.sub(r"([_*])", r"\\\1", draft.text))


DIRT: tuple[Dirt, ...] = (
    *(
        normalising(make.__name__, Stage.CHARACTERS, make)
        for make in (
            smart_quotes, typographic_operators, nbsp_between_tokens, nbsp_indentation,
            ideographic_indentation, zero_width, line_separators, nul_bytes, ansi_colours,
        )
    ),
    lossless("html_entities", Stage.CHARACTERS, html_entities),
    lossless("markdown_escapes", Stage.CHARACTERS, markdown_escapes),
)  # fmt: skip
