"""Kill a bench of four workers with SIGKILL, again and again at random moments: nothing may go on.

    .venv/bin/python -m perf.kill_nine --times 50

Writes perf/out/kill_nine.json. Exit code 1: a container still ran five seconds later, or reaping left one.
"""

import argparse
import json
import random
import sys
from dataclasses import asdict
from pathlib import Path

from perf.kills import GRACE_S, Aftermath, kill_once

OUT = Path(__file__).resolve().parent / "out"


def main() -> int:
    """Kill, count, write, judge."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--warm", type=int, default=4, help="containers kept ready (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    found: list[Aftermath] = []
    for number in range(options.times):
        found.append(kill_once(dice.uniform(0, 3), workers=options.workers, warm=options.warm))
        print(f"{number + 1}: {found[-1]}", flush=True)
    OUT.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(each) for each in found], indent=1)
    (OUT / "kill_nine.json").write_text(text + "\n", encoding="utf-8")
    return judge(found)


def judge(found: list[Aftermath]) -> int:
    """Say in a line what came out; the exit code."""
    running = sum(each.running for each in found)
    unreaped = sum(each.left_after_reaping for each in found)
    slowest = max((each.last_seen_s for each in found), default=0.0)
    print(
        f"{len(found)} kills, {sum(each.running_at_kill for each in found)} containers at work: "
        f"{running} ran {GRACE_S:g} s later (the last stopped after {slowest:.2f} s), "
        f"{sum(each.left for each in found)} were left to the reaper, {unreaped} after it"
    )
    return 1 if running or unreaped else 0


if __name__ == "__main__":
    sys.exit(main())
