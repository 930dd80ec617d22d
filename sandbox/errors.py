"""Errors of our own infrastructure. What a model did wrong is data (a verdict), never one of these.

MendError
├── SandboxError              a run gave no trustworthy result; worth another try
│   ├── EngineUnavailable     no Docker engine answers
│   ├── EngineRefused         the engine answers, but will not do it
│   ├── ImageMissing          the sandbox image is not built
│   └── LostResult            the container ended without its result frame
├── UnsupportedLevel          the grading level asked for is not available here
├── repair.errors …           model servers
└── evaluator.errors …        config, journal, usage
"""


class MendError(Exception):
    """Base of every error that this project raises on purpose: says what, where and what to do."""


class SandboxError(MendError):
    """The sandbox could not give a trustworthy result. Never blamed on the model."""


class EngineUnavailable(SandboxError):
    """No Docker engine answers."""


class EngineRefused(SandboxError):
    """The engine answers, but will not do what it was asked for."""


class ImageMissing(SandboxError):
    """The sandbox image is not on the engine."""


class LostResult(SandboxError):
    """The container ended, or fell silent, without its result frame."""


class UnsupportedLevel(MendError):
    """The grading level asked for cannot be given."""
