"""The words of the reports: titles, banners, glossary. Said once, shown everywhere the same."""

from collections.abc import Mapping
from typing import Final

from evaluator.runs.records import Manifest

DEMO_BANNER: Final = "RECORDED DEMO: no model was measured"
DEMO_NOTE: Final = (
    "The replies were written for this project and played back to show the tool. "
    "The numbers say nothing about any model."
)
REPLAY_BANNER: Final = "REPLAY: the replies were recorded elsewhere and answered other prompts"
REPLAY_NOTE: Final = (
    "Past replies of models were played back by their place in the conversation. They answered the prompts "
    "and the feedback of the harness that recorded them: what follows a failure here is what followed it "
    "there, not what this feedback would have brought. A sample whose recording ended before the loop did is "
    "unscored."
)
REGRADE_BANNER: Final = "REGRADED: saved replies were judged anew; no model was asked"
REGRADE_NOTE: Final = (
    "The replies are those of another run, to that run's feedback. A sample that fails now, and after which "
    "nothing was asked because it had passed, is censored: what repairs would have brought is not known."
)
BASIS_TITLES: Final[Mapping[str, str]] = {
    "own": "Judged by the tasks' own tests",
    "model-written": "Judged by tests that a model wrote",
    "program": "No tests: judged by running as a program",
}
LEVEL_NOTES: Final[Mapping[str, str]] = {
    "process": "level process: tests and script run in different processes under different users.",
    "shared": "level shared: tests and script share one interpreter; guarded by evidence, not by a boundary.",
    "program": "level program: exit status and traceback only; forgeable by nature.",
}
OUTCOMES: Final[Mapping[str, tuple[str, str, str]]] = {
    # word: (label, colour class, meaning); in the order in which reports list them
    "passed": ("passed", "good", "all shown tests passed, and the holdout where there is one"),
    "holdout_failed": ("holdout failed", "false", "passed what was shown, failed the holdout"),
    "holdout_not_run": ("holdout not run", "none", "passed what was shown; the holdout was not run"),
    "tests_failed": ("tests failed", "tests", "an expected test did not pass"),
    "runtime_error": ("runtime error", "runtime", "an exception at import, or a traceback as a program"),
    "syntax_error": ("syntax error", "form", "the interpreter in the sandbox refused to compile it"),
    "no_code": ("no code", "form", "nothing could be extracted from the reply"),
    "truncated": ("truncated", "form", "cut at the token limit before anything could run"),
    "no_tests": ("no tests", "runtime", "the test file collects nothing"),
    "crashed": ("crashed", "limits", "died by a signal"),
    "timed_out": ("timed out", "limits", "ran past its wall-clock limit"),
    "cpu_limit": ("CPU limit", "limits", "used up its CPU time"),
    "out_of_memory": ("out of memory", "limits", "used up its memory"),
    "output_limit": ("output limit", "limits", "wrote more than it may"),
    "tampered": ("tampered", "tampered", "the test report was interfered with"),
    "unscored": ("unscored", "none", "a failure of ours, or not run: counts neither for nor against"),
    "sandbox_error": ("sandbox error", "none", "the sandbox failed: unscored"),
    "llm_error": ("LLM error", "none", "no usable reply from the server: unscored"),
}
GLOSSARY: Final[tuple[tuple[str, str], ...]] = (
    ("Task", "One prompt of a batch, with its tests if it has any."),
    ("Sample", "One independent draw: task \u00d7 template \u00d7 model \u00d7 sample number."),
    ("Call", "One request to a model: the first, a repair, or one that mends length or form."),
    ("Attempt", "A call's reply, the script that came out of it, its runs, and the verdict."),
    ("pass@1", "Share of samples whose first call alone succeeds. Each task weighs the same."),
    ("pass@k", "Chance that at least one of k first calls succeeds (unbiased estimate, Chen et al. 2021)."),
    ("After repair", "Share of samples whose script that held in the end is a success."),
    (
        "Held",
        "The last script that broke no shown test of the one before it: one that does is taken back.",
    ),
    ("Repair@c", "Share of samples whose script that held after c calls beyond the first is a success."),
    ("Lift", "After repair minus first call, in points, over the same samples."),
    ("Success", "Shown tests and holdout both pass; shown tests alone where a task has no holdout."),
    ("Shown tests", "The tests whose failures the repair loop may tell the model."),
    ("Holdout", "Tests that no model is ever told about; they decide success."),
    ("False accept", "A script that passes what was shown and fails the holdout."),
    ("Raw parse", "First replies that compile exactly as they came."),
    ("Clean parse", "First scripts that compile in the sandbox after cleaning the reply."),
    ("Unscored", "A failure of ours hides the outcome. Outside every rate, with bounds beside it."),
    ("Yield", "Of calls that follow a failure of one class: the share whose script is a success."),
    ("Breaks a test", "A script fails a shown test that the one held passes. It is taken back, and counted."),
    ("Advantage", "After repair minus fresh draws at equal calls or tokens, in points, same samples."),
    ("Fair, oracle", "Which fresh draw counts: the first that passes what is shown; any that is a success."),
    ("Censored", "The control arm has fewer draws than the budget buys, and none of them passed."),
    (
        "Interval",
        "95 %, clustered on families of tasks; docs/metrics.md has the formula of every number.",
    ),
    ("Level", "How far tests are kept from the code under test: program, shared or process."),
)


def banners(manifest: Manifest) -> tuple[tuple[str, str], ...]:
    """What must stand above everything else of a run: banner and its explanation, for each that applies."""
    found = (
        (manifest.recorded_demo, DEMO_BANNER, DEMO_NOTE),
        (manifest.replayed, REPLAY_BANNER, REPLAY_NOTE),
        (manifest.regraded_from, REGRADE_BANNER, REGRADE_NOTE),
    )
    return tuple((banner, note) for applies, banner, note in found if applies)
