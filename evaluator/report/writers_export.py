"""The standard mutation report of every suite of a run, one JSON file each."""

import json
from collections.abc import Iterator
from pathlib import Path

from evaluator.report.summary import write_file
from evaluator.runs.rundata import RunData
from evaluator.safe_text import Names
from evaluator.suites.mutation_report import mutation_report
from evaluator.suites.written import written


def export_mutants(run: RunData, target: Path) -> list[Path]:
    """Write TARGET/<script>/<writer>-<sample>.json for each suite that held and was run.

    Raises:
        OSError: the folder cannot be made or written.
    """
    return list(_written(run, target))


def _written(run: RunData, target: Path) -> Iterator[Path]:
    folders, files = Names(), Names()
    for each in written(run):
        record, attempt = each.final.record, each.final.attempt
        if record is None or record.main is None or attempt is None:
            continue
        folder = target / folders(each.subject.task_id)
        folder.mkdir(parents=True, exist_ok=True)
        report = mutation_report(record.main, each.subject.code, attempt.script.code or "")
        content = json.dumps(report, indent=1, sort_keys=True) + "\n"
        yield write_file(folder / f"{files(each.writer)}-{each.sample}.json", content.encode())
