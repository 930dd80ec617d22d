"""The client against real sockets: each kind of failure, and each trap that servers are known for."""

import json
import shutil
import subprocess
import threading
import traceback
from email.utils import formatdate
from time import time

import pytest

from repair.dialect import ClientLimits
from repair.errors import (
    AuthFailed,
    BadReply,
    ContextOverflow,
    DeadlineExceeded,
    LLMError,
    ModelMissing,
    RequestRefused,
    ServerFatal,
    Transient,
)
from repair.llm import CallId, CallKind, Message, Request, Sampling
from repair.openai_client import OpenAIClient
from repair.retry import RetryingLLM

KEY = "sk-very-secret-0123456789"


def request(text="write code", **sampling):
    return Request(
        call=CallId(task_id="b/tâche one", template="default", sample=2, call_no=1),
        kind=CallKind.FIRST,
        messages=(Message(role="system", content="s"), Message(role="user", content=text)),
        sampling=Sampling(**sampling),
    )


@pytest.fixture
def make(scripted):
    """Makes clients of the scripted server, closed after the test."""
    clients = []

    def build(*, base_url=None, limits=None, api_key=KEY, **more):
        limits = limits or ClientLimits(connect_s=5, stall_s=10, deadline_s=20)
        client = OpenAIClient(
            base_url=base_url or scripted.base_url, model="m/1", api_key=api_key, limits=limits, **more
        )
        clients.append(client)
        return client

    yield build
    for client in clients:
        client.close()


def hello(exchange):
    """A well-behaved streamed reply with usage."""
    exchange.begin_stream()
    exchange.delta("", role="assistant")
    exchange.delta("print(")
    exchange.delta("'é')")
    exchange.delta(finish="stop")
    exchange.event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
    exchange.event("[DONE]")


def fails(client, kind):
    """Ask; the failure must be exactly `kind`, and nothing about it may show the key."""
    with pytest.raises(LLMError) as caught:
        client.complete(request())
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    link = caught.value
    while link is not None:
        shown += str(link) + repr(vars(link))
        link = link.__cause__ or link.__context__
    assert KEY not in shown
    assert type(caught.value) is kind or (kind is RequestRefused and isinstance(caught.value, kind))
    return str(caught.value)


# what goes out, what comes back


def test_a_streamed_reply_comes_back_whole(scripted, make):
    """Text, finish reason, usage and the served model's name arrive; times are there."""
    scripted.serve(hello)
    reply = make().complete(request())
    assert (reply.text, reply.finish_reason, reply.model) == ("print('é')", "stop", "served")
    assert (reply.prompt_tokens, reply.completion_tokens) == (7, 3)
    assert 0 < reply.first_token_s <= reply.seconds
    assert not reply.truncated


def test_what_is_sent(scripted, make):
    """One streamed request with the sampling as given; what is None is left out; no n, no telemetry."""
    scripted.serve(hello)
    make(extra_headers={"X-Extra": "1"}).complete(
        request(temperature=0.5, top_p=None, max_tokens=64, seed=2**63 - 1, extra={"top_k": 5})
    )
    body, headers = scripted.requests[0], scripted.headers[0]
    assert body == {
        "model": "m/1",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "write code"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "max_tokens": 64,
        "seed": 2**63 - 1,
        "top_k": 5,
    }
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["X-Extra"] == "1"
    assert {name.lower() for name in headers if name.lower().startswith("x-")} == {
        "x-extra",
        "x-stainless-raw-response",
    }


@pytest.mark.parametrize("trust_env", [True, False])
def test_the_environment_does_not_reach_the_server(scripted, make, monkeypatch, trust_env):
    """Keys, organisations, addresses, headers and proxies meant for another server are left alone."""
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "from-env")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: from-env\nX-Env: from-env")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    scripted.serve(hello)
    make(api_key=None, trust_env=trust_env).complete(request())
    assert "from-env" not in str(scripted.headers[0])


def test_the_call_is_named_only_where_asked(scripted, make):
    """The call's identity goes out in ASCII, and only from a client that was told to send it."""
    scripted.serve(hello)
    make(send_call_id=True).complete(request())
    assert scripted.headers[0]["X-Mendbench-Call"] == "b/t%C3%A2che%20one/default/2/repair/1"


def test_surrogates_in_a_prompt_are_sent_as_replacement(scripted, make):
    """A prompt that quotes broken text is sent, not refused by the encoder."""
    scripted.serve(hello)
    make().complete(request("a\ud800b"))
    assert scripted.requests[0]["messages"][1]["content"] == "a\ufffdb"


def test_fields_of_ours_cannot_be_overridden(scripted, make):
    """`n` and its like in the extra parameters are refused before anything is sent."""
    scripted.serve(hello)
    with pytest.raises(RequestRefused, match="n"):
        make().complete(request(extra={"n": 4}))
    assert scripted.requests == []


def test_a_plain_json_answer_to_a_streamed_request(scripted, make):
    """A server that ignores `stream` is understood."""
    message = {"role": "assistant", "content": "pass", "reasoning_content": "hm"}
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    scripted.serve(
        lambda e: e.reply(
            200, {"model": "p", "choices": [{"message": message, "finish_reason": "length"}], "usage": usage}
        )
    )
    reply = make().complete(request())
    assert (reply.text, reply.reasoning, reply.completion_tokens) == ("pass", "hm", 2)
    assert reply.truncated


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_apart(scripted, make, field):
    """Both names of the reasoning field are read, and it never mixes with the text."""

    def script(e):
        e.begin_stream()
        e.delta(**{field: "let me "})
        e.delta(**{field: "think"})
        e.delta("x = 1", finish="stop")
        e.event("[DONE]")

    scripted.serve(script)
    reply = make().complete(request())
    assert (reply.text, reply.reasoning) == ("x = 1", "let me think")


def test_unknown_finish_reason_and_no_usage(scripted, make):
    """A finish reason that nobody knows passes through; absent usage is None, not 0."""

    def script(e):
        e.begin_stream()
        e.delta("x", finish="eos")
        e.event("[DONE]")

    scripted.serve(script)
    reply = make().complete(request())
    assert (reply.finish_reason, reply.prompt_tokens, reply.completion_tokens) == ("eos", None, None)


@pytest.mark.parametrize(
    "delta", [{}, {"content": None}, {"content": ""}, {"content": 7}, {"tool_calls": [{}]}]
)
def test_an_empty_reply_is_a_reply(scripted, make, delta):
    """A model that ends at once, or says `null`, has replied with nothing: data, not an error."""

    def script(e):
        e.begin_stream()
        e.delta(**{**delta, "role": "assistant"})
        e.delta(finish="stop")
        e.event("[DONE]")

    scripted.serve(script)
    reply = make().complete(request())
    assert (reply.text, reply.finish_reason, reply.first_token_s) == ("", "stop", None)


def test_content_in_parts_and_refusals(scripted, make):
    """A list of text parts is joined; a refusal is what the model said."""

    def script(e):
        e.begin_stream()
        e.delta([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, "?"])
        e.delta(None, refusal="no", finish="stop")

    scripted.serve(script)
    assert make().complete(request()).text == "abno"


def test_other_choices_are_ignored(scripted, make):
    """Only the first choice counts, should a server send several."""

    def script(e):
        e.begin_stream()
        e.event({"choices": [{"index": 1, "delta": {"content": "no"}}]})
        e.event({"choices": "?"})
        e.delta("yes", finish="stop")

    scripted.serve(script)
    assert make().complete(request()).text == "yes"


def test_surrogates_and_nul_are_normalised(scripted, make):
    """Halves of a pair that came in two chunks are joined, lone ones replaced, NUL dropped."""

    def script(e):
        e.begin_stream()
        for piece in ("a\ud83d", "\ude00b\x00", "c\udcff"):
            e.delta(piece)
        e.delta(finish="stop")

    scripted.serve(script)
    reply = make().complete(request())
    assert reply.text == "a\U0001f600bc\ufffd"
    reply.text.encode()


def test_line_separators_inside_a_chunk(scripted, make):
    """U+2028 and its like are text, not the end of an event."""

    def script(e):
        e.begin_stream()
        chunk = {
            "choices": [{"index": 0, "delta": {"content": "a\u2028b\x85c\x0bd"}, "finish_reason": "stop"}]
        }
        e.event(json.dumps(chunk, ensure_ascii=False))

    scripted.serve(script)
    assert make().complete(request()).text == "a\u2028b\x85c\x0bd"


def test_comments_and_keepalives_are_skipped(scripted, make):
    """Comment lines, which servers send to keep proxies awake, are no chunks."""

    def script(e):
        e.begin_stream()
        e.raw(b": PROCESSING\n\n:\n\n")
        e.delta("x", finish="stop")

    scripted.serve(script)
    assert make().complete(request()).text == "x"


# failures that a status tells


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (
            401,
            {"error": {"message": f"Incorrect API key provided: {KEY}"}},
            AuthFailed,
            "does not accept the API",
        ),
        (403, {"error": "forbidden"}, AuthFailed, "forbidden"),
        (402, {"error": {"message": "pay"}}, ServerFatal, "no credit"),
        (
            404,
            {"error": {"message": "model 'm/1' not found, try pulling it"}},
            ModelMissing,
            "try pulling it",
        ),
        (404, "<html>nothing</html>", ModelMissing, "/v1"),
        (400, {"error": "Model m/1 not found"}, ModelMissing, "cannot be loaded"),
        (
            400,
            {"error": {"message": "Failed to load model m/1: out of memory"}},
            ModelMissing,
            "out of memory",
        ),
        (500, {"error": {"message": "model requires more system memory (9 GiB)"}}, ModelMissing, "9 GiB"),
        (400, {"error": {"message": "maximum context length is 4096 tokens"}}, ContextOverflow, "4096"),
        (
            400,
            {"error": {"type": "exceed_context_size_error", "message": "too long"}},
            RequestRefused,
            "too long",
        ),
        (
            400,
            {"error": {"code": "context_length_exceeded", "message": "z"}},
            ContextOverflow,
            "larger context",
        ),
        (500, {"error": {"message": "exceeds the available context size"}}, ContextOverflow, "context"),
        (413, "too large", ContextOverflow, "HTTP 413"),
        (400, {"error": {"message": "temperature is out of range"}}, RequestRefused, "temperature"),
        (422, {"detail": [{"msg": "bad"}]}, RequestRefused, "bad"),
        (404, {"error": {"code": "call_not_recorded", "message": "no b/t/0"}}, RequestRefused, "no b/t/0"),
        (405, {}, ServerFatal, "base URL"),
        (307, "", ServerFatal, "redirects to https://elsewhere/v1"),
        (408, {}, Transient, "408"),
        (409, {}, Transient, "409"),
        (429, {"error": {"message": "slow down"}}, Transient, "slow down"),
        (429, {"error": {"code": "insufficient_quota", "message": "q"}}, ServerFatal, "no credit"),
        (500, "oops", Transient, "oops"),
        (502, "<html>bad gateway</html>", Transient, "502"),
        (503, {"error": {"code": 503, "message": "Loading model"}}, Transient, "Loading model"),
    ],
)
def test_statuses(scripted, make, status, body, kind, says):
    """Each status becomes the one class that tells what to do, and quotes the server."""
    scripted.serve(lambda e: e.reply(status, body, location="https://elsewhere/v1"))
    message = fails(make(), kind)
    assert says in message
    assert scripted.root in message


def test_a_missing_model_names_those_that_exist(scripted, make):
    """The message lists what the server has, without control characters."""
    scripted.other["/v1/models"] = {"data": [{"id": "a"}, {"id": "b\x1b[31m"}]}
    scripted.serve(lambda e: e.reply(404, {"error": "model not found"}))
    message = fails(make(), ModelMissing)
    assert message.endswith("The server has: a, b [31m")


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"retry-after": "7"}, 7, 7),
        ({"retry-after": "0.5"}, 0.5, 0.5),
        ({"retry-after": "99999"}, 120, 120),
        ({"retry-after": "-3"}, 0, 0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5, 1.5),
        ({"retry-after": formatdate(time() + 7200, usegmt=True)}, 100, 120),
        ({"retry-after": formatdate(0, usegmt=True)}, 0, 0),
        ({"retry-after": "soon"}, None, None),
        ({"retry-after": "nan"}, None, None),
        ({}, None, None),
    ],
)
def test_retry_after(scripted, make, headers, low, high):
    """Seconds, milliseconds and dates are read, and bounded."""
    scripted.serve(lambda e: e.reply(429, {}, **headers))
    with pytest.raises(Transient) as caught:
        make().complete(request())
    asked = caught.value.retry_after_s
    assert asked is None if low is None else low <= asked <= high


def test_server_errors_then_a_reply(scripted, make):
    """Two 500s and a 503 are ridden out by the retrying wrapper, which counts them."""
    bad = [lambda e, s=s: e.reply(s, "no") for s in (500, 500, 503)]
    scripted.serve(*bad, hello)
    reply = RetryingLLM(make(), sleep=lambda _: None).complete(request())
    assert (reply.text, reply.retries, len(scripted.requests)) == ("print('é')", 3, 4)


# what the server does not take


def test_stream_options_refused_once(scripted, make):
    """A server that refuses `stream_options` is asked again without, and never again with."""

    def script(e):
        if "stream_options" in e.body:
            e.reply(400, {"error": {"message": "Unrecognized request argument: stream_options"}})
        else:
            hello(e)

    scripted.serve(script)
    client = make()
    assert client.complete(request()).text == client.complete(request()).text == "print('é')"
    assert ["stream_options" in body for body in scripted.requests] == [True, False, False]


def test_max_tokens_renamed(scripted, make):
    """A server that wants `max_completion_tokens` gets it, with the same value."""

    def script(e):
        if "max_tokens" in e.body:
            e.reply(400, {"error": {"message": "Unsupported: 'max_tokens'. Use 'max_completion_tokens'"}})
        else:
            hello(e)

    scripted.serve(script)
    client = make()
    client.complete(request(max_tokens=9))
    client.complete(request(max_tokens=9))
    assert [body.get("max_completion_tokens") for body in scripted.requests] == [None, 9, 9]


def test_a_proven_dialect_is_not_doubted(scripted, make):
    """Once a reply came, a refusal is for the request itself and is not asked twice."""
    scripted.serve(hello, lambda e: e.reply(400, {"error": "bad temperature"}))
    client = make()
    client.complete(request())
    fails(client, RequestRefused)
    assert len(scripted.requests) == 2


# a 200 that is none


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        ("<!doctype html><title>LM</title>", BadReply, "<!doctype html>"),
        ("null", BadReply, "NoneType"),
        ("[1]", BadReply, "list"),
        ('"text"', BadReply, "str"),
        ("{}", BadReply, "no choices"),
        ('{"choices": []}', BadReply, "no choices"),
        ('{"choices": null}', BadReply, "no choices"),
        ('{"choices": [{"mess', BadReply, "no JSON"),
        ("[" * 100_000, BadReply, "base URL"),
        ('{"error": "Unexpected endpoint or method. (POST /chat/completions)"}', ServerFatal, "/v1"),
        ('{"error": {"message": "busy", "code": 503}}', Transient, "busy"),
        ('{"error": "something"}', Transient, "something"),
        (
            '{"object": "error", "message": "The model `m/1` does not exist.", "code": 404}',
            ModelMissing,
            "exist",
        ),
        ('{"error": {"message": "n_ctx is too small"}}', ContextOverflow, "n_ctx"),
        ('{"error": {"code": 401, "message": "who?"}}', AuthFailed, "who?"),
    ],
)
def test_a_200_that_is_no_reply(scripted, make, body, kind, says):
    """Web pages, error reports and odd JSON with status 200 are told apart."""
    scripted.serve(lambda e: e.reply(200, body, "text/html" if body.startswith("<") else "application/json"))
    assert says in fails(make(), kind)


def test_text_that_is_no_stream(scripted, make):
    """Plain text with status 200 is quoted, not waited for."""
    scripted.serve(lambda e: e.reply(200, "it works!", "text/plain"))
    assert "it works!" in fails(make(), BadReply)


def test_a_compressed_answer_is_refused(scripted, make):
    """A body that is compressed unasked could be a bomb; it is not unpacked."""
    scripted.serve(lambda e: e.reply(200, "x", content_encoding="gzip"))
    assert "compressed" in fails(make(), BadReply)


# streams that go wrong


@pytest.mark.parametrize("error", ["something broke", {"message": "something broke", "type": "server_error"}])
def test_an_error_inside_the_stream(scripted, make, error):
    """An error event after the first chunks makes the call fail; the half reply is not taken for one."""

    def script(e):
        e.begin_stream()
        e.delta("x = ")
        e.event({"error": error})

    scripted.serve(script)
    assert "something broke" in fails(make(), Transient)


def test_an_overflow_inside_the_stream(scripted, make):
    """An error event is classified by what it says."""

    def script(e):
        e.begin_stream()
        e.delta("x = ")
        e.event({"error": {"message": "context size exceeded"}})

    scripted.serve(script)
    fails(make(), ContextOverflow)


@pytest.mark.parametrize("reason", ["abort", "error"])
def test_a_server_that_gives_up(scripted, make, reason):
    """A finish reason that says the server broke off is no reply."""

    def script(e):
        e.begin_stream()
        e.delta("x = ")
        e.delta(finish=reason)

    scripted.serve(script)
    assert reason in fails(make(), Transient)


def test_a_stream_that_stops(scripted, make):
    """A stream that ends without finish reason and without end mark is broken."""

    def script(e):
        e.begin_stream()
        e.delta("x = ")

    scripted.serve(script)
    assert "broke" in fails(make(), Transient)


def test_a_stream_that_is_cut_in_a_chunk(scripted, make):
    """A connection that ends inside a chunked body is a broken connection."""

    def script(e):
        e.head(200, "text/event-stream", transfer_encoding="chunked")
        e.raw(b"1f\r\ndata: {")

    scripted.serve(script)
    fails(make(), Transient)


def test_a_connection_reset(scripted, make):
    """A reset in the middle of the reply may be tried again."""

    def script(e):
        import socket
        import struct

        e.begin_stream()
        e.delta("x = ")
        e.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        e.connection.shutdown(socket.SHUT_RD)
        e.connection.close()

    scripted.serve(script)
    fails(make(), Transient)


def test_an_end_mark_alone_ends_a_reply(scripted, make):
    """A server that never sends a finish reason but does send [DONE] has replied."""

    def script(e):
        e.begin_stream()
        e.delta("data: [x]")
        e.event("[DONE]")

    scripted.serve(script)
    reply = make().complete(request())
    assert (reply.text, reply.finish_reason) == ("data: [x]", "")


def test_a_reply_that_is_whole_survives_what_follows(scripted, make):
    """After the finish reason a broken connection costs the usage, not the reply."""

    def script(e):
        e.begin_stream()
        e.delta("x", finish="stop")
        e.event("{broken")

    scripted.serve(script)
    assert make().complete(request()).text == "x"


def test_invalid_json_in_the_stream(scripted, make):
    """A chunk that is no JSON breaks the stream."""

    def script(e):
        e.begin_stream()
        e.delta("x")
        e.event('{"choices": [')

    scripted.serve(script)
    fails(make(), Transient)


@pytest.mark.parametrize("event", ["[1, 2]", '"text"', "17"])
def test_json_that_is_no_chunk(scripted, make, event):
    """A chunk that is JSON but no object is no chat completion."""

    def script(e):
        e.begin_stream()
        e.event(event)
        e.event("[DONE]")

    scripted.serve(script)
    fails(make(), BadReply)


def test_an_empty_stream(scripted, make):
    """A stream of nothing but its end mark is no chat completion."""

    def script(e):
        e.begin_stream()
        e.event("[DONE]")

    scripted.serve(script)
    fails(make(), BadReply)


# floods, drips and silence


def test_a_reply_of_ten_megabytes_is_cut(scripted, make):
    """A reply over the cap comes back cut at the cap, marked, and the server sees the connection close."""
    closed = threading.Event()

    def script(e):
        e.begin_stream()
        try:
            for _ in range(160):
                e.delta("é" * 32_768)
            e.delta(finish="stop")
        except ConnectionError:
            closed.set()
        else:
            closed.set() if e.gone() else None

    scripted.serve(script)
    limits = ClientLimits(max_reply_bytes=100_001, deadline_s=60, stall_s=20)
    reply = make(limits=limits).complete(request())
    assert reply.text == "é" * 50_000
    assert reply.capped
    assert reply.truncated
    assert closed.wait(20)


@pytest.mark.parametrize("whole", [True, False])
def test_ten_megabytes_in_one_piece_are_cut(scripted, make, whole):
    """A reply that comes as one document, or as one chunk, is cut as well."""

    def script(e):
        if whole:
            e.reply(200, {"choices": [{"message": {"content": "x" * 10_000_000}, "finish_reason": "stop"}]})
        else:
            e.begin_stream()
            e.delta("x" * 10_000_000, finish="stop")

    scripted.serve(script)
    reply = make().complete(request())
    assert (len(reply.text), reply.capped) == (1 << 20, True)


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_a_body_without_end_is_not_kept(scripted, make, kind):
    """A document, or a line of a stream, that never ends is given up before it fills the memory."""

    def script(e):
        e.head(200, kind)
        e.raw(b'data: {"')
        while True:
            e.raw(b"x" * 65_536)

    scripted.serve(script)
    assert "larger than" in fails(make(), BadReply)


def drip_chunks(e):
    e.begin_stream()
    while not e.server.owner.stopping.wait(0.02):
        e.delta("x")


def drip_bytes(e):
    e.begin_stream()
    while not e.server.owner.stopping.wait(0.02):
        e.raw(b"x")


def drip_headers(e):
    e.raw(b"HTTP/1.1 200 OK\r\n")
    while not e.server.owner.stopping.wait(0.02):
        e.raw(b"x-a: b\r\n")


def hang_before_headers(e):
    e.gone()


def hang_in_stream(e):
    e.begin_stream()
    e.delta("x")
    e.gone()


def drip_error_body(e):
    e.head(500, "text/plain")
    while not e.server.owner.stopping.wait(0.02):
        e.raw(b"x")


@pytest.mark.parametrize(
    "script",
    [drip_chunks, drip_bytes, drip_headers, hang_before_headers, hang_in_stream, drip_error_body],
)
def test_the_deadline_fires(scripted, make, script):
    """Whatever a server does to draw a reply out, the call ends at the deadline."""
    scripted.serve(script)
    client = make(limits=ClientLimits(stall_s=30, deadline_s=0.5))
    assert "0.5 s" in fails(client, DeadlineExceeded)


@pytest.mark.parametrize("script", [hang_before_headers, hang_in_stream])
def test_a_silence_is_transient(scripted, make, script):
    """Silence for longer than allowed ends the call, and it may be tried again."""
    scripted.serve(script)
    client = make(limits=ClientLimits(stall_s=0.3, deadline_s=30))
    assert "silent" in fails(client, Transient)


def test_nothing_listens(make):
    """A refused connection names the server and asks whether it runs."""
    message = fails(make(base_url="http://127.0.0.1:9/v1"), Transient)
    assert "http://127.0.0.1:9/v1" in message
    assert "running" in message


# proxies and TLS


def test_a_proxy_from_the_environment(scripted, make, monkeypatch):
    """With `trust_env` a remote server is reached through the proxy, under the same deadline."""
    monkeypatch.setenv("HTTP_PROXY", scripted.root)
    seen = []

    def script(e):
        seen.append(e.path)
        hello(e)

    scripted.serve(script, drip_headers)
    client = make(
        base_url="http://nowhere.invalid/v1", trust_env=True, limits=ClientLimits(stall_s=30, deadline_s=2)
    )
    assert client.complete(request()).text == "print('é')"
    assert seen == ["http://nowhere.invalid/v1/chat/completions"]
    fails(client, DeadlineExceeded)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command to make a certificate with")
def test_tls(make_scripted, make, monkeypatch, tmp_path):
    """Over TLS replies and deadlines work alike; a certificate that nobody vouches for is refused."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run(
        [*command.split(), "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True
    )
    scripted = make_scripted(certificate=(cert, key))
    url = scripted.base_url.replace("127.0.0.1", "localhost")
    scripted.serve(hello, drip_bytes, hello)
    limits = ClientLimits(stall_s=30, deadline_s=2)
    assert "certificate" in fails(make(base_url=url, limits=limits), Transient)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    client = make(base_url=url, trust_env=True, limits=limits)
    assert client.complete(request()).text == "print('é')"
    fails(client, DeadlineExceeded)


# the client as an object


def test_a_deadline_belongs_to_one_call(scripted, make):
    """After a call that ran into its deadline the client works as before, on the same thread."""
    scripted.serve(hang_before_headers, hello)
    client = make(limits=ClientLimits(deadline_s=1))
    fails(client, DeadlineExceeded)
    assert client.complete(request()).text == "print('é')"


def test_cookies_are_not_kept(scripted, make):
    """A cookie that no header can carry back, or any other, changes nothing for later calls."""

    def script(e):
        body = b'data: {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}\n\n'
        e.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nset-cookie: a\xff=\xfe\r\n")
        e.raw(b"set-cookie: session=1\r\nconnection: close\r\n\r\n" + body)

    scripted.serve(script)
    client = make()
    assert client.complete(request()).text == client.complete(request()).text == "x"
    assert scripted.headers[1]["cookie"] is None


def test_many_threads_at_once(scripted, make):
    """Calls from several threads overlap, and each gets its own reply."""
    together = threading.Barrier(4, timeout=20)

    def script(e):
        together.wait()
        e.begin_stream()
        e.delta(e.body["messages"][1]["content"], finish="stop")

    scripted.serve(script)
    client = make()
    replies = {}

    def call(name):
        replies[name] = client.complete(request(name)).text

    threads = [threading.Thread(target=call, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert replies == {f"t{n}": f"t{n}" for n in range(4)}


def test_close_wakes_a_waiting_call(scripted, make):
    """Closing the client from another thread ends a call that waits for a silent server."""
    asked = threading.Event()

    def script(e):
        asked.set()
        e.gone()

    scripted.serve(script)
    client = make(limits=ClientLimits(stall_s=60, deadline_s=60))
    raised = []

    def call():
        try:
            client.complete(request())
        except LLMError as failure:
            raised.append(failure)

    thread = threading.Thread(target=call)
    thread.start()
    assert asked.wait(20)
    client.close()
    thread.join(20)
    assert not thread.is_alive()
    assert len(raised) == 1


def test_a_closed_client_says_so(scripted, make):
    """A call after `close` fails with an error that is not tried again."""
    scripted.serve(hello)
    client = make()
    client.close()
    with pytest.raises(LLMError, match="closed") as caught:
        client.complete(request())
    assert type(caught.value) is LLMError


def test_credentials_in_the_address_stay_hidden(scripted, make):
    """User name and password of the base URL work, and are shown nowhere."""
    scripted.serve(hello, lambda e: e.reply(500, "you sent hunter22 and hunter%32%32"))
    client = make(base_url=scripted.base_url.replace("http://", "http://someone:hunter%32%32@"))
    client.complete(request())
    assert scripted.headers[0]["Authorization"].startswith("Basic ")
    message = fails(client, Transient)
    assert "hunter" not in message + repr(client)
    assert "someone" not in message + repr(client)


def test_secret_headers_stay_hidden(scripted, make):
    """The values of extra headers are treated like keys."""
    scripted.serve(lambda e: e.reply(500, "bad token tok-12345678"))
    assert "12345678" not in fails(make(extra_headers={"X-Token": "tok-12345678"}), Transient)


@pytest.mark.parametrize("key", ["sk-ab\ncd", "schlüssel-geheim", "sk-\x00abc"])
def test_a_key_that_no_header_can_carry(make, key):
    """A key with a line break or a letter outside ASCII is refused early, without being shown."""
    with pytest.raises(AuthFailed) as caught:
        make(api_key=key)
    assert key not in str(caught.value)


def test_a_key_with_stray_space(scripted, make):
    """White space around a key, as files and copies leave it, is dropped."""
    scripted.serve(hello)
    make(api_key=f"  {KEY}\n").complete(request())
    assert scripted.headers[0]["Authorization"] == f"Bearer {KEY}"
