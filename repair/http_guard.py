"""An HTTP client that no server can hang, flood or make talk: deadlines, size limits, few headers.

Import it lazily: it loads httpx2.
"""

import math
import re
import socket
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpcore2
import httpx2

_HEADERS_SENT = frozenset(
    {
        "host",
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "transfer-encoding",
        "user-agent",
        # The SDK finds its own way by this one, after the answer has come.
        "x-stainless-raw-response",
    }
)
_NO_PROXY = ("all://localhost", "all://127.0.0.1", "all://[::1]")
_DONE = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\]")
_WATCH = "mendbench.watch"


class UnsafeResponse(Exception):
    """A body that must not be read on."""


class Deadlines(threading.local):
    """The moment (monotonic seconds) at which the call of the current thread must be over."""

    until: float = math.inf

    def allowed(self, timeout: float | None) -> float | None:
        """Shorten `timeout` to what is left.

        Raises:
            httpcore2.ReadTimeout: nothing is left.
        """
        if self.until == math.inf:
            return timeout
        left = self.until - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("deadline")
        return left if timeout is None else min(timeout, left)

    def shorten(self, seconds: float) -> None:
        """Allow at most `seconds` from now."""
        self.until = min(self.until, time.monotonic() + seconds)

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self.until


class _Stream(httpcore2.NetworkStream):
    """A connection whose every operation ends at the deadline of the thread that uses it."""

    def __init__(self, inner: httpcore2.NetworkStream, backend: "_Backend") -> None:
        self._inner = inner
        self._backend = backend
        backend.add(self)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._backend.allowed(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._backend.allowed(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        timeout = self._backend.allowed(timeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout), self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    """Opens connections that obey `deadlines`, and knows them, so that they can be cut."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._streams: weakref.WeakSet[_Stream] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._closed = False
        self._inner = httpcore2.SyncBackend()

    def add(self, stream: _Stream) -> None:
        with self._lock:
            self._streams.add(stream)

    def allowed(self, timeout: float | None) -> float | None:
        """See `Deadlines.allowed`; nothing is allowed once the connections were cut."""
        if self._closed:
            raise httpcore2.ReadError("closed")
        return self._deadlines.allowed(timeout)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        timeout = self.allowed(timeout)
        return _Stream(self._inner.connect_tcp(host, port, timeout, local_address, socket_options), self)

    def cut(self) -> None:
        """Wake every thread that waits on a connection: closing alone would leave it in recv()."""
        self._closed = True
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            with suppress(OSError, AttributeError):
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


class BodyWatch:
    """Counts a response body as it passes, and keeps its first and last bytes.

    A streamed body may be long, but no single line of it (it is buffered whole); any other body is
    limited as a whole.
    """

    def __init__(self, *, limit: int, by_line: bool) -> None:
        self._limit = limit
        self._by_line = by_line
        self._held = 0
        self.head = b""
        self._tail = b""

    def feed(self, chunk: bytes) -> None:
        """Count `chunk`.

        Raises:
            UnsafeResponse: the body, or a line of it, is over the limit.
        """
        self.head = (self.head + chunk[:300])[:300]
        self._tail = (self._tail + chunk)[-64:]
        cut = chunk.rfind(b"\n") if self._by_line else -1
        self._held = len(chunk) - cut - 1 if cut >= 0 else self._held + len(chunk)
        if self._held > self._limit:
            what = "a line of the stream" if self._by_line else "the body"
            raise UnsafeResponse(f"{what} is larger than {self._limit} bytes")

    @property
    def done(self) -> bool:
        """Whether the stream's own end mark came by."""
        return _DONE.search(self._tail) is not None


class _Body(httpx2.SyncByteStream):
    def __init__(self, inner: httpx2.SyncByteStream, watch: BodyWatch) -> None:
        self._inner = inner
        self._watch = watch

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._inner:
            self._watch.feed(chunk)
            yield chunk

    def close(self) -> None:
        self._inner.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedHttp:
    """An httpx2 client under guard. One per server; safe to use from many threads."""

    client: httpx2.Client
    deadlines: Deadlines
    cut: Callable[[], None]

    @contextmanager
    def within(self, seconds: float) -> Iterator[Deadlines]:
        """Everything that this thread does inside must be over in `seconds`."""
        self.deadlines.until = time.monotonic() + seconds
        try:
            yield self.deadlines
        finally:
            self.deadlines.until = math.inf

    def close(self) -> None:
        """Close all connections; calls under way end with an error at once."""
        self.cut()
        self.client.close()


def open_http(
    *,
    connect_s: float,
    stall_s: float,
    max_body_bytes: int,
    trust_env: bool = False,
    extra_headers: Collection[str] = (),
) -> GuardedHttp:
    """Make a guarded client.

    `stall_s` limits each single wait for data; `extra_headers` names headers that may be sent beside
    the usual ones; `trust_env` takes proxies and certificates from the environment, but never a proxy to
    this very machine.
    """
    keep = _HEADERS_SENT | {name.lower() for name in extra_headers}
    client = httpx2.Client(
        timeout=httpx2.Timeout(connect=connect_s, read=stall_s, write=stall_s, pool=None),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=5.0),
        headers={"Accept-Encoding": "identity"},
        # None are kept: one that cannot be sent back would break every later request.
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=trust_env,
        mounts=dict.fromkeys(_NO_PROXY),
        event_hooks={
            "request": [lambda request: _strip_headers(request, keep)],
            "response": [lambda response: _watch_body(response, max_body_bytes)],
        },
    )
    deadlines = Deadlines()
    backend = _Backend(deadlines)
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001 - no public way in
        if transport is not None:
            transport._pool._network_backend = backend  # type: ignore[attr-defined] # noqa: SLF001
    return GuardedHttp(client=client, deadlines=deadlines, cut=backend.cut)


def watch_of(response: httpx2.Response) -> BodyWatch:
    """The watch over this response's body."""
    watch: BodyWatch = response.extensions[_WATCH]
    return watch


def _strip_headers(request: httpx2.Request, keep: frozenset[str]) -> None:
    # SDKs add telemetry, and headers from environment variables that were meant for another server.
    for name in set(request.headers) - keep:
        del request.headers[name]


def _watch_body(response: httpx2.Response, limit: int) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise UnsafeResponse("the body is compressed although that was not asked for")
    by_line = response.headers.get("content-type", "").startswith("text/event-stream")
    watch = BodyWatch(limit=limit, by_line=by_line)
    assert isinstance(response.stream, httpx2.SyncByteStream)
    response.stream = _Body(response.stream, watch)
    response.extensions[_WATCH] = watch
