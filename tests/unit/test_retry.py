"""Transport retries: how often, how long, and when no longer."""

import threading

import pytest
from structlog.testing import capture_logs

from repair.errors import BadReply, ContextOverflow, DeadlineExceeded, ModelMissing, Transient
from repair.fake import FakeLLM
from repair.llm import CallId, CallKind, Message, Request, Sampling
from repair.retry import RetryingLLM

REQUEST = Request(
    call=CallId(task_id="b/t", template="default", sample=0),
    kind=CallKind.FIRST,
    messages=(Message(role="user", content="x"),),
    sampling=Sampling(),
)


def failing(*failures):
    """A model that raises each of `failures` once and then says "ok"."""
    left = list(failures)

    def handler(_request):
        if left:
            raise left.pop(0)
        return "ok"

    return FakeLLM(handler)


def test_transient_failures_are_retried_and_counted():
    """Two failures that may go away, then a reply: the reply says that it took two retries."""
    waits = []
    inner = failing(Transient("a"), Transient("b"))
    with capture_logs() as logs:
        reply = RetryingLLM(inner, sleep=waits.append).complete(REQUEST)
    assert (reply.text, reply.retries, len(waits)) == ("ok", 2, 2)
    assert [entry["event"] for entry in logs] == ["llm_retry", "llm_retry"]
    assert logs[0]["call"] == "b/t/default/0/repair/0"


def test_a_first_success_has_no_retries():
    """Nothing is counted when nothing failed."""
    assert RetryingLLM(failing()).complete(REQUEST).retries == 0


def test_attempts_are_bounded_and_the_last_failure_comes_out():
    """After `attempts` tries the last failure is raised as it is, not wrapped."""
    inner = failing(Transient("1"), Transient("2"), Transient("3"), Transient("4"))
    with pytest.raises(Transient, match=r"^3$"):
        RetryingLLM(inner, attempts=3, sleep=lambda _: None).complete(REQUEST)
    assert len(inner.requests) == 3


@pytest.mark.parametrize("failure", [ContextOverflow("c"), BadReply("b"), ModelMissing("m"), ValueError("v")])
def test_other_failures_are_not_retried(failure):
    """What another try cannot mend is raised at once."""
    inner = failing(failure)
    with pytest.raises(type(failure)):
        RetryingLLM(inner, sleep=lambda _: None).complete(REQUEST)
    assert len(inner.requests) == 1


def test_retry_after_is_obeyed():
    """The server's own waiting time replaces ours."""
    waits = []
    RetryingLLM(failing(Transient("busy", retry_after_s=17.5)), sleep=waits.append).complete(REQUEST)
    assert waits == [17.5]


def test_waits_grow():
    """Without word from the server each wait is longer than the one before, up to the jitter of a second."""
    waits = []
    failures = [Transient(str(n)) for n in range(5)]
    RetryingLLM(failing(*failures), attempts=6, sleep=waits.append).complete(REQUEST)
    assert all(2**n <= wait <= 2**n + 1 for n, wait in enumerate(waits))


def test_a_wait_beyond_the_total_is_not_begun():
    """A Retry-After that does not fit the total budget ends the matter at once."""
    waits = []
    with pytest.raises(Transient):
        RetryingLLM(failing(Transient("busy", retry_after_s=60)), total_s=30, sleep=waits.append).complete(
            REQUEST
        )
    assert waits == []


def test_waits_add_up_to_the_total_at_most():
    """Tries end when the next wait would not fit what is left for waiting."""
    waits = []
    failures = [Transient("busy", retry_after_s=10) for _ in range(9)]
    with pytest.raises(Transient):
        RetryingLLM(failing(*failures), attempts=9, total_s=35, sleep=waits.append).complete(REQUEST)
    assert waits == [10, 10, 10]


def test_a_deadline_is_retried_once():
    """A reply that ran into the deadline twice is given up, whatever attempts are left."""
    inner = failing(DeadlineExceeded("1"), Transient("2"), DeadlineExceeded("3"))
    with pytest.raises(DeadlineExceeded, match="3"):
        RetryingLLM(inner, attempts=9, sleep=lambda _: None).complete(REQUEST)
    assert len(inner.requests) == 3


def test_a_stop_ends_the_wait_and_the_tries():
    """When `stop` is set during a wait of two minutes, the wait ends and no further try is made."""
    stop = threading.Event()
    tried = threading.Event()

    def handler(_request):
        tried.set()
        raise Transient("busy", retry_after_s=120)

    inner = FakeLLM(handler)
    raised = []

    def call():
        try:
            RetryingLLM(inner, stop=stop).complete(REQUEST)
        except Transient as failure:
            raised.append(failure)

    thread = threading.Thread(target=call)
    thread.start()
    assert tried.wait(10)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert (len(inner.requests), len(raised)) == (1, 1)


def test_no_retry_after_a_stop():
    """A failure after `stop` was set is raised without a wait."""
    stop = threading.Event()
    stop.set()
    waits = []
    with pytest.raises(Transient):
        RetryingLLM(failing(Transient("a")), stop=stop, sleep=waits.append).complete(REQUEST)
    assert waits == []
