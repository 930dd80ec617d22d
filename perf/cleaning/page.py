"""The tables of a run, as Markdown."""

from collections.abc import Mapping, Sequence

from perf.cleaning.figures import Sums
from perf.cleaning.judge import Mark
from perf.gates import Gate

EXPLAINED = """\
Shares of replies in per cent. *exact*: what a careful person would take. *layout*: the same program, but
comments or blank lines differ. *harm*: another program that compiles, and nothing is said of it. *said
lossy*: the same, but it is said. *broken*: does not compile. *none*: nothing, where there was an answer.
Where a person would hand back nothing, nothing is exact; where a person would guess or give up (the lossy
classes), either is. *crash*: an exception, the end of the process, or no answer in 20 s (5 s for other
strategies). Times are processor time."""
HEAD = ("exact", "layout", "harm", "said lossy", "broken", "none", "crash")


def render(
    judged: Sequence[Gate],
    tables: Mapping[str, Mapping[str, Sums]],
    prose_s: Mapping[str, float | None],
    facts: Mapping[str, str],
) -> str:
    """Return the whole page."""
    parts = [
        "# Results of `make bench-clean`",
        EXPLAINED,
        "## Gates",
        _gates(judged),
    ]
    for title, rows in tables.items():
        parts += [f"## {title}", _table(rows)]
    parts += [
        "## 1 MB of prose, s",
        "\n".join(
            f"- {name}: {'no answer' if took is None else f'{took:.2f}'}" for name, took in prose_s.items()
        ),
        "## Run",
        "\n".join(f"- {name}: {value}" for name, value in facts.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _gates(judged: Sequence[Gate]) -> str:
    rows = ["| | demand | found | |", "|---|---|--:|---|"]
    for gate in judged:
        value = "-" if gate.value is None else f"{gate.value:.4g}"
        rows.append(f"| {gate.what} | {gate.demand} | {value} | {gate.word} |")
    return "\n".join(rows)


def _table(rows: Mapping[str, Sums]) -> str:
    lines = [
        "| | n | " + " | ".join(HEAD) + " | unstable | p50 ms | p99 ms |",
        "|---|" + "--:|" * (len(HEAD) + 4),
    ]
    for name, each in rows.items():
        shares = " | ".join(_percent(each.share(Mark(word))) for word in HEAD)
        times = f"{each.p50_ms:.2f} | {each.p99_ms:.2f}"
        lines.append(f"| {name} | {each.n} | {shares} | {each.unstable or ''} | {times} |")
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}" if share else ""
