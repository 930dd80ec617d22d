# ruff: noqa: E501 - each row of the table is one line
"""Every number that a report or a comparison holds: where it stands, its formula, its interval, its source.

`docs/metrics.md` is made of this (`python -m evaluator.statistics.catalogue`), and a test sees that no number is
missing here.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

CHEN: Final = "Chen et al. 2021, arXiv:2107.03374, section 2.1"
WILSON: Final = "W"
DIFFERENCE: Final = "D"
SHARES: Final = "S"
BOOTSTRAP: Final = "B"
COUNT: Final = "\u2013"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number."""

    name: str
    where: str
    """Its place under a model in summary.json, or in what `mendbench compare --json` prints."""
    formula: str
    interval: str = COUNT
    source: str = "this project"


def _m(name: str, where: str, formula: str, interval: str = COUNT, source: str = "this project") -> Metric:
    return Metric(name=name, where=where, formula=formula, interval=interval, source=source)


GROUP: Final = (
    _m(
        "pass@1",
        "pass_at_1",
        "mean over tasks of c_i / n_i: first calls that are a success, of those scored",
        WILSON,
        CHEN,
    ),
    _m(
        "pass@k",
        "pass_at_k",
        "mean over tasks of 1 \u2212 C(n_i \u2212 c_i, k) / C(n_i, k); only where each task has k draws",
        SHARES,
        CHEN,
    ),
    _m(
        "after repair",
        "after_repair",
        "mean over tasks of the share of samples whose script that held in the end is a success",
        WILSON,
        "RAS@R; Olausson et al. 2024, arXiv:2306.09896",
    ),
    _m(
        "lift",
        "lift",
        "after repair \u2212 pass@1 over the same samples, in points; n = gained \u2212 lost",
        DIFFERENCE,
        "Olausson et al. 2024",
    ),
    _m(
        "repair curve by calls",
        "by_calls",
        "share of samples whose script that held after c calls beyond the first is a success",
        WILSON,
        "RAS@r",
    ),
    _m(
        "repair curve by rounds",
        "by_rounds",
        "the same by repair and fresh calls; calls for form or length belong to the round before",
        WILSON,
        "RAS@r",
    ),
    _m(
        "repair curve by tokens",
        "by_tokens",
        "the same by prompt and completion tokens of all calls so far; none where a usage is missing",
        WILSON,
        "pass@t; Olausson et al. 2024, appendix",
    ),
    _m("raw parse", "raw_parse", "first replies that compile untouched, of first calls scored", WILSON),
    _m(
        "clean parse",
        "clean_parse",
        "first scripts that compile in the sandbox, of first calls scored",
        WILSON,
    ),
    _m(
        "passes only after cleaning",
        "only_after_cleaning",
        "first calls that succeed and whose untouched reply does not compile",
        WILSON,
    ),
    _m(
        "truncated",
        "truncated",
        "first replies cut at the token limit or capped, of first calls scored",
        WILSON,
    ),
    _m(
        "false accepts",
        "false_accepts",
        "of scripts that held and passed what is shown, and whose holdout was run: those that fail it",
        WILSON,
        "over-fitting in LDB, arXiv:2402.16906",
    ),
    _m(
        "flaky",
        "flaky",
        "of accepted scripts that were run again (--flake-checks): those that failed one of these runs; no other number depends on it",
        WILSON,
    ),
    _m(
        "unscored",
        "unscored",
        "planned samples that a failure of ours, or the end of the run, left without a verdict",
    ),
    _m("share unscored", "unscored_share", "unscored / planned; above 2 % there is no ranking"),
    _m(
        "planned, scored",
        "planned",
        "tasks \u00d7 templates \u00d7 samples; scored = planned \u2212 unscored",
    ),
    _m("scored", "scored", "samples whose every attempt was judged"),
    _m("tasks", "tasks", "different tasks"),
    _m("families", "families", "clusters of tasks: what every interval rests on"),
    _m("first outcomes", "first_outcomes", "samples by the outcome of the first call"),
    _m("final outcomes", "final_outcomes", "samples by the outcome of the script that held"),
    _m(
        "suspicious",
        "suspicious",
        "samples by flag of suspicious code in any attempt; no other number depends on it",
    ),
    _m("suspicious samples", "suspicious_samples", "samples with any flag"),
    _m("suspicious successes", "suspicious_successes", "of those, the ones that succeed with flagged code"),
    _m("calls", "cost.calls", "calls of scored samples; also per sample and per solved task"),
    _m(
        "tokens",
        "cost.tokens",
        "prompt and completion tokens of scored samples; a lower bound where usage is missing",
    ),
    _m("calls without usage", "cost.calls_without_usage", "calls whose tokens the server did not report"),
    _m("model seconds", "cost.model_s", "seconds until the replies were complete"),
    _m("sandbox seconds", "cost.sandbox_s", "wall time of shown and holdout runs"),
    _m("samples", "cost.samples", "scored samples: the denominator per sample"),
    _m("solved", "cost.solved", "samples that are a success in the end: the denominator per solved task"),
    *(
        _m(f"{name} per {unit}", f"cost.{key}_per_{short}", f"{name} / {what}")
        for name, key in (("calls", "calls"), ("model seconds", "model_s"), ("sandbox seconds", "sandbox_s"))
        for unit, short, what in (
            ("sample", "sample", "scored samples"),
            ("solved task", "solved", "solved samples"),
        )
    ),
    _m("tokens per sample", "cost.tokens_per_sample", "tokens / scored samples"),
    _m(
        "tokens per solved task",
        "cost.tokens_per_solved",
        "tokens of all scored samples / solved samples",
        BOOTSTRAP,
        "Efron and Tibshirani 1993, chapter 13",
    ),
    _m("its interval, lower end", "cost.tokens_per_solved_low", "2.5 % percentile"),
    _m(
        "its interval, upper end",
        "cost.tokens_per_solved_high",
        "97.5 % percentile; none where it is not bounded",
    ),
    _m("repair tokens", "cost.repair_tokens", "tokens of calls beyond the first"),
    _m("solved by repair", "cost.solved_by_repair", "solved in the end \u2212 solved by the first call"),
    _m(
        "repair tokens per task it solved",
        "cost.repair_tokens_per_solved",
        "repair tokens / solved by repair",
    ),
    _m("latency", "cost.latency", "median and 95th percentile of seconds per call, model and sandbox"),
    _m(
        "funnel",
        "repairs.funnel",
        "of the calls with one number: replied, extracted, compiled, ran, passed what is shown, succeeded",
        WILSON,
    ),
    _m(
        "yield by class of failure",
        "repairs.yields",
        "of calls that follow a failure of the class: those whose script is a success; also for first failures alone, and replies without a script",
        WILSON,
        "arXiv:2604.10508",
    ),
    _m(
        "well-formed replies",
        "repairs.well_formed",
        "replies from which a script could be extracted / replies",
        WILSON,
        "Aider leaderboards",
    ),
    _m(
        "regressions",
        "repairs.regressions",
        "scripts that fail a shown test which the one held then passes, and are taken back / scripts that came after another",
        WILSON,
        "test anchors of AlphaCodium, arXiv:2401.08500",
    ),
    _m(
        "lost successes",
        "repairs.lost",
        "calls after which a success is none any more / calls after a success",
        WILSON,
    ),
    _m(
        "no-op",
        "repairs.no_op",
        "scripts equal (syntax tree) to the one held then / scripts that came after another",
        WILSON,
    ),
    _m("cycles", "repairs.cycles", "scripts equal to any before / scripts that came after another", WILSON),
    _m(
        "false rejects",
        "repairs.false_rejects",
        "final scripts that fail what is shown and pass the holdout / those whose holdout was run",
        WILSON,
    ),
    _m("controls", "control.samples", "scored samples that have a trajectory of the control arm"),
    _m("control draws", "control.draws", "calls of the control arm on them"),
    _m(
        "tokens of the control",
        "control.tokens",
        "prompt and completion tokens of those; a lower bound where usage is missing",
    ),
    _m(
        "asking again, equal calls",
        "control.by_calls",
        "fair: the first of as many fresh draws as repair made calls that passes what is shown is a success; oracle: any is; advantage: after repair \u2212 fair; censored: fewer draws than that, none passed",
        f"{WILSON}, {DIFFERENCE}",
        "Olausson et al. 2024, section 4",
    ),
    _m(
        "asking again, equal tokens",
        "control.by_tokens",
        "the same with the draws that the tokens of the repair would buy, at least one",
        f"{WILSON}, {DIFFERENCE}",
        "Olausson et al. 2024, appendix",
    ),
)
"""Under `bases.*.leaderboard[]`, `by_batch[]`, `by_template[]` and `by_level[]` of summary.json."""
COMPARISON: Final = (
    _m("rates", "first_rate", "mean over the common tasks of the first side's shares"),
    _m("rates of the second", "second_rate", "the same of the second side"),
    _m(
        "difference",
        "points",
        "mean over common tasks of second \u2212 first, in points",
        DIFFERENCE,
        "Newcombe 1998, method 10",
    ),
    _m(
        "p",
        "p",
        "exact McNemar for single samples of unrelated tasks; else a t-test of task differences, clustered on families",
        COUNT,
        "McNemar 1947; Miller 2024, arXiv:2411.00640",
    ),
    _m(
        "p over all pairs",
        "p_holm",
        "Holm's correction over all pairs of one measure and basis",
        COUNT,
        "Holm 1979",
    ),
    _m(
        "least visible difference",
        "detectable",
        "2.8 standard errors of the difference: 80 % power at 5 %",
        COUNT,
        "Miller 2024, section 5",
    ),
    _m("gained", "gained", "tasks on which the second is better"),
    _m("lost", "lost", "tasks on which it is worse"),
    _m("common tasks", "tasks", "tasks (under each template) on which both are scored"),
    _m("families", "families", "clusters among them"),
    _m("unpaired", "unpaired", "common tasks with nothing scored on one side"),
    _m("same scripts", "same_scripts", "scripts of a task that both sides hold, layout aside"),
    _m(
        "other verdicts",
        "other_verdicts",
        "of those, the ones with another verdict: flakes",
        COUNT,
        "verdict agreement",
    ),
)
"""Under `comparisons[]` of `mendbench compare --json`."""


def tables() -> str:
    """Write both tables as Markdown."""
    return "\n\n".join(
        f"### {title}\n\n" + "\n".join(_table(metrics))
        for title, metrics in (("A model, in `summary.json`", GROUP), ("`mendbench compare`", COMPARISON))
    )


def _table(metrics: tuple[Metric, ...]) -> Iterator[str]:
    yield "| number | where | formula | interval | source |"
    yield "|---|---|---|---|---|"
    for one in metrics:
        yield f"| {one.name} | `{one.where}` | {one.formula} | {one.interval} | {one.source} |"


if __name__ == "__main__":
    sys.stdout.write(tables() + "\n")
