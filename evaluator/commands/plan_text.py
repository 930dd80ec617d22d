"""What a plan says of itself, before a run and instead of one."""

import click

from evaluator.report.words import REPLAY_BANNER
from evaluator.running.plan import Plan
from evaluator.running.test_writer import wanting
from evaluator.safe_text import one_line

DEMO_NOTE = "RECORDED DEMO: no model was measured. The replies ship with mendbench."


def print_plan(plan: Plan) -> None:
    """Say what a run would do."""
    lines = [
        note(plan),
        f"tasks      {len(plan.tasks)} in {', '.join(sorted({task.batch for task in plan.tasks}))}",
        f"templates  {', '.join(template.name for template in plan.templates)}",
        *(f"model      {one_line(model.entry.label)} at {model.entry.base_url}" for model in plan.models),
        f"repairs by {one_line(plan.repairer.entry.label)} at {plan.repairer.entry.base_url}"
        if plan.repairer
        else "",
        _tests_by(plan),
        f"samples    {_draws(plan)}",
        f"in force   {in_force(plan)}",
        f"calls      {plan.samples} to {plan.most_calls}",
        _control(plan),
        "           (repairs, and at most one each of the kinds length, format, fresh, cleanup)",
    ]
    click.echo("\n".join(line for line in lines if line))


def _tests_by(plan: Plan) -> str:
    if plan.test_writer is None:
        return ""
    sees = "one per script" if plan.config.bench.test_writer_sees == "script" else "one per task"
    return (
        f"tests by   {one_line(plan.test_writer.entry.label)}, {sees}, for {len(wanting(plan))} tasks without"
    )


def _draws(plan: Plan) -> str:
    if plan.draws:
        return f"{plan.samples} recorded histories, one sample each"
    return f"{plan.config.bench.samples} per task, template and model: {plan.samples} in all"


def _control(plan: Plan) -> str:
    if not plan.control:
        return ""
    return f"control    as many again, and up to {plan.most_draws} while they take fewer tokens than repair"


def note(plan: Plan) -> str:
    """Say that no model is measured, where that is so."""
    if plan.replayed:
        return REPLAY_BANNER
    return DEMO_NOTE if plan.recorded_demo else ""


def in_force(plan: Plan) -> str:
    """Say which sampling and which repairs are in force."""
    sampling, repair = plan.config.sampling, plan.config.repair
    return (
        f"temperature {_or_default(sampling.temperature)}, top_p {_or_default(sampling.top_p)}, "
        f"max_tokens {_or_default(sampling.max_tokens)}, seed {sampling.seed}; "
        f"repairs {repair.repairs}, policy {repair.policy}, style {repair.style}"
    )


def _or_default(value: float | None) -> str:
    return "the server's default" if value is None else str(value)
