"""A server of recorded replies: the OpenAI protocol over loopback HTTP, each reply found by its call.

It asks no model anything. Whoever uses it must say so.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Any, Protocol, Self, cast
from urllib.parse import unquote

from evaluator.servers.serverinfo import RECORDED_OWNER
from repair.dialect import CALL_HEADER
from repair.server_errors import CALL_NOT_RECORDED

_PIECE_CHARS = 64
_MAX_REQUEST = 64 << 20
_IDLE_S = 30.0


class RecordedReply(Protocol):
    """What is recorded of one reply."""

    @property
    def content(self) -> str | None: ...
    @property
    def reasoning(self) -> str: ...
    @property
    def finish_reason(self) -> str: ...
    @property
    def prompt_tokens(self) -> int | None: ...
    @property
    def completion_tokens(self) -> int | None: ...


class RecordedServer:
    """Serves `recordings` (model → `str(CallId)` → reply) while the context is open.

    Listens on loopback on a free port. A call that is not recorded gets a 404 that names it, and says
    `why_missing(model, call)` where that is given.
    """

    def __init__(
        self,
        recordings: Mapping[str, Mapping[str, RecordedReply]],
        why_missing: Callable[[str, str], str] | None = None,
    ) -> None:
        self._recordings, self._why_missing = recordings, why_missing or _no_reply
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._server = _Server(self._recordings, self._why_missing)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="recorded", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def base_url(self) -> str:
        """The address to give to a client, valid inside the context."""
        assert self._server is not None, "the server runs only inside its context"
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"


def _no_reply(model: str, call: str) -> str:
    return f"no reply of {model!r} is recorded for call {call!r}"


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    # Threads are joined at the end; none can linger, since no connection is kept.
    block_on_close = True
    request_queue_size = 128

    def __init__(
        self,
        recordings: Mapping[str, Mapping[str, RecordedReply]],
        why_missing: Callable[[str, str], str],
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.recordings, self.why_missing = recordings, why_missing

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that leaves early is no fault of ours."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S

    def do_GET(self) -> None:
        if self.path.rstrip("/") == "/v1/models":
            models = [{"id": m, "object": "model", "owned_by": RECORDED_OWNER} for m in self._recordings]
            self._send(200, {"object": "list", "data": models})
        else:
            self._fail(f"no such path: {self.path}", "not_found")

    def do_POST(self) -> None:
        body = self._body()
        if self.path.rstrip("/") != "/v1/chat/completions":
            self._fail(f"no such path: {self.path}", "not_found")
        elif body is None:
            self._fail("the request is no JSON object", "bad_request", status=400)
        else:
            self._answer(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Log nothing: stderr belongs to the progress display."""

    @property
    def _recordings(self) -> Mapping[str, Mapping[str, RecordedReply]]:
        return cast("_Server", self.server).recordings

    def _body(self) -> dict[str, Any] | None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _MAX_REQUEST:
            return None
        try:
            body = json.loads(self.rfile.read(int(length)))
        except ValueError:
            return None
        return body if isinstance(body, dict) else None

    def _answer(self, body: dict[str, Any]) -> None:
        model, call = str(body.get("model")), unquote(self.headers.get(CALL_HEADER, ""))
        if model not in self._recordings:
            self._fail(f"model {model!r} not found", "model_not_found")
        elif call not in self._recordings[model]:
            why = cast("_Server", self.server).why_missing(model, call)
            self._fail(why, CALL_NOT_RECORDED)
        elif body.get("stream"):
            self._stream(model, self._recordings[model][call], body)
        else:
            self._send(200, _whole(model, self._recordings[model][call]))

    def _stream(self, model: str, reply: RecordedReply, body: Mapping[str, Any]) -> None:
        self._head(200, "text/event-stream")
        for chunk in _chunks(
            model, reply, usage=bool((body.get("stream_options") or {}).get("include_usage"))
        ):
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def _fail(self, message: str, code: str, *, status: int = 404) -> None:
        self._send(status, {"error": {"message": message, "type": code, "code": code, "param": None}})

    def _send(self, status: int, body: Mapping[str, Any]) -> None:
        data = json.dumps(body).encode()
        self._head(status, "application/json", len(data))
        self.wfile.write(data)

    def _head(self, status: int, kind: str, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        # A kept connection would keep its thread, and the exit waits for all threads.
        self.send_header("Connection", "close")
        self.end_headers()


def _chunks(model: str, reply: RecordedReply, *, usage: bool) -> Iterator[dict[str, Any]]:
    """Yield the reply as a live server would stream it."""
    yield _chunk(model, {"role": "assistant", "content": None if reply.content is None else ""})
    for piece in _pieces(reply.reasoning):
        yield _chunk(model, {"reasoning_content": piece})
    for piece in _pieces(reply.content or ""):
        yield _chunk(model, {"content": piece})
    yield _chunk(model, {}, reply.finish_reason)
    if usage:
        yield {"object": "chat.completion.chunk", "model": model, "choices": [], "usage": _usage(reply)}


def _pieces(text: str) -> list[str]:
    return [text[start : start + _PIECE_CHARS] for start in range(0, len(text), _PIECE_CHARS)]


def _chunk(model: str, delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "model": model, "choices": [choice]}


def _whole(model: str, reply: RecordedReply) -> dict[str, Any]:
    message = {"role": "assistant", "content": reply.content, "reasoning_content": reply.reasoning or None}
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    return {"object": "chat.completion", "model": model, "choices": [choice], "usage": _usage(reply)}


def _usage(reply: RecordedReply) -> dict[str, int] | None:
    if reply.prompt_tokens is None or reply.completion_tokens is None:
        return None
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": reply.prompt_tokens + reply.completion_tokens,
    }
