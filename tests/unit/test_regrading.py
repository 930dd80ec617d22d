"""What follows saved attempts when they are judged anew: ends, calls that are unused, failures that are censored."""

from pathlib import Path

import pytest

from evaluator.jobs import JobMaker
from evaluator.replay.regrading import CENSORED, Fate, Saved, regrade_sample
from evaluator.running.calls import RECORDING_ENDED, fingerprint
from evaluator.running.sample import SampleSpec, Tools, run_sample
from evaluator.runs.records import ModelEntry
from evaluator.runs.remember import Known, RememberingLLM, RememberingSandbox
from evaluator.runs.rundata import trajectories
from prompts.render import load_template
from prompts.tasks import Task
from repair.attempt import LoopConfig
from repair.errors import NotRecorded
from repair.llm import Arm, Completion, Sampling
from repair.script import CleanOutcome, Script
from sandbox.fake import IMAGE, FakeSandbox, fake_result

MODEL = ModelEntry(label="m", name="m", server="s", base_url="s")
TASK = Task(batch="b", name="t", path=Path("t.md"), prompt="Write f.", tests="tests", family="b/t")
SPEC = SampleSpec(model=MODEL, task=TASK, template=load_template("default"), sample=0)


class Plain:
    """Takes every reply for a script; `No.` for none."""

    def clean(self, completion_text, reasoning="", required=(), **_options):
        """See `evaluator.running.sample.Cleaning`."""
        if completion_text == "No.":
            return Script(code=None, outcome=CleanOutcome.NO_CODE)
        return Script(code=completion_text, outcome=CleanOutcome.RAW)


class Replies:
    """A model with these replies; then its recording ends."""

    def __init__(self, *texts):
        self.texts = list(texts)

    def complete(self, request):
        """Give the reply with the number of the call."""
        if request.call.call_no >= len(self.texts):
            raise NotRecorded("the recording ends")
        return Completion(text=self.texts[request.call.call_no])


class Bench:
    """Runs a sample and judges it anew, with scripts that pass as long as they are in `passing`."""

    def __init__(self, *replies, passing=(), repairs=3):
        self.passing, self.judge_by, self.completions = set(passing), {}, {}
        self.sandbox = FakeSandbox(self.judge)
        self.known = Known((), ())
        self.tools = Tools(
            llm=self.llm(Replies(*replies)),
            sandbox=self.remembering(self.known),
            cleaner=Plain(),
            jobs=JobMaker(),
            loop=LoopConfig(repairs=repairs),
            sampling=Sampling(),
        )

    def judge(self, job):
        """Pass or fail a script."""
        one = "passed" if job.script in self.passing else "failed"
        outcomes = self.judge_by.get(job.script, (one,))
        return fake_result(
            job, {f"test_{name}": outcome for name, outcome in zip("ab", outcomes, strict=False)}
        )

    def llm(self, model):
        """A model whose replies are written down."""
        return RememberingLLM(model, MODEL, self, Known((), ()), slots=Slots(), stop=Never())

    def append(self, record):
        """Write a reply down."""
        self.completions[record.key] = record

    def remembering(self, known):
        """A sandbox that looks up what is known."""
        return RememberingSandbox(self.sandbox, IMAGE, known, slots=Slots())

    def run(self, spec=SPEC):
        """Run the sample, and return what is saved of it."""
        attempts = list(run_sample(spec, self.tools))
        self.ran = len(self.sandbox.jobs)
        return [
            Saved(attempt=each, completion=self.completions.get(each.completion_key or ""))
            for each in attempts
        ]

    def again(self, saved, spec=SPEC):
        """Judge it anew, and say how many runs that took."""
        before = len(self.sandbox.jobs)
        found = list(regrade_sample(spec, saved, self.tools))
        return found, len(self.sandbox.jobs) - before

    def forget(self):
        """Have every script run again, as after a change of the tests."""
        self.tools = Tools(
            **{
                **{name: getattr(self.tools, name) for name in Tools.__slots__},
                "sandbox": self.remembering(Known((), ())),
            }
        )


class Slots:
    """As many as wanted."""

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        pass


class Never:
    """No end of the run."""

    def is_set(self):
        """Say no."""
        return False


def test_nothing_changed():
    """Every attempt is the same, nothing is run, and requests are those that the replies answered."""
    bench = Bench("a", "No.", "b", "c", passing={"c"}, repairs=4)
    saved = bench.run()
    found, ran = bench.again(saved)

    assert [each.fate for each in found] == [Fate.SAME] * 4
    assert ran == 0
    assert [each.after.kind for each in found] == [each.attempt.kind for each in saved]
    assert [each.after.feedback for each in found] == [each.attempt.feedback for each in saved]
    assert [each.after.completion_key for each in found] == [each.attempt.completion_key for each in saved]


def test_what_passed_fails():
    """Nothing was asked after it, so that the sample is censored: unscored, but for its first attempt."""
    bench = Bench("a", "b", passing={"b"})
    saved = bench.run()
    bench.passing.clear()
    bench.forget()
    found, _ = bench.again(saved)
    (trajectory,) = trajectories(each.after for each in found)

    assert [(each.fate, each.censored) for each in found] == [(Fate.SAME, False), (Fate.CHANGED, True)]
    assert (found[1].after.stop, CENSORED in found[1].after.flags) == (None, True)
    assert trajectory.unscored
    assert not trajectory.first.unscored


def test_what_failed_passes():
    """What was asked after it is unused."""
    bench = Bench("a", "b", "c", "d")
    saved = bench.run()
    assert len(saved) == 4
    bench.passing.add("b")
    bench.forget()
    found, ran = bench.again(saved)

    assert [each.fate for each in found] == [Fate.SAME, Fate.CHANGED, Fate.UNUSED, Fate.UNUSED]
    assert found[1].after.stop == "passed"
    assert ran == 2


@pytest.mark.parametrize(
    ("replies", "repairs", "end"), [(("a", "a", "a"), 5, "stuck"), (("a", "b"), 1, "repairs")]
)
def test_a_failure_that_ended_the_loop_still_does(replies, repairs, end):
    """Bounds and repeats are ends as they were, and censor nothing."""
    bench = Bench(*replies, repairs=repairs)
    saved = bench.run()
    bench.forget()
    found, _ = bench.again(saved)

    assert saved[-1].attempt.stop == end
    assert {each.fate for each in found} == {Fate.SAME}
    assert not any(each.censored for each in found)


def test_a_call_without_a_reply_stays():
    """What a server did not answer cannot be judged: its line is taken over, and its name."""
    bench = Bench("a")
    saved = bench.run()
    found, ran = bench.again(saved)

    assert [each.attempt.stop for each in saved] == [None, RECORDING_ENDED]
    assert [fingerprint(each.after) for each in found] == [fingerprint(each.attempt) for each in saved]
    assert (found[1].after.error, ran) == ("the recording ends", 0)


def test_a_run_that_was_cut_off_is_not_censored():
    """Where the journal ends in the middle of a sample, it still does."""
    bench = Bench("a", "b", "c")
    found, _ = bench.again(bench.run()[:2])

    assert [(each.fate, each.after.stop, each.censored) for each in found] == [
        (Fate.SAME, None, False),
        (Fate.SAME, None, False),
    ]


def test_a_sandbox_failure_is_tried_again():
    """What could not be run then is judged now."""
    bench = Bench("a", passing={"a"})
    saved = bench.run()
    update = {"verdict": "sandbox_error", "shown": None, "shown_key": None, "stop": "sandbox_error"}
    broken = saved[0].attempt.model_copy(update=update)
    (found,), _ = bench.again([Saved(attempt=broken, completion=saved[0].completion)])

    assert (found.fate, str(found.after.verdict), found.after.stop) == (Fate.CHANGED, "passed", "passed")


def test_what_is_held_is_found_anew():
    """New verdicts say anew which script breaks what the one before it passes."""
    bench = Bench("a", "b", "c", repairs=2)
    saved = bench.run()
    bench.judge_by = {"a": ("passed", "failed"), "b": ("failed", "passed"), "c": ("passed", "failed")}
    bench.forget()
    found, _ = bench.again(saved)
    assert [each.after.taken_back for each in found] == [False, True, False]
    assert [each.fate for each in found][1] == Fate.CHANGED


def test_draws_of_the_control_arm_stand_alone():
    """A draw that passes now makes none after it unused, and each keeps its end."""
    bench = Bench("a", "b", "c", repairs=2)
    control = SampleSpec(model=MODEL, task=TASK, template=SPEC.template, sample=0, arm=Arm.CONTROL)
    saved = bench.run(control)
    bench.passing.add("a")
    bench.forget()
    found, _ = bench.again(saved, control)

    assert [str(each.after.verdict) for each in found] == ["passed", "tests_failed", "tests_failed"]
    assert [each.after.stop for each in found] == [each.attempt.stop for each in saved]
    assert not any(each.censored for each in found)
