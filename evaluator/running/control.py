"""The control arm of one sample: fresh draws for what its repair arm spent, in calls and in tokens.

Draws are made until both budgets are used up, so that the records allow both readings. The first success
ends them: whichever way they are read, no later draw changes anything.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from evaluator.running.calls import Notes
from evaluator.running.guard import Guard
from evaluator.running.sample import SampleSpec, Tools, finish, stages, start_of
from evaluator.runs.records import AttemptRecord, CompletionRecord
from repair.attempt import Attempt, Stop
from repair.control import draw_again
from repair.llm import Arm

DRAWS_PER_CALL: Final = 4
"""For each call of the repair arm there are no more draws than this, however cheap they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the repair arm spent on one sample."""

    calls: int
    tokens: int | None
    """Prompt and completion; None where the server did not report them for every reply."""


def budget_of(
    repaired: Sequence[AttemptRecord], reply: Callable[[str], CompletionRecord | None]
) -> Budget | None:
    """Add up what a repair arm spent; None where a failure of ours hides what came of it."""
    if not repaired or any(record.unscored for record in repaired):
        return None
    tokens: int | None = 0
    for record in repaired:
        completion = reply(record.completion_key) if record.completion_key else None
        if completion is not None:
            tokens = _plus(tokens, completion.prompt_tokens, completion.completion_tokens)
    return Budget(calls=len(repaired), tokens=tokens)


def run_control(spec: SampleSpec, tools: Tools, budget: Budget) -> Iterator[AttemptRecord]:
    """Yield the records of a sample's control draws, each as soon as its verdict is known.

    Raises:
        ServerFatal: no call of this model can work.
        Stopped: the run is ending.
        EngineGone: nothing can be run any more.
    """
    spec = replace(spec, arm=Arm.CONTROL)
    notes, spent = Notes(), Budget(calls=0, tokens=0)
    start = start_of(spec, tools)
    parts = stages(spec, tools, notes, Guard(spec.task, start.messages))
    stop: Stop | None = None
    while stop is None:
        attempt = draw_again(start, spent.calls, parts, tools.loop)
        record = finish(attempt, spec, tools, notes)
        spent = Budget(calls=spent.calls + 1, tokens=_tokens(spent.tokens, attempt))
        stop = _why_no_more(record, spent, budget)
        yield record if record.stop else record.model_copy(update={"stop": stop})
        notes.forget()


def _why_no_more(record: AttemptRecord, spent: Budget, budget: Budget) -> Stop | None:
    if record.unscored:
        return Stop.LLM_ERROR if record.completion_key is None else Stop.SANDBOX_ERROR
    if record.success:
        return Stop.PASSED
    if spent.calls < budget.calls or _affordable(spent, budget):
        return Stop.CALLS if spent.calls >= DRAWS_PER_CALL * budget.calls else None
    return Stop.BUDGET


def _affordable(spent: Budget, budget: Budget) -> bool:
    """Whether the tokens that are left buy one more draw of the usual size."""
    if spent.tokens is None or budget.tokens is None:
        return False
    return spent.tokens + spent.tokens / spent.calls <= budget.tokens


def _tokens(so_far: int | None, attempt: Attempt) -> int | None:
    reply = attempt.completion
    return _plus(so_far, reply.prompt_tokens, reply.completion_tokens) if reply else so_far


def _plus(so_far: int | None, *more: int | None) -> int | None:
    known = [amount for amount in (so_far, *more) if amount is not None]
    return sum(known) if len(known) == 1 + len(more) else None
