"""A model behind a server that speaks the OpenAI protocol. One streamed request per call, no retries."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from repair.dialect import ClientLimits, Dialect, ParametersRefused
from repair.errors import AuthFailed, LLMError
from repair.llm import Completion, Request
from repair.server_errors import Peer, display_url

if TYPE_CHECKING:
    from repair.wire import Wire

__all__ = ["ClientLimits", "OpenAIClient"]


class OpenAIClient:
    """An `LLM` over HTTP. Safe to use from many threads; `close()` ends calls under way.

    `base_url` is the server's address up to `/v1`. `extra_headers` are sent as they are and never
    shown. `send_call_id` names each call in a header; only a server of recorded replies needs it.
    `trust_env` takes proxies and certificates from the environment.

    Raises:
        AuthFailed: the key cannot be sent in a header (the constructor).
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str | None = None,
        limits: ClientLimits | None = None,
        extra_headers: Mapping[str, str] | None = None,
        trust_env: bool = False,
        send_call_id: bool = False,
    ) -> None:
        self._base_url = base_url
        self._key = (api_key or "").strip()
        self._headers = dict(extra_headers or {})
        self._limits = limits or ClientLimits()
        self._trust_env = trust_env
        self._send_call_id = send_call_id
        self._peer = Peer(server=display_url(base_url), model=model, secrets=self._secrets())
        self._lock = threading.Lock()
        self._wire: Wire | None = None
        self._closed = False
        self._dialect = Dialect()
        if not self._key.isascii() or not (self._key or "-").isprintable():
            raise AuthFailed(f"the API key for {self._peer.server} has characters that no header may have")

    def __repr__(self) -> str:
        return f"<OpenAIClient {self._peer}>"

    def complete(self, request: Request) -> Completion:
        """Ask once and return the whole reply; see `LLM.complete`.

        Raises:
            LLMError: the class says whether another try makes sense.
        """
        wire, dialect = self._open(), self._dialect
        while True:
            try:
                reply = wire.ask(request, dialect)
            except ParametersRefused as refusal:
                other = dialect.adapted(str(refusal))
                if other is None:
                    raise
                dialect = other
            else:
                self._dialect = replace(dialect, proven=True)
                return reply

    def close(self) -> None:
        """Close all connections. Calls under way end with an error at once."""
        with self._lock:
            self._closed = True
            wire = self._wire
        if wire is not None:
            wire.close()

    def _open(self) -> "Wire":
        with self._lock:
            if self._closed:
                raise LLMError(f"the client for {self._peer} is closed")
            if self._wire is None:
                from repair.wire import Wire  # noqa: PLC0415 - loads the SDK, which takes a second

                self._wire = Wire(
                    base_url=self._base_url,
                    api_key=self._key,
                    peer=self._peer,
                    limits=self._limits,
                    headers=self._headers,
                    trust_env=self._trust_env,
                    send_call_id=self._send_call_id,
                )
            return self._wire

    def _secrets(self) -> tuple[str, ...]:
        known = [self._key, urlsplit(self._base_url).password or "", *self._headers.values()]
        return tuple({*known, *map(unquote, known)} - {""})
