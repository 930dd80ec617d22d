"""The corpus itself: its programs are sound, its dirt is dirt, and what it expects is right by its own account."""

import html
import json
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from perf.cleaning.ask import Answer
from perf.cleaning.judge import Mark, judge
from tests.corpus.code_tools import simple, statements, wrong_version
from tests.corpus.dirt import characters, lines, nothing
from tests.corpus.draft import Grade, Stage, names_of, same_layout, tree
from tests.corpus.golds import SUITES, golds
from tests.corpus.table import ALONE, CLEAN, DIRT, clean_cases, make, single_cases, stacked_cases

ROOT = Path(__file__).resolve().parents[2]
SEED = 7
BY_NAME = {dirt.name: dirt for dirt in DIRT}


@pytest.fixture(scope="module")
def singles():
    """Every class of dirt on every program, once."""
    return list(single_cases(SEED))


@pytest.fixture(scope="module")
def stacks():
    """Some stacks of two and three."""
    return [*stacked_cases(SEED, 2, 300), *stacked_cases(SEED, 3, 300)]


def test_golds_are_many_different_programs_that_compile():
    """At least 60 programs, each compiles, no two share a syntax tree."""
    trees = {gold.name: tree(gold.code) for gold in golds()}

    assert len(trees) >= 60
    assert [name for name, found in trees.items() if found is None] == []
    assert len(set(trees.values())) == len(trees)


def test_golds_are_kept_byte_for_byte():
    """Line ends, tabs and form feeds that the programs are there for are still in the files."""
    codes = {gold.name: gold.code for gold in golds()}

    assert codes["crlf_counter"].count("\r\n") == codes["crlf_counter"].count("\n") > 5
    assert "\n\treturn" in codes["fib_tabs"]
    assert "\x0c" in codes["form_feed_sections"]
    assert not codes["no_final_newline"].endswith("\n")
    assert "\u2028" in codes["odd_whitespace_in_strings"]
    assert "   \n" in codes["trailing_spaces"]
    assert codes["fences_at_column_zero"].count("\n```") == 4


def test_golds_say_what_was_asked_for():
    """A required name is defined by its program; suites ask for none."""
    for gold in golds():
        assert set(gold.asked.required) <= set(names_of(gold.code))
        assert (gold.asked.kind == "tests") == (gold.name in SUITES)


def test_classes_have_names_of_their_own():
    """The tables count by name."""
    assert len(BY_NAME) == len(DIRT) > 100


def test_every_class_happens_to_some_program(singles):
    """No class of dirt is dead."""
    assert {case.dirt[0] for case in singles} == set(BY_NAME)


def test_every_class_changes_the_text(singles):
    """A dirty reply is never the program itself."""
    code = {gold.name: gold.code for gold in golds()}

    assert [case.id for case in singles if case.text == code[case.gold]] == []


def test_same_seed_makes_the_same_replies(singles, stacks):
    """Another process, with other hashes, makes the same corpus."""
    program = (
        "import sys; from tests.corpus.table import *; from tests.corpus.test_corpus import SEED, digest; "
        "print(digest([*single_cases(SEED), *stacked_cases(SEED, 2, 300), *stacked_cases(SEED, 3, 300)]))"
    )
    argv = [sys.executable, "-c", program]
    env = {"PYTHONHASHSEED": "4242"}
    found = subprocess.run(argv, cwd=ROOT, env=env, check=True, capture_output=True, text=True, timeout=120)

    assert found.stdout.strip() == digest([*singles, *stacks])


def test_another_seed_makes_other_replies():
    """The seed reaches the dirt."""
    one, two = (list(stacked_cases(seed, 2, 50)) for seed in (1, 2))

    assert digest(one) != digest(two)


def test_stacks_have_their_depth(stacks):
    """So many different classes, in the order of their stages."""
    for case in stacks:
        stages = [BY_NAME[name].stage for name in case.dirt]

        assert len(set(case.dirt)) in {2, 3}
        assert stages == sorted(stages)
        assert not set(case.dirt) & ALONE


def test_what_is_expected_compiles(singles, stacks):
    """A careful person takes programs."""
    wrong = [case.id for case in (*singles, *stacks) for text in case.accepted if tree(text) is None]

    assert wrong == []


def test_there_is_an_answer_unless_nothing_is_expected(singles, stacks):
    """Only the classes without an answer, and lossy ones, let a cleaner hand back nothing."""
    for case in (*singles, *stacks):
        if set(case.dirt) & ALONE:
            assert case.none_is_fine
            assert case.accepted == ()
        elif case.grade is not Grade.LOSSY:
            assert case.accepted
            assert not case.none_is_fine
            assert not case.broken_is_fine


def test_what_stands_around_leaves_the_program_as_it_is(singles):
    """Prose, blocks, reasoning and roles put nothing into the program: it is in the reply, letter for letter."""
    around = {d.name for d in DIRT if d.stage in {Stage.AROUND, Stage.TURN} and d.name not in ALONE}
    wrong = [c.id for c in singles if c.dirt[0] in around and c.accepted[0].rstrip() not in c.text]

    assert wrong == []


UNDO = {
    "html_entities": html.unescape,
    "markdown_escapes": lambda text: re.sub(r"\\([_*])", r"\1", text),
    "zero_width": lambda text: re.sub(f"[{''.join(characters.ZERO_WIDTH)}]", "", text),
    "nul_bytes": lambda text: text.replace("\0", ""),
    "ansi_colours": lambda text: re.sub(r"\x1b\[[0-9;]*m", "", text),
    "line_separators": lambda text: text.replace("\u2028", "\n"),
    "smart_quotes": lambda text: text.translate(str.maketrans("\u201c\u201d\u2018\u2019", "\"\"''")),
    "nbsp_between_tokens": lambda text: re.sub("[\u00a0\u202f\u2009\u3000]", " ", text),
    "line_numbers": lambda text: re.sub(r"(?m)^ *\d+(?:: |[.] | \| |  |\t|\u2192|[:.|]| \||$)", "", text),
    "quoted_lines": lambda text: re.sub(r"(?m)^> ?", "", text),
    "plus_on_every_line": lambda text: re.sub(r"(?m)^\+", "", text),
    "new_file_diff": lambda text: re.sub(r"(?m)^\+", "", text.split(" @@\n", 1)[1]),
    "json_string": json.loads,
    "escaped_newlines": lambda text: text.replace("\\n", "\n").replace("\\t", "\t"),
    "crlf": lambda text: text.replace("\r\n", "\n"),
    "byte_order_mark": lambda text: text[1:],
    "language_line": lambda text: text.split("\n", 1)[1],
    "fence": lambda text: text.removeprefix("```python\n").removesuffix("```"),
}
HOLDS_THE_MARKS = {
    "odd_whitespace_in_strings": {"zero_width", "nbsp_between_tokens", "line_separators"},
    "heavy_unicode": {"zero_width", "smart_quotes"},
}
"""Programs in which the characters of a class stand by right, so that undoing blindly goes too far."""


@pytest.mark.parametrize("name", UNDO)
def test_undoing_a_class_gives_the_program(singles, name):
    """What one knows of how a class is made leads back to what it expects."""
    cases = [c for c in singles if c.dirt[0] == name and name not in HOLDS_THE_MARKS.get(c.gold, ())]

    assert cases
    assert [case.id for case in cases if not same_layout(UNDO[name](case.text), case.accepted[0])] == []


def test_tabs_and_marks_of_lossy_classes_are_said(singles):
    """A class that leaves a person to guess is graded so."""
    lossy = {case.dirt[0] for case in singles if case.grade is Grade.LOSSY}

    assert lossy == {
        "body_only", "python_two_print", "cut_in_code", "bare_twice_then_cut", "notebook_magics",
    }  # fmt: skip


def test_statements_joined_are_the_program():
    """Cutting at statements loses nothing."""
    for gold in golds():
        if simple(gold.code):
            assert "\n".join(statements(gold.code)) == gold.code


def test_judge_knows_right_from_wrong():
    """Every program as its own answer is exact; a plausible mistake is harm, or lossy where that is said."""
    import random

    checked = 0
    for case in clean_cases():
        assert case.dirt == (CLEAN,)
        assert judge(case, Answer(code=case.text)) is Mark.EXACT
        assert judge(case, Answer()) is Mark.NONE
        assert judge(case, Answer(code="def (")) is Mark.BROKEN
        assert judge(case, Answer(error="died")) is Mark.CRASH
        wrong = wrong_version(case.text, random.Random(1))
        if wrong:
            checked += 1
            assert judge(case, Answer(code=wrong)) is Mark.HARM
            assert judge(case, Answer(code=wrong, lossy=True)) is Mark.LOSSY
    assert checked > 40


def test_judge_sees_a_lost_comment():
    """A comment that is gone is no other program, but it is not exact."""
    gold = next(each for each in golds() if each.name == "prose_like_comments")
    case = make(gold, (BY_NAME["fence"],), SEED)
    without = "".join(line + "\n" for line in gold.code.split("\n") if not line.startswith("#"))

    assert judge(case, Answer(code=without)) is Mark.LAYOUT
    assert judge(case, Answer(code="\n" + gold.code.replace("\n", "\r\n"))) is Mark.EXACT


def test_judge_wants_nothing_where_there_is_nothing(singles):
    """Code out of a reply without an answer is harm."""
    empty = [case for case in singles if case.dirt[0] == nothing.refusal.__name__]

    assert empty
    for case in empty:
        assert judge(case, Answer()) is Mark.EXACT
        assert judge(case, Answer(code="Sure")) is Mark.HARM


def test_marks_of_lines_are_in_the_table():
    """The modules hand over all they have."""
    assert {dirt.name for dirt in (*lines.DIRT, *characters.DIRT)} <= set(BY_NAME)


def digest(cases):
    """A fingerprint of replies and of what is expected of them."""
    whole = sha256()
    for case in cases:
        whole.update(repr((case.id, case.text, case.accepted, case.asked)).encode("utf-8", "surrogatepass"))
    return whole.hexdigest()
