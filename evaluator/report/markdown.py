"""report.md: the compact tables of a run, GitHub-flavoured; nothing in a name or a text can become markup."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from evaluator.report.cleaning import COLUMNS, cleaned_replies
from evaluator.report.figures import (
    ABSENT,
    equal_budgets,
    lift_text,
    number,
    percent,
    rate_text,
    tokens_range,
    tokens_text,
    unscored_text,
    yields_of,
)
from evaluator.report.notes import levels, notes
from evaluator.report.words import BASIS_TITLES, LEVEL_NOTES, OUTCOMES, banners
from evaluator.runs.records import Basis
from evaluator.runs.results import samples
from evaluator.runs.rundata import RunData
from evaluator.safe_text import one_line
from evaluator.statistics.failures import CLASSES
from evaluator.statistics.metrics import BASES, Group, groups, leaderboard, why_unranked
from evaluator.statistics.rates import Rate

_ACTIVE: Final = re.compile(r"[^\w\s./-]|_", re.ASCII)
_SHOWN_CALLS: Final = 10


def escape(text: str, limit: int = 200) -> str:
    """Write a text so that Markdown takes all of it literally, on one line, without links or mentions."""
    line = one_line(text, limit)
    coded = _ACTIVE.sub(lambda match: f"&#{ord(match[0])};" if match[0].isascii() else match[0], line)
    return re.sub(r"(?i)(www)\.", r"\1&#46;", coded)


def markdown_report(run: RunData) -> str:
    """Write the whole report; the same for the same run."""
    by_model = groups(run)
    parts = [f"# mendbench run {escape(run.manifest.run_id)}"]
    parts += [f"> **{banner}.** {note}" for banner, note in banners(run.manifest)]
    if run.manifest.invalid:
        parts.append(_bullets([f"**INVALID:** {escape(reason, 1000)}" for reason in run.manifest.invalid]))
    parts.append(_bullets([escape(note, 1000) for note in notes(run, by_model)]))
    parts += [_basis(run, basis, by_model) for basis in BASES]
    parts.append(
        "Every interval is 95 %, clustered on tasks. A rate weighs each task alike; unscored samples are "
        "outside it, with the bounds they leave in parentheses."
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _basis(run: RunData, basis: Basis, by_model: Sequence[Group]) -> str:
    of_basis = [group for group in by_model if group.basis == basis]
    if not of_basis:
        return ""
    graded = levels(sample for sample in samples(run) if sample.basis == basis)
    parts = [
        f"## {BASIS_TITLES[basis]}",
        " ".join(f"Grading {LEVEL_NOTES[level]}" for level in graded),
        _leaderboard(of_basis),
        "### By batch",
        _group_table([g for g in groups(run, by="batch") if g.basis == basis], "batch"),
    ]
    if len(run.manifest.templates) > 1:
        by_template = [g for g in groups(run, by="template") if g.basis == basis]
        parts += ["### By template", _group_table(by_template, "template")]
    if len(graded) > 1:
        by_level = [g for g in groups(run, by="level") if g.basis == basis]
        parts += ["### By level of grading", _group_table(by_level, "level")]
    parts += ["### Success by calls beyond the first", _curve(of_basis)]
    parts += ["### What cleaning made of the replies", _cleaning(run, basis)]
    parts += ["### Successes of the call after a failure, by class of failure", _yields(of_basis)]
    parts += ["### What replies beyond the first are worth", _repairs(of_basis)]
    parts += _controls(of_basis)
    parts += ["### What became of the samples in the end", _outcomes(of_basis)]
    return "\n\n".join(part for part in parts if part)


def _leaderboard(of_basis: Sequence[Group]) -> str:
    rows = leaderboard(of_basis)
    head = ["rank", "model", "pass@1", "after repair", "lift", "n/N", "raw parse", "clean parse"]
    head += [
        "passes only after cleaning",
        "truncated",
        "false accepts",
        "flaky",
        "unscored",
        "tokens/solved",
        "s/sample",
    ]
    lines = [
        [
            ABSENT if row.rank is None else str(row.rank),
            escape(row.group.model),
            rate_text(row.group.pass_at_1),
            rate_text(row.group.after_repair),
            lift_text(row.group.lift),
            f"{row.group.after_repair.n}/{row.group.after_repair.N}",
            percent(row.group.raw_parse.value),
            percent(row.group.clean_parse.value),
            percent(row.group.only_after_cleaning.value),
            percent(row.group.truncated.value),
            f"{row.group.false_accepts.n}/{row.group.false_accepts.N}",
            f"{row.group.flaky.n}/{row.group.flaky.N}",
            unscored_text(row.group),
            tokens_text(row.group),
            number(row.group.cost.per_sample(row.group.cost.model_s), digits=1),
        ]
        for row in rows
    ]
    return "\n\n".join(part for part in (table(head, lines), escape(why_unranked(rows), 1000)) if part)


def _group_table(listed: Sequence[Group], by: str) -> str:
    head = ["model", by, "pass@1", "after repair", "lift", "n/N", "unscored"]
    return table(
        head,
        [
            [
                escape(group.model),
                escape(", ".join(group.levels) if by == "level" else str(getattr(group, by))),
                rate_text(group.pass_at_1),
                rate_text(group.after_repair),
                lift_text(group.lift),
                f"{group.after_repair.n}/{group.after_repair.N}",
                unscored_text(group),
            ]
            for group in listed
        ],
    )


def _curve(of_basis: Sequence[Group]) -> str:
    longest = min(max(len(group.by_calls) for group in of_basis), _SHOWN_CALLS + 1)
    lines = [
        # The last state is carried on where a model's samples all ended earlier.
        [escape(group.model)]
        + [rate_text(group.by_calls[min(c, len(group.by_calls) - 1)].rate) for c in range(longest)]
        for group in of_basis
        if group.by_calls
    ]
    return table(["model", *(str(c) for c in range(longest))], lines) if lines else ""


def _cleaning(run: RunData, basis: Basis) -> str:
    head = ["model", "replies", *(str(outcome).replace("_", " ") for outcome in COLUMNS)]
    head += ["passes by lossy or model-cleaned code", "clean-up calls", "larger budget", "rules that fired"]
    lines = [
        [
            escape(each.model),
            str(each.replies),
            *(percent(each.share(outcome)) for outcome in COLUMNS),
            str(each.lossy_passes),
            str(each.cleanup_calls),
            str(each.larger_budget_calls),
            escape(each.top_rules, 400),
        ]
        for each in cleaned_replies(run, basis)
    ]
    return table(head, lines)


def _yields(of_basis: Sequence[Group]) -> str:
    found = [(group, yields_of(group)) for group in of_basis]
    failures = [failure for failure in CLASSES if any(failure in yields for _, yields in found)]
    if not failures:
        return "No call followed a failure."
    lines = [
        [escape(group.model), *(_counted(yields[f].mended) if f in yields else ABSENT for f in failures)]
        for group, yields in found
    ]
    return table(["model", *failures], lines)


def _repairs(of_basis: Sequence[Group]) -> str:
    head = ["model", "well-formed", "breaks a passing test", "loses a success", "same again", "seen before"]
    head += ["false rejects", "tokens/solved", "repair tokens/task it solved"]
    lines = [
        [
            escape(group.model),
            *map(_counted, (r.well_formed, r.regressions, r.lost, r.no_op, r.cycles, r.false_rejects)),
            f"{tokens_text(group)} {tokens_range(group)}".strip(),
            number(group.cost.repair_tokens_per_solved),
        ]
        for group in of_basis
        if (r := group.repairs) is not None
    ]
    return table(head, lines)


def _controls(of_basis: Sequence[Group]) -> list[str]:
    lines = [
        [
            escape(group.model),
            budget,
            rate_text(group.after_repair),
            rate_text(equal.fair),
            lift_text(equal.advantage),
            rate_text(equal.oracle),
            lift_text(equal.advantage_over_oracle),
            f"{equal.censored}/{group.control.samples if group.control else 0}",
        ]
        for group in of_basis
        for budget, equal in equal_budgets(group)
    ]
    if not lines:
        return []
    head = [
        "model",
        "equal",
        "after repair",
        "again, fair",
        "advantage",
        "again, oracle",
        "over oracle",
        "censored",
    ]
    return ["### Repair against asking again", table(head, lines)]


def _counted(rate: Rate) -> str:
    return ABSENT if rate.value is None else f"{rate_text(rate)} {rate.n}/{rate.N}"


def _outcomes(of_basis: Sequence[Group]) -> str:
    seen = {word for group in of_basis for word in group.final_outcomes}
    words = [word for word in OUTCOMES if word in seen]
    lines = [[escape(g.model), *(str(g.final_outcomes.get(w, 0)) for w in words)] for g in of_basis]
    return table(["model", *(OUTCOMES[word][0] for word in words)], lines)


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Write a table; the first column to the left, the others to the right. Cells are already escaped."""
    rule = [":--", *("--:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines))


def _bullets(texts: Sequence[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)
