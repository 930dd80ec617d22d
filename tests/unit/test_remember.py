"""Looking up before doing: nothing known is done again, no failure of ours is ever a hit."""

import threading

import pytest

from evaluator.errors import EngineGone, Stopped
from evaluator.keys import completion_key, verdict_key
from evaluator.runs.records import ModelEntry
from evaluator.runs.remember import Known, RememberingLLM, RememberingSandbox
from repair.errors import Transient
from repair.fake import FakeLLM
from repair.llm import CallId, CallKind, Completion, Message, Request, Sampling
from sandbox.errors import EngineUnavailable, ImageMissing, LostResult
from sandbox.fake import FakeSandbox, fake_result
from sandbox.types import ImageInfo, Job, Limits

MODEL = ModelEntry(label="m", name="m", server="s", base_url="s")
IMAGE = ImageInfo(identity="i", tag="t", digest="d", python="3.11", guest_version="g", base="b")
SLOT = threading.BoundedSemaphore(1)


def request(call_no=0, text="do it", **sampling):
    return Request(
        call=CallId(task_id="b/t", template="default", sample=0, call_no=call_no),
        kind=CallKind.FIRST,
        messages=(Message(role="user", content=text),),
        sampling=Sampling(**sampling),
    )


def job(**changes):
    return Job(**{"id": "x", "script": "a = 1", "tests": "def test(): pass", **changes})


def asking(handler, stop=None):
    lines, fake = [], FakeLLM(handler)
    known = Known([], [])
    llm = RememberingLLM(fake, MODEL, lines, known, slots=SLOT, stop=stop or threading.Event())
    return llm, lines, fake


class TestModel:
    def test_known_replies_are_not_asked_for(self):
        """The second request with the same content is looked up; another call number is another draw."""
        llm, lines, fake = asking(lambda _: Completion(text="hi", finish_reason="stop", completion_tokens=3))

        first, key, known = llm.complete(request())
        again, same_key, known_again = llm.complete(request())
        llm.complete(request(call_no=1))

        assert (known, known_again) == (False, True)
        assert key == same_key
        assert first == again
        assert 2 == len(fake.requests) == len(lines)

    def test_failures_are_never_hits(self):
        """A call that failed is asked again."""
        replies = [Transient("down"), Completion(text="up")]

        def handler(_):
            reply = replies.pop(0)
            if isinstance(reply, Exception):
                raise reply
            return reply

        llm, lines, _ = asking(handler)
        with pytest.raises(Transient):
            llm.complete(request())

        assert llm.complete(request())[0].text == "up"
        assert len(lines) == 1

    def test_nothing_new_after_the_end(self):
        """When the run ends, known replies still come and no model is asked."""
        stop = threading.Event()
        llm, _, fake = asking(lambda _: Completion(text="hi"), stop)
        llm.complete(request())
        stop.set()

        assert llm.complete(request())[0].text == "hi"
        with pytest.raises(Stopped):
            llm.complete(request(call_no=1))
        assert len(fake.requests) == 1

    def test_call_cut_short_by_the_end(self):
        """A call that fails while the run ends is not the server's failure."""
        stop = threading.Event()

        def handler(_):
            stop.set()
            raise Transient("cut")

        with pytest.raises(Stopped):
            asking(handler, stop)[0].complete(request())

    @pytest.mark.parametrize(
        "other",
        [
            request(text="else"),
            request(temperature=0.5),
            request(seed=1),
            request(max_tokens=1),
            request(call_no=1),
        ],
    )
    def test_key_depends_on_all_that_matters(self, other):
        """Messages, sampling and call number each make another key; so do model and server."""
        assert completion_key("s", "m", request()) != completion_key("s", "m", other)
        assert completion_key("s", "m", request()) != completion_key("s", "n", request())
        assert completion_key("s", "m", request()) != completion_key("t", "m", request())


class TestSandbox:
    def running(self, handler):
        pauses = []
        fake = FakeSandbox(handler)
        return RememberingSandbox(fake, IMAGE, Known([], []), slots=SLOT, pause=pauses.append), pauses

    def test_known_runs_are_not_run(self):
        """The same script with the same tests is run once."""
        ran = []
        sandbox, _ = self.running(lambda item: ran.append(item) or fake_result(item))

        _, key, known = sandbox.run(job())
        _, same, known_again = sandbox.run(job(id="y"))

        assert (key, False, True) == (same, known, known_again)
        assert len(ran) == 1

    def test_infrastructure_is_tried_again(self):
        """A lost result is tried again, with pauses that grow."""
        answers = [LostResult("1"), LostResult("2"), None]

        def handler(item):
            answer = answers.pop(0)
            if answer:
                raise answer
            return fake_result(item)

        sandbox, pauses = self.running(handler)
        sandbox.run(job())

        assert len(pauses) == 2
        assert pauses == sorted(pauses)

    @pytest.mark.parametrize(
        ("error", "raised", "tries"),
        [
            (LostResult("x"), LostResult, 5),
            (EngineUnavailable("x"), EngineGone, 5),
            (ImageMissing("x"), EngineGone, 1),
        ],
    )
    def test_what_does_not_heal(self, error, raised, tries):
        """A result that stays lost is ours; an engine or image that stays away ends the run."""
        asked = []

        def handler(item):
            asked.append(item)
            raise error

        with pytest.raises(raised):
            self.running(handler)[0].run(job())
        assert tries == len(asked)

    @pytest.mark.parametrize(
        "other",
        [
            job(script="b"),
            job(tests="c"),
            job(tests=None),
            job(hash_seed=1),
            job(limits=Limits(wall_s=1)),
            job(profile="large"),
            job(may_skip=("t",)),
            job(stdin="x"),
        ],
    )
    def test_key_depends_on_all_that_matters(self, other):
        """Whatever could change the outcome changes the key; the job's random id does not."""
        assert verdict_key(job(), IMAGE) != verdict_key(other, IMAGE)
        assert verdict_key(job(), IMAGE) == verdict_key(job(id="other"), IMAGE)
        assert verdict_key(job(), IMAGE) != verdict_key(job(), IMAGE, repeat_no=1)
