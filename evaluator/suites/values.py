"""What one suite is worth in one respect, as a share; None where it does not count there. Pure."""

from evaluator.suites.written import Suite


def stable(suite: Suite) -> float | None:
    """The headline."""
    return suite.value


def mutation(suite: Suite, name: str) -> float | None:
    """Another share of mutants, by its name in `SuiteScore.mutation`."""
    if not suite.scored:
        return None
    if suite.score is None or (suite.score.mutation[name] is None and suite.value == 0):
        return 0.0
    found: float | None = suite.score.mutation[name]
    return found


def coverage(suite: Suite, name: str) -> float | None:
    """A rate, by its name in `SuiteScore.coverage`."""
    if not suite.scored:
        return None
    if suite.score is None or suite.score.coverage is None:
        return 0.0
    found: float | None = suite.score.coverage[name]
    return found


def passes(suite: Suite) -> float | None:
    """1 if it passes on the script under test."""
    if not suite.scored:
        return None
    return float(bool(suite.score and suite.score.pass_rate["all_pass"]))


def catches(suite: Suite) -> float | None:
    """Share of wrong scripts that it rejects; None where there are none."""
    if not suite.scored or not suite.wrong_others:
        return None
    # A suite that could not be run on other scripts caught nothing.
    found: float | None = suite.score.discrimination["catch_rate"] if suite.score else None
    return found or 0.0


def alarms(suite: Suite) -> float | None:
    """Share of right scripts that it rejects; the script under test is one of them."""
    if not suite.scored:
        return None
    if suite.score is None:
        return 0.0
    found, rates = suite.score.discrimination, suite.score.pass_rate
    rejected: int = len(found["false_alarms"]) + bool(rates["collected"] and not rates["all_pass"])
    return rejected / (int(found["right"]) + 1)


def balance(suite: Suite) -> float | None:
    """Catches minus false alarms."""
    caught, rejected = catches(suite), alarms(suite)
    return None if caught is None or rejected is None else caught - rejected
