"""What a client allows a server, and what servers teach it about the fields that they take."""

from dataclasses import dataclass, replace
from typing import Any

from repair.errors import RequestRefused
from repair.llm import Sampling

CALL_HEADER = "X-Mendbench-Call"
"""Carries `str(CallId)`, percent-encoded; only a server of recorded replies gets it."""

_RESERVED = {"model", "messages", "stream", "stream_options", "n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """What one call may take."""

    connect_s: float = 10.0
    stall_s: float = 180.0
    """Longest silence; it includes loading a model and reading a long prompt."""
    deadline_s: float = 900.0
    """For the whole reply."""
    max_reply_bytes: int = 1 << 20
    """UTF-8 bytes of text and reasoning together; what is longer is cut and marked `capped`."""


class ParametersRefused(RequestRefused):
    """A 400 or 422, perhaps for one of the optional fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The optional fields that a server takes, as far as we know."""

    usage: bool = True
    """It takes `stream_options`."""
    tokens_field: str = "max_tokens"
    proven: bool = False
    """It has given a reply, so a refusal is not for these."""

    def adapted(self, refusal: str) -> "Dialect | None":
        """What to try after this refusal; None if there is nothing left."""
        if "max_completion_tokens" in refusal and self.tokens_field == "max_tokens":
            return replace(self, tokens_field="max_completion_tokens")
        if self.usage and not self.proven:
            return replace(self, usage=False)
        return None

    def fields(self, sampling: Sampling) -> dict[str, Any]:
        """The body's optional fields; what is None is left to the server.

        Raises:
            RequestRefused: `sampling.extra` sets a field that is not for it.
        """
        if reserved := _RESERVED & sampling.extra.keys():
            raise RequestRefused(f"sampling parameters may not set {', '.join(sorted(reserved))}")
        named = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self.tokens_field: sampling.max_tokens,
            "seed": sampling.seed,
            "stream_options": {"include_usage": True} if self.usage else None,
        }
        return dict(sampling.extra) | {key: value for key, value in named.items() if value is not None}
