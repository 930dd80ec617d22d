"""What a server's failure means: from status and body to one class of `repair.errors`, in words."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit, urlunsplit

from repair.errors import (
    AuthFailed,
    BadReply,
    ContextOverflow,
    LLMError,
    ModelMissing,
    NotRecorded,
    RequestRefused,
    ServerFatal,
    Transient,
)

MAX_RETRY_AFTER_S = 120.0
CALL_NOT_RECORDED = "call_not_recorded"
"""The `code` of a recorded server's 404 for one call: that call is refused, the model is not missing."""

_MAX_QUOTE = 400
_MIN_SECRET = 4
_TRANSIENT = {408, 409, 425, 429}
_CONTEXT = re.compile(
    r"context[ _-]?(length|size|window)|n_ctx|too many tokens|context the overflows|"
    r"prompt is too long|input is too long|exceed_context",
    re.IGNORECASE,
)
_MODEL = re.compile(
    r"model.{0,200}?(not found|does not exist|failed to load|not loaded|no longer available)|"
    r"(failed|unable) to load.{0,40}model|no models? (is |are )?loaded|(invalid|unknown) model|"
    r"model_not_found|requires more system memory",
    re.IGNORECASE | re.DOTALL,
)
_ENDPOINT = re.compile(
    r"unexpected endpoint|unknown (endpoint|url|path)|no such (endpoint|route)", re.IGNORECASE
)
_AUTH = re.compile(r"invalid_api_key|incorrect api key|invalid api key|unauthori[sz]ed", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Whom we talk to, for messages; `model` may be empty. `secrets` are blotted out of what is quoted."""

    server: str
    model: str
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Peer({self})"

    def __str__(self) -> str:
        return f"model {self.model!r} at {self.server}" if self.model else self.server

    def quote(self, text: str) -> str:
        """`text` as it may be shown: no secret, no control character, not long."""
        # Longest first: one secret may contain another.
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= _MIN_SECRET:
                text = text.replace(secret, "***")
        text = _CONTROL.sub(" ", text.encode("utf-8", "replace").decode()).strip()
        return text if len(text) <= _MAX_QUOTE else text[:_MAX_QUOTE] + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSaid:
    """A failure as the server reported it. `status` is None for an error inside a 200."""

    status: int | None
    body: object
    headers: Mapping[str, str]

    @property
    def text(self) -> str:
        return error_text(self.body)

    @property
    def codes(self) -> set[str]:
        """What the body gives as `code` and `type`."""
        if not isinstance(self.body, Mapping):
            return set()
        return {str(self.body.get(key)) for key in ("code", "type")}

    @property
    def effective_status(self) -> int | None:
        """The HTTP status; for an error inside a 200, the status that its body names."""
        if self.status is not None:
            return self.status
        numbers = [int(c) for c in self.codes if re.fullmatch("[45][0-9][0-9]", c)]
        return numbers[0] if numbers else None


def display_url(url: str) -> str:
    """`url` without user name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def error_text(body: object) -> str:
    """What an error body says, whatever its shape (text, object, object in an object)."""
    for _ in range(4):
        if not isinstance(body, Mapping):
            break
        named = [body.get(key) for key in ("message", "error", "detail")]
        body = next((value for value in named if value), str(dict(body)))
    return "" if body is None else str(body)


def classify(said: ServerSaid, peer: Peer) -> LLMError:
    """The error that stands for what the server said, with what to do about it."""
    special = _by_words(said, peer)
    if special is not None:
        return special
    status = said.effective_status
    detail = _detail(said, peer)
    if status is None or status in _TRANSIENT or status >= 500:  # noqa: PLR2004 - the HTTP class
        return Transient(f"{peer} failed{detail}", retry_after_s=retry_after(said.headers))
    if 300 <= status < 400:  # noqa: PLR2004 - the HTTP class
        there = peer.quote(said.headers.get("location", "elsewhere"))
        return ServerFatal(f"{peer.server} redirects to {there}: give that address, up to /v1")
    if status == 404:  # noqa: PLR2004 - HTTP
        return ModelMissing(f"{peer} is not there{detail}; the base URL usually ends in /v1")
    if status == 405:  # noqa: PLR2004 - HTTP
        return ServerFatal(f"{peer.server} has no chat completions{detail}; check the base URL (…/v1)")
    return RequestRefused(f"{peer} refuses the request{detail}")


def _by_words(said: ServerSaid, peer: Peer) -> LLMError | None:
    """Failures that the status alone does not tell apart."""
    status, text, codes = said.effective_status, said.text, said.codes
    detail = _detail(said, peer)
    if CALL_NOT_RECORDED in codes:
        return NotRecorded(f"{peer} has no recorded reply{detail}")
    if status in {401, 403, 407} or (status is None and _AUTH.search(text)):
        return AuthFailed(f"{peer.server} does not accept the API key{detail}; check api_key_env")
    if status == 402 or "insufficient_quota" in codes:  # noqa: PLR2004 - HTTP
        return ServerFatal(f"the account at {peer.server} has no credit left{detail}")
    if _ENDPOINT.search(text):
        return ServerFatal(f"{peer.server} has no chat completions{detail}; check the base URL (…/v1)")
    if status == 413 or (status in {None, 400, 422, 500} and _is_overflow(text, codes)):  # noqa: PLR2004 - HTTP
        return ContextOverflow(f"the prompt does not fit {peer}{detail}; load it with a larger context")
    if status in {None, 400, 404, 422, 500} and _MODEL.search(text):
        return ModelMissing(f"{peer} is not there or cannot be loaded{detail}")
    return None


def _is_overflow(text: str, codes: set[str]) -> bool:
    return "context_length_exceeded" in codes or _CONTEXT.search(text) is not None


def _detail(said: ServerSaid, peer: Peer) -> str:
    status = "" if said.status is None else f" (HTTP {said.status})"
    text = peer.quote(said.text)
    return f"{status}: {text}" if text else status


def not_a_completion(peer: Peer, why: str, sample: str) -> BadReply:
    """An HTTP 200 whose body is something else, such as a web page."""
    begin = peer.quote(sample[:200])
    tail = f"; it begins {begin!r}" if begin else ""
    return BadReply(
        f"{peer} answered 200, but not with a chat completion ({why}){tail}. Is the base URL right (…/v1)?"
    )


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that the server asks to wait, at most MAX_RETRY_AFTER_S; None if it does not say.

    Both forms of RFC 9110 section 10.2.3, and the millisecond header of some servers.
    """
    seconds = _number(headers.get("retry-after-ms"), scale=1000)
    if seconds is None:
        seconds = _number(headers.get("retry-after"), scale=1)
    if seconds is None:
        seconds = _until(headers.get("retry-after"), now or datetime.now(UTC))
    return None if seconds is None else min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _number(text: str | None, *, scale: float) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value / scale if math.isfinite(value) else None


def _until(text: str | None, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()
