"""Marks at the beginning of every line, and shifted indentation."""

import random
from dataclasses import replace

from tests.corpus.code_tools import lines_in_strings, simple, statements
from tests.corpus.draft import Dirt, Draft, Stage, lossless, lossy, normalising


def _lines(draft: Draft) -> list[str]:
    return draft.text.removesuffix("\n").split("\n")


def _prefixed(draft: Draft, marks: list[str], *, blank: bool = False) -> Draft:
    lines = [
        (mark if line else mark.rstrip() if not blank else mark) + line
        for mark, line in zip(marks, _lines(draft), strict=True)
    ]
    return replace(draft, text="\n".join(lines) + "\n")


def line_numbers(draft: Draft, rng: random.Random) -> Draft | None:
    """Every line is numbered, as an editor or a tool shows it."""
    lines = _lines(draft)
    if len(lines) < 2 or not draft.text.strip("\n"):
        return None
    shape = rng.choice(
        ("{0}: ", "{0:>{1}} | ", "{0:>{1}}  ", "{0}. ", "{0:0{1}}\t", "{0:>{1}}\u2192", "{0}|")
    )
    width = max(2, len(str(len(lines))))
    return _prefixed(draft, [shape.format(n, width) for n in range(1, len(lines) + 1)])


def repl_transcript(draft: Draft, rng: random.Random) -> Draft | None:
    """Typed into the interactive interpreter, perhaps with a call and what it said."""
    if not draft.pristine or not simple(draft.text) or not draft.text.strip():
        return None
    out: list[str] = []
    for part in statements(draft.text):
        lines = part.strip("\n").split("\n")
        out.append(">>> " + lines[0])
        out += [("... " + line) if line or rng.random() < 0.5 else "..." for line in lines[1:]]
        if lines[-1][:1] in {" ", "\t"}:
            out.append(rng.choice(("...", "... ")))
    accepted = draft.accepted
    if draft.name and rng.random() < 0.5:
        call = f"{draft.name}.__name__"
        out += [">>> " + call, repr(draft.name)]
        accepted = (*accepted, *(f"{text.rstrip(chr(10))}\n{call}\n" for text in accepted))
    return replace(draft, text="\n".join(out) + "\n", accepted=accepted, layout_free=True)


def new_file_diff(draft: Draft, rng: random.Random) -> Draft | None:
    """The answer as a patch that makes the file."""
    lines = _lines(draft)
    head = [
        f"diff --git a/solution.py b/solution.py\nnew file mode 100644\nindex 0000000..{rng.getrandbits(28):07x}\n",
        "",
    ]
    body = "".join(f"+{line}\n" for line in lines)
    text = f"{rng.choice(head)}--- /dev/null\n+++ b/solution.py\n@@ -0,0 +1,{len(lines)} @@\n{body}"
    return replace(draft, text=text)


def plus_on_every_line(draft: Draft, rng: random.Random) -> Draft | None:
    """A patch without its headers: each line has a plus."""
    return replace(draft, text="".join(f"+{line}\n" for line in _lines(draft)))


def full_context_diff(draft: Draft, rng: random.Random) -> Draft | None:
    """A patch whose one hunk shows the whole file: context, a removed line, added lines."""
    lines = _lines(draft)
    inside = lines_in_strings(draft.text) if draft.pristine and simple(draft.text) else set(range(len(lines)))
    spots = [i for i, line in enumerate(lines) if line.strip() and i not in inside and len(line) > 8]
    if len(spots) < 2:
        return None
    changed = set(rng.sample(spots, 1 + (len(spots) > 6)))
    body = []
    for number, line in enumerate(lines):
        if number in changed:
            body += [f"-{line.rstrip()}  # old", f"+{line}"]
        else:
            body.append(f" {line}")
    head = f"--- a/solution.py\n+++ b/solution.py\n@@ -1,{len(lines)} +1,{len(lines)} @@\n"
    return replace(draft, text=head + "\n".join(body) + "\n")


def quoted_lines(draft: Draft, rng: random.Random) -> Draft | None:
    """Every line is a quotation, as in mail."""
    return _prefixed(draft, ["> "] * len(_lines(draft)))


def uniform_indentation(draft: Draft, rng: random.Random) -> Draft | None:
    """All of the code is indented, as in a list or a string."""
    if not draft.pristine or "\t" in draft.text:
        return None
    return _prefixed(draft, [rng.choice(("    ", "  ", "        ", "\t", " "))] * len(_lines(draft)))


def first_line_indented(draft: Draft, rng: random.Random) -> Draft | None:
    """The tokenizer's leading space before the first line only."""
    if not draft.pristine or draft.text[:1].isspace() or draft.text[:1] in "#\"'":
        return None
    return replace(draft, text=rng.choice((" ", "  ")) + draft.text)


def first_line_not_indented(draft: Draft, rng: random.Random) -> Draft | None:
    """All of the code is indented but for the first line, whose blanks were stripped."""
    if not draft.pristine or "\t" in draft.text or len(_lines(draft)) < 3 or draft.text[:1].isspace():
        return None
    if not simple(draft.text) or lines_in_strings(draft.text) or draft.text[:1] in "#@":
        return None
    rest = ["    " + line if line.strip() else line for line in _lines(draft)[1:]]
    return replace(draft, text="\n".join([_lines(draft)[0], *rest]) + "\n", layout_free=True)


def _retabbed(draft: Draft, width: int, rng: random.Random) -> Draft | None:
    if not draft.pristine or not simple(draft.text) or "\t" in draft.text:
        return None
    inside, out, changed = lines_in_strings(draft.text), [], 0
    for number, line in enumerate(draft.text.split("\n")):
        depth = (len(line) - len(line.lstrip(" "))) // width
        if depth and number not in inside and rng.random() < 0.5:
            out.append("\t" * depth + line[depth * width :])
            changed += 1
        else:
            out.append(line)
    return replace(draft, text="\n".join(out), layout_free=True) if changed else None


def tabs_for_eight(draft: Draft, rng: random.Random) -> Draft | None:
    """Some lines have a tab for eight blanks, as old editors do."""
    return _retabbed(draft, 8, rng)


def tabs_for_four(draft: Draft, rng: random.Random) -> Draft | None:
    """Some lines have a tab for four blanks."""
    return _retabbed(draft, 4, rng)


def notebook_prompts(draft: Draft, rng: random.Random) -> Draft | None:
    """IPython's prompts, one statement a cell."""
    if not draft.pristine or not simple(draft.text) or not draft.text.strip():
        return None
    lines = draft.text.split("\n")
    if any(lines[number].endswith(" ") for number in lines_in_strings(draft.text)):
        return None  # blanks at ends of lines are lost here, and nobody could say that they were there
    out = []
    for number, part in enumerate(statements(draft.text), 1):
        lines = part.strip("\n").split("\n")
        dots = "   ...: ".rjust(len(f"In [{number}]: "))
        out.append(
            "\n".join([f"In [{number}]: {lines[0]}", *((dots + line).rstrip(" ") for line in lines[1:])])
        )
    return replace(draft, text="\n\n".join(out) + "\n", layout_free=True)


def notebook_magics(draft: Draft, rng: random.Random) -> Draft | None:
    """A cell that begins with magics or shell commands."""
    head = rng.choice(
        ("%matplotlib inline\n", "!pip install -q numpy\n\n", "%load_ext autoreload\n%autoreload 2\n\n")
    )
    return replace(draft, text=head + draft.text)


def writefile_magic(draft: Draft, rng: random.Random) -> Draft | None:
    """A cell that writes the file."""
    return replace(draft, text=rng.choice(("%%writefile solution.py\n", "%%file solution.py\n")) + draft.text)


def language_line(draft: Draft, rng: random.Random) -> Draft | None:
    """The label of a fence without the fence."""
    return replace(
        draft, text=rng.choice(("python\n", "Python\n", "py\n", "python3\n", "python\n\n")) + draft.text
    )


_LOSSLESS = (
    line_numbers, repl_transcript, new_file_diff, plus_on_every_line, full_context_diff, quoted_lines,
    uniform_indentation, first_line_indented, first_line_not_indented, notebook_prompts, writefile_magic,
    language_line,
)  # fmt: skip
DIRT: tuple[Dirt, ...] = (
    *(lossless(make.__name__, Stage.LINES, make) for make in _LOSSLESS),
    normalising("tabs_for_eight", Stage.LINES, tabs_for_eight),
    normalising("tabs_for_four", Stage.LINES, tabs_for_four),
    lossy("notebook_magics", Stage.LINES, notebook_magics),
)
