"""All reports of a run whose models wrote test suites."""

import json

from evaluator.report.writers import summarise_writers
from evaluator.runs.rundata import RunData


def writers_reports(run: RunData) -> dict[str, str]:
    """Write every report, by file name; the same run gives the same texts."""
    return {"summary.json": json.dumps(summarise_writers(run), indent=1, sort_keys=True) + "\n"}
