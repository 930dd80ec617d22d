"""Writers ranked from a journal alone, and reports that no text in it can turn against their reader."""

import dataclasses
import html.parser
import io
import json
import re
from collections import Counter
from enum import Enum

import pytest
from pydantic import BaseModel
from rich.console import Console

from evaluator.report.summary import write_reports
from evaluator.report.writers import print_writers, summarise_writers
from evaluator.report.writers_export import export_mutants
from evaluator.report.writers_page import writers_html, writers_markdown
from evaluator.runs.records import SiblingRecord, SubjectEntry, SuiteRecord
from evaluator.runs.rundata import RunData, trajectories
from evaluator.safe_text import file_name
from evaluator.suites.standings import matrix, why_unranked, writers
from evaluator.suites.written import written
from repair.outcome import Verdict
from sandbox.suite import CoverageNumbers, KillKind, SuiteFacts, Version, VersionKind, VersionStatus
from sandbox.types import CompileReport, Level, RunResult, TestOutcome, TestRecord

EVIL = "</script></style></title><img src=x onerror=alert(1)>\x1b[31m\u202e\x07'\"`{{7*7}}|$x$&lt;\ud83d"
KEEP = {"type", "basis", "level", "verdict", "kind", "arm", "outcome", "role", "track", "by", "ran"}
KEEP |= {"alone_failed", "dated", "outside", "passed", "ended"}
CODE = "def f(x):\n    if x > 1:\n        return 2\n    return x\n"
SUITE = "from solution import f\n\ndef test_f():\n    assert f(1) == 1\n"


def version(number, killed):
    return Version(
        kind=VersionKind.MUTANT,
        operator="CRP",
        scope="f",
        text=str(number),
        line=2,
        column=11,
        end_line=2,
        end_column=12,
        status=VersionStatus.KILLED if killed else VersionStatus.SURVIVED,
        kill=KillKind.ASSERTION if killed else KillKind.NONE,
        by="1" if killed else "0",
        ran="1",
        wall_s=0.01,
        cold=False,
    )


def facts(killed=(), *, mutants=4, passes=True, suite=True):
    """The facts of a run of a suite of one test that kills some of the mutants."""
    outcome = TestOutcome.PASSED if passes else TestOutcome.FAILED
    return RunResult(
        job_id="x",
        level=Level.SHARED,
        python="3.11",
        guest_version="0",
        hash_seed=0,
        compiled=CompileReport(ok=True),
        tests=(TestRecord(id="test_f", outcome=outcome),),
        suite=SuiteFacts(
            binds=True,
            complete=True,
            asserts=(1,),
            coverage=CoverageNumbers(statements=4, covered=3, branches=2, covered_branches=1),
            versions=(
                *(version(n, n in killed) for n in range(mutants)),
                *([dataclasses.replace(version(9, True), kind=VersionKind.EXTREME)] if killed else []),
            ),
        )
        if suite
        else None,
        wall_s=1.0,
    )


def sibling(name, *, right, passes):
    return SiblingRecord(name=name, right=right, result=facts(passes=passes, mutants=0))


@pytest.fixture
def make(builder):
    """Builds a run; `suites` are (writer, script, verdicts, score of the first, score of the last)."""

    def build(suites, *, wrong=(), authors=None, **manifest):
        records = []
        for writer, script, calls, *scores in suites:
            builder.task(script, basis="model-written", has_holdout=False)
            attempts = builder.sample(
                writer,
                script,
                [{"code": f"{SUITE}# {writer} {n}\n", **call} for n, call in enumerate(calls)],
                template="tests",
            )
            for attempt, score in zip((attempts[0], attempts[-1]), scores, strict=False):
                if score is None:
                    continue
                same = {
                    name: getattr(attempt, name)
                    for name in SuiteRecord.model_fields.keys()
                    & {"at", "server", "model", "task_id", "template", "sample", "arm", "call_no", "kind"}
                }
                records.append(
                    SuiteRecord(key=writer + script, suite_sha256=attempt.script.sha256, **{**same, **score})
                )
        scripts = sorted({script for _, script, *_ in suites})
        subjects = tuple(
            SubjectEntry(
                task_id=script,
                code=CODE,
                sha256="0",
                authors=(authors or {}).get(script, ("reference",)),
                right=script not in wrong,
                wrong_others=1,
            )
            for script in scripts
        )
        run = builder.build(track="suites", subjects=subjects, **manifest)
        return dataclasses.replace(run, suites=tuple(records))

    return build


PASSED, FAILED = {"verdict": Verdict.PASSED}, {"verdict": Verdict.TESTS_FAILED}
NONE = {"verdict": Verdict.NO_CODE, "code": None}
GOOD = {"main": facts((0, 1, 2)), "siblings": (sibling("w", right=False, passes=False),)}
WEAK = {"main": facts((0,)), "siblings": (sibling("w", right=False, passes=True),)}
BAD = {"main": facts((), passes=False), "siblings": (sibling("w", right=False, passes=False),)}


@pytest.fixture
def ordinary(make):
    """Three writers on three scripts: one good, one that mends, one that often gives nothing."""
    return make(
        [
            *(("good", f"b/{n}", [PASSED], GOOD) for n in range(3)),
            *(("mender", f"b/{n}", [FAILED, PASSED], BAD, WEAK) for n in range(3)),
            ("idle", "b/0", [PASSED], WEAK),
            *(("idle", f"b/{n}", [NONE]) for n in (1, 2)),
        ]
    )


def test_ranks_follow_the_stable_score(ordinary):
    """Means weigh each script alike; a missing suite is worth nothing, and says so."""
    found = {writer.name: writer for writer in writers(ordinary)}

    assert [(each.rank, each.name) for each in writers(ordinary)] == [(1, "good"), (2, "mender"), (3, "idle")]
    assert found["good"].stable.value == pytest.approx(0.75)
    assert found["mender"].stable.value == pytest.approx(0.25)
    assert found["mender"].stable_first.value == 0.0
    assert found["idle"].stable.value == pytest.approx(0.25 / 3)
    assert found["idle"].outcomes == {"no_code": 2, "scored": 1}
    assert 0 <= found["good"].stable.low < 0.75 < found["good"].stable.high <= 1
    assert found["good"].behind is None
    assert found["mender"].behind[0] == pytest.approx(-0.5)


def test_the_other_numbers(ordinary):
    """Catches and false alarms, the pool, the funnel, calls by kind, tokens for each kill."""
    found = {writer.name: writer for writer in writers(ordinary)}

    assert (found["good"].catches.value, found["good"].false_alarms.value, found["good"].balance.value) == (
        1.0,
        0.0,
        1.0,
    )
    assert (found["mender"].catches.value, found["mender"].balance.value) == (0.0, 0.0)
    assert -1 <= found["mender"].balance.low <= 0.0 <= found["mender"].balance.high <= 1
    assert found["mender"].relative.value == pytest.approx(1 / 3)
    assert found["good"].funnel["discriminating"] == 3
    assert (found["idle"].funnel["received"], found["idle"].funnel["compiles"]) == (3, 1)
    assert found["mender"].calls == {"first": 3, "repair": 3}
    assert found["good"].tokens_per_kill == pytest.approx(3 * 150 / 9)


def test_a_suite_that_fails_catches_nothing_on_balance(make):
    """It rejects the wrong script and the right one: no better than a coin."""
    (writer,) = writers(make([("bad", "b/0", [FAILED], BAD)]))

    assert (writer.catches.value, writer.false_alarms.value, writer.balance.value) == (1.0, 1.0, 0.0)
    assert writer.stable.value == 0.0


def test_failures_of_ours_count_neither_way(make):
    """Unscored suites are outside the mean, and with too many nobody is ranked."""
    run = make([("one", "b/0", [PASSED], GOOD), ("one", "b/1", [PASSED], {"main": None, "error": "gone"})])
    (writer,) = writers(run)

    assert (writer.stable.value, writer.unscored, writer.rank) == (0.75, 1, None)
    assert "one 1/2" in why_unranked(run)


def test_wrong_scripts_have_numbers_of_their_own(make):
    """A suite that fails on a wrong script and passes on a right one reveals the bug; the mended one pins it."""
    right = sibling("r", right=True, passes=True)
    reveals = {"main": facts((), passes=False), "siblings": (right,)}
    pins = {"main": facts((0,)), "siblings": (sibling("r", right=True, passes=False),)}
    run = make(
        [("w", "b/0", [PASSED], GOOD), ("w", "b/1", [FAILED, PASSED], reveals, pins)],
        wrong={"b/1"},
        authors={"b/0": ("able",), "b/1": ("poor", "able")},
    )
    (writer,) = writers(run)
    pairs = {pair.author: pair for pair in matrix(run)}

    assert writer.stable.value == 0.75
    assert (writer.bugs.suites, writer.bugs.reveal_first, writer.bugs.reveal, writer.bugs.pin) == (1, 1, 0, 1)
    assert (pairs["able"].suites, pairs["poor"].suites) == (2, 1)
    assert pairs["poor"].stable.value is None
    assert "## Authors and writers" in writers_markdown(run)
    assert 'href="#matrix"' in writers_html(run)


def test_how_many_suites_is_said_where_it_is_not_all(make):
    """The page's head has the number of scripts; only what rests on fewer suites says so."""
    whole = make([("one", "b/0", [PASSED], GOOD), ("one", "b/1", [PASSED], GOOD)])
    less = make([("one", "b/0", [PASSED], GOOD), ("one", "b/1", [PASSED], {"main": None, "error": "gone"})])

    assert 'class="count"' not in writers_html(whole)
    assert '<span class="count">1 suite</span>' in writers_html(less)


def test_one_author_is_no_matrix(ordinary):
    """References alone have nobody to compare."""
    assert matrix(ordinary) == ()
    assert 'id="matrix"' not in writers_html(ordinary)


def test_planned_suites_that_are_missing_are_unscored(ordinary):
    """What a run that was cut off had planned is not forgotten."""
    cut = dataclasses.replace(ordinary, trajectories=ordinary.trajectories[:-1])

    assert sum(each.final.outcome == "unscored" for each in written(cut)) == 1


def test_the_same_run_gives_the_same_bytes(ordinary, tmp_path):
    """All three reports, written twice."""
    one = [path.read_bytes() for path in write_reports(ordinary, tmp_path / "one")]
    two = [path.read_bytes() for path in write_reports(dataclasses.replace(ordinary), tmp_path / "two")]

    assert one == two
    assert [path.name for path in sorted((tmp_path / "one").iterdir())] == [
        "report.html",
        "report.md",
        "summary.json",
    ]


def test_the_page_says_what_weakens_a_suite(make):
    """Hints from the text stand beside the suite, the names of tests from the container escaped."""
    seen = facts((0,))
    weak = dataclasses.replace(
        seen, suite=dataclasses.replace(seen.suite, assertless=("test_<b>",), dated="1")
    )
    call = {**PASSED, "code": "def test_f():\n    assert (f(1) == 1, 'why')\n"}
    run = make([("a", "s/one", [call], {"main": weak})])

    page = writers_html(run)

    assert "test_&lt;b&gt;" in page
    assert "an assertion on a tuple, which always holds" in page
    assert "hangs on the date" in page


def test_the_page_shows_mutants_as_differences(ordinary):
    """Each with what every writer's suite made of it."""
    page = writers_html(ordinary)

    assert '<span class="del">-    if x &gt; 1:' in page
    assert '<span class="add">+    if x &gt; 0:' in page
    assert page.count(">killed<") >= 4
    assert page.count(">survived<") >= 4


class Reader(html.parser.HTMLParser):
    """Collects what a browser would act on."""

    void = frozenset({"meta", "br", "img", "circle", "path", "use", "rect", "line", "link", "input"})

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.open = Counter(), [], []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def poisoned(value, name=""):
    """Put hostile text into every free text field, however deep."""
    match value:
        case Enum():
            return value
        case str():
            return value if name in KEEP else f"{value}{EVIL}"
        case BaseModel():
            changed = {f: poisoned(getattr(value, f), f) for f in type(value).model_fields}
            return value.model_copy(update=changed)
        case dict():
            return {poisoned(k): poisoned(v) for k, v in value.items()}
        case tuple() | list():
            return tuple(poisoned(item, name) for item in value)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            changed = {f.name: poisoned(getattr(value, f.name), f.name) for f in dataclasses.fields(value)}
            return dataclasses.replace(value, **changed)
        case _:
            return value


@pytest.fixture
def attack(make):
    """A run in which every string is an attack."""
    run = make(
        [
            ("a", "b/0", [FAILED, PASSED], BAD, GOOD),
            ("c", "b/0", [NONE]),
            ("a", "b/1", [PASSED], WEAK),
            ("c", "b/1", [NONE]),
        ],
        authors={"b/0": ("one",), "b/1": ("two",)},
        baselines=("c",),
        warnings=("careful",),
    )
    return RunData(
        manifest=poisoned(run.manifest),
        trajectories=trajectories(poisoned(attempt) for attempt in run.attempts),
        completions={poisoned(key): poisoned(one) for key, one in run.completions.items()},
        suites=poisoned(run.suites),
    )


def test_nothing_hostile_gets_into_the_page(attack, ordinary):
    """The same tags as without, no address, no hidden character, every link with its target."""
    page = writers_html(attack)
    reader = read(page)
    ids = [value for name, value in reader.attributes if name == "id"]
    links = [value for name, value in reader.attributes if name in {"href", "src", "action", "xlink:href"}]

    assert written(attack)[0].final.score is not None
    assert set(reader.tags) <= set(read(writers_html(ordinary)).tags) | {"ol", "ul", "li"}
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert all(link.startswith("#") for link in links)
    assert {link[1:] for link in links} <= set(ids)
    assert [value for value, count in Counter(ids).items() if count > 1] == []
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", page)
    assert "49" not in "".join(re.findall(r"alert\(1\).{0,80}?49", page))


def test_nothing_hostile_gets_into_tables(attack):
    """Markdown takes it literally; the terminal gets neither controls nor another column."""
    stream = io.StringIO()
    print_writers(attack, Console(file=stream, width=200))

    for text in (writers_markdown(attack), stream.getvalue()):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", text)
    assert "<img" not in writers_markdown(attack)
    rows = [line for line in writers_markdown(attack).splitlines() if line.startswith("| 1 |")]
    assert {line.count("|") for line in rows} == {13}
    assert {line.count("\t") for line in stream.getvalue().splitlines() if not line.startswith("#")} == {11}


def test_each_suite_has_a_standard_mutation_report(ordinary, tmp_path):
    """One file for each suite that held and was run, with its mutants and the suite itself."""
    files = export_mutants(ordinary, tmp_path)

    assert len(files) == 7
    report = json.loads((tmp_path / file_name("b/0") / "good-0.json").read_text(encoding="utf-8"))
    assert report["schemaVersion"] == "2"
    assert report["files"]["solution.py"]["source"] == CODE
    assert [each["status"] for each in report["files"]["solution.py"]["mutants"]][:4].count("Killed") == 3
    assert "def test_f" in report["testFiles"]["test_solution.py"]["source"]


def test_the_summary_is_plain_data(ordinary):
    """Every suite with its score, first and final."""
    summary = summarise_writers(ordinary)

    assert summary["track"] == "suites"
    assert len(summary["suites"]) == 9
    line = next(each for each in summary["suites"] if each["writer"] == "mender")
    assert (line["first"]["outcome"], line["final"]["outcome"]) == ("fails", "scored")
    assert line["final"]["score"]["mutation"]["killed"] == 1
