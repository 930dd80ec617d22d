"""Finding model servers and their models, and reading addresses as people write them."""

import socket

import pytest

from evaluator.servers.find import (
    BadAddress,
    ModelChoice,
    ModelInfo,
    ModelSpec,
    ServerModels,
    bench_command,
    choose,
    discover,
    display_url,
    list_models,
    normalise_base_url,
    parse_model_spec,
)
from repair.errors import AuthFailed, BadReply, LLMError, ModelMissing, Transient

LM_STUDIO = {
    "/v1/models": {
        "data": [
            {"id": "qwen/a", "object": "model", "owned_by": "organization_owner"},
            {"id": "b@q4_k_m", "object": "model", "owned_by": "organization_owner"},
            {"id": "odd-name", "object": "model", "owned_by": "organization_owner"},
        ]
    },
    "/api/v0/models": {
        "data": [
            {"id": "qwen/a", "type": "llm", "state": "not-loaded", "max_context_length": 32768},
            {"id": "b@q4_k_m", "type": "vlm", "state": "loaded", "loaded_context_length": 4096},
            {"id": "odd-name", "type": "embeddings", "state": "loaded"},
        ]
    },
}
OLLAMA = {
    "/v1/models": {
        "data": [
            {"id": "llama3:8b", "owned_by": "library"},
            {"id": "nomic-embed-text:latest", "owned_by": "library"},
            {"id": "gemma:2b", "owned_by": "library"},
        ]
    },
    "/api/ps": {"models": [{"name": "gemma:2b", "model": "gemma:2b", "context_length": 8192}]},
}


def by_id(server):
    return {model.id: (model.loaded, model.chat, model.context) for model in server.models}


def test_lm_studio_says_what_is_loaded(scripted):
    """LM Studio's own interface tells loaded from downloaded, and embeddings from chat."""
    scripted.other = LM_STUDIO
    server = list_models(scripted.root)
    assert server.kind == "lmstudio"
    assert by_id(server) == {
        "qwen/a": (False, True, None),
        "b@q4_k_m": (True, True, 4096),
        "odd-name": (True, False, None),
    }
    assert choose([server]) == (server, server.models[1])


def test_ollama_says_what_is_running(scripted):
    """Ollama's list of running models tells loaded from downloaded."""
    scripted.other = OLLAMA
    server = list_models(scripted.base_url)
    assert server.kind == "ollama"
    assert by_id(server) == {
        "llama3:8b": (False, True, None),
        "nomic-embed-text:latest": (False, False, None),
        "gemma:2b": (True, True, 8192),
    }


@pytest.mark.parametrize(
    ("entry", "kind", "loaded", "context"),
    [
        ({"id": "m", "owned_by": "vllm", "max_model_len": 2048}, "vllm", True, 2048),
        ({"id": "m", "owned_by": "llamacpp"}, "llama.cpp", True, None),
        ({"id": "m", "owned_by": "llamacpp", "meta": {"n_ctx": 4096}}, "llama.cpp", True, 4096),
        ({"id": "m", "owned_by": "llamacpp", "status": {"value": "unloaded"}}, "llama.cpp", False, None),
        ({"id": "m", "owned_by": "mendbench-recorded"}, "recorded", True, None),
        ({"id": "m", "owned_by": "somebody"}, "", None, None),
        ({"id": "m"}, "", None, None),
    ],
)
def test_servers_that_list_what_they_serve(scripted, entry, kind, loaded, context):
    """What a server serves is loaded, unless it says otherwise; of a stranger nothing is assumed."""
    scripted.other = {"/v1/models": {"data": [entry]}}
    server = list_models(scripted.base_url)
    model = server.models[0]
    assert (server.kind, model.loaded, model.context) == (kind, loaded, context)
    assert server.recorded == (kind == "recorded")


def test_odd_entries_are_skipped(scripted):
    """Entries without an id, and things that are no entries, do not spoil the list."""
    scripted.other = {"/v1/models": {"data": [None, 3, {}, {"id": ""}, {"id": "ok", "max_model_len": "x"}]}}
    assert [model.id for model in list_models(scripted.base_url).models] == ["ok"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda e: e.reply(200, "<html>hello</html>", "text/html"), BadReply),
        (lambda e: e.reply(200, [1, 2]), BadReply),
        (lambda e: e.reply(200, {"data": {}}), BadReply),
        (lambda e: e.reply(200, "[" * 100_000), BadReply),
        (lambda e: e.reply(401, {"error": "who are you, sk-secret-key?"}), AuthFailed),
        (lambda e: e.reply(404, "no"), ModelMissing),
        (lambda e: e.reply(500, "no"), Transient),
        (lambda e: e.gone(), Transient),
    ],
    ids=["html", "list", "no-list", "deep", "401", "404", "500", "mute"],
)
def test_what_is_no_model_server(scripted, answer, kind):
    """Other programs, refusals and silence are told apart, and the key is not shown."""
    scripted.other = {"/v1/models": answer}
    with pytest.raises(LLMError) as caught:
        list_models(scripted.base_url, api_key="sk-secret-key", timeout_s=0.5)
    assert type(caught.value) is kind
    assert "sk-secret" not in str(caught.value)
    assert scripted.root in str(caught.value)


def test_the_key_is_sent(scripted):
    """A key given to list_models goes out as a bearer token."""
    seen = []

    def answer(e):
        seen.append(e.headers["Authorization"])
        e.reply(200, {"data": []})

    scripted.other = {"/v1/models": answer}
    assert list_models(scripted.base_url, api_key="k-123456").models == ()
    assert set(seen) == {"Bearer k-123456"}


def test_discover_asks_all_and_keeps_what_answers(scripted):
    """Closed ports, silent programs and web servers are passed over; a server that wants a key is named."""
    scripted.other = {
        "/v1/models": OLLAMA["/v1/models"],
        "/web/models": lambda e: e.reply(200, "<html>", "text/html"),
        "/mute/models": lambda e: e.gone(),
        "/locked/models": lambda e: e.reply(401, {}),
    }
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    paths = ("/mute", "/web", "/locked", "/v1")
    found = discover([closed, *(scripted.root + path for path in paths)], timeout_s=1)
    assert [server.base_url for server in found] == [f"{scripted.root}/locked", scripted.base_url]
    assert "API key" in found[0].problem
    assert len(found[1].models) == 3


def test_discover_nothing():
    """No addresses, no servers."""
    assert discover([]) == ()


def server(*models, url="http://u:pw@127.0.0.1:1234/v1"):
    return ServerModels(base_url=url, models=models)


def test_choose_none():
    """With nothing loaded there is nothing to choose: unloaded and embedding models do not count."""
    assert choose([]) is None
    assert (
        choose([server(ModelInfo(id="a", loaded=False), ModelInfo(id="e", loaded=True, chat=False))]) is None
    )


def test_choose_the_only_one():
    """A single model counts as loaded where the server does not tell."""
    one = server(ModelInfo(id="a"), ModelInfo(id="b", loaded=False))
    assert choose([server(), one]) == (one, one.models[0])


def test_choose_refuses_to_guess():
    """Of several loaded models none is taken: the message has a command for each, without credentials."""
    with pytest.raises(ModelChoice) as caught:
        choose([server(ModelInfo(id="a", loaded=True)), server(ModelInfo(id="b c\x1b[31m", loaded=True))])
    lines = str(caught.value).splitlines()
    assert lines[1] == "  mendbench bench --model a@http://127.0.0.1:1234/v1"
    assert lines[2].startswith("  mendbench bench --model 'b c")
    assert "\x1b" not in lines[2]
    assert "pw" not in str(caught.value)


def test_choose_lists_no_more_than_a_screen():
    """A server with hundreds of models does not fill the terminal."""
    many = server(*(ModelInfo(id=f"m{n}", loaded=True) for n in range(300)))
    with pytest.raises(ModelChoice, match="280 more") as caught:
        choose([many])
    assert len(str(caught.value).splitlines()) == 22


def test_bench_command_is_safe_in_a_shell():
    """A model's name is quoted for the shell."""
    command = bench_command(server(), ModelInfo(id="a; rm -rf $HOME"))
    assert command == "mendbench bench --model 'a; rm -rf $HOME@http://127.0.0.1:1234/v1'"


@pytest.mark.parametrize(
    ("name", "chat"),
    [
        ("text-embedding-3-small", False),
        ("nomic-embed-text:latest", False),
        ("BAAI/bge-m3", False),
        ("jina-reranker-v2", False),
        ("whisper-1", False),
        ("qwen2.5-coder-7b", True),
        ("embeddedcoder", True),
        ("gpt-5", True),
        ("deepseek/v3@q4", True),
    ],
)
def test_chat_models_by_name(scripted, name, chat):
    """Embedding, reranking and speech models are recognised by whole words of their names."""
    scripted.other = {"/v1/models": {"data": [{"id": name}]}}
    assert list_models(scripted.base_url).models[0].chat is chat


@pytest.mark.parametrize(
    ("given", "complete"),
    [
        ("127.0.0.1:1234", "http://127.0.0.1:1234/v1"),
        ("localhost:8080/", "http://localhost:8080/v1"),
        ("http://h:1/v1/", "http://h:1/v1"),
        ("http://h:1/v1/chat/completions", "http://h:1/v1"),
        ("https://h/api/v1", "https://h/api/v1"),
        ("HTTP://h:1", "http://h:1/v1"),
        ("api.example.com", "https://api.example.com/v1"),
        ("api.example.com/v2", "https://api.example.com/v2"),
        ("192.168.1.5", "http://192.168.1.5/v1"),
        ("workstation", "http://workstation/v1"),
        ("[::1]:1234", "http://[::1]:1234/v1"),
        ("http://u:p@h:1", "http://u:p@h:1/v1"),
        ("  http://h:1  ", "http://h:1/v1"),
    ],
)
def test_addresses_are_completed(given, complete):
    """Scheme and /v1 are added where they are missing; completing twice changes nothing."""
    assert normalise_base_url(given) == complete
    assert normalise_base_url(complete) == complete


@pytest.mark.parametrize(
    "given",
    [
        *("", "   ", "http://", "ftp://h/v1", "file:///etc/passwd", "http://h:99999", "http://h:x/v1"),
        *("http://h/v1?key=1", "http://h/v1#x", "http://a b/v1", "http://h\n/v1", "http://[::1/v1", "/v1"),
    ],
)
def test_nonsense_is_no_address(given):
    """What cannot be an address is refused with the form that is wanted."""
    with pytest.raises(BadAddress):
        normalise_base_url(given)


@pytest.mark.parametrize("given", ["ftp://user:geheim@h/v1", "http://user:geheim@h:x/v1", "user:geheim@h h"])
def test_refusals_show_no_password(given):
    """A refused address is quoted without its password."""
    with pytest.raises(BadAddress) as caught:
        normalise_base_url(given)
    assert "geheim" not in str(caught.value)


def test_display_url_drops_credentials():
    """What is shown and recorded has neither user name nor password."""
    assert display_url("http://user:p%40ss@h:1/v1") == "http://h:1/v1"


@pytest.mark.parametrize(
    ("given", "name", "url"),
    [
        ("llama3", "llama3", None),
        ("llama3:8b", "llama3:8b", None),
        ("org/name@q4_k_m", "org/name@q4_k_m", None),
        ("m@http://h:1/v1", "m", "http://h:1/v1"),
        ("org/m:7b@q4@https://u:p@h/v1", "org/m:7b@q4", "https://u:p@h/v1"),
        ("m@127.0.0.1:1234", "m", "http://127.0.0.1:1234/v1"),
        ("m@q4@localhost:1234", "m@q4", "http://localhost:1234/v1"),
        (" m@http://h ", "m", "http://h/v1"),
    ],
)
def test_model_specs(given, name, url):
    """Names may hold @, / and :; an address is told by its scheme or by host and port."""
    assert parse_model_spec(given) == ModelSpec(name=name, base_url=url)


@pytest.mark.parametrize("given", ["", "  ", "@http://h:1", "m@http://", "m@http://h:x"])
def test_broken_model_specs(given):
    """A spec without a name, or with a broken address, is refused."""
    with pytest.raises(BadAddress):
        parse_model_spec(given)
