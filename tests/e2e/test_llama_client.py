"""The client against a live llama.cpp server."""

import threading
import time

import httpx2
import pytest

from evaluator.servers.find import choose, list_models
from repair.dialect import ClientLimits
from repair.errors import ContextOverflow, DeadlineExceeded, RequestRefused
from repair.llm import CallId, CallKind, Message, Request, Sampling
from repair.openai_client import OpenAIClient


@pytest.fixture
def make(llama_server):
    """Makes clients of the live server, closed after the test."""
    clients = []

    def build(**limits):
        client = OpenAIClient(
            base_url=llama_server.base_url, model=llama_server.model, limits=ClientLimits(**limits)
        )
        clients.append(client)
        return client

    yield build
    for client in clients:
        client.close()


def request(text="Write a function.", **sampling):
    return Request(
        call=CallId(task_id="b/t", template="default", sample=0),
        kind=CallKind.FIRST,
        messages=(Message(role="user", content=text),),
        sampling=Sampling(**sampling),
    )


def until(condition):
    """Wait until `condition()` holds; says whether it came to hold."""
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def busy_slots(server):
    """How many slots of the server are generating."""
    with httpx2.Client(trust_env=False, timeout=20) as http:
        slots = http.get(server.base_url.removesuffix("/v1") + "/slots").json()
    return sum(slot["is_processing"] for slot in slots)


def test_the_model_is_listed_as_loaded(llama_server):
    """The live server is recognised, and its only model is the one to choose."""
    server = list_models(llama_server.base_url)
    assert (server.kind, server.recorded) == ("llama.cpp", False)
    model = server.models[0]
    assert (model.id, model.loaded, model.chat, model.context) == (llama_server.model, True, True, 4096)
    assert choose([server]) == (server, model)


def test_a_bounded_reply(make):
    """A reply of at most 64 tokens comes back as valid text with its usage."""
    reply = make().complete(request(temperature=1.0, seed=3, max_tokens=64))
    assert reply.finish_reason in {"length", "stop"}
    assert 1 <= reply.completion_tokens <= 64
    assert reply.prompt_tokens > 10
    assert reply.truncated == (reply.finish_reason == "length")
    reply.text.encode()


def test_four_at_once(make, llama_server):
    """Four threads share one client and each gets a whole reply."""
    client = make()
    replies = []

    def call(seed):
        replies.append(client.complete(request(f"Task {seed}", seed=seed, max_tokens=64)))

    threads = [threading.Thread(target=call, args=(seed,)) for seed in range(llama_server.slots)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(replies) == llama_server.slots
    assert all(reply.finish_reason in {"length", "stop"} for reply in replies)


def test_a_cap_stops_the_server(make, llama_server):
    """A reply cut at the size cap closes the stream: the slot is free again, and the server lives."""
    no_end = {"ignore_eos": True}
    reply = make(max_reply_bytes=50).complete(request(temperature=1.0, max_tokens=4000, extra=no_end))
    assert reply.capped
    assert len(reply.text.encode()) <= 50
    assert until(lambda: busy_slots(llama_server) == 0)
    assert llama_server.alive
    make().complete(request(max_tokens=4))


def test_a_deadline_stops_the_server(make, llama_server):
    """A call that runs into its deadline frees its slot."""
    with pytest.raises(DeadlineExceeded):
        make(deadline_s=0.05).complete(request(max_tokens=4000, extra={"ignore_eos": True}))
    assert until(lambda: busy_slots(llama_server) == 0)
    assert llama_server.alive


def test_a_prompt_that_does_not_fit(make):
    """llama.cpp's refusal of a long prompt is an overflow of the context."""
    with pytest.raises(ContextOverflow):
        make().complete(request("x" * 20_000, max_tokens=4))


def test_a_request_that_makes_no_sense(make):
    """A parameter that the server does not know is the request's fault, not a failure that may go away."""
    with pytest.raises(RequestRefused):
        make().complete(request(max_tokens=4, extra={"response_format": {"type": "nonsense"}}))
