"""What a run would do, in words: the plan of --dry-run, and what is in force."""

import click

from evaluator.report.words import REPLAY_BANNER
from evaluator.running.plan import Plan
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
        f"samples    {_draws(plan)}",
        f"in force   {in_force(plan)}",
        f"calls      {plan.samples} to {plan.most_calls}",
        "           (repairs, and at most one each of the kinds length, format, fresh, cleanup)",
        _control(plan),
    ]
    click.echo("\n".join(line for line in lines if line))


def _draws(plan: Plan) -> str:
    if plan.draws:
        return f"{plan.samples} recorded histories, one sample each"
    return f"{plan.config.bench.samples} per task, template and model: {plan.samples} in all"


def _control(plan: Plan) -> str:
    if not plan.control:
        return ""
    return f"control    as many again, and up to {plan.most_draws} while they take fewer tokens than repair"


def note(plan: Plan) -> str:
    """Say what must be known of the replies before anything else."""
    if plan.replayed:
        return REPLAY_BANNER
    return DEMO_NOTE if plan.recorded_demo else ""


def in_force(plan: Plan) -> str:
    """Say which parameters are sent, and how repairs are made."""
    sampling, repair = plan.config.sampling, plan.config.repair
    return (
        f"temperature {_or_default(sampling.temperature)}, top_p {_or_default(sampling.top_p)}, "
        f"max_tokens {_or_default(sampling.max_tokens)}, seed {sampling.seed}; "
        f"repairs {repair.repairs}, policy {repair.policy}, style {repair.style}"
    )


def _or_default(value: float | None) -> str:
    return "the server's default" if value is None else str(value)
