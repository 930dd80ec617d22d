"""The repair loop: what follows an attempt, within which bounds."""

from dataclasses import replace

import pytest

from repair.attempt import LoopConfig, Stages, Start, Stop
from repair.best import held
from repair.errors import AuthFailed, ContextOverflow, Transient
from repair.feedback import Policy
from repair.llm import CallId, Completion, Message, Sampling
from repair.loop import run_loop
from repair.outcome import Verdict
from repair.script import CleanOutcome, Script
from sandbox.errors import SandboxError
from sandbox.types import CompileReport, Evidence, Level, RunResult, TestOutcome, TestRecord

START = Start(
    call=CallId(task_id="b/t", template="default", sample=0),
    messages=(Message(role="system", content="s"), Message(role="user", content="write f")),
    sampling=Sampling(temperature=0.0, max_tokens=100),
)


def result(outcome=TestOutcome.FAILED, got="1", expected="2"):
    ids = ("test_a",)
    return RunResult(
        job_id="j",
        level=Level.SHARED,
        python="3.11",
        guest_version="g",
        hash_seed=0,
        compiled=CompileReport(ok=True),
        exit_code=1,
        tests=(TestRecord(id="test_a", outcome=outcome, got=got, expected=expected),),
        evidence=Evidence(
            expected=ids, collected=ids, canaries_right=True, finished=True, exit_consistent=True
        ),
    )


def script(text):
    if text.startswith("no code"):
        return Script(code=None, outcome=CleanOutcome.NO_CODE)
    return Script(code=text, outcome=CleanOutcome.RAW, compiles=True)


class Model:
    """Says the given replies one after the other and keeps the requests."""

    def __init__(self, *replies):
        self.replies, self.requests = list(replies), []

    def __call__(self, request):
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, Completion):
            return reply
        return Completion(text=reply, finish_reason="stop", prompt_tokens=10, completion_tokens=5, seconds=1)


def play(model, config=None, run=None):
    good = result(TestOutcome.PASSED)

    def execute(code):
        return good if "good" in code else result()

    stages = Stages(ask=model, make_script=lambda reply: script(reply.text), run=run or execute)
    return list(run_loop(START, stages, config or LoopConfig()))


def kinds(attempts):
    return [str(attempt.kind) for attempt in attempts]


class TestBounds:
    def test_pass_ends_it(self):
        """A script that passes at once is the end."""
        attempts = play(Model("good"))

        assert [attempt.verdict for attempt in attempts] == [Verdict.PASSED]
        assert Stop.PASSED is attempts[-1].stop

    def test_repairs_are_counted(self):
        """With three repairs there are four calls at most."""
        attempts = play(Model("a", "b", "c", "d", "e"))

        assert kinds(attempts) == ["first", "repair", "repair", "repair"]
        assert [attempt.stop for attempt in attempts] == [None, None, None, Stop.REPAIRS]
        assert [attempt.request.call.call_no for attempt in attempts] == [0, 1, 2, 3]

    def test_no_repairs_means_one_call(self):
        """With no repairs even a reply without code is not asked for again."""
        assert kinds(play(Model("no code"), LoopConfig(repairs=0))) == ["first"]

    @pytest.mark.parametrize(
        ("config", "stop"),
        [
            (LoopConfig(calls=2, repairs=9), Stop.CALLS),
            (LoopConfig(tokens=30, repairs=9), Stop.TOKENS),
            (LoopConfig(seconds=2.0, repairs=9), Stop.SECONDS),
        ],
    )
    def test_other_budgets(self, config, stop):
        """Calls, tokens and seconds each end the loop after the second call here."""
        attempts = play(Model("a", "b", "c"), config)

        assert len(attempts) == 2
        assert stop is attempts[-1].stop

    def test_repairs_that_hold(self):
        """A repair that passes ends it, and its feedback is on record."""
        attempts = play(Model("bad", "good"))

        assert kinds(attempts) == ["first", "repair"]
        assert "expected: 2" in attempts[1].feedback
        assert Stop.PASSED is attempts[1].stop


class TestKinds:
    def test_truncated_reply_gets_a_larger_budget_once(self):
        """A reply cut at the limit is asked for again with twice the tokens, and no feedback."""
        cut = Completion(text="no code yet", finish_reason="length")
        model = Model(cut, Completion(text="no code again", finish_reason="length"), "good")

        attempts = play(model)

        assert kinds(attempts) == ["first", "length", "format"]
        assert [request.sampling.max_tokens for request in model.requests] == [100, 200, 200]
        assert model.requests[0].messages == model.requests[1].messages
        assert [attempt.verdict for attempt in attempts[:2]] == [Verdict.TRUNCATED, Verdict.TRUNCATED]

    def test_reply_without_code_is_asked_for_form_once(self):
        """No code: one call for the form, then ordinary repairs."""
        assert kinds(play(Model("no code 1", "no code 2", "good"))) == ["first", "format", "repair"]

    def test_stuck(self):
        """The same script again: one hotter fresh draw of the first prompt, and then no more."""
        model = Model("same", "same", "same")

        attempts = play(model)

        assert kinds(attempts) == ["first", "repair", "fresh"]
        assert Stop.STUCK is attempts[-1].stop
        assert START.messages == model.requests[2].messages
        assert model.requests[2].sampling.temperature > 0.5

    def test_layout_does_not_count_as_change(self):
        """Scripts with one syntax tree are the same script."""
        replies = iter(["x=1", "x  =  1", "good"])

        def make(reply):
            return Script(
                code=reply.text, outcome=CleanOutcome.RAW, syntax_sha256=reply.text.replace(" ", "")
            )

        stages = Stages(
            ask=lambda _: Completion(text=next(replies), finish_reason="stop"),
            make_script=make,
            run=lambda code: result(TestOutcome.PASSED if code == "good" else TestOutcome.FAILED),
        )

        assert kinds(run_loop(START, stages, LoopConfig())) == ["first", "repair", "fresh"]

    def test_policy_none_asks_the_same_again(self):
        """Pure resampling sends the first messages and no feedback."""
        model = Model("a", "good")

        attempts = play(model, LoopConfig(policy=Policy.NONE))

        assert START.messages == model.requests[1].messages
        assert attempts[1].feedback == ""

    def test_chat_and_fresh_style(self):
        """Chat appends to the conversation; fresh starts again from the task each time."""
        chat, fresh = Model("a", "b", "good"), Model("a", "b", "good")

        play(chat)
        play(fresh, LoopConfig(style="fresh"))

        assert [len(request.messages) for request in chat.requests] == [2, 4, 6]
        assert [len(request.messages) for request in fresh.requests] == [2, 4, 4]
        assert fresh.requests[2].messages[2].content == "b"

    def test_empty_reply_is_not_sent_back_empty(self):
        """Servers refuse empty messages; an empty reply is named instead."""
        model = Model(Completion(text="", finish_reason="stop"), "good")
        stages = Stages(
            ask=model,
            make_script=lambda reply: script(reply.text or "no code"),
            run=lambda _: result(TestOutcome.PASSED),
        )

        list(run_loop(START, stages, LoopConfig()))

        assert model.requests[1].messages[2].content == "(empty reply)"


def facts_of(**outcomes):
    """Facts of a run with these tests: True is a pass."""
    facts = result(TestOutcome.PASSED)
    tests = tuple(
        TestRecord(
            id=f"test_{name}", outcome=TestOutcome.PASSED if good else TestOutcome.FAILED, exc_type="E"
        )
        for name, good in outcomes.items()
    )
    ids = tuple(test.id for test in tests)
    return replace(facts, tests=tests, evidence=replace(facts.evidence, expected=ids, collected=ids))


RUNS = {
    "half": facts_of(a=True, b=False, c=False),
    "more": facts_of(a=True, b=True, c=False),
    "other half": facts_of(a=False, b=True, c=True),
    "nothing": facts_of(a=False, b=False, c=False),
    "good": facts_of(a=True, b=True, c=True),
}


def play_tests(*replies, **config):
    """Run a loop over scripts whose tests come out as in RUNS."""
    model = Model(*replies)
    return play(model, LoopConfig(**config), run=lambda code: RUNS[code.split("#")[0].strip()]), model


class TestBestSoFar:
    def test_a_repair_that_breaks_a_test_is_taken_back(self):
        """More tests pass, but one that passed fails: the script before stands, and is what is built on."""
        attempts, model = play_tests("half", "other half", "good")

        assert [attempt.taken_back for attempt in attempts] == [False, True, False]
        assert held(attempts[:2]) is attempts[0]
        assert [message.content for message in model.requests[2].messages[:-1]] == ["s", "write f", "half"]
        said = model.requests[2].messages[-1].content
        assert "Your last change was taken back" in said
        assert "broken by the change: test_a." in said
        assert "2 of 3 tests do not pass. The first: test_b" in said

    def test_a_later_script_stands_where_nothing_breaks(self):
        """More tests, or the same: the later one is held, and nothing is said of taking back."""
        attempts, model = play_tests("half", "half # again", "more", "good")

        assert not any(attempt.taken_back for attempt in attempts)
        assert held(attempts[:3]) is attempts[2]
        assert not any("taken back" in m.content for request in model.requests for m in request.messages)

    def test_changes_that_are_taken_back_are_counted(self):
        """Both changes are named, and the test that the last one broke."""
        attempts, model = play_tests("more", "half", "other half", "nothing")

        assert [attempt.taken_back for attempt in attempts] == [False, True, True, True]
        assert held(attempts) is attempts[0]
        assert "Your last 2 changes were taken back" in model.requests[3].messages[-1].content
        assert len(model.requests[3].messages) == 4

    def test_fresh_style_builds_on_it_too(self):
        """Task, the script that is held, and what is wrong with it."""
        _, model = play_tests("half", "other half", "good", style="fresh")

        assert [message.content for message in model.requests[2].messages[:-1]] == ["s", "write f", "half"]

    @pytest.mark.parametrize("policy", [Policy.VERDICT, Policy.SYNTAX])
    def test_a_policy_without_details_names_no_test(self, policy):
        """That a change was taken back must be said, or the script would be a riddle; which test, not."""
        _, model = play_tests("half", "other half", "good", policy=policy)
        said = model.requests[2].messages[-1].content

        assert "taken back" in said
        assert "test_" not in said

    def test_resampling_holds_the_best_draw(self):
        """Without any feedback the best draw is handed back all the same."""
        attempts, model = play_tests("more", "nothing", "half", "nothing # end", policy=Policy.NONE)

        assert held(attempts) is attempts[0]
        assert {request.messages for request in model.requests} == {START.messages}

    def test_a_reply_without_code_changes_nothing(self):
        """What was held stays, and the conversation goes on from the reply."""
        attempts, model = play_tests("half", "no code", "other half", "good")

        assert held(attempts[:2]) is held(attempts[:3]) is attempts[0]
        assert [attempt.taken_back for attempt in attempts] == [False, False, True, False]
        assert [message.content for message in model.requests[3].messages[:-1]] == ["s", "write f", "half"]

    def test_no_script_of_worse_form_replaces_one_that_passes_tests(self):
        """A script that does not compile passes nothing, and is taken back."""
        broken = replace(result(), compiled=CompileReport(ok=False, exc_type="SyntaxError"), tests=())
        runs = {**RUNS, "broken": broken}
        attempts = play(Model("half", "broken", "good"), run=runs.__getitem__)

        assert str(attempts[1].verdict) == "syntax_error"
        assert attempts[1].taken_back

    def test_a_script_that_disturbs_its_tests_proves_nothing(self):
        """What a tampered report says of tests does not count: the script is taken back."""
        facts = RUNS["more"]
        cheat = replace(facts, evidence=replace(facts.evidence, canaries_right=False))
        attempts = play(Model("half", "cheat", "good"), run={**RUNS, "cheat": cheat}.__getitem__)

        assert attempts[1].verdict is Verdict.TAMPERED
        assert attempts[1].taken_back

    def test_a_repeated_change_is_stuck(self):
        """The same bad change again is a script that was there before: one fresh draw, then the end."""
        attempts, model = play_tests("half", "other half", "other half", "nothing # new", "good")

        assert kinds(attempts)[:4] == ["first", "repair", "repair", "fresh"]
        assert model.requests[3].messages == START.messages
        assert held(attempts[:4]) is attempts[0]


class TestFailuresOfOurs:
    def test_llm_error_is_a_verdict_of_ours(self):
        """A server that cannot be reached ends the sample, unscored."""
        attempts = play(Model(Transient("no route")))

        assert Verdict.LLM_ERROR is attempts[0].verdict
        assert Stop.LLM_ERROR is attempts[0].stop
        assert attempts[0].error == "no route"

    def test_server_fatal_comes_out(self):
        """A refused key is nobody's attempt."""
        with pytest.raises(AuthFailed):
            play(Model(AuthFailed("key refused")))

    def test_sandbox_error_ends_the_sample(self):
        """A sandbox that fails is ours, and the model is not asked again."""

        def broken(code):
            raise SandboxError("engine gone")

        attempts = play(Model("a", "b"), run=broken)

        assert [attempt.verdict for attempt in attempts] == [Verdict.SANDBOX_ERROR]
        assert attempts[0].error == "engine gone"

    def test_context_overflow_shrinks_the_feedback_once(self):
        """When the feedback does not fit, a shorter one is sent under the same call number."""
        long = result(got="x" * 300, expected="y" * 300)
        model = Model("a", ContextOverflow("too long"), "good")

        attempts = play(model, run=lambda code: result(TestOutcome.PASSED) if code == "good" else long)

        sizes = [len(request.messages[-1].content) for request in model.requests]
        assert [request.call.call_no for request in model.requests] == [0, 1, 1]
        assert sizes[2] < sizes[1]
        assert [attempt.verdict for attempt in attempts] == [Verdict.TESTS_FAILED, Verdict.PASSED]

    def test_no_room_for_a_larger_budget(self):
        """When the larger budget does not fit, the loop goes on with the old one, and the sample is scored."""
        cut = Completion(text="no code yet", finish_reason="length")
        model = Model(cut, ContextOverflow("too long"), "good")

        attempts = play(model)

        assert kinds(attempts) == ["first", "length", "format"]
        assert [request.sampling.max_tokens for request in model.requests] == [100, 200, 100]
        assert not any(attempt.verdict.ours for attempt in attempts)
        assert attempts[-1].stop is Stop.PASSED

    def test_no_room_for_a_repair(self):
        """When even the short feedback does not fit, the sample ends there with what it has."""
        attempts = play(Model("a", ContextOverflow("too long"), ContextOverflow("too long")))

        assert kinds(attempts) == ["first", "repair"]
        assert attempts[-1].stop is Stop.CONTEXT
        assert not any(attempt.verdict.ours for attempt in attempts)

    def test_context_overflow_of_the_task_itself(self):
        """A task that does not fit leaves the sample unscored."""
        assert Verdict.LLM_ERROR is play(Model(ContextOverflow("too long")))[0].verdict
