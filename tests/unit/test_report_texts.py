"""summary.json, report.md, junit.xml and the terminal table."""

import dataclasses
import io
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from evaluator.report.html import html_report
from evaluator.report.junit import junit_report
from evaluator.report.markdown import escape, markdown_report
from evaluator.report.summary import summarise, write_reports
from evaluator.report.table import final_table
from evaluator.runs.rundata import RunData
from repair.llm import Arm, Sampling
from repair.outcome import Verdict
from sandbox.types import Level, TestOutcome, TestRecord

P, F = Verdict.PASSED, Verdict.TESTS_FAILED

EVIL = "<img src=x>|[bold red]x[/]](http://x)`*_@you\x1b[2J\u202e\x00\x0bwww.x.org"


def printed(run: RunData, *, terminal: bool, width: int = 140) -> str:
    """Return what the table prints."""
    file = io.StringIO()
    final_table(run, Console(file=file, force_terminal=terminal, width=width, color_system=None))
    return file.getvalue()


def rates(value: Any) -> list[dict[str, Any]]:
    """Find every rate of a summary, however deep."""
    if isinstance(value, dict):
        found = [value] if "method" in value and "value" in value else []
        return found + [rate for item in value.values() for rate in rates(item)]
    return [rate for item in value for rate in rates(item)] if isinstance(value, list) else []


def test_every_rate_of_the_summary_has_counts_and_interval(demo_run: RunData) -> None:
    """No number without n, N and its interval, and the value lies inside."""
    found = rates(summarise(demo_run))

    assert len(found) > 100
    for rate in found:
        assert 0 <= rate["n"] <= rate["N"]
        if rate["value"] is not None:
            assert 0 <= rate["low"] <= rate["value"] <= rate["high"] <= 1


def test_the_summary_is_json_and_the_same_every_time(demo_run: RunData) -> None:
    """The summary survives JSON and does not depend on the order of the records."""
    summary = summarise(demo_run)
    shuffled = dataclasses.replace(
        demo_run,
        trajectories=tuple(reversed(demo_run.trajectories)),
        completions=dict(reversed(list(demo_run.completions.items()))),
    )

    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summarise(shuffled) == summary


def test_the_summary_counts_verdicts_by_model_batch_and_task(demo_run: RunData) -> None:
    """Every sample is in the table of verdicts once at its first call and once at its end."""
    rows = summarise(demo_run)["bases"]["own"]["verdicts"]

    assert len(rows) == 30
    assert {"model", "batch", "task_id", "first", "final"} == set(rows[0])
    assert sum(sum(row["final"].values()) for row in rows) == 30


def test_repeated_and_cold_samples_are_warned_about(builder: Any) -> None:
    """Several samples at temperature 0, or identical replies, are not independent draws."""
    for sample in range(2):
        builder.sample(
            "m", "b/t", [{"verdict": Verdict.PASSED, "sampling": Sampling(temperature=0.0)}], sample=sample
        )

    found = " ".join(summarise(builder.build())["notes"])

    assert "temperature 0" in found
    assert "identical first replies for 1 of 1" in found


def test_unscored_and_missing_usage_are_noted(builder: Any) -> None:
    """What limits the numbers is said beside them."""
    builder.sample("m", "b/t", [{"verdict": Verdict.PASSED, "tokens": (None, None)}])
    builder.sample("m", "b/u", [Verdict.LLM_ERROR])

    found = " ".join(summarise(builder.build(finished=None, warnings=("from the manifest",)))["notes"])

    assert "from the manifest" in found
    assert "1 of 2 samples are unscored (50.0%; above the limit for ranking)" in found
    assert "no token usage for 1 of 1 calls" in found
    assert "did not come to its end" in found


def test_reports_are_written_whole_and_equal(demo_run: RunData, tmp_path: Path) -> None:
    """Writing twice gives the same bytes and leaves no temporary file."""
    paths = write_reports(demo_run, tmp_path / "run")
    before = [path.read_bytes() for path in paths]

    assert write_reports(demo_run, tmp_path / "run") == paths
    assert [path.read_bytes() for path in paths] == before
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "summary.json",
        "report.md",
        "report.html",
        "junit.xml",
    }


def test_a_report_that_cannot_be_written_leaves_the_old_one(demo_run: RunData, tmp_path: Path) -> None:
    """A path that is taken by a folder is an error, and no temporary file stays."""
    (tmp_path / "report.html").mkdir()

    with pytest.raises(OSError, match=r"report\.html"):
        write_reports(demo_run, tmp_path)

    assert not list(tmp_path.glob(".report*"))


def test_a_terminal_gets_a_table(demo_run: RunData) -> None:
    """Rank, rates with intervals, lift, and the level of grading."""
    text = printed(demo_run, terminal=True)

    assert re.search(r"1 +demo-steady-7b +47 % \[25, 70\] +87 % \[62, 96\] +\+40 \[\+9, \+62\]", text)
    assert "grading level: shared" in text


def mixed(builder: Any) -> RunData:
    """Two tasks at different levels, one of them solved by suspicious code."""
    solved = {"verdict": Verdict.PASSED, "level": Level.PROCESS, "suspicious": ("frames",)}
    builder.sample("m", "b/one", [solved])
    builder.sample("m", "b/two", [{"verdict": Verdict.TESTS_FAILED, "level": Level.SHARED}])
    run: RunData = builder.build()
    return run


@pytest.mark.parametrize("terminal", [True, False])
def test_several_levels_are_never_pooled_silently(builder: Any, terminal: bool) -> None:
    """Table, Markdown and summary say that there are several levels, and give the rates by level."""
    run = mixed(builder)
    text, markdown, summary = printed(run, terminal=terminal), markdown_report(run), summarise(run)

    assert "grading level: process, shared" in text
    assert "m at level process: pass@1 100 %" in text
    assert "m at level shared: pass@1 0 %" in text
    assert "tasks are graded at different levels (process, shared)" in " ".join(text.split())
    assert "### By level of grading" in markdown
    assert "| m | process | 100 %" in markdown
    assert [group["levels"] for group in summary["bases"]["own"]["by_level"]] == [["process"], ["shared"]]


def test_one_level_needs_no_table_of_levels(demo_run: RunData) -> None:
    """Where all tasks are graded alike, nothing more is said than the level."""
    assert "By level" not in markdown_report(demo_run)
    assert "at level shared:" not in printed(demo_run, terminal=True)


def test_suspicious_code_is_noted(builder: Any) -> None:
    """Every report says how many samples are flagged, for what, and that no verdict depends on it."""
    run = mixed(builder)
    note = "the code of 1 of 2 samples is flagged as suspicious (frames 1); 1 of them succeed with it."

    assert any(note in text for text in summarise(run)["notes"])
    assert "flagged as suspicious" in markdown_report(run)
    assert "flagged as suspicious" in printed(run, terminal=False)
    cases = {case.get("name"): case for case in ET.fromstring(junit_report(run)).iter("testcase")}
    properties = {
        name: {item.get("name"): item.get("value") for item in case.iter("property")}
        for name, case in cases.items()
    }
    assert properties["b/one [default, sample 0]"]["suspicious"] == "frames"
    assert properties["b/one [default, sample 0]"]["level"] == "process"
    assert "suspicious" not in properties["b/two [default, sample 0]"]


def test_a_narrow_terminal_gets_two_tables(demo_run: RunData) -> None:
    """At 80 columns nothing is folded."""
    text = printed(demo_run, terminal=True, width=80)

    assert len(re.findall(r"^\d? +.*demo-scatter-1b|^demo-scatter-1b  ", text, re.MULTILINE)) == 2
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_pipe_gets_tab_separated_lines(demo_run: RunData) -> None:
    """Lines that start without # have the same number of fields, and no terminal codes."""
    text = printed(demo_run, terminal=False)
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]

    assert [line[1] for line in lines] == ["model", "demo-steady-7b", "demo-scatter-1b"]
    assert {len(line) for line in lines} == {10}
    assert "\x1b" not in text


@pytest.mark.parametrize("terminal", [True, False])
def test_the_demo_banner_is_first_and_last(demo_run: RunData, terminal: bool) -> None:
    """Nobody can read the numbers without having read it."""
    manifest = demo_run.manifest.model_copy(update={"recorded_demo": True, "invalid": ("controls failed",)})
    lines = printed(dataclasses.replace(demo_run, manifest=manifest), terminal=terminal).splitlines()

    assert "RECORDED DEMO: no model was measured" in lines[0]
    assert "RECORDED DEMO: no model was measured" in lines[-1]
    assert any("INVALID: controls failed" in line for line in lines)


@pytest.mark.parametrize("terminal", [True, False])
def test_names_cannot_act_on_a_terminal(builder: Any, terminal: bool) -> None:
    """Markup, escape sequences, tabs and newlines in a name are text."""
    builder.sample(f"{EVIL}\n\tspoof", "b/t", [Verdict.PASSED])

    text = printed(builder.build(), terminal=terminal, width=400)

    assert "[bold red]" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", text)


def test_markdown_tables_keep_their_shape(builder: Any) -> None:
    """A pipe or a bracket in a name makes no cell, no link and no markup."""
    builder.sample(EVIL, f"b{EVIL}/t", [Verdict.TESTS_FAILED, Verdict.PASSED])

    text = markdown_report(builder.build(invalid=(EVIL,), warnings=(EVIL,)))
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(text)

    assert "<table>" in rendered
    assert not re.search(r"<(?!/?(h\d|p|ul|li|strong|table|thead|tbody|tr|th|td|blockquote)\b)", rendered)
    assert "&lt;img src=x&gt;" in rendered
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert "@you" not in text
    assert "www." not in text


def test_ordinary_names_stay_readable_in_markdown() -> None:
    """Letters, digits, dots, dashes and slashes are not coded."""
    assert escape("qwen2.5-coder/7b") == "qwen2.5-coder/7b"


def test_markdown_shows_the_same_numbers(demo_run: RunData) -> None:
    """The leaderboard of the Markdown report is the one of the terminal."""
    text = markdown_report(demo_run)

    assert "| 1 | demo-steady-7b | 47 % [25, 70] | 87 % [62, 96] | +40 [+9, +62] | 13/15 |" in text


def test_junit_is_xml_with_the_right_counts(demo_run: RunData) -> None:
    """A suite per model and batch; failures are the model's."""
    root = ET.fromstring(junit_report(demo_run))
    suites = root.findall("testsuite")

    assert len(suites) == 6
    assert sum(int(suite.get("tests", "0")) for suite in suites) == 30
    failures = sum(int(suite.get("failures", "0")) for suite in suites)
    assert failures == len(root.findall(".//failure")) == 10
    assert not root.findall(".//error")


def test_junit_holds_hostile_and_unscored_samples(builder: Any) -> None:
    """Characters that XML cannot hold are written as escapes; a failure of ours is an error."""
    record = TestRecord(id=EVIL, outcome=TestOutcome.FAILED, message=f"{EVIL}]]>\ufffe")
    builder.sample(EVIL, f"b{EVIL}/t", [{"verdict": Verdict.TESTS_FAILED, "tests": (record,)}])
    builder.sample(EVIL, "b/u", [{"verdict": Verdict.LLM_ERROR, "error": f"no {EVIL}"}])

    root = ET.fromstring(junit_report(builder.build()))

    assert "\\x1b" in (root.findall(".//failure")[0].text or "")
    assert (root.findall(".//error")[0].text or "").startswith("no <img")


@pytest.fixture(scope="module")
def controlled(make_builder: Any) -> RunData:
    """A run with repairs of several classes and a control arm."""
    builder = make_builder()
    for number, story in enumerate(([F, P], [Verdict.SYNTAX_ERROR, P], [F, F], [P])):
        builder.sample("m|<b>", f"b/t{number}", story)
        builder.sample("m|<b>", f"b/t{number}", [F, F] if number else [P], arm=Arm.CONTROL)
    return builder.build()


def test_every_report_shows_what_repairs_do(controlled: RunData) -> None:
    """Yields by class, and repair against asking again, are in the table, the Markdown and the page."""
    table, text, page = (
        printed(controlled, terminal=False),
        markdown_report(controlled),
        html_report(controlled),
    )

    assert "calls that mend, by what failed before: syntax 100 % of 1, exception 50 % of 2" in table
    assert "at equal calls asking again 25 %" in table
    assert "advantage of repair +50 [" in table
    assert "| model | syntax | exception |" in text
    assert "### Repair against asking again" in text
    assert "| calls | 75 % [" in text
    assert "<h3>Repair against asking again</h3>" in page
    assert "<h3>What repairs do</h3>" in page
    assert "<b>|<" not in page
    assert "m|<b>" not in text


def test_without_repairs_nothing_is_said_of_them(builder: Any) -> None:
    """A run of first calls alone has neither yields nor a control arm."""
    builder.sample("m", "b/t", [P])
    run = builder.build()

    assert "calls that mend" not in printed(run, terminal=False)
    assert "No call followed a failure." in markdown_report(run)
    assert "What repairs do" not in html_report(run)
    assert "asking again" not in markdown_report(run)
