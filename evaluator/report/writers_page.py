"""All reports of a run whose models wrote test suites: summary.json, report.md, report.html."""

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from markupsafe import Markup

from evaluator.report import charts, words
from evaluator.report.drilldown import bounded
from evaluator.report.figures import number, percent
from evaluator.report.html import page_environment
from evaluator.report.markdown import escape, table
from evaluator.report.writers import (
    COLUMNS,
    balance_text,
    behind_text,
    mean_text,
    row_texts,
    suite_notes,
    summarise_writers,
)
from evaluator.report.writers_views import MAX_SCRIPTS, script_views
from evaluator.report.writers_words import GLOSSARY, OUTCOMES
from evaluator.runs.rundata import RunData
from evaluator.suites.standings import STAGES, Pair, Writer, matrix, writers
from repair.llm import CallKind

_TEMPLATES: Final = Path(__file__).parent / "templates"
_CONFIG_CHARS: Final = 20_000
_FATES: Final = {"killed": "first", "survived": "failed", "unreached": "part", "unjudged": "none"}


def writers_reports(run: RunData) -> dict[str, str]:
    """Write every report, by file name; the same run gives the same texts."""
    return {
        "summary.json": json.dumps(summarise_writers(run), indent=1, sort_keys=True) + "\n",
        "report.md": writers_markdown(run),
        "report.html": writers_html(run),
    }


def writers_html(run: RunData) -> str:
    """Write the page; every string is escaped."""
    listed = writers(run)
    colours = {name: number for number, name in enumerate(sorted(each.name for each in listed))}
    environment = page_environment()
    environment.filters |= {"behind": behind_text, "balance": balance_text}
    html: str = environment.get_template("writers.html.j2").render(
        run=run.manifest,
        style=Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        words=words,
        notes=suite_notes(run),
        writers=listed,
        chart=charts.pairs_chart(
            [(each.name, each.stable_first, each.stable) for each in listed],
            [colours[each.name] for each in listed],
            "writers",
            "Stable mutation score of the first suite and of the one that held",
        ),
        matrix=_by_author(matrix(run)),
        scripts=script_views(run),
        left_out=max(0, len(run.manifest.subjects) - MAX_SCRIPTS),
        stages=[str(stage) for stage in STAGES],
        kinds=_kinds(listed),
        outcomes=OUTCOMES,
        glossary=GLOSSARY,
        fate_classes=_FATES,
        config=bounded(json.dumps(run.manifest.config, indent=2, sort_keys=True), _CONFIG_CHARS),
        colours=colours,
        palette=charts.PALETTE,
    )
    return html


def _by_author(pairs: Sequence[Pair]) -> list[tuple[str, list[Pair]]]:
    return [(author, list(of_author)) for author, of_author in groupby(pairs, key=lambda pair: pair.author)]


def _kinds(listed: Sequence[Writer]) -> list[str]:
    return [str(kind) for kind in CallKind if any(str(kind) in each.calls for each in listed)]


def writers_markdown(run: RunData) -> str:
    """Write the compact tables, GitHub-flavoured; nothing in a name or a text can become markup."""
    listed = writers(run)
    parts = [f"# mendbench suites, run {escape(run.manifest.run_id)}"]
    parts += [f"> **{banner}.** {note}" for banner, note in words.banners(run.manifest)]
    parts.append("\n".join(f"- {escape(note, 1000)}" for note in suite_notes(run)))
    parts += ["## Whose suites catch faults", table(COLUMNS, [_row(each) for each in listed])]
    stages = [str(stage) for stage in STAGES]
    parts += [
        "## How far suites come",
        table(
            ["writer", *(stage.replace("_", " ") for stage in stages)],
            [[escape(each.name), *(str(each.funnel[stage]) for stage in stages)] for each in listed],
        ),
        "## What the suites are like",
        _likeness(listed),
        "## What they cost",
        _cost(listed),
    ]
    parts += _bugs(listed) + _matrix(run)
    parts.append(
        "Every interval is 95 %, clustered on families of tasks. A mean weighs each script alike; unscored "
        "suites are outside it."
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _row(writer: Writer) -> list[str]:
    texts = list(row_texts(writer))
    texts[1] = escape(writer.name)
    return texts


def _likeness(listed: Sequence[Writer]) -> str:
    head = ["writer", "score of what passes", "of mutants any suite kills", "statements", "branches"]
    head += ["kills by assertion", "vacuous tests", "flaky", "not hermetic", "tests", "needed"]
    return table(
        head,
        [
            [
                escape(each.name),
                *map(mean_text, (each.at_pass, each.relative, each.statements, each.branches)),
                percent(each.assertion_share),
                percent(each.vacuous_share),
                str(each.flaky),
                str(each.unhermetic),
                str(each.tests),
                percent(each.needed_share),
            ]
            for each in listed
        ],
    )


def _cost(listed: Sequence[Writer]) -> str:
    kinds = _kinds(listed)
    return table(
        ["writer", *(f"calls: {kind}" for kind in kinds), "tokens", "model s", "sandbox s"],
        [
            [
                escape(each.name),
                *(str(each.calls.get(kind, 0)) for kind in kinds),
                number(each.tokens),
                number(each.model_s, digits=1),
                number(each.sandbox_s, digits=1),
            ]
            for each in listed
        ],
    )


def _bugs(listed: Sequence[Writer]) -> list[str]:
    lines = [
        [
            escape(each.name),
            *map(str, (bugs.suites, bugs.reveal_first, bugs.reveal, bugs.pin, bugs.pass_)),
        ]
        for each in listed
        if (bugs := each.bugs) is not None
    ]
    head = ["writer", "suites", "first reveals", "reveals", "pins", "passes on it"]
    return ["## Suites for wrong scripts", table(head, lines)] if lines else []


def _matrix(run: RunData) -> list[str]:
    rows = _by_author(matrix(run))
    if not rows:
        return []
    lines = [
        [escape(author), *(mean_text(pair.stable) + _revealed(pair) for pair in pairs)]
        for author, pairs in rows
    ]
    head = ["scripts by", *(escape(pair.writer) for pair in rows[0][1])]
    return ["## Authors and writers", table(head, lines)]


def _revealed(pair: Pair) -> str:
    return f"; {pair.bugs.reveal} of {pair.bugs.suites} bugs" if pair.bugs else ""
