"""The seam between the loop and a model: a Request goes out, a Completion comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant"]


class CallKind(StrEnum):
    """Why a request was made."""

    FIRST = "first"
    REPAIR = "repair"
    LENGTH = "length"
    """A larger budget after truncation."""
    FORMAT = "format"
    """Nothing could be extracted from the reply before."""
    CLEANUP = "cleanup"
    """A model mends the form of a reply."""
    FRESH = "fresh"
    """A new draw, when the model is stuck."""
    CONTROL = "control"
    """A draw of the control arm."""


class Arm(StrEnum):
    """Which experiment a call belongs to."""

    REPAIR = "repair"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One chat message."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Sampling parameters as sent. None leaves a parameter to the server."""

    temperature: float | None = 0.0
    top_p: float | None = None
    max_tokens: int | None = 4096
    seed: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Server-specific parameters, sent as they are (`extra_body`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallId:
    """Which call of which sample this is. `str()` gives the value of X-Mendbench-Call."""

    task_id: str
    template: str
    sample: int
    arm: Arm = Arm.REPAIR
    call_no: int = 0

    def __str__(self) -> str:
        return f"{self.task_id}/{self.template}/{self.sample}/{self.arm}/{self.call_no}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to a model."""

    call: CallId
    kind: CallKind
    messages: tuple[Message, ...]
    sampling: Sampling
    by_repairer: bool = False
    """Whether the model that repairs is asked, where it is another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One reply, as it came: text without surrogates and NUL, cut at the size cap, nothing else changed."""

    text: str
    reasoning: str = ""
    """What the server kept apart as reasoning; never mined for an answer."""
    finish_reason: str = ""
    """As the server said it: `stop`, `length`, …; empty if it did not."""
    model: str = ""
    """The model's name as the server says it."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float = 0.0
    first_token_s: float | None = None
    retries: int = 0
    """Transport retries before this reply came."""
    capped: bool = False
    """The reply was cut by our own size cap."""

    @property
    def truncated(self) -> bool:
        """Whether the reply was cut off before its end."""
        return self.finish_reason == "length" or self.capped


class LLM(Protocol):
    """A model behind a server. Safe to call from many threads."""

    def complete(self, request: Request) -> Completion:
        """Send `request` and return the whole reply.

        Raises:
            LLMError: see `repair.errors`; transient failures were already retried.
        """
        ...
