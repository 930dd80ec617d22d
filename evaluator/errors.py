"""Errors of the bench itself: its configuration, its journal, its use. Base: sandbox.errors.MendError."""

from sandbox.errors import MendError


class UsageProblem(MendError):
    """What was asked for makes no sense as it stands. Exit code 2."""


class ConfigProblem(UsageProblem):
    """bench.toml, or a flag, says something that cannot be."""


class JournalProblem(MendError):
    """A run folder cannot be read or written. Exit code 3."""


class RunLocked(JournalProblem):
    """Another process is writing to this run folder."""


class RunIncompatible(UsageProblem):
    """A run folder was written by another version, or for another plan."""


class DiskFull(JournalProblem):
    """The journal cannot be written any further; what is on disk stays valid."""


class EngineGone(MendError):
    """No engine, or no image, is left to run scripts. The run stops and can be resumed. Exit code 3."""


class HoldoutLeak(MendError):
    """A prompt would have held something of a holdout. It was not sent; the run stops. Exit code 3."""


class Stopped(MendError):
    """The run was asked to end; nothing is wrong."""


class NotItsTurn(MendError):
    """The server is busy with another model; the sample goes on when that one is done."""
