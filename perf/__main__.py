"""Every way to run an attempt, side by side in one run: writes perf/results.json and perf/results.md.

    make perf                         about 20 minutes, on a machine that does nothing else
    make perf ARGS="--rounds 5 --windows 1"

Exit code 1: a gate is missed.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from perf import crossing, gates, kills, latency, machine, results, saturated, tables
from perf.ways import Name

HERE = Path(__file__).resolve().parent
KILLS_S = (0.1, 0.7, 2.0)


def main() -> int:
    """Measure, write, judge."""
    options = _options()
    began, facts, ticks = time.monotonic(), machine.facts(), machine.steal_ticks()
    found = results.build(
        latency.measure(options.ways, options.rounds),
        saturated.measure(
            options.ways,
            saturated.Settings(windows=options.windows, settle_s=options.settle, window_s=options.window),
        ),
        [kills.kill_once(after_s, warm=options.warm) for after_s in KILLS_S],
        crossing.measure(),
    )
    judged = gates.evaluate(found)
    stolen, all_ticks = (late - early for early, late in zip(ticks, machine.steal_ticks(), strict=True))
    facts["stolen by other guests"] = f"{100 * stolen / all_ticks:.1f} % of CPU time"
    facts["took"] = f"{(time.monotonic() - began) / 60:.0f} min"
    _write(options.out, found, judged, facts)
    print(tables.render(found, judged, facts))
    return 1 if any(gate.passed is False for gate in judged) else 0


def _options() -> argparse.Namespace:
    names = {name.name.lower(): name for name in Name}
    parser = argparse.ArgumentParser(prog="make perf", description=__doc__.split("\n", 1)[0])
    add = parser.add_argument
    add("--rounds", type=int, default=30, help="rounds of one attempt at a time (%(default)s)")
    add("--windows", type=int, default=5, help="windows of throughput per way and workers (%(default)s)")
    add("--window", type=float, default=6.0, help="seconds of a window (%(default)s)")
    add("--settle", type=float, default=3.0, help="seconds before a window (%(default)s)")
    add("--warm", type=int, default=4, help="pool of the bench that is killed (%(default)s)")
    add("--ways", nargs="+", choices=names, default=list(names), help="only these; gates may lack theirs")
    add("--out", type=Path, default=HERE, help="folder for results.json and results.md")
    options = parser.parse_args()
    options.ways = [names[word] for word in options.ways]
    return options


def _write(
    folder: Path, found: results.Results, judged: tuple[gates.Gate, ...], facts: dict[str, str]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = {"machine": facts, "gates": gates.as_json(judged), **results.as_json(found)}
    text = json.dumps(data, indent=1, ensure_ascii=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    (folder / "results.md").write_text(tables.render(found, judged, facts), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
