"""References at both levels of grading: which tests work at level shared only, and what mends that."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from evaluator.jobs import Part
from sandbox.types import Level, RunResult, TestOutcome, TestRecord
from sandbox.verdict import RunVerdict, judge

MEND = "write `grading: shared` in its front matter"
_GOOD = frozenset({TestOutcome.PASSED, TestOutcome.SKIPPED, TestOutcome.XFAILED})
_SHOWN_TESTS = 5


@dataclass(slots=True)
class BothLevels:
    """What references showed at level process and at level shared."""

    needs_shared: dict[Part, tuple[str, ...]] = field(default_factory=dict)
    """Test ids that some reference passes at level shared only, by part."""
    why: dict[str, str] = field(default_factory=dict)
    """Why a test needs level shared, by its id."""
    odd: list[str] = field(default_factory=list)
    """References that pass at level process only."""
    process_passes: bool = True
    """Whether every reference passed at level process."""

    def compare(self, number: int, part: Part, one: RunResult, other: RunResult) -> str:
        """Take a reference's runs at both levels; say what mends it if it passes at level shared only."""
        process, shared = (one, other) if one.level is Level.PROCESS else (other, one)
        needy = _needy(process, shared)
        known = self.needs_shared.get(part, ())
        self.needs_shared[part] = tuple(dict.fromkeys((*known, *needy)))
        for test, reason in needy.items():
            self.why.setdefault(test, reason)
        passes = [judge(result) is RunVerdict.PASSED for result in (process, shared)]
        self.process_passes &= passes[0]
        if passes == [True, False]:
            self.odd.append(
                f"reference {number} passes the {part} tests at level process, "
                f"but not at level shared: {why_failed(shared)}"
            )
        if passes != [False, True] or not needy:
            return ""
        return (
            f"reference {number} passes the {part} tests at level shared only; {self._listed(needy)}; {MEND}"
        )

    def notes(self, level: Level) -> Iterator[str]:
        """Say what is worth knowing of a task whose own level is `level`."""
        yield from self.odd
        if level is Level.SHARED and self.process_passes:
            yield "`grading: shared` is not needed: the references pass at level process, too"
        elif level is Level.SHARED:
            for part, tests in self.needs_shared.items():
                if tests:
                    yield f"{part}: {self._listed({test: self.why[test] for test in tests})}"

    @staticmethod
    def _listed(needy: dict[str, str]) -> str:
        shown = [f"{test} ({reason})" for test, reason in list(needy.items())[:_SHOWN_TESTS]]
        more = len(needy) - len(shown)
        return "tests that need it: " + ", ".join(shown) + (f" and {more} more" if more else "")


def _needy(process: RunResult, shared: RunResult) -> dict[str, str]:
    """Return the tests that are good at level shared only, each with what it came to at level process."""
    records = {test.id: test for test in process.tests}
    good = [test.id for test in shared.tests if test.outcome in _GOOD]
    return {test: _reason(records.get(test), process) for test in good if not _is_good(records.get(test))}


def _is_good(record: TestRecord | None) -> bool:
    return record is not None and record.outcome in _GOOD


def _reason(record: TestRecord | None, process: RunResult) -> str:
    if record is None or record.outcome is TestOutcome.MISSING:
        return why_failed(process)
    return f"{record.outcome}: {_first_line(record.exc_type, record.message)}"


def why_failed(result: RunResult) -> str:
    """Say in one line what a run came to and why."""
    verdict = judge(result)
    if result.tests_error:
        return f"{verdict}; {_first_line('', result.tests_error)}"
    if result.exception is not None:
        return f"{verdict}; {_first_line(result.exception.exc_type, result.exception.message)}"
    for test in result.tests:
        if test.outcome is not TestOutcome.PASSED and test.id not in result.may_skip:
            return f"{verdict}; {test.id} {test.outcome}: {_first_line(test.exc_type, test.message)}"
    return str(verdict)


def _first_line(kind: str, message: str) -> str:
    line = message.strip().partition("\n")[0]
    return f"{kind}: {line}" if kind and line else kind or line or "no reason given"
