"""The verdict of an attempt: what the sandbox judged, and what only the reply can say."""

from enum import StrEnum

from repair.script import Script
from sandbox.verdict import RunVerdict


class Verdict(StrEnum):
    """The judgement of one attempt."""

    SANDBOX_ERROR = "sandbox_error"
    OUTPUT_LIMIT = "output_limit"
    OUT_OF_MEMORY = "out_of_memory"
    CPU_LIMIT = "cpu_limit"
    TIMED_OUT = "timed_out"
    TAMPERED = "tampered"
    CRASHED = "crashed"
    SYNTAX_ERROR = "syntax_error"
    RUNTIME_ERROR = "runtime_error"
    NO_TESTS = "no_tests"
    TESTS_FAILED = "tests_failed"
    PASSED = "passed"
    NO_CODE = "no_code"
    TRUNCATED = "truncated"
    LLM_ERROR = "llm_error"

    @property
    def ours(self) -> bool:
        """Whether this is a failure of ours: retried, then unscored, never shown to a model."""
        return self in {Verdict.SANDBOX_ERROR, Verdict.LLM_ERROR}


_NOT_RUNNABLE = {Verdict.SYNTAX_ERROR}


def attempt_verdict(script: Script, run: RunVerdict | None, *, truncated: bool) -> Verdict:
    """Combine the run's verdict with what is known of the reply.

    `run` is None when there was nothing to run. A reply cut at the token limit is `truncated` only
    where nothing runnable came out of it; otherwise truncation is a flag.
    """
    if script.code is None or run is None:
        return Verdict.TRUNCATED if truncated else Verdict.NO_CODE
    verdict = Verdict(run.value)
    return Verdict.TRUNCATED if truncated and verdict in _NOT_RUNNABLE else verdict
