"""report.html: complete, safe, offline, the same every time."""

import dataclasses
import html.parser
import re
from collections import Counter
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel

from evaluator.report.html import html_report
from evaluator.runs.records import Manifest, Recheck
from evaluator.runs.rundata import RunData, trajectories
from repair.llm import Arm
from repair.outcome import Verdict
from sandbox.types import Frame, Level, TestOutcome, TestRecord
from sandbox.verdict import RunVerdict

EVIL = "</script></style></title><img src=x onerror=alert(1)>]]>-->\x1b[31m\u202e\u2066\x07'\"`{{7*7}}$x$@0@&lt;\ud83d"
KEEP = {"type", "basis", "level", "verdict", "kind", "arm", "outcome", "role"}
P, F = Verdict.PASSED, Verdict.TESTS_FAILED
Attributes = list[tuple[str, str | None]]


class Reader(html.parser.HTMLParser):
    """Collects what a browser would act on."""

    void = frozenset({"meta", "br", "img", "circle", "path", "use", "rect", "line", "link", "input"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> Reader:
    """Parse a page."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def poisoned(value: Any, name: str = "") -> Any:
    """Put hostile text into every free text field, however deep."""
    match value:
        case Enum():
            return value
        case str():
            return value if name in KEEP else f"{value}{EVIL}"
        case BaseModel():
            return value.model_copy(
                update={f: poisoned(getattr(value, f), f) for f in type(value).model_fields}
            )
        case dict():
            return {poisoned(k): poisoned(v) for k, v in value.items()}
        case tuple() | list():
            return tuple(poisoned(item, name) for item in value)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return dataclasses.replace(
                value, **{f.name: poisoned(getattr(value, f.name), f.name) for f in dataclasses.fields(value)}
            )
        case _:
            return value


def poison(run: RunData) -> RunData:
    """Make a run in which every string is an attack."""
    return RunData(
        manifest=poisoned(run.manifest),
        trajectories=trajectories(poisoned(attempt) for attempt in run.attempts),
        completions={poisoned(key): poisoned(one) for key, one in run.completions.items()},
    )


@pytest.fixture(scope="module")
def page(demo_run: RunData) -> str:
    """Render the ordinary run once."""
    return html_report(demo_run)


def test_the_page_is_closed_to_the_outside(page: str) -> None:
    """No script, no address outside the page, and a policy that would forbid both."""
    reader = read(page)

    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page
    assert not set(reader.tags) & {"script", "img", "iframe", "link", "object", "embed", "form", "base"}
    addresses = [
        value for _, name, value in reader.attributes if name in {"href", "src", "xlink:href", "action"}
    ]
    assert addresses
    assert all(address.startswith("#") for address in addresses)
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_every_link_has_its_target_and_ids_are_unique(page: str) -> None:
    """Cells of the heat map lead to attempts that exist; charts do not share ids."""
    reader = read(page)
    ids = [value for _, name, value in reader.attributes if name == "id"]
    links = {value[1:] for _, name, value in reader.attributes if name in {"href", "xlink:href"}}
    drawn = set(re.findall(r"url\(#([^)]+)\)", page))

    assert [value for value, count in Counter(ids).items() if count > 1] == []
    assert links | drawn <= set(ids)


def test_the_page_shows_the_run(page: str, demo_run: RunData) -> None:
    """Models, tasks, numbers, verdicts, differences and feedback are all on the page."""
    text = "".join(read(page).text)

    for expected in (
        "demo-steady-7b",
        "balanced-brackets",
        "47 %",
        "25\u201370",
        "7/15",
        "holdout failed",
        "What the model was told",
        "def spread(values):",
        "grading level",
        demo_run.manifest.run_id,
    ):
        assert expected in text
    assert 'class="add"' in page
    assert 'class="del"' in page
    assert page.count('<svg class="chart"') == 3


def test_the_same_run_gives_the_same_bytes(page: str, demo_run: RunData) -> None:
    """Two reports of one run are equal, charts included."""
    assert html_report(demo_run) == page


def test_hostile_text_in_every_field_stays_text(demo_run: RunData) -> None:
    """No string of any record becomes markup, and hidden characters are shown as escapes."""
    page = html_report(poison(demo_run))
    reader = read(page)

    assert not set(reader.tags) & {"script", "img"}
    assert not any(name.startswith("on") for _, name, _ in reader.attributes)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)
    text = "".join(reader.text)
    assert "\\u202e" in text
    assert "\\x1b[31m" in text
    assert "<img src=x onerror=alert(1)>" in text
    assert "49" not in re.findall(r"\{\{(.*?)\}\}", text)


def test_the_drill_down_poisons_were_really_there(builder: Any) -> None:
    """Messages, values, frames and streams of runs reach the page, escaped."""
    record = TestRecord(
        id=EVIL,
        outcome=TestOutcome.FAILED,
        got="<got>",
        expected="<expected>",
        message=EVIL,
        frames=(Frame(file=EVIL, line=1, function=EVIL),),
    )
    builder.sample(
        "m",
        "b/t",
        [
            {
                "verdict": Verdict.TESTS_FAILED,
                "tests": (record,),
                "stdout": "<stdout>",
                "suspicious": ("<sus>",),
            }
        ],
    )

    page = html_report(builder.build())

    for word in ("got", "expected", "stdout", "sus"):
        assert f"&lt;{word}&gt;" in page
        assert f"<{word}>" not in page


def test_levels_and_suspicious_code_are_marked(builder: Any) -> None:
    """Each attempt shows its level, flagged samples have a mark, and rates are given by level."""
    solved = {"verdict": Verdict.PASSED, "level": Level.PROCESS, "suspicious": ("frames",)}
    builder.sample("m", "b/one", [solved])
    builder.sample("m", "b/two", [{"verdict": Verdict.TESTS_FAILED, "level": Level.SHARED}])

    page = html_report(builder.build())

    assert page.count('title="suspicious code, not scored: frames">⚑') == 2
    assert '<span class="badge o-tampered" title="suspicious code, not scored">frames</span>' in page
    assert page.count('title="level of grading">process<') == 1
    assert "By level of grading" in page


def test_the_timeline_of_a_sample(builder: Any) -> None:
    """Who was asked, what was told, what changed, what was taken back, run again, and drawn beside it."""
    one, two = "def f(x):\n    return x\n", "def f(x):\n    return 2\n"
    again = (
        Recheck(part="shown", repeat_no=1, verdict=RunVerdict.PASSED),
        Recheck(part="shown", repeat_no=2, hash_seed=7, verdict=RunVerdict.TESTS_FAILED, failed=("test_f",)),
    )
    calls = [
        {"verdict": F, "code": one},
        {"verdict": F, "code": two, "taken_back": True, "asked": "another <b>", "feedback": "It fails <i>."},
        {"verdict": P, "code": two, "rechecks": again},
    ]
    builder.sample("m", "b/t", calls)
    builder.sample("m", "b/t", [{"verdict": F, "code": one}, {"verdict": F, "code": one}], arm=Arm.CONTROL)

    page = html_report(builder.build())

    assert "repair by another &lt;b&gt;" in page
    assert "It fails &lt;i&gt;." in page
    assert page.count("taken back</span>") == 1
    assert '<span class="add">+    return 2' in page
    assert "2 times with other hash seeds: shown, hash seed 7: tests_failed (test_f)" in page
    assert "Asking again instead: 2 fresh draws" in page
    assert (page.count("<h5>Attempt"), page.count("<h5>Draw"), page.count("The same script again.")) == (
        3,
        2,
        1,
    )


def test_a_huge_text_is_cut_and_said_to_be(builder: Any) -> None:
    """Megabytes of reply, code, output or names do not make megabytes of page."""
    huge = {
        "reply": "a" * 10**6,
        "code": "x = 1\n" * 10**5,
        "stdout": "b" * 10**6,
        "reasoning": "c" * 10**6,
        "feedback": "d" * 10**6,
    }
    builder.sample(
        "m" * 10**5,
        "b/" + "t" * 10**5,
        [{"verdict": Verdict.TESTS_FAILED, **huge}, {"verdict": Verdict.PASSED, **huge}],
    )

    page = html_report(builder.build())

    assert len(page) < 300_000
    assert "characters cut" in page


def test_the_demo_says_so_first_and_last(demo_run: RunData) -> None:
    """A page about recorded replies cannot be read as one about models."""
    manifest = demo_run.manifest.model_copy(update={"recorded_demo": True})
    page = html_report(dataclasses.replace(demo_run, manifest=manifest))

    body = page[page.index("<body>") :]
    assert body.count("RECORDED DEMO: no model was measured") == 2
    assert body.index("RECORDED DEMO") < body.index("<main")
    assert body.rindex("RECORDED DEMO") > body.index("</main>")
    assert "RECORDED DEMO" not in html_report(demo_run)


def test_an_invalid_run_says_why(demo_run: RunData) -> None:
    """Failed controls stand above every number."""
    manifest = demo_run.manifest.model_copy(update={"invalid": ("reference of basics/caesar fails",)})
    page = html_report(dataclasses.replace(demo_run, manifest=manifest))

    assert 'class="invalid" role="alert"' in page
    assert page.index("reference of basics/caesar fails") < page.index('id="results"')


def test_several_templates_samples_and_bases(builder: Any) -> None:
    """Columns per template, counts per cell, one section per kind of evidence."""
    builder.task("p/run", basis="program", has_holdout=False)
    for template in ("plain", "terse"):
        for sample in range(2):
            builder.sample(
                "m",
                "b/t",
                [Verdict.PASSED if sample else Verdict.TESTS_FAILED],
                template=template,
                sample=sample,
            )
            builder.sample("m", "p/run", [Verdict.PASSED], template=template, sample=sample)

    page = html_report(builder.build())
    text = "".join(read(page).text)

    assert "By template" in text
    assert "1 → 1 of 2" in text
    assert "No tests: judged by running as a program" in text
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_a_run_without_anything_still_renders(builder: Any) -> None:
    """No tasks, no models, no attempts: a page, not an error."""
    assert "<h1>0 models on 0 tasks</h1>" in html_report(builder.build())


def test_a_cut_off_run_renders(builder: Any) -> None:
    """Samples that were never run and samples cut off are shown as unscored."""
    builder.task("b/never")
    builder.sample("m", "b/cut", [Verdict.TESTS_FAILED], complete=False)
    builder.sample("gone", "b/cut", [Verdict.LLM_ERROR])

    page = html_report(builder.build(finished=None))

    assert "did not come to its end" in page
    assert "connection refused" in page
    assert "The run ended before this sample." in page


def test_manifest_type_is_what_the_page_reads(demo_run: RunData) -> None:
    """The poisoning helper reaches every text of the manifest: a guard for the tests above."""
    manifest = poison(demo_run).manifest

    assert isinstance(manifest, Manifest)
    assert all("onerror" in text for text in (manifest.run_id, manifest.models[0].label, manifest.image.base))
