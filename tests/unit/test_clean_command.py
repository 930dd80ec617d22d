"""mendbench clean: code, one line of JSON, many lines, and the view side by side."""

import json

import pytest
from click.testing import CliRunner

from evaluator.cli import group

CODE = "def add(a, b):\n    return a + b\n"
REPLY = f"Here it is:\n\n```python\n{CODE}```\nBye \x1b[31mred\x1b[0m \u202e.\n"


def clean(*args, **options):
    """Run the command."""
    return CliRunner().invoke(group, ["clean", *args], standalone_mode=False, **options)


@pytest.fixture
def file(tmp_path):
    """A reply in a file."""
    path = tmp_path / "reply.txt"
    path.write_text(REPLY, encoding="utf-8")
    return str(path)


def test_the_code_goes_to_standard_output(file):
    """Nothing but the code, to the byte."""
    assert clean(file).stdout == CODE
    assert clean("-", input=REPLY).stdout == CODE


def test_one_line_of_json(file):
    """All that is known of it, with rules, classes and spans."""
    line = json.loads(clean(file, "--json").stdout)

    assert (line["outcome"], line["code"], line["rules"], line["compiles"]) == (
        "cleaned",
        CODE,
        ["fence"],
        True,
    )
    assert line["compiled_by"].startswith("host (Python 3.")
    assert line["edits"][0]["kind"] == "lossless"
    assert [REPLY[start:end] for start, end in line["spans"]] == [CODE.rstrip("\n")]


def test_no_code_says_why(file):
    """Exit code 1, and the reason on standard error."""
    result = clean("-", input="I'm sorry, I cannot help with that.")

    assert (result.return_value, result.stdout) == (1, "")
    assert "refusal" in result.stderr


def test_the_view_shows_what_was_dropped_and_steers_nothing(file):
    """Signs tell dropped lines from kept ones; what could steer a terminal is written out."""
    text = clean(file, "--explain").stdout

    rows = [line for line in text.splitlines() if line.startswith("│")]
    signs = {line.split("│")[2].strip(): line[1] for line in rows}
    assert signs["def add(a, b):"] == " "
    assert signs["Here it is:"] == signs["```python"] == "-"
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\u202e" in text
    assert "lossless    fence (python)" in text


def test_invented_lines_are_marked():
    """An import that the reply does not have stands on the right alone."""
    text = clean("-", "--explain", input="def area(r):\n    return math.pi * r * r\n").stdout

    (row,) = [line for line in text.splitlines() if "import math" in line and line.startswith("│")]
    assert row[1] == "+"
    assert "lossy       missing_imports (import math)" in text


def test_many_replies(tmp_path):
    """One line for each row; a row that is none is named and costs no other."""
    rows = [
        {"id": "a", "reply": REPLY, "entry_point": "add"},
        {"id": "b", "reply": "    return a + b\n", "prompt": "def add(a, b):\n", "entry_point": "add"},
        {"id": "c"},
        {
            "id": "d",
            "reply": "from adder import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n",
            "kind": "tests",
        },
    ]
    source, out = tmp_path / "replies.jsonl", tmp_path / "cleaned.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    result = clean(str(source), "--jsonl", "--out", str(out), "--workers", "2")
    lines = {line["id"]: line for line in map(json.loads, out.read_text().splitlines())}

    assert result.return_value == 2
    assert {row_id: line["outcome"] for row_id, line in lines.items()} == {
        "a": "cleaned", "b": "lossy", "c": "invalid_row", "d": "cleaned"
    }  # fmt: skip
    assert lines["b"]["code"] == CODE
    assert lines["d"]["code"].startswith("from solution import add\n")
    assert "no `reply`" in lines["c"]["error"]


def test_explain_is_for_one_reply(file):
    """Two wishes that do not go together are refused."""
    result = clean(file, "--jsonl", "--explain")

    assert "one reply" in str(result.exception)
