"""What stands in the text of a suite and weakens it: explanations for its author, never a part of the score.

Ruff's own rules, but for two things that it has no rule for: those are found in the container, where the
suite is parsed (`sandbox/guest/mutation/hints.py`).
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ruff import find_ruff_bin

from sandbox.suite import SuiteFacts

RULES: Final = {
    "B011": "an assertion that always fails",
    "B015": "a comparison whose result nobody looks at: `assert` is missing",
    "B017": "any exception at all is content enough for it",
    "B018": "an expression that does nothing",
    "E722": "every exception is caught, failed assertions as well",
    "BLE001": "every exception is caught, failed assertions as well",
    "F631": "an assertion on a tuple, which always holds",
    "F632": "`is` compares with a literal",
    "F811": "a second definition of the same name: the first never runs",
    "PLR0124": "something is compared with itself",
    "PLR0133": "two constants are compared",
    "PLW0129": "an assertion on a text, which always holds",
    "PT010": "`pytest.raises` without an exception",
    "PT011": "an exception as broad as this comes from other faults, too: `match` is missing",
    "PT012": "more than one statement within `pytest.raises`: what follows the first exception never runs",
    "PT015": "an assertion that always fails",
    "PT017": "an assertion in an `except` block: without an exception nothing is checked",
    "PT031": "more than one statement within `pytest.warns`",
    "S110": "every exception is caught and dropped",
    "S112": "every exception is caught and dropped",
}
"""Ruff's rules, and what each means for a suite."""
ASSERTLESS: Final = "assertless"
SWALLOWING: Final = "swallowing"
_OURS: Final = {
    ASSERTLESS: "nothing is asserted",
    SWALLOWING: "an assertion stands where its failure is caught",
}
MOST: Final = 50
_TIMEOUT_S: Final = 10.0
_MOST_BYTES: Final = 1_000_000
_WAYS: Final = ("--isolated", "--no-cache", "--ignore-noqa", "--exit-zero", "--quiet", "--output-format=json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One weakness."""

    rule: str
    """Ruff's code, or `assertless` and `swallowing`, which are ours."""
    line: int
    """From 1; 0 where the whole test is meant."""
    where: str
    """The test, where that is known."""
    text: str


def advice(tests: str, facts: SuiteFacts | None) -> tuple[Advice, ...]:
    """Name the weaknesses of a suite, at most `MOST`, in the order of its lines.

    Args:
        tests: the suite's text.
        facts: what was seen of it; None if it never ran.
    """
    ours = [
        Advice(rule=rule, line=0, where=name, text=_OURS[rule])
        for rule, names in (
            (ASSERTLESS, facts.assertless if facts else ()),
            (SWALLOWING, facts.swallowing if facts else ()),
        )
        for name in names
    ]
    return (*ours, *_of_ruff(tests))[:MOST]


def _of_ruff(tests: str) -> list[Advice]:
    source = tests.encode("utf-8", "replace")
    if len(source) > _MOST_BYTES:
        return []
    try:
        done = subprocess.run(  # noqa: S603 -- our own command; the text goes in as standard input
            [
                find_ruff_bin(),
                "check",
                *_WAYS,
                f"--select={','.join(RULES)}",
                "--stdin-filename=test.py",
                "-",
            ],
            input=source,
            capture_output=True,
            timeout=_TIMEOUT_S,
            env={},
            check=False,
        )
        found = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        # What ruff cannot read, it has nothing to say of; the container says whether it compiles.
        return []
    return sorted(_told(found), key=lambda each: (each.line, each.rule))


def _told(found: Sequence[dict[str, Any]]) -> list[Advice]:
    """Leave out what no rule stands for, as errors of syntax, and say the same of a line but once."""
    kept = {
        (str(RULES[each["code"]]), int(each["location"]["row"])): each["code"]
        for each in found
        if each.get("code") in RULES
    }
    return [Advice(rule=rule, line=line, where="", text=text) for (text, line), rule in kept.items()]
