"""Clean-up by a model: asked for once, taken only where little changed, and never a repair round."""

import pytest

from repair import cleanup
from repair.attempt import LoopConfig, Stages, Start
from repair.cleaning.clean import Asked, clean_reply
from repair.llm import CallId, Completion, Message, Sampling
from repair.loop import run_loop
from repair.outcome import Verdict
from repair.script import CleanOutcome, EditClass
from sandbox.types import CompileReport, Evidence, Level, RunResult, TestOutcome, TestRecord

GOOD = "def add(a, b):\n    return a + b\n\n\ndef sub(a, b):\n    return a - b\n"
BROKEN = GOOD.replace("def add(a, b):", "def add(a, b:")
START = Start(
    call=CallId(task_id="b/t", template="default", sample=0),
    messages=(Message(role="user", content="write add"),),
    sampling=Sampling(temperature=0.7, max_tokens=100),
)


def run(code):
    """The facts of a run, with this interpreter as the judge of form."""
    try:
        compile(code, "solution.py", "exec")
        report = CompileReport(ok=True)
    except SyntaxError as exc:
        report = CompileReport(
            ok=False,
            exc_type="SyntaxError",
            message=exc.msg,
            line=exc.lineno,
            column=exc.offset,
            source=exc.text or "",
        )
    good = TestOutcome.PASSED if "a + b" in code and report.ok else TestOutcome.FAILED
    return RunResult(
        job_id="j",
        level=Level.SHARED,
        python="3.11",
        guest_version="g",
        hash_seed=0,
        compiled=report,
        exit_code=0 if good is TestOutcome.PASSED else 1,
        tests=(TestRecord(id="test_add", outcome=good),) if report.ok else (),
        evidence=Evidence(
            expected=("test_add",),
            collected=("test_add",),
            canaries_right=True,
            finished=True,
            exit_consistent=True,
        ),
    )


def play(*replies, config=None):
    """The attempts of a loop over these replies, cleaned for real, and the requests that were sent."""
    waiting, requests = list(replies), []

    def ask(request):
        requests.append(request)
        return Completion(text=waiting.pop(0), finish_reason="stop", prompt_tokens=10, completion_tokens=5)

    def make(reply):
        return clean_reply(reply.text, asked=Asked(required=("add", "sub")))

    stages = Stages(ask=ask, make_script=make, run=run)
    config = config or LoopConfig(cleanup=True, repairs=2)
    return list(run_loop(START, stages, config)), requests


def fence(code):
    return f"```python\n{code}```\n"


def test_a_mended_form_is_an_outcome_of_its_own():
    """A bracket that a model closes gives `llm_cleaned`, on record as lossy, and may pass."""
    attempts, requests = play(fence(BROKEN), fence(GOOD))

    assert [str(each.kind) for each in attempts] == ["first", "cleanup"]
    assert attempts[1].script.outcome is CleanOutcome.LLM_CLEANED
    assert attempts[1].script.edits[-1].rule == "llm_cleanup"
    assert attempts[1].script.edits[-1].kind is EditClass.LOSSY
    assert attempts[1].verdict is Verdict.PASSED
    asked = requests[1].messages
    assert len(asked) == 1
    assert "line 1" in asked[0].content
    assert ">    1 def add(a, b:" in asked[0].content
    assert requests[1].sampling.temperature == 0.0


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("I cannot.", "no code"),
        (fence(BROKEN), "does not compile"),
        (fence("def add(a, b):\n    return a + b\n"), "lost sub"),
        (fence(GOOD + "\n".join(f"x{n} = {n}" for n in range(20)) + "\n"), "tokens changed"),
    ],
)
def test_what_changes_too_much_is_not_taken(reply, why):
    """The script stays what it was, the reason is said, and an ordinary repair follows."""
    attempts, requests = play(fence(BROKEN), reply, fence(GOOD))

    assert [str(each.kind) for each in attempts] == ["first", "cleanup", "repair"]
    assert attempts[1].script.code == attempts[0].script.code
    assert attempts[1].script.reason.startswith("cleanup_rejected: ")
    assert why in attempts[1].script.reason
    assert attempts[2].verdict is Verdict.PASSED
    assert requests[2].messages[0] == START.messages[0]
    assert requests[2].sampling.temperature == 0.7


def test_it_is_no_repair_round_and_happens_once():
    """Repairs are counted apart, and a second broken reply is not cleaned up again."""
    attempts, _ = play(fence(BROKEN), "no", fence(BROKEN + "# 2\n"), fence(BROKEN + "# 3\n"))

    assert [str(each.kind) for each in attempts] == ["first", "cleanup", "repair", "repair"]


def test_it_has_to_be_asked_for():
    """By default a reply that does not parse is repaired like any other."""
    attempts, _ = play(fence(BROKEN), fence(GOOD), config=LoopConfig())

    assert [str(each.kind) for each in attempts] == ["first", "repair"]


def test_what_holds_after_clean_up_is_what_the_model_is_told_of():
    """When cleaned code fails its tests, the conversation goes on from it."""
    wrong = GOOD.replace("a + b", "a * b")
    attempts, requests = play(fence(wrong.replace("b):", "b:", 1)), fence(wrong), fence(GOOD))

    assert [str(each.kind) for each in attempts] == ["first", "cleanup", "repair"]
    said = requests[2].messages[1]
    assert said.role == "assistant"
    assert wrong in said.content


def test_long_code_is_not_sent():
    """What would fill the model's context is repaired instead."""
    script = clean_reply(fence(BROKEN + "# " + "x" * cleanup.MAX_CODE_CHARS + "\n"))

    assert not cleanup.wanted(script, run(script.code))
    assert cleanup.wanted(clean_reply(fence(BROKEN)), run(BROKEN))
