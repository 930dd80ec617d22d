"""Nothing of a holdout gets into a prompt, also where somebody tries."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.errors import HoldoutLeak
from evaluator.jobs import JobMaker
from evaluator.running.control import Budget, run_control
from evaluator.running.guard import Guard
from evaluator.running.sample import SampleSpec, Tools, run_sample
from evaluator.runs.records import ModelEntry
from prompts.render import load_template
from prompts.tasks import Task, batch_root, load
from repair.attempt import LoopConfig
from repair.feedback import Policy
from repair.llm import Completion, Message, Sampling
from repair.script import CleanOutcome, Script
from sandbox.fake import fake_result
from sandbox.types import Stream, TestOutcome, TestRecord

HOLDOUT = """\
from solution import f

def test_of_the_holdout():
    assert f([3, 141, 592], mode="hidden-input") == {"secret": -7411}

def test_long_text():
    assert f([]) == "the value that decides"
"""
TASK = Task(
    batch="b",
    name="t",
    path=Path("t.md"),
    prompt="Write f. For an empty list it returns 'not a secret'.",
    tests="def test_shown():\n    assert f([1]) == 123456\n",
    holdout=HOLDOUT,
    family="b/t",
)
SECRETS = (
    "test_of_the_holdout",
    "f([3, 141, 592], mode='hidden-input')",
    "[3,141,592]",
    '{"secret": -7411}',
    "hidden-input",
    "the value\n that decides",
)


def guard():
    """A guard of the task, before anything was said."""
    return Guard(TASK, [Message(role="user", content=TASK.prompt)])


@pytest.mark.parametrize("secret", SECRETS)
def test_what_is_refused(secret):
    """Names, inputs and expected values, however they are quoted and broken into lines."""
    assert not guard().allows(f"expected: {secret}, got: 1")


@pytest.mark.parametrize(
    "text", ["f([]) gave 'not a secret'", "test_shown: 123456", "[] -1 1 2", "test_", ""]
)
def test_what_is_no_secret(text):
    """What prompt and shown tests say, and what is too short to say anything."""
    assert guard().allows(text)


@pytest.mark.parametrize("secret", SECRETS)
def test_a_model_may_have_its_own_words_back(secret):
    """Who guessed a value has written it; to quote that gives nothing away."""
    own = guard()
    own.heard(f"def f(x):\n    return {secret}")

    assert own.allows(f">    2     return {secret}")


class Model:
    """Says the same script for ever, and keeps what it was sent."""

    def __init__(self, text="x = 1"):
        self.text, self.sent = text, []

    def complete(self, request):
        """Keep the request, and reply."""
        self.sent += [message.content for message in request.messages if message.role != "assistant"]
        return (
            Completion(text=f"{self.text}  # {len(self.sent)}", prompt_tokens=1, completion_tokens=1),
            "k",
            False,
        )


class Plain:
    """Takes every reply for a script."""

    def clean(self, completion_text, **_options):
        """See `evaluator.running.sample.Cleaning`."""
        return Script(code=completion_text, outcome=CleanOutcome.RAW)


class Leaking:
    """A sandbox with the worst fault that it could have: what it gives for shown is the holdout's."""

    def __init__(self, text, where):
        self.text, self.where = text, where

    def run(self, job):
        """Fail, with the text somewhere in the facts."""
        facts = fake_result(job, {"test_shown": "failed"})
        if self.where == "stderr":
            return (
                replace(facts, tests=(), stderr=Stream(head=self.text, tail=self.text), exit_code=1),
                "k",
                False,
            )
        record = {"id": "test_shown", "exc_type": "E", self.where: self.text}
        return replace(facts, tests=(TestRecord(outcome=TestOutcome.FAILED, **record),)), "k", False


def run(sandbox, task=TASK, model=None, **config):
    """Run both arms of a sample on such a sandbox; give everything that the model was sent."""
    model = model or Model()
    tools = Tools(
        llm=model,
        sandbox=sandbox,
        cleaner=Plain(),
        jobs=JobMaker(),
        loop=LoopConfig(**config),
        sampling=Sampling(),
    )
    entry = ModelEntry(label="m", name="m", server="s", base_url="s")
    spec = SampleSpec(model=entry, task=task, template=load_template("default"), sample=0)
    attempts = list(run_sample(spec, tools))
    list(run_control(spec, tools, Budget(calls=2, tokens=0)))
    return attempts, model.sent


@pytest.mark.parametrize("where", ["id", "message", "got", "expected", "exc_type"])
@pytest.mark.parametrize("style", ["chat", "fresh"])
def test_a_sandbox_that_mixes_up_its_tests(where, style):
    """Wherever the holdout's words turn up, the model hears that it failed, and no more."""
    attempts, sent = run(Leaking("hidden-input", where), style=style)

    assert len(attempts) == 4
    assert not any("hidden-input" in text for text in sent)
    assert "it does not do what was asked for" in attempts[1].feedback
    assert "````" not in attempts[1].feedback


def test_other_details_are_shown():
    """The guard withholds nothing else."""
    attempts, _ = run(Leaking("plain words", "message"))

    assert "plain words" in attempts[1].feedback


values = st.text("abcdefgh xyz", min_size=8, max_size=30).map(str.strip).filter(lambda text: len(text) > 7)


@settings(max_examples=60, deadline=None)
@given(
    value=values | st.integers(10**6, 10**9) | st.lists(st.integers(100, 999), min_size=3, max_size=6),
    where=st.sampled_from(["id", "message", "got", "expected", "stderr"]),
    policy=st.sampled_from([policy for policy in Policy if policy is not Policy.NONE]),
    before=st.text("`\n ab'\"", max_size=20),
)
def test_no_value_gets_through(value, where, policy, before):
    """Inputs and expected values of any kind, in any field, under any policy: in no prompt."""
    task = replace(TASK, holdout=f"def test_h():\n    assert f({value!r}) == [{value!r}]\n")
    shown = value if isinstance(value, str) else repr(value)

    _, sent = run(Leaking(before + shown, where), task=task, policy=policy)

    assert not any(shown in text for text in sent)


def test_a_prompt_that_holds_it_is_not_sent():
    """Whoever builds a prompt with the holdout in it is stopped before the model sees it."""
    template = load_template("default")
    model = Model()
    task = replace(TASK, prompt="Write f.")
    tools = Tools(
        llm=model,
        sandbox=Leaking("x", "got"),
        cleaner=Plain(),
        jobs=JobMaker(),
        loop=LoopConfig(),
        sampling=Sampling(),
    )
    watching = Guard(task, [])
    request_of = [
        Message(role="assistant", content="hidden-input"),
        Message(role="user", content="hidden-input"),
    ]
    entry = ModelEntry(label="m", name="m", server="s", base_url="s")
    list(run_sample(SampleSpec(model=entry, task=task, template=template, sample=0), tools))

    class Request:
        messages = request_of[:1]

    watching.check(Request)
    Request.messages = request_of
    with pytest.raises(HoldoutLeak, match=r"b/t: a prompt would have held 'hidden-input'"):
        watching.check(Request)


def test_every_shipped_task_has_secrets():
    """The guard finds what to look for in each of them, and no first prompt holds any of it."""
    for task in load(batch_root()):
        watching = Guard(task, [])
        assert watching.allows(task.prompt + (task.tests or ""))
        assert not watching.allows(task.holdout)


def test_a_holdout_that_does_not_parse_is_guarded_line_by_line():
    """A broken task is no way out."""
    watching = Guard(replace(TASK, holdout="assert f( == 'broken secret'\nx = 1\n"), [])

    assert not watching.allows("so: assert f( == 'broken  secret'")
    assert watching.allows("x = 1")


def test_a_task_without_holdout_has_nothing_to_guard():
    """Whatever is said, it is allowed."""
    assert Guard(replace(TASK, holdout=None), []).allows(HOLDOUT)
