"""What the reports say of cleaning: outcomes by model, rules, and what rests on lossy edits."""

from evaluator.report.cleaning import cleaned_replies
from evaluator.report.markdown import markdown_report
from evaluator.report.summary import summarise
from repair.llm import CallKind
from repair.outcome import Verdict
from repair.script import CleanOutcome, Edit, EditClass

LOSSY = (Edit(rule="missing_imports", kind=EditClass.LOSSY), Edit(rule="fence", kind=EditClass.LOSSLESS))


def test_replies_are_counted_by_what_became_of_them(builder):
    """Every call counts once; passes by lossy and model-cleaned code stand apart."""
    builder.sample("m", "b/one", [{"verdict": Verdict.PASSED, "outcome": CleanOutcome.LOSSY, "edits": LOSSY}])
    builder.sample(
        "m",
        "b/two",
        [
            {"verdict": Verdict.SYNTAX_ERROR, "outcome": CleanOutcome.UNPARSABLE},
            {"verdict": Verdict.PASSED, "outcome": CleanOutcome.LLM_CLEANED, "kind": CallKind.CLEANUP},
        ],
    )
    builder.sample("m", "b/three", [{"verdict": Verdict.PASSED, "raw_compiles": True}])

    (one,) = cleaned_replies(builder.build(), "own")

    assert one.replies == 4
    assert one.outcomes == {"llm_cleaned": 1, "lossy": 1, "raw": 1, "unparsable": 1}
    assert (one.lossy_passes, one.cleanup_calls, one.larger_budget_calls) == (2, 1, 0)
    assert one.share(CleanOutcome.RAW) == 0.25
    assert one.rules["missing_imports"] == 1
    assert next(iter(one.rules)) == "fence"


def test_all_reports_have_it(builder):
    """The summary holds the counts, the Markdown page a table of them."""
    builder.sample("m", "b/one", [{"verdict": Verdict.PASSED, "outcome": CleanOutcome.LOSSY, "edits": LOSSY}])
    run = builder.build()

    assert summarise(run)["bases"]["own"]["cleaning"][0]["passed"] == {"lossy": 1}
    assert "What cleaning made of the replies" in markdown_report(run)
    assert "missing&#95;imports 1" in markdown_report(run)
