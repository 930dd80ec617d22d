"""Errors of model servers and of cleaning. Each is ours or the server's, never the model's.

MendError
├── LLMError                  no usable reply; the sample stays unscored
│   ├── Transient             worth another try (connection, 408, 409, 429, 5xx, broken stream)
│   │   └── DeadlineExceeded  our own deadline for one reply; tried again at most once
│   ├── ContextOverflow       the prompt does not fit: shrink the feedback once
│   ├── BadReply              HTTP 200, but not a chat completion
│   ├── RequestRefused        the server refuses this request (other 4xx)
│   │   └── NotRecorded       a server of recordings has no reply to this call
│   └── ServerFatal           no call of this model can work
│       ├── AuthFailed        401, 403
│       └── ModelMissing      404, or "model not found / failed to load"
└── CleanerError              the cleaning workers cannot be started
"""

from sandbox.errors import MendError


class LLMError(MendError):
    """No usable reply came from the server."""


class Transient(LLMError):
    """A failure that may go away. `retry_after_s` is what the server asked for, if it did."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(Transient):
    """One reply took longer than allowed."""


class ContextOverflow(LLMError):
    """Prompt and reply do not fit the model's context."""


class BadReply(LLMError):
    """The server answered 200 with something that is not a chat completion."""


class RequestRefused(LLMError):
    """The server refuses this request as it stands."""


class NotRecorded(RequestRefused):
    """A server of recorded replies has none for this call."""


class ServerFatal(LLMError):
    """No call of this model can work until a person mends something."""


class AuthFailed(ServerFatal):
    """The server does not accept the key."""


class ModelMissing(ServerFatal):
    """The server does not have, or cannot load, the model."""


class CleanerError(MendError):
    """The cleaning workers cannot be started."""
