"""The best script so far: what a trajectory holds, and what no repair may break.

A script replaces the one that is held unless it fails a shown test which that one passes: then it is taken
back. So among scripts what passes stands over all, then what passes more of the same tests, then the later.
"""

from collections.abc import Sequence
from dataclasses import replace

from repair.attempt import Attempt
from repair.outcome import Verdict
from sandbox.types import TestOutcome


def held(attempts: Sequence[Attempt]) -> Attempt | None:
    """Give the attempt whose script stands after these; None where none has one."""
    standing = (a for a in reversed(attempts) if a.script.code is not None and not a.taken_back)
    return next(standing, None)


def placed(attempts: Sequence[Attempt], new: Attempt) -> Attempt:
    """Say of a new attempt whether its script is taken back; `attempts` are those before it."""
    return replace(new, taken_back=bool(broken(held(attempts), new)))


def broken(before: Attempt | None, new: Attempt) -> tuple[str, ...]:
    """List the shown tests that `before` passes and `new` does not, in the order of the tests."""
    if before is None or new.script.code is None or new.verdict.ours or new.verdict is Verdict.PASSED:
        return ()
    kept = _passed(new)
    return tuple(test for test in _passed(before) if test not in kept)


def _passed(attempt: Attempt) -> dict[str, None]:
    # What a script that disturbs its tests says of them counts for nothing.
    if attempt.shown is None or attempt.verdict is Verdict.TAMPERED:
        return {}
    return {test.id: None for test in attempt.shown.tests if test.outcome is TestOutcome.PASSED}
