"""Asks one model server what it has. Import it lazily: it loads httpx2."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2

from evaluator.servers.serverinfo import ModelInfo, ServerModels, count, kind_of, model_info
from repair.errors import BadReply, LLMError, Transient
from repair.http_guard import GuardedHttp, UnsafeResponse, open_http
from repair.server_errors import Peer, ServerSaid, classify, display_url

_MAX_MODELS = 2000
_MAX_ANSWER = 8 << 20


def ask_server(base_url: str, api_key: str | None, timeout_s: float, *, trust_env: bool) -> ServerModels:
    """List the models behind a complete `base_url`, within `timeout_s` seconds in all.

    Raises:
        Transient: nobody answers, or not in time.
        AuthFailed: the key is not accepted.
        BadReply, ServerFatal, RequestRefused: what answers is no model server.
    """
    http = open_http(connect_s=timeout_s, stall_s=timeout_s, max_body_bytes=_MAX_ANSWER, trust_env=trust_env)
    try:
        with http.within(timeout_s):
            return _survey(_Asker(http, base_url, api_key), base_url)
    finally:
        http.close()


def _survey(asker: "_Asker", base_url: str) -> ServerModels:
    listed = asker.get(base_url + "/models")
    entries = listed.get("data") if isinstance(listed, Mapping) else None
    if not isinstance(entries, list):
        raise asker.odd("no list of models")
    models = tuple(model_info(e) for e in entries[:_MAX_MODELS] if isinstance(e, Mapping) and e.get("id"))
    server = ServerModels(base_url=base_url, kind=kind_of(models), models=models)
    # Servers of other companies are not asked for paths that they do not have.
    if server.kind or urlsplit(base_url).scheme != "http":
        return server
    return _lm_studio(asker, server) or _ollama(asker, server) or server


def _lm_studio(asker: "_Asker", server: ServerModels) -> ServerModels | None:
    """LM Studio lists everything on its disk; its own interface says what is loaded."""
    own = asker.native("/api/v0/models", "data", "id")
    if own is None or not any("state" in entry for entry in own.values()):
        return None
    return replace(server, kind="lmstudio", models=tuple(_of_lm_studio(m, own) for m in server.models))


def _of_lm_studio(model: ModelInfo, own: Mapping[str, Mapping[str, Any]]) -> ModelInfo:
    entry = own.get(model.id, {})
    return replace(
        model,
        loaded=entry.get("state") == "loaded",
        chat=entry["type"] in {"llm", "vlm"} if "type" in entry else model.chat,
        context=count(entry.get("loaded_context_length")),
    )


def _ollama(asker: "_Asker", server: ServerModels) -> ServerModels | None:
    """Ollama lists everything on its disk; its own interface says what is in memory."""
    running = asker.native("/api/ps", "models", "name")
    if running is None:
        return None
    models = tuple(
        replace(
            model, loaded=model.id in running, context=count(running.get(model.id, {}).get("context_length"))
        )
        for model in server.models
    )
    return replace(server, kind="ollama", models=models)


class _Asker:
    """GETs JSON from one server; every failure is an LLMError."""

    def __init__(self, http: GuardedHttp, base_url: str, api_key: str | None) -> None:
        self._http = http
        parts = urlsplit(base_url)
        self._root = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        secrets = tuple(filter(None, (api_key, parts.password)))
        self._peer = Peer(server=display_url(base_url), model="", secrets=secrets)

    def get(self, url: str) -> Any:
        try:
            response = self._http.client.get(url, headers=self._headers)
        except httpx2.TransportError as exc:
            failure: LLMError = Transient(f"no answer from {self._peer}: {self._peer.quote(str(exc))}")
        except UnsafeResponse as exc:
            failure = self.odd(str(exc))
        else:
            return self._json(response)
        # Raised here, so that what it may quote of the key does not stay as context.
        raise failure

    def _json(self, response: httpx2.Response) -> Any:
        try:
            body = response.json()
        except (ValueError, RecursionError):
            body = None
        if response.status_code != httpx2.codes.OK:
            error = body.get("error", body) if isinstance(body, Mapping) else body
            raise classify(
                ServerSaid(status=response.status_code, body=error, headers=response.headers), self._peer
            )
        if body is None:
            raise self.odd("no JSON")
        return body

    def native(self, path: str, field: str, key: str) -> dict[str, Mapping[str, Any]] | None:
        """Entries by `key` of the list `field` at a server's own `path`; None if it has no such thing."""
        try:
            listed = self.get(self._root + path)
        except LLMError:
            return None
        entries = listed.get(field) if isinstance(listed, Mapping) else None
        if not isinstance(entries, list):
            return None
        return {str(entry.get(key)): entry for entry in entries if isinstance(entry, Mapping)}

    def odd(self, why: str) -> BadReply:
        return BadReply(f"{self._peer} answered, but not like a model server: {why}. Is the address right?")
