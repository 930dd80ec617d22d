"""The control arm: how many fresh draws there are, and what they may know of each other."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from evaluator.jobs import JobMaker
from evaluator.running.control import DRAWS_PER_CALL, Budget, budget_of, run_control
from evaluator.running.sample import SampleSpec, Tools, run_sample
from evaluator.runs.records import ModelEntry
from prompts.render import load_template
from prompts.tasks import Task
from repair.attempt import LoopConfig
from repair.errors import Transient
from repair.llm import Arm, CallKind, Completion, Sampling
from repair.script import CleanOutcome, Script
from sandbox.errors import SandboxError
from sandbox.fake import fake_result

TASK = Task(batch="b", name="t", path=Path("t.md"), prompt="Write f.", tests="tests", family="b/t")
HELD_OUT = replace(TASK, holdout="holdout")
MODEL = ModelEntry(label="m", name="m", server="s", base_url="s")


class Plain:
    """Takes every reply for a script."""

    def clean(self, completion_text, **_options):
        """See `evaluator.running.sample.Cleaning`."""
        return Script(code=completion_text, outcome=CleanOutcome.RAW)


class Model:
    """Says the texts one after the other, then the last one for ever; each costs `cost` tokens."""

    def __init__(self, *texts, cost=10):
        self.texts, self.cost, self.requests = texts, cost, []

    def complete(self, request):
        """Reply, as `RememberingLLM` does."""
        self.requests.append(request)
        text = self.texts[min(request.call.call_no, len(self.texts) - 1)]
        if isinstance(text, Exception):
            raise text
        half = None if self.cost is None else self.cost // 2
        return Completion(text=text, prompt_tokens=half, completion_tokens=half), "key", False


class Sandbox:
    """`good` passes everything, `shown` what is shown, `ours` cannot be run."""

    def run(self, job):
        """See `evaluator.running.sample.Runner`."""
        if job.script == "ours":
            raise SandboxError("no engine")
        passes = job.script == "good" or (job.script == "shown" and job.tests == "tests")
        return fake_result(job, {"test_a": "passed" if passes else "failed"}), "key", False


def control(model, budget, *, task=TASK, temperature=0.7):
    """Run the control arm of one sample."""
    spec = SampleSpec(model=MODEL, task=task, template=load_template("default"), sample=0)
    tools = Tools(
        llm=model,
        sandbox=Sandbox(),
        cleaner=Plain(),
        jobs=JobMaker(),
        loop=LoopConfig(),
        sampling=Sampling(temperature=temperature, max_tokens=100),
    )
    return list(run_control(spec, tools, budget))


def test_equal_calls_when_tokens_are_dear():
    """Three calls are matched by three draws, though their tokens cost more than repair did."""
    drawn = control(Model("bad", cost=100), Budget(calls=3, tokens=150))

    assert [record.call_no for record in drawn] == [0, 1, 2]
    assert [record.stop for record in drawn] == [None, None, "budget"]
    assert {(record.arm, record.kind) for record in drawn} == {(Arm.CONTROL, CallKind.CONTROL)}


def test_equal_tokens_when_calls_are_dear():
    """Repair prompts are long: draws go on until the next one would cost more than repair did."""
    drawn = control(Model("bad", cost=10), Budget(calls=3, tokens=79))

    assert len(drawn) == 7
    assert drawn[-1].stop == "budget"


def test_without_usage_calls_alone_count():
    """Where the server or the repair arm has no tokens, draws are as many as calls."""
    assert len(control(Model("bad", cost=None), Budget(calls=2, tokens=900))) == 2
    assert len(control(Model("bad"), Budget(calls=2, tokens=None))) == 2


def test_cheap_draws_are_bounded():
    """However cheap a draw is, there are only so many; the end says that it was not the tokens."""
    drawn = control(Model("bad", cost=2), Budget(calls=2, tokens=10_000))

    assert len(drawn) == 2 * DRAWS_PER_CALL
    assert drawn[-1].stop == "calls"


def test_a_success_ends_it():
    """No later draw could change what either choice makes of them."""
    drawn = control(Model("bad", "good"), Budget(calls=5, tokens=900))

    assert [record.success for record in drawn] == [False, True]
    assert drawn[-1].stop == "passed"


def test_a_false_accept_does_not_end_it():
    """What passes the shown tests and fails the holdout is the fair choice; the oracle looks on."""
    drawn = control(Model("shown", "bad", "good"), Budget(calls=4, tokens=0), task=HELD_OUT)

    assert [str(record.verdict) for record in drawn] == ["passed", "tests_failed", "passed"]
    assert [record.success for record in drawn] == [False, False, True]


def test_draws_know_nothing_of_each_other():
    """Each sends the first prompt and nothing else, with a seed of its own that no repair call has."""
    model, repaired = Model("bad"), Model("bad", "worse", "worst", "end")
    control(model, Budget(calls=4, tokens=0))
    spec = SampleSpec(model=MODEL, task=TASK, template=load_template("default"), sample=0)
    tools = Tools(
        llm=repaired,
        sandbox=Sandbox(),
        cleaner=Plain(),
        jobs=JobMaker(),
        loop=LoopConfig(),
        sampling=Sampling(),
    )
    list(run_sample(spec, tools))
    seeds = [request.sampling.seed for request in (*model.requests, *repaired.requests)]

    assert {request.messages for request in model.requests} == {repaired.requests[0].messages}
    assert len(set(seeds)) == len(seeds) == 8
    assert {request.sampling.temperature for request in model.requests} == {0.7}


def test_at_temperature_zero_only_the_first_draw_is_cold():
    """At 0 every draw would be the same: the later ones are as hot as a fresh draw of the loop."""
    model = Model("bad")
    control(model, Budget(calls=3, tokens=0), temperature=0.0)

    assert [request.sampling.temperature for request in model.requests] == [0.0, 0.9, 0.9]


def test_the_servers_own_temperature_is_left_alone():
    """Nothing is known of it, so nothing is changed."""
    model = Model("bad")
    control(model, Budget(calls=2, tokens=0), temperature=None)

    assert [request.sampling.temperature for request in model.requests] == [None, None]


@pytest.mark.parametrize(
    ("broken", "stop"), [(Transient("no route"), "llm_error"), ("ours", "sandbox_error")]
)
def test_a_failure_of_ours_ends_it_unscored(broken, stop):
    """The rest would not be comparable; the next run tries again."""
    model = Model("bad", broken)
    drawn = control(model, Budget(calls=4, tokens=0))

    assert [record.unscored for record in drawn] == [False, True]
    assert drawn[-1].stop == ("sandbox_error" if broken == "ours" else stop)


class TestBudget:
    def spent(self, *tokens, ours=False):
        """The budget of a repair arm with these replies; None is a reply without usage, "" no reply."""
        records = [SimpleNamespace(unscored=ours, completion_key=None if t == "" else str(t)) for t in tokens]

        def reply(key):
            usage = None if key == "None" else int(key)
            return SimpleNamespace(prompt_tokens=usage, completion_tokens=usage)

        return budget_of(records, reply)

    def test_sum(self):
        """Calls of all kinds count, also those that were never answered."""
        assert self.spent(10, "", 5) == Budget(calls=3, tokens=30)

    def test_unknown_tokens(self):
        """One reply without usage makes the tokens unknown."""
        assert self.spent(10, None, 5) == Budget(calls=3, tokens=None)

    def test_unscored(self):
        """What we failed to judge is not compared with anything."""
        assert self.spent(10, ours=True) is None
        assert self.spent() is None
