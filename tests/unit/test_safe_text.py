"""Hostile text on terminals and in file names."""

import re

import pytest

from evaluator.safe_text import Names, clip, file_name, for_terminal, one_line, visible

RESERVED = ["CON", "nul", "aux.txt", "COM1", "lpt9.tar.gz"]
HOSTILE = [
    "../x",
    "..",
    ".",
    "",
    "a/b",
    "a\\b",
    "/etc/passwd",
    "x" * 300,
    "\u202egnp.exe",
    "name\x00.py",
    "dots...",
    " sp ",
    "~",
    "a:b",
    "\ud800",
    *RESERVED,
]


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[2J",
        "\x1b[31m",
        "\x1b[?25l",
        "\x9b31m",
        "\x1b]0;title\x07",
        "\x1b]8;;http://x\x1b\\",
        "\x1bP+q\x1b\\",
        "\x1bc",
        "\x1b(0",
        "\x9d0;t\x9c",
    ],
)
def test_terminal_sequences_vanish(sequence: str) -> None:
    """Colours, cursor moves, titles and links are dropped whole."""
    assert for_terminal(f"a{sequence}b") == "ab"


@pytest.mark.parametrize("text", ["\x1b", "\x1b[", "\x1b]never ended", "\x1b\x1b[1m", "\x9b"])
def test_broken_sequences_leave_nothing_that_acts(text: str) -> None:
    """An unfinished sequence must not swallow the terminal either."""
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", for_terminal(text + "\n\tnext"))


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("\u202e", "\\u202e"),
        ("\u2066", "\\u2066"),
        ("\u200b", "\\u200b"),
        ("\x07", "\\x07"),
        ("\r", "\\x0d"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud83d", "\\ud83d"),
        ("\ufeff", "\\ufeff"),
        ("\u2028", "\\u2028"),
    ],
)
def test_hidden_characters_are_written_as_escapes(hidden: str, shown: str) -> None:
    """Direction marks, invisible characters and controls are seen instead of obeyed."""
    assert visible(f"a{hidden}b") == f"a{shown}b"


def test_ordinary_text_stays() -> None:
    """Newlines, tabs, accents, other scripts and emoji are left alone."""
    text = "def f():\n\treturn 'žluťoučký 名前 🙂'\n"

    assert visible(text) == text
    assert visible("a\r\nb") == "a\nb"


def test_one_line_is_one_bounded_line() -> None:
    """Line breaks become spaces and length has a bound, also for a very long text."""
    assert one_line("a\n\n  b\x1b[1m\tc") == "a b c"
    assert len(one_line("x y " * 10**6, limit=50)) == 50
    assert clip("abcdef", 4) == "abc…"


@pytest.mark.parametrize("text", HOSTILE)
def test_file_names_are_safe_everywhere(text: str) -> None:
    """A name holds no separator, no leading dot and no device name, and has a bounded length."""
    name = file_name(text)

    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._~-]*", name)
    assert len(name) <= 80
    assert name[-1] not in ". "
    assert name.split(".")[0].casefold() not in {"con", "nul", "aux", "com1", "lpt9"}


def test_plain_names_stay() -> None:
    """A name that is safe already is kept as it is."""
    assert file_name("qwen2.5-coder_7b") == "qwen2.5-coder_7b"


def test_different_texts_have_different_names() -> None:
    """Hostile names do not fall together, not even where case does not count."""
    names = Names("index.json")
    texts = [*HOSTILE, "Model", "model", "MODEL", "index.json", "a_b", "\uff41_b"]

    given = [names(text) for text in texts]

    assert len({name.casefold() for name in given}) == len(set(texts))
    assert "index.json" not in given
    assert names("Model") == given[texts.index("Model")]


def test_a_name_that_imitates_a_hash_does_not_take_its_place() -> None:
    """A text that equals the safe name of another gets a name of its own."""
    names = Names()
    first = names("../x")

    assert names(first) != first
