"""The words of reports on test suites."""

from collections.abc import Mapping
from typing import Final

OUTCOMES: Final[Mapping[str, tuple[str, str, str]]] = {
    # word: (label, colour class, meaning); in the order in which reports list them
    "scored": ("scored", "good", "it passes, is stable, and its mutation score counts"),
    "fails": ("fails", "tests", "a test does not pass with the script"),
    "flaky": (
        "flaky",
        "tests",
        "a test has another outcome alone, in another order, or with another hash seed",
    ),
    "looks_at_code": ("looks at code", "tampered", "it fails on a version that behaves as the script does"),
    "no_tests": ("no tests", "runtime", "pytest collects nothing"),
    "too_many_tests": ("too many tests", "limits", "more than 2000 tests"),
    "same_ids": ("same ids", "runtime", "two tests cannot be told apart"),
    "uncollectable": ("uncollectable", "runtime", "an exception when the tests were collected"),
    "syntax_error": ("syntax error", "form", "the interpreter in the sandbox refused to compile it"),
    "no_code": ("no code", "form", "nothing could be extracted from the reply"),
    "truncated": ("truncated", "form", "cut at the token limit before anything could run"),
    "hangs": ("hangs", "limits", "its import, or a run of its tests, did not end within its limits"),
    "leaves": ("leaves", "tampered", "it ended the interpreter"),
    "crashed": ("crashed", "limits", "what conducts the runs was killed"),
    "out_of_memory": ("out of memory", "limits", "used up its memory"),
    "output_limit": ("output limit", "limits", "wrote more than it may"),
    "unfinished": ("unfinished", "limits", "the scoring was cut off by its own limits"),
    "script_broken": (
        "script broken",
        "none",
        "the script itself cannot be imported: nothing is said of the suite",
    ),
    "unscored": ("unscored", "none", "a failure of ours, or not run: counts neither for nor against"),
}
GLOSSARY: Final[tuple[tuple[str, str], ...]] = (
    ("Script", "What is tested; importable as `solution`."),
    ("Suite", "A pytest file that a writer made for one script."),
    ("First, held", "The suite of the first call; the last one there is after failures were sent back."),
    ("Mutant", "The script with one small fault. Killed: a test fails that passes without the fault."),
    (
        "Stable mutation score",
        "Killed mutants in all mutants, for suites that are scored; 0 for any other. The headline.",
    ),
    ("Score of what passes", "The same by the tests that pass and are stable, whatever became of the suite."),
    (
        "Of mutants that any suite kills",
        "Without mutants that no suite of this run kills: they may be no faults.",
    ),
    (
        "Catches",
        "Share of wrong scripts for the same task that the suite rejects; equal failures count once.",
    ),
    ("False alarms", "Share of right scripts that the suite rejects; the script under test is one of them."),
    ("J", "Catches minus false alarms: 1 is perfect, 0 is no better than a coin."),
    ("Vacuous test", "Passes whatever the script does: no version without behaviour fails it."),
    ("Kills by assertion", "Share of the kills that are due to an assertion, and not to a crash or a loop."),
    ("Needed", "Tests in a smallest set, found greedily, that kills the same mutants."),
    ("Hermetic", "No network, no process, no file outside temporary folders, under a second of sleep."),
    (
        "Reveals, pins",
        "On a wrong script: a test that only the right scripts pass; one that only this one passes.",
    ),
    ("Interval", "95 %, clustered on families of tasks; differences are paired by script."),
    ("Null version", "An unchanged script among the mutants: a suite that fails on one looks at code."),
)
