"""Recorded replies through the real client: found by call, served like a live model would."""

import json
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass

import pytest

from evaluator.replay.recorded import RecordedServer
from evaluator.servers.find import ModelChoice, choose, list_models
from repair.errors import LLMError, ModelMissing, NotRecorded, RequestRefused
from repair.llm import Arm, CallId, CallKind, Message, Request, Sampling
from repair.openai_client import OpenAIClient


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A recording, with the fields that the server reads."""

    content: str | None
    reasoning: str = ""
    finish_reason: str = "stop"
    prompt_tokens: int | None = 11
    completion_tokens: int | None = 22


LONG = "def f():\n    return 'größer \U0001f600'\n" * 50
FIRST = CallId(task_id="b/t", template="default", sample=0)
ODD = CallId(task_id="b/größe %41", template="default", sample=1, arm=Arm.CONTROL, call_no=3)
RECORDINGS = {
    "demo-a": {
        str(FIRST): Reply(content=LONG, reasoning="let me see"),
        str(ODD): Reply(content=None, finish_reason="length", prompt_tokens=None),
    },
    "demo-b": {str(FIRST): Reply(content="\ud800\x00x", finish_reason="")},
}


def request(call=FIRST):
    return Request(
        call=call,
        kind=CallKind.FIRST,
        messages=(Message(role="user", content="write"),),
        sampling=Sampling(),
    )


@pytest.fixture
def server():
    """The recordings above, served."""
    with RecordedServer(RECORDINGS) as recorded:
        yield recorded


@pytest.fixture
def client(server):
    """A client of the first recorded model."""
    client = OpenAIClient(base_url=server.base_url, model="demo-a", send_call_id=True)
    yield client
    client.close()


def test_a_reply_is_found_by_its_call(client):
    """Text, reasoning, finish reason and usage come through the stream as they were recorded."""
    reply = client.complete(request())
    assert (reply.text, reply.reasoning, reply.finish_reason) == (LONG, "let me see", "stop")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.model) == (11, 22, "demo-a")


def test_names_outside_ascii_and_missing_fields(client):
    """A call whose name no header can carry is found; null content and absent usage stay absent."""
    reply = client.complete(request(ODD))
    assert (reply.text, reply.finish_reason, reply.prompt_tokens) == ("", "length", None)


def test_a_call_that_is_not_recorded_is_refused_alone(client):
    """An unknown call fails by name, without declaring the whole model missing."""
    with pytest.raises(RequestRefused, match="b/t/default/9/repair/0") as caught:
        client.complete(request(CallId(task_id="b/t", template="default", sample=9)))
    assert type(caught.value) is NotRecorded
    assert client.complete(request()).text == LONG


def test_a_model_that_is_not_recorded_is_missing(server):
    """An unknown model fails as such, and the message has those that exist."""
    client = OpenAIClient(base_url=server.base_url, model="demo-x", send_call_id=True)
    with pytest.raises(ModelMissing, match="demo-a, demo-b"):
        client.complete(request())
    client.close()


def test_without_the_header_nothing_is_found(server):
    """The identity of the call is the only key: a client that does not send it gets no reply."""
    client = OpenAIClient(base_url=server.base_url, model="demo-a")
    with pytest.raises(RequestRefused):
        client.complete(request())
    client.close()


def test_broken_text_is_served_and_normalised(server):
    """Recordings may hold lone surrogates and NUL, as live servers do."""
    client = OpenAIClient(base_url=server.base_url, model="demo-b", send_call_id=True)
    assert client.complete(request()).text == "\ufffdx"
    client.close()


def test_the_models_are_marked_as_recorded(server):
    """The list says who owns the models, so that nobody takes them for live ones."""
    listed = list_models(server.base_url)
    assert listed.recorded
    assert [model.id for model in listed.models] == ["demo-a", "demo-b"]
    with pytest.raises(ModelChoice, match="demo-b"):
        choose([listed])


def test_a_request_without_stream_gets_one_document(server):
    """Plain requests work, so that the server can be tried with other tools."""
    body = json.dumps({"model": "demo-a", "messages": []}).encode()
    asked = urllib.request.Request(
        f"{server.base_url}/chat/completions", body, {"X-Mendbench-Call": str(FIRST)}
    )
    with urllib.request.urlopen(asked) as answer:
        assert json.load(answer)["choices"][0]["message"]["content"] == LONG


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/chat/completions", b"{", 400),
        ("/chat/completions", b"[]", 400),
        ("/chat/completions", b'{"model": ["x"]}', 404),
        ("/chat/completions", b'{"model": "demo-a", "stream_options": 3}', 404),
        ("/nothing", b"{}", 404),
        ("/nothing", None, 404),
    ],
)
def test_odd_requests_get_an_error(server, path, body, status):
    """Whatever is asked gets an answer with an error text."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(server.base_url + path, body))
    with caught.value as answer:
        assert answer.code == status
        assert json.load(answer)["error"]["message"]


def test_many_at_once_and_no_thread_left(server):
    """Sixteen clients at a time are served, each with its own reply."""
    replies = []

    def call():
        client = OpenAIClient(base_url=server.base_url, model="demo-a", send_call_id=True)
        replies.append(client.complete(request()).text)
        client.close()

    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert replies == [LONG] * 16


def test_nothing_is_left_behind():
    """After the context no thread of the server runs and its port is closed."""
    before = set(threading.enumerate())
    with RecordedServer(RECORDINGS) as server:
        url = server.base_url
        list_models(url)
    assert set(threading.enumerate()) <= before
    with pytest.raises(LLMError, match="no answer"):
        list_models(url)
