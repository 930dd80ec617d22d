"""What is demanded of the cleaner, and speed on long prose."""

import random

from perf.cleaning.ask import Host
from perf.cleaning.figures import Marked, strict, sums
from perf.cleaning.judge import Mark, untouched
from perf.gates import Gate
from tests.corpus.dirt import words
from tests.corpus.draft import block
from tests.corpus.table import CLEAN

MEGABYTE = 1_000_000


def evaluate(found: list[Marked], prose_s: dict[str, float | None]) -> tuple[Gate, ...]:
    """Judge a run of our own cleaner."""
    clean = [each for each in found if each.case.dirt == (CLEAN,)]
    plain, whole = sums(strict(found)), sums(found)
    # Two or three kinds of dirt in one reply are there to try the cleaner, not as often as models send them.
    usual = sums([each for each in found if len(each.case.dirt) == 1])
    slowest = None if None in prose_s.values() else max(s for s in prose_s.values() if s is not None)
    exact, harm, crashes = plain.share(Mark.EXACT), whole.harm_of_claimed, whole.share(Mark.CRASH) * whole.n
    return (
        _gate("clean code comes back byte for byte, share", "= 1", _same(clean), lambda v: v == 1),
        _gate("exact, share where dirt is lossless or normalising", "≥ 0.98", exact, lambda v: v >= 0.98),
        _gate("harm, share of the answers not said to be lossy", "< 0.005", harm, lambda v: v < 0.005),
        _gate("answers that change when they are cleaned again", "= 0", whole.unstable, lambda v: v == 0),
        _gate("crashes", "= 0", crashes, lambda v: v == 0),
        _gate("processor time, median where dirt is not stacked, ms", "≤ 1", usual.p50_ms, lambda v: v <= 1),
        _gate("processor time of a reply, 99th percentile, ms", "≤ 20", whole.p99_ms, lambda v: v <= 20),
        _gate("1 MB of prose, the slowest kind, s", "≤ 1", slowest, lambda v: v <= 1),
    )


def _same(clean: list[Marked]) -> float:
    return sum(untouched(each.case, each.answer) for each in clean) / len(clean)


def _gate(what: str, demand: str, value: float | None, holds: object) -> Gate:
    assert callable(holds)
    return Gate(what=what, demand=demand, value=value, passed=value is not None and bool(holds(value)))


def long_prose(host: Host) -> dict[str, float | None]:
    """Processor seconds for 1 MB of each kind of prose; None where there was no answer."""
    rng, found = random.Random(1), {}
    for name, text in _kinds(rng).items():
        answer = host.ask(text)
        found[name] = None if answer.error else answer.ms / 1000
    return found


def _kinds(rng: random.Random) -> dict[str, str]:
    def filled(*parts: str) -> str:
        out, size = [], 0
        while size < MEGABYTE:
            out.append(rng.choice(parts))
            size += len(out[-1]) + 2
        return "\n\n".join(out)[:MEGABYTE]

    prose = (*words.BEFORE, *words.AFTER)
    code = block("def f(x):\n    return x + 1\n")
    return {
        "prose": filled(*prose),
        "prose on one line": filled(*prose).replace("\n", " "),
        "prose and code at the end": filled(*prose) + "\n\n" + code,
        "prose with many blocks": filled(*prose, code, block("ls -la", "bash")),
        "prose with many openers": filled(*prose, "```python", "```"),
        "unclosed reasoning": "<think>\n" + filled(*prose, code),
        "prose with stray brackets and quotes": filled(*prose, "f(x", "'", '"""', "[1, 2", "{"),
    }
