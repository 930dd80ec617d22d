"""report.html: one page that opens offline, without scripts; every string is escaped."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evaluator.report import charts, figures, words
from evaluator.report.cleaning import COLUMNS, CleanedReplies, cleaned_replies
from evaluator.report.drilldown import MAX_SAMPLES, TaskView, bounded, task_views
from evaluator.report.notes import levels, notes
from evaluator.runs.records import Basis
from evaluator.runs.results import Sample, samples
from evaluator.runs.rundata import RunData
from evaluator.safe_text import clip, visible
from evaluator.statistics.control import EqualBudget
from evaluator.statistics.curves import Point
from evaluator.statistics.failures import CLASSES
from evaluator.statistics.metrics import BASES, Group, Row, groups, leaderboard, why_unranked
from evaluator.statistics.repairs import STAGES, Yield

_TEMPLATES: Final = Path(__file__).parent / "templates"
_CONFIG_CHARS: Final = 20_000
_HEAT_TASKS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of the heat map: the samples of one task under one model (and template)."""

    samples: tuple[Sample, ...]
    anchor: str
    """Where the drill-down is; empty if the page has none."""

    @property
    def first(self) -> int:
        """Samples that succeeded with the first call."""
        return sum(sample.first_scored and sample.attempts[0].success for sample in self.samples)

    @property
    def final(self) -> int:
        """Samples that succeeded in the end."""
        return sum(sample.scored and sample.success for sample in self.samples)

    @property
    def scored(self) -> int:
        """Samples that count."""
        return sum(sample.scored for sample in self.samples)

    @property
    def suspicious(self) -> tuple[str, ...]:
        """Flags of suspicious code in any of the samples, sorted."""
        return tuple(sorted({flag for sample in self.samples for flag in sample.suspicious}))

    @property
    def shade(self) -> str:
        """Name the CSS class of the cell."""
        if not self.scored:
            return "none"
        if self.final == self.scored:
            return "first" if self.first == self.scored else "mended"
        return "part" if self.final else "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Everything that rests on one kind of evidence; never shown together with another."""

    basis: Basis
    title: str
    levels: tuple[str, ...]
    rows: tuple[Row, ...]
    rechecked: bool
    """Whether accepted scripts were run again."""
    unranked: str
    by_batch: tuple[Group, ...]
    by_template: tuple[Group, ...]
    by_level: tuple[Group, ...]
    """Empty where all tasks are graded at one level."""
    interval_chart: Markup
    curves: tuple[tuple[str, Markup], ...]
    repairs: tuple[tuple[Group, Mapping[str, Yield]], ...]
    """Models with calls beyond the first, and their yields by class of failure."""
    failures: tuple[str, ...]
    """Classes of failure that any model was asked to mend."""
    stages: tuple[str, ...]
    controls: tuple[tuple[Group, str, EqualBudget], ...]
    """Models with a control arm, once for each budget."""
    outcomes: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    """Model and template of each column of the heat map."""
    cleaning: tuple[CleanedReplies, ...]
    heat: tuple[tuple[str, tuple[tuple[str, tuple[Cell | None, ...]], ...]], ...]
    """Per batch: its tasks, each with one cell per column."""


def html_report(run: RunData) -> str:
    """Write the page; the same bytes for the same run."""
    by_model, listed = groups(run), samples(run)
    views = task_views(run, listed)
    page = page_environment().get_template("report.html.j2")
    html: str = page.render(
        run=run.manifest,
        style=Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        words=words,
        notes=notes(run, by_model),
        sections=[_section(basis, by_model, run, listed, views) for basis in BASES if _of(basis, by_model)],
        tasks=views,
        left_out=max(0, len(listed) - MAX_SAMPLES),
        config=bounded(json.dumps(run.manifest.config, indent=2, sort_keys=True), _CONFIG_CHARS),
        colours=_colours(by_model),
        palette=charts.PALETTE,
        cleaning_columns=COLUMNS,
    )
    return html


def page_environment() -> Environment:
    """Give what renders pages: every value is escaped, and shown with what it hides."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Runs on every printed value, before it is escaped: no hidden character gets through anywhere.
        finalize=_shown,
    )
    environment.filters |= {
        "percent": figures.percent,
        "lift": figures.lift_text,
        "figure": figures.number,
        "tokens": figures.tokens_text,
        "tokens_range": figures.tokens_range,
        "unscored": figures.unscored_text,
        "sentence": lambda text: text[:1].upper() + text[1:],
        "cut": lambda text, limit=120: clip(str(text)[: 4 * limit], limit),
    }
    return environment


def _shown(value: Any) -> Any:
    return value if isinstance(value, Markup) or not isinstance(value, str) else visible(value)


def _of(basis: Basis, listed: Sequence[Group]) -> list[Group]:
    return [group for group in listed if group.basis == basis]


def _section(
    basis: Basis, by_model: Sequence[Group], run: RunData, listed: Sequence[Sample], views: Sequence[TaskView]
) -> Section:
    rows = leaderboard(_of(basis, by_model))
    members = [sample for sample in listed if sample.basis == basis]
    colours = _colours(by_model)
    several = len({sample.template for sample in members}) > 1
    columns = sorted({(sample.model, sample.template if several else "") for sample in members})
    repairs = tuple((row.group, figures.yields_of(row.group)) for row in rows if figures.yields_of(row.group))
    seen = {word for row in rows for word in (*row.group.final_outcomes, *row.group.first_outcomes)}
    return Section(
        basis=basis,
        title=words.BASIS_TITLES[basis],
        levels=tuple(levels(members)),
        rows=rows,
        rechecked=any(row.group.flaky.N for row in rows),
        unranked=why_unranked(rows),
        by_batch=tuple(_of(basis, groups(run, by="batch"))),
        by_template=tuple(_of(basis, groups(run, by="template"))) if several else (),
        by_level=tuple(_of(basis, groups(run, by="level"))) if len(levels(members)) > 1 else (),
        interval_chart=charts.interval_chart(
            [row.group for row in rows], [colours[row.group.model] for row in rows], f"{basis}-intervals"
        ),
        curves=tuple(_curves(basis, by_model, colours)),
        repairs=repairs,
        failures=tuple(failure for failure in CLASSES if any(failure in found for _, found in repairs)),
        stages=STAGES,
        controls=tuple(
            (row.group, budget, equal) for row in rows for budget, equal in figures.equal_budgets(row.group)
        ),
        outcomes=tuple(word for word in words.OUTCOMES if word in seen),
        columns=tuple(columns),
        cleaning=tuple(cleaned_replies(run, basis)),
        heat=_heat(members, columns, views, several=several),
    )


def _colours(by_model: Sequence[Group]) -> dict[str, int]:
    # A model has the same colour in every section: its place among all models of the run.
    return {model: number for number, model in enumerate(sorted({group.model for group in by_model}))}


def _curves(
    basis: Basis, by_model: Sequence[Group], colours: Mapping[str, int]
) -> Iterator[tuple[str, Markup]]:
    drawn = [group for group in _of(basis, by_model) if group.by_calls]

    def series(points: Callable[[Group], tuple[Point, ...] | None]) -> list[charts.Series]:
        listed = ((colours[group.model], points(group)) for group in drawn)
        return [charts.Series(index=index, points=line) for index, line in listed if line]

    by_calls = series(lambda group: group.by_calls)
    by_rounds = series(lambda group: group.by_rounds)
    by_tokens = series(lambda group: group.by_tokens)
    if by_calls:
        yield (
            "By calls beyond the first",
            charts.calls_chart(by_calls, f"{basis}-calls", "calls beyond the first"),
        )
    if by_tokens:
        yield "By tokens per sample", charts.tokens_chart(by_tokens, f"{basis}-tokens")
    if by_rounds != by_calls:
        yield "By repair rounds", charts.calls_chart(by_rounds, f"{basis}-rounds", "repair rounds")


def _heat(
    members: Sequence[Sample],
    columns: Sequence[tuple[str, str]],
    views: Sequence[TaskView],
    *,
    several: bool,
) -> tuple[tuple[str, tuple[tuple[str, tuple[Cell | None, ...]], ...]], ...]:
    anchors = {
        (view.sample.model, view.sample.task_id, view.sample.template, view.sample.number): view.anchor
        for task in views
        for view in task.samples
    }
    cells: dict[tuple[str, str], dict[str, list[Sample]]] = {}
    for sample in members:
        column = (sample.model, sample.template if several else "")
        cells.setdefault(column, {}).setdefault(sample.task_id, []).append(sample)
    tasks = sorted({(sample.batch, sample.task_id) for sample in members})[:_HEAT_TASKS]

    def cell(column: tuple[str, str], task_id: str) -> Cell | None:
        inside = cells[column].get(task_id)
        if not inside:
            return None
        first = inside[0]
        anchor = anchors.get((first.model, first.task_id, first.template, first.number), "")
        return Cell(samples=tuple(inside), anchor=anchor)

    return tuple(
        (
            batch,
            tuple((task_id, tuple(cell(column, task_id) for column in columns)) for _, task_id in of_batch),
        )
        for batch, of_batch in groupby(tasks, key=lambda task: task[0])
    )
