"""junit.xml for CI: a suite per model and batch, a case per sample."""

from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from evaluator.report.words import banners
from evaluator.runs.results import UNSCORED, Sample, outcome, samples
from evaluator.runs.rundata import RunData
from evaluator.safe_text import clip, visible
from repair.outcome import Verdict

_TEXT_CHARS = 4000
_NAME_CHARS = 300


def junit_report(run: RunData) -> bytes:
    """Write the run as JUnit XML: failure = the model's, error = unscored. Times in seconds."""
    marks = "".join(f" ({banner})" for banner, _ in banners(run.manifest))
    root = ET.Element("testsuites", name=_name(f"mendbench {run.manifest.run_id}{marks}"))
    for (model, batch), members in groupby(samples(run), key=lambda sample: (sample.model, sample.batch)):
        _suite(root, f"{model} / {batch}", tuple(members))
    ET.indent(root)
    encoded: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return encoded + b"\n"


def _suite(root: ET.Element, name: str, members: Sequence[Sample]) -> None:
    finals = [sample.final for sample in members]
    errors = finals.count(UNSCORED)
    failures = len(finals) - errors - finals.count(str(Verdict.PASSED))
    suite = ET.SubElement(
        root,
        "testsuite",
        name=_name(name),
        tests=str(len(members)),
        failures=str(failures),
        errors=str(errors),
        time=_seconds(members),
    )
    for sample in members:
        _case(suite, sample)


def _case(suite: ET.Element, sample: Sample) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_name(f"{sample.model}.{sample.task_id}"),
        name=_name(f"{sample.task_id} [{sample.template}, sample {sample.number}]"),
        time=_seconds([sample]),
    )
    properties = ET.SubElement(case, "properties")
    facts = {"basis": sample.basis, "level": sample.level or "none"}
    facts |= {"attempts": str(len(sample.attempts)), "final": sample.final}
    if sample.suspicious:
        facts["suspicious"] = ", ".join(sample.suspicious)
    if sample.attempts:
        facts["first"] = outcome(sample.attempts[0])
    for name, value in facts.items():
        ET.SubElement(properties, "property", name=name, value=_name(value))
    if sample.final != Verdict.PASSED:
        kind = "error" if sample.final == UNSCORED else "failure"
        ET.SubElement(case, kind, message=_name(sample.final)).text = clip(visible(_why(sample)), _TEXT_CHARS)


def _why(sample: Sample) -> str:
    if not sample.attempts:
        return "The run ended before this sample."
    last = sample.held or sample.attempts[-1]
    lines = [attempt.error for attempt in sample.attempts if attempt.error]
    result = last.shown
    if result is not None:
        lines += [
            f"{test.id}: {test.outcome} {test.message}" for test in result.tests if test.outcome != "passed"
        ]
        lines += [result.compiled.message] if not result.compiled.ok else []
        lines += [f"{result.exception.exc_type}: {result.exception.message}"] if result.exception else []
    return "\n".join(line[:_TEXT_CHARS] for line in lines)


def _seconds(members: Sequence[Sample]) -> str:
    return f"{sum(one.model_s + one.sandbox_s for sample in members for one in sample.spent):.3f}"


def _name(text: str) -> str:
    return clip(visible(text[: 2 * _NAME_CHARS]), _NAME_CHARS)
