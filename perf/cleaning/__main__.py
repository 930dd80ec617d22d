"""Our cleaner of replies on the corpus, beside other strategies: writes perf/cleaning-results.json and .md.

    make bench-clean                              about 10 minutes
    make bench-clean ARGS="--stacks 500 --no-peers --failures /tmp/failures.jsonl"

Exit code 1: a gate is missed.
"""

import argparse
import dataclasses
import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from perf.cleaning import demands, page, peers
from perf.cleaning.ask import Host, command
from perf.cleaning.figures import Marked, Sums, grouped, strict, sums
from perf.cleaning.host import STRATEGIES
from perf.cleaning.judge import Mark, judge
from perf.gates import Gate, as_json
from tests.corpus.table import DIRT, Case, clean_cases, single_cases, stacked_cases

FOLDER = Path(__file__).resolve().parents[1]
WALL_S = 20.0
OTHERS_WALL_S = 5.0
"""One peer compiles every run of lines of a reply; without a limit it alone takes an hour."""


def main() -> int:
    """Measure, write, judge."""
    options = _options()
    began = time.monotonic()
    cases = _cases(options.seed, options.stacks)
    with Host(command("ours"), wall_s=WALL_S) as host:
        ours = _marked(host, cases, twice=True)
        prose_s = demands.long_prose(host)
    judged = demands.evaluate(ours, prose_s)
    tables = _tables(ours)
    tables[f"Strategies, on every {options.every}th reply"] = _others(
        cases[:: options.every], peers_too=options.peers
    )
    facts = {
        "replies": f"{len(cases)}, seed {options.seed}; of {len(DIRT)} classes of dirt",
        "python": platform.python_version(),
        "processors": str(os.cpu_count()),
        "took": f"{(time.monotonic() - began) / 60:.1f} min",
    }
    text = page.render(judged, tables, prose_s, facts)
    _write(options.out, text, judged, tables, prose_s, facts)
    if options.failures:
        _write_failures(options.failures, ours)
    print(text)
    return 1 if any(gate.passed is False for gate in judged) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-clean", description=__doc__.split("\n", 1)[0])
    add = parser.add_argument
    add("--seed", type=int, default=1, help="of the dirt (%(default)s)")
    add("--stacks", type=int, default=3000, help="stacks of two, and as many of three (%(default)s)")
    add("--every", type=int, default=20, help="other strategies see every so manyth reply (%(default)s)")
    add("--no-peers", dest="peers", action="store_false", help="leave out what has to be installed")
    add("--failures", type=Path, help="write the replies that went wrong, one JSON a line")
    add("--out", type=Path, default=FOLDER, help="folder for cleaning-results.json and .md")
    return parser.parse_args()


def _cases(seed: int, stacks: int) -> list[Case]:
    return [
        *clean_cases(),
        *single_cases(seed),
        *stacked_cases(seed, 2, stacks),
        *stacked_cases(seed, 3, stacks),
    ]


def _marked(host: Host, cases: Iterable[Case], *, twice: bool = False) -> list[Marked]:
    found = []
    for case in cases:
        answer = host.ask(case.text, case.asked.required, case.asked.kind, twice=twice)
        found.append(Marked(case=case, answer=answer, mark=judge(case, answer)))
    return found


def _tables(ours: Sequence[Marked]) -> dict[str, dict[str, Sums]]:
    single = [each for each in ours if len(each.case.dirt) == 1]
    stacked = [each for each in ours if len(each.case.dirt) > 1]
    depths = grouped(
        ours,
        lambda each: [f"{len(each.case.dirt)} classes" if len(each.case.dirt) > 1 else "clean or 1 class"],
    )
    grades = grouped(ours, lambda each: [each.case.grade.value])
    tables = {
        "Overall": {"all": sums(ours), "lossless and normalising": sums(strict(ours)), **grades, **depths},
        "By class of dirt, alone": grouped(single, lambda each: each.case.dirt),
        "By program": grouped(ours, lambda each: [each.case.gold]),
    }
    if stacked:
        tables["By class of dirt, in stacks"] = grouped(stacked, lambda each: each.case.dirt)
    return {
        name: rows
        if name == "Overall"
        else dict(sorted(rows.items(), key=lambda row: row[1].share(Mark.EXACT)))
        for name, rows in tables.items()
    }


def _others(cases: Sequence[Case], *, peers_too: bool) -> dict[str, Sums]:
    away = {peer.strategy for peer in peers.PEERS}
    found = {name: _strategy(command(name), cases) for name in STRATEGIES if name not in away}
    if peers_too:
        with peers.installed() as pythons:
            for name, python in pythons.items():
                found[name] = _strategy(command(name, python), cases)
    return dict(sorted(found.items(), key=lambda row: -row[1].share(Mark.EXACT)))


def _strategy(argv: Sequence[str], cases: Sequence[Case]) -> Sums:
    with Host(argv, wall_s=OTHERS_WALL_S) as host:
        return sums(_marked(host, cases))


def _write(
    folder: Path,
    text: str,
    judged: Sequence[Gate],
    tables: dict[str, dict[str, Sums]],
    prose_s: dict[str, float | None],
    facts: dict[str, str],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    plain = {title: {name: each.as_json() for name, each in rows.items()} for title, rows in tables.items()}
    data = {"run": facts, "gates": as_json(tuple(judged)), "prose_s": prose_s, "tables": plain}
    (folder / "cleaning-results.json").write_text(
        json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (folder / "cleaning-results.md").write_text(text, encoding="utf-8")


def _write_failures(path: Path, ours: Iterable[Marked]) -> None:
    wrong = [each for each in ours if each.mark is not Mark.EXACT or not each.answer.stable]
    lines = (json.dumps({"mark": each.mark, **dataclasses.asdict(each)}, default=str) for each in wrong)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
