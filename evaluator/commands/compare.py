"""mendbench compare: two runs, or the models of one, on the same tasks."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evaluator.errors import UsageProblem
from evaluator.runs.folders import refuse_suites, run_folder
from evaluator.safe_text import for_terminal
from evaluator.statistics.comparable import ASPECTS, check_comparable, only_in_one

if TYPE_CHECKING:
    from evaluator.statistics.compare import Difference

_SHOWN = 12


_INSTEAD = "its report compares its writers"


@click.command("compare")
@click.argument("first")
@click.argument("second", required=False)
@click.option(
    "--across",
    multiple=True,
    type=click.Choice(ASPECTS),
    help="What may differ, because it is what you compare; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@click.option("--runs-dir", type=click.Path(path_type=Path), help="Default: ./runs.")
def command(
    first: str, second: str | None, across: tuple[str, ...], runs_dir: Path | None, *, as_json: bool
) -> int:
    """Compare run FIRST with run SECOND task by task; with FIRST alone, its models and its templates.

    Both runs must have the same tasks, limits, image, policy and templates; what differs is named and
    refused, unless you say --across.
    """
    from evaluator.statistics.compare import between, within  # noqa: PLC0415 - loads the statistics
    from evaluator.statistics.ledger_files import read_ledger  # noqa: PLC0415

    a = read_ledger(run_folder(first, runs_dir))
    refuse_suites(a.manifest, _INSTEAD)
    notes = list(a.manifest.invalid)
    if second is None:
        found = within(a)
    else:
        b = read_ledger(run_folder(second, runs_dir))
        refuse_suites(b.manifest, _INSTEAD)
        notes += [*check_comparable(a.manifest, b.manifest, across), *only_in_one(a.manifest, b.manifest)]
        notes += b.manifest.invalid
        found = between(a, b)
    if not found:
        raise UsageProblem(
            "nothing to compare: no two models, templates or runs were scored on the same tasks"
        )
    if as_json:
        click.echo(json.dumps({"notes": notes, "comparisons": [asdict(one) for one in found]}, indent=1))
    else:
        click.echo(for_terminal("\n".join(_text(found, notes))))
    return 0


def _text(found: "Sequence[Difference]", notes: Sequence[str]) -> list[str]:
    lines = [f"note: {note}" for note in notes]
    for one in found:
        lines += ["", f"{one.first} → {one.second}: {one.measure} ({one.basis} tests)"]
        lines += [f"  {line}" for line in _facts(one)]
    return lines


def _facts(one: "Difference") -> list[str]:
    tied = f" in {one.families} families" if one.families != one.tasks else ""
    holm = f"; {one.p_holm:.2g} over all pairs (Holm)" if one.p_holm != one.p else ""
    facts = [
        f"{100 * one.first_rate:.1f} % → {100 * one.second_rate:.1f} % on {one.tasks} tasks{tied}",
        f"difference {one.points:+.1f} points [{one.low:+.1f}, {one.high:+.1f}]",
        f"p = {one.p:.2g} ({one.p_method}){holm}",
        f"a true difference under {one.detectable:.1f} points would mostly have gone unseen",
    ]
    facts += [f"better on {len(one.gained)}: {_some(one.gained)}"] if one.gained else []
    facts += [f"worse on {len(one.lost)}: {_some(one.lost)}"] if one.lost else []
    facts += [f"{one.unpaired} tasks are unscored on one side"] if one.unpaired else []
    if one.other_verdicts:
        facts.append(f"{one.other_verdicts} of {one.same_scripts} equal scripts were judged otherwise")
    return facts


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
