"""What can go wrong between the two processes, as tests see it."""

HINT = "write `grading: shared` for tests that need it"


class CannotCross(TypeError):
    """A construct that only works where tests and script share one interpreter."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} cannot cross from process to process; {HINT}")


class StaleObject(ReferenceError):
    """An object of a script that has been ended and started afresh since."""


class CandidateEnded(BaseException):
    """The script's process has ended while a test needed it. No `except Exception` of a test hides it."""


class Tampered(BaseException):
    """The script broke the protocol, or its object equals whatever it is compared with."""
