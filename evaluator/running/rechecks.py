"""Does an accepted script pass again? In a fresh container, with another hash seed; never a second chance."""

from collections.abc import Iterator

from evaluator.jobs import PARTS
from evaluator.running.sample import SampleSpec, Tools
from evaluator.runs.records import AttemptRecord, Recheck
from repair.llm import Arm
from repair.outcome import Verdict
from sandbox.errors import SandboxError
from sandbox.verdict import RunVerdict


def recheck(record: AttemptRecord, spec: SampleSpec, tools: Tools) -> AttemptRecord:
    """Run what was accepted again, as often as `tools` say; the verdict stands, whatever comes out.

    Raises:
        EngineGone: nothing can be run any more.
    """
    code = record.script.code
    if code is None or record.verdict is not Verdict.PASSED or record.arm is not Arm.REPAIR:
        return record
    found = [
        each
        for repeat_no in range(1, tools.flake_checks + 1)
        for each in _once(record, code, spec, tools, repeat_no)
    ]
    return record.model_copy(update={"rechecks": tuple(found)}) if found else record


def _once(
    record: AttemptRecord, code: str, spec: SampleSpec, tools: Tools, repeat_no: int
) -> Iterator[Recheck]:
    """Yield one more run of the shown tests, and of the holdout where it had passed."""
    for part in PARTS:
        if part == "holdout" and record.holdout_verdict is not RunVerdict.PASSED:
            return
        job = tools.jobs.job(tools.tested(spec.task, code), code, part, repeat_no=repeat_no)
        try:
            each = tools.sandbox.again(job, part, repeat_no)
        except SandboxError:
            # A failure of ours says nothing about the script.
            yield Recheck(part=part, repeat_no=repeat_no, verdict=RunVerdict.SANDBOX_ERROR)
            return
        yield each
        if each.verdict is not RunVerdict.PASSED:
            return
