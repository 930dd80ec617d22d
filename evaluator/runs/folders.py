"""Where runs are, and what is in them."""

from pathlib import Path

from evaluator.errors import UsageProblem
from evaluator.runs.records import Manifest

RUNS = "runs"
"""Where runs go, unless told otherwise."""


def run_folder(run: str, runs_dir: Path | None = None) -> Path:
    """Find the folder of a run by its id or its path; `latest` is the newest one.

    Raises:
        UsageProblem: there is no such run.
    """
    root = runs_dir or Path(RUNS)
    if run == "latest":
        folders = sorted(path.parent for path in root.glob("*/run.json"))
        if not folders:
            raise UsageProblem(f"{root}: no runs here yet")
        return folders[-1]
    for folder in (root / run, Path(run)):
        if (folder / "run.json").is_file():
            return folder
    raise UsageProblem(f"no run {run!r}: neither {root / run} nor {run} is a run folder")


def refuse_suites(manifest: Manifest, instead: str) -> None:
    """Make sure that a run is about scripts.

    Raises:
        UsageProblem: its models wrote test suites; says what to do instead.
    """
    if manifest.track == "suites":
        raise UsageProblem(f"run {manifest.run_id} has test suites, not scripts; {instead}")
