"""The text of docs/cleaning.md, from the table of rules alone."""

from collections.abc import Iterator

from repair.cleaning.rule_examples import Example
from repair.cleaning.rules import RULES, Rule, Stage

_HEAD = """\
# Cleaning replies

Made by `python -m repair.cleaning > docs/cleaning.md`; a test compares the two.

A reply is cleaned before it is run, because the way in which code is taken out of replies decides scores
as much as models do. Every rule is small, has a name and a class, and is on record with each reply on
which it fired: where in the reply, and how many characters it dropped.

| class | what it may do |
|---|---|
| `lossless` | what a person would have taken out of the reply |
| `normalising` | changes characters that cannot be valid where they stand |
| `lossy` | drops or invents code: an outcome of its own, never counted with the others |

What compiles as it came is kept to the byte, unless a name of the standard library is used and never
imported. Candidates are made by the rules and ranked with `compile()` as the judge: code that compiles
and defines what is required, then agreement with the signature in the prompt, then a fence's promise of
Python, then the gentlest edits, then the last one (without required names: the largest, or its later
correction). The work is linear in the size of the reply. `compile()` on the host only ranks; the
sandbox's decides.

All parsing happens in a child process that may be killed (256 KiB, 10,000 lines, 200 brackets deep, 100
levels of indentation, 1,000 operators in a row); one that dies or is late is replaced, and the reply is
cut at its fences by text alone. `mendbench clean FILE --explain` shows what was done to a reply.

| outcome | meaning |
|---|---|
| `raw` | the reply is the script |
| `cleaned` | lossless and normalising edits only |
| `lossy` | at least one edit dropped or invented code |
| `unparsable` | code was found that does not compile; it goes to the sandbox as it is |
| `no_code` | no answer; the reason says `refusal`, `other_language`, `reasoning_unfinished`, … |
| `llm_cleaned` | a model mended the form |

Some things are seen and left alone: `redefined: f` (the last definition counts), `runs_at_import`,
`reads_input`, `another_name: f` (the one public function has not the name that was asked for).
"""


def guide() -> str:
    """All of docs/cleaning.md."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for stage in Stage:
        yield f"## {stage[0].upper()}{stage[1:]}\n"
        yield from (_section(rule) for rule in RULES if rule.stage is stage)


def _section(rule: Rule) -> str:
    kinds = " or ".join(str(kind) for kind in rule.kinds)
    parts = [f"### `{rule.name}` ({kinds})\n", f"{rule.says}\n"]
    if rule.example.shown:
        parts += list(_example(rule.example))
    return "\n".join(parts)


def _example(example: Example) -> Iterator[str]:
    asked = []
    if example.prompt:
        asked.append(f"the prompt {example.prompt!r}")
    if example.subject:
        asked.append(f"the script under test {example.subject!r}")
    if example.kind == "tests":
        asked.append("tests asked for")
    if asked:
        yield f"With {', '.join(asked)}:\n"
    yield _block(example.reply)
    yield "becomes\n"
    yield _block(example.code)


def _block(text: str) -> str:
    # Not labelled as Python: a formatter of documents must not touch it.
    return f"````text\n{text.rstrip()}\n````\n"
