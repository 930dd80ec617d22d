"""Everything that touches the SDK: one request, read to its end, every failure translated.

Import it lazily: it loads openai, which takes a second.
"""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import httpx2
import openai

from repair.dialect import CALL_HEADER, ClientLimits, Dialect, ParametersRefused
from repair.errors import DeadlineExceeded, LLMError, ModelMissing, RequestRefused, Transient
from repair.http_guard import Deadlines, GuardedHttp, UnsafeResponse, open_http, watch_of
from repair.llm import Completion, Request
from repair.reply import BrokenStream, ErrorInside, Malformed, ReplyBuilder, plain
from repair.server_errors import Peer, ServerSaid, classify, not_a_completion

_LIST_MODELS_S = 10.0
_AFTER_FINISH_S = 10.0
"""How long the rest of a stream (the usage) may take once the model has finished."""
_MAX_IDS = 20
# The SDK wraps what happens before the body, httpx2's own errors come from reading it.
_CONNECTION = (openai.APIConnectionError, httpx2.TransportError)
_SMALLEST_BODY_LIMIT = 16 << 20


class Wire:
    """One server's connections. Safe to use from many threads."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        peer: Peer,
        limits: ClientLimits,
        headers: Mapping[str, str],
        trust_env: bool,
        send_call_id: bool,
    ) -> None:
        self._peer = peer
        self._limits = limits
        self._send_call_id = send_call_id
        self._http = _guarded(limits, trust_env=trust_env, extra_headers=[CALL_HEADER, *headers])
        self._sdk = _sdk(base_url, api_key or "not-needed", headers, self._http)

    def close(self) -> None:
        self._http.close()

    def ask(self, request: Request, dialect: Dialect) -> Completion:
        """Send `request` in `dialect` and read the reply.

        Raises:
            ParametersRefused: perhaps another dialect is understood.
            LLMError: anything else.
        """
        with self._http.within(self._limits.deadline_s) as deadlines:
            started = time.monotonic()
            try:
                return self._receive(request, dialect, deadlines)
            except Exception as exc:  # noqa: BLE001 - hostile input; what is unknown is raised again
                took = f"after {time.monotonic() - started:.1f} s"
                failure = self._deadline() if _is_late(exc, deadlines) else translate(exc, self._peer, took)
        # Raised outside the handler: the SDK's exception may quote the key, and would stay as context.
        raise self._with_ids(failure)

    def _receive(self, request: Request, dialect: Dialect, deadlines: Deadlines) -> Completion:
        builder = ReplyBuilder(max_bytes=self._limits.max_reply_bytes)
        with self._sdk.chat.completions.with_streaming_response.create(
            model=self._peer.model,
            messages=[{"role": m.role, "content": plain(m.content)} for m in request.messages],  # type: ignore[misc]
            stream=True,
            extra_headers={CALL_HEADER: quote(str(request.call), safe="/")} if self._send_call_id else {},
            extra_body=dialect.fields(request.sampling),
        ) as response:
            collect(builder, response, deadlines)
        return builder.build()

    def _deadline(self) -> LLMError:
        return DeadlineExceeded(f"{self._peer} gave no whole reply within {self._limits.deadline_s:g} s")

    def _with_ids(self, failure: LLMError) -> LLMError:
        """Add to ModelMissing what the server has instead."""
        ids = self._ids() if isinstance(failure, ModelMissing) else []
        return ModelMissing(f"{failure}. The server has: {', '.join(ids)}") if ids else failure

    def _ids(self) -> list[str]:
        try:
            with self._http.within(_LIST_MODELS_S):
                listed: Any = self._sdk.get("/models", cast_to=object)
            return [self._peer.quote(str(entry["id"])) for entry in listed["data"][:_MAX_IDS]]
        except Exception:  # noqa: BLE001 - only a hint, in a message that is complete without it
            return []


def _guarded(limits: ClientLimits, *, trust_env: bool, extra_headers: list[str]) -> GuardedHttp:
    return open_http(
        connect_s=limits.connect_s,
        stall_s=limits.stall_s,
        max_body_bytes=max(_SMALLEST_BODY_LIMIT, 8 * limits.max_reply_bytes),
        trust_env=trust_env,
        extra_headers=extra_headers,
    )


def _sdk(base_url: str, key: str, headers: Mapping[str, str], http: GuardedHttp) -> openai.OpenAI:
    # The key stands here too, because OPENAI_CUSTOM_HEADERS in the environment could replace it.
    own = {"User-Agent": "mendbench", "Authorization": f"Bearer {key}"}
    return openai.OpenAI(
        base_url=base_url,
        api_key=key,
        max_retries=0,
        timeout=http.client.timeout,
        default_headers=own | dict(headers),
        http_client=http.client,
    )


def collect(builder: ReplyBuilder, response: openai.APIResponse[Any], deadlines: Deadlines) -> None:
    """Read the reply to a streamed request into `builder`, until it is complete or full.

    Servers that ignore `stream` and answer with one JSON document are understood.

    Raises:
        Malformed: it is not a chat completion.
        BrokenStream: it ended early.
        ErrorInside: the server reported an error in it.
        openai.APIError, httpx2.TransportError, json.JSONDecodeError: the connection or the stream failed.
    """
    http = response.http_response
    watch = watch_of(http)
    kind = http.headers.get("content-type", "")
    if "json" in kind or "html" in kind:
        builder.feed(_document(http.read()))
        ended = True
    else:
        _follow(builder, response.parse(to=openai.Stream[object]), deadlines)
        ended = watch.done
    if builder.finish_reason or builder.capped:
        return
    if not builder.any_choice and (ended or watch.head):
        raise Malformed("no choices", watch.head.decode("utf-8", "replace"))
    if not ended:
        raise BrokenStream("it ended without a finish_reason")


def _document(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        raise Malformed("no JSON", body[:300].decode("utf-8", "replace")) from None


def _follow(builder: ReplyBuilder, pieces: Iterable[object], deadlines: Deadlines) -> None:
    try:
        for piece in pieces:
            builder.feed(piece)
            if builder.capped:
                return
            if builder.finish_reason:
                deadlines.shorten(_AFTER_FINISH_S)
    except (*_CONNECTION, json.JSONDecodeError):
        # The reply was whole already; only its usage is lost.
        if not builder.finish_reason:
            raise


def _is_late(exc: Exception, deadlines: Deadlines) -> bool:
    return isinstance(exc, _CONNECTION) and deadlines.passed


def translate(exc: Exception, peer: Peer, took: str) -> LLMError:
    """The error of `repair.errors` for what went wrong in one request.

    Raises:
        Exception: `exc` itself, if it is none that a server can cause.
    """
    if isinstance(exc, LLMError):
        return exc
    if isinstance(exc, _CONNECTION):
        return _no_connection(exc, peer, took)
    if isinstance(exc, openai.APIStatusError):
        return _bad_status(exc, peer)
    if isinstance(exc, openai.APIError | ErrorInside):
        return classify(ServerSaid(status=None, body=exc.body, headers={}), peer)
    if isinstance(exc, BrokenStream | json.JSONDecodeError | UnicodeDecodeError):
        return Transient(f"the stream from {peer} broke ({took}): {peer.quote(str(exc))}")
    if isinstance(exc, Malformed | UnsafeResponse | RecursionError):
        return not_a_completion(peer, str(exc), getattr(exc, "sample", ""))
    raise exc


def _no_connection(exc: Exception, peer: Peer, took: str) -> Transient:
    if isinstance(exc, openai.APITimeoutError | httpx2.TimeoutException):
        return Transient(f"{peer} was silent for too long ({took})")
    why = peer.quote(str(exc.__cause__ or exc))
    return Transient(f"no connection to {peer} ({took}): {why}. Is the server running?")


def _bad_status(exc: openai.APIStatusError, peer: Peer) -> LLMError:
    failure = classify(ServerSaid(status=exc.status_code, body=exc.body, headers=exc.response.headers), peer)
    if type(failure) is RequestRefused and exc.status_code in {400, 422}:
        return ParametersRefused(str(failure))
    return failure
