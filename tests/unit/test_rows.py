"""Reading samples: every shape that is known, and every broken row by its place, losing no other."""

import gzip
import io
import json
import os

import pytest

from evaluator.errors import UsageProblem
from evaluator.scoring import samples
from evaluator.scoring.rows import BadRow, Row, read_rows
from evaluator.scoring.samples import read_samples

TESTS = "from solution import f"


def rows(source):
    return list(read_rows(read_samples(str(source))))


def write(path, *lines):
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def test_lines_of_every_kind(tmp_path):
    """A row brings a solution, a completion or a reply; ids stay what they are; blank lines are none."""
    path = write(
        tmp_path / "s.jsonl",
        {"id": 7, "solution": "s", "tests": TESTS},
        "\n",
        {"id": "c", "completion": "c", "prompt": "p", "task_id": 11},
        {"reply": "r\ud800", "task_id": "b/t", "entry_point": ["f", "g"], "finish_reason": "length"},
    )
    first, second, third = rows(path)

    assert (first.id, first.solution, first.tests, first.spot.line) == (7, "s", TESTS, 1)
    assert (second.id, second.completion, second.prompt, second.task_id) == ("c", "c", "p", "11")
    assert (second.spot.line, second.spot.index) == (3, 1)
    assert (third.id, third.reply, third.entry_point) == ("b/t#2", "r\ufffd", ("f", "g"))
    assert third.truncated


def test_the_text_nearest_to_a_script_counts(tmp_path):
    """Of solution, completion and reply, in this order, one is kept."""
    both = {"solution": "s", "completion": "c", "reply": "r"}
    path = write(tmp_path / "s.jsonl", both, {**both, "solution": None})
    first, second = rows(path)

    assert (first.solution, first.completion, first.reply) == ("s", None, None)
    assert (second.solution, second.completion, second.reply) == (None, "c", None)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("not json\n", "line 1: not JSON"),
        (b'{"solution": "\xff"}\n', "line 1: not UTF-8"),
        ('{"x":' * 100_000 + "\n", "JSON that cannot be read"),
        ("9" * 5000 + "\n", "JSON that cannot be read"),
        ("5\n", "this is a number"),
        ('{"id": "x"}\n', "no code"),
        ('{"solution": 5}\n', "`solution` is a number, not text"),
        ('{"solution": "", "tests": []}\n', "`tests` is a list, not text"),
        ('{"solution": "", "id": 1.5}\n', "`id` is a number"),
        ('{"solution": "", "id": true}\n', "`id` is true or false"),
        ('{"solution": "", "task_id": {}}\n', "`task_id` is an object"),
        ('{"solution": "", "entry_point": [1]}\n', "`entry_point` is neither"),
        ('{"code_list": [1], "question_id": "q"}\n', "line 1, sample 0: `solution` is a number"),
    ],
)
def test_a_broken_row_is_named_and_loses_no_other(tmp_path, line, why):
    """What is wrong is said with its place; the next row is read."""
    path = tmp_path / "s.jsonl"
    path.write_bytes((line if isinstance(line, bytes) else line.encode()) + b'{"id": "n", "solution": ""}\n')
    bad, good = rows(path)

    assert isinstance(bad, BadRow)
    assert why in bad.why
    assert (good.id, good.spot.line, good.spot.index) == ("n", 2, 1)


def test_an_overlong_line_is_skipped_unread(tmp_path, monkeypatch):
    """A line past the bound is refused, and the next one starts where it ends."""
    monkeypatch.setattr(samples, "MAX_ROW", 100)
    path = write(tmp_path / "s.jsonl", {"solution": "x" * 300_000}, {"id": "n", "solution": ""})
    bad, good = rows(path)

    assert "longer than 100 bytes" in bad.why
    assert (good.id, good.spot.line) == ("n", 2)


def test_an_id_counts_once(tmp_path):
    """The second row of an id is broken; a number and its text are two ids; rows without ids never clash."""
    row = {"solution": ""}
    path = write(tmp_path / "s.jsonl", {**row, "id": 1}, {**row, "id": "1"}, row, row, {**row, "id": 1})
    *good, bad = rows(path)

    assert all(isinstance(item, Row) for item in good)
    assert bad.why == "line 5: the id 1 was there before"


def test_packed_lines(tmp_path):
    """A .gz file is read like the file in it; one that was cut off is a fault of the whole."""
    path = tmp_path / "s.jsonl.gz"
    packed = gzip.compress(b"".join(b'{"solution": "%d"}\n' % number for number in range(9999)))
    path.write_bytes(packed)

    assert len(rows(path)) == 9999
    path.write_bytes(packed[:-100])
    with pytest.raises(UsageProblem, match="cannot be read"):
        rows(path)


@pytest.mark.parametrize("chunk", [1, 3, 1 << 16])
@pytest.mark.parametrize("pretty", [None, 2])
def test_lists_of_samples(tmp_path, monkeypatch, chunk, pretty):
    """A JSON list is read element by element, wherever a read ends; `code_list` gives a row each."""
    monkeypatch.setattr(samples, "_CHUNK", chunk)
    elements = [
        {"question_id": "q1", "code_list": ["a", "é\\n"]},
        {"question_id": 2, "code_list": ["b"]},
        {"id": "x", "solution": "]} [,"},
        12345,
    ]
    path = tmp_path / "s.json"
    path.write_text("\ufeff \n" + json.dumps(elements, indent=pretty, ensure_ascii=False) + "\n")
    found = rows(path)

    assert [row.id for row in found] == ["q1/0", "q1/1", "2/0", "x", None]
    assert [row.solution for row in found[:4]] == ["a", "é\\n", "b", "]} [,"]
    assert [row.task_id for row in found[:3]] == ["q1", "q1", "2"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[{"solution": ""}', "the list ends in the middle"),
        ('[{"solution": ""} {"solution": ""}]', "no comma"),
        ('[{"solution": ""}, {"solution": nope}]', "not JSON"),
        ('[{"solution": ""}, ' + "[" * 100_000, "cannot be read"),
    ],
)
def test_a_broken_list_keeps_what_came_before(tmp_path, text, why):
    """What stands before the fault is judged; the fault is one broken row."""
    path = tmp_path / "s.json"
    path.write_text(text)
    good, bad = rows(path)

    assert good.solution == ""
    assert why in bad.why
    assert "cannot be read on" in bad.why


def test_an_overlong_element_ends_the_list(tmp_path, monkeypatch):
    """No more than the bound is ever held of one element."""
    monkeypatch.setattr(samples, "MAX_ROW", 1000)
    path = tmp_path / "s.json"
    path.write_text(json.dumps([{"solution": "x" * 500_000}]))
    (bad,) = rows(path)

    assert "longer than 1000 characters" in bad.why


def test_folders(tmp_path):
    """TASK/{n}.py: numbers in their order, nested folders too; strays, links and other files are no samples."""
    for name in (
        "HumanEval_0/10.py",
        "HumanEval_0/9.py",
        "basics/clock/0.py",
        "stray.py",
        "HumanEval_0/x.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"# {name}")
    (tmp_path / "HumanEval_0" / "link.py").symlink_to("/etc/passwd")
    (tmp_path / "basics" / "clock" / "1.py").write_bytes(b"\xff")
    found = {row.spot.place: row for row in rows(tmp_path)}

    assert list(found) == [
        "basics/clock/0.py",
        "basics/clock/1.py",
        "stray.py",
        "HumanEval_0/9.py",
        "HumanEval_0/10.py",
    ]
    clock = found["basics/clock/0.py"]
    assert (clock.id, clock.task_id, clock.solution) == (
        "basics/clock/0",
        "basics/clock",
        "# basics/clock/0.py",
    )
    assert "not UTF-8" in found["basics/clock/1.py"].why
    assert "no task's folder" in found["stray.py"].why


@pytest.mark.parametrize("content", ["", "\n\n", "[]", " [ ] "])
def test_no_samples_at_all(tmp_path, content):
    """A source without a single row is a fault of the whole."""
    path = tmp_path / "s.jsonl"
    path.write_text(content)

    with pytest.raises(UsageProblem, match="holds no samples"):
        rows(path)


def test_standard_input_is_read_as_it_comes(monkeypatch):
    """The first row is there before the second was written."""
    reader, writer = os.pipe()
    monkeypatch.setattr(
        samples, "_buffered", lambda _source, stack: stack.enter_context(os.fdopen(reader, "rb"))
    )
    with os.fdopen(writer, "wb", buffering=0) as sink:
        sink.write(b'{"id": 1, "solution": ""}\n')
        found = read_rows(read_samples("-"))
        assert next(found).id == 1
        sink.write(b'{"id": 2, "solution": ""}\n')

    assert [row.id for row in found] == [2]


def test_elements_are_parsed_in_linear_time():
    """A long element is not parsed again for every little piece that is read of it."""

    class Counting(samples._ListReader):
        fills = 0

        def _fill(self):
            self.fills += 1
            super()._fill()

    text = json.dumps([{"solution": "x" * (8 << 20)}]).encode()
    reader = Counting(io.BytesIO(text))
    assert reader.more()
    reader.element()

    assert reader.fills <= 12
