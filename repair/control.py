"""The control arm: the first prompt again, and nothing else. What asking again is worth without feedback.

Each draw stands alone: no reply, script or verdict of another one has a say in it. How many there are is
the business of whoever compares them.
"""

from dataclasses import replace

from repair.attempt import Attempt, LoopConfig, Stages, Start, judged, unanswered
from repair.errors import LLMError, ServerFatal
from repair.llm import CallKind, Request, Sampling
from repair.outcome import Verdict


def draw_again(start: Start, number: int, stages: Stages, config: LoopConfig) -> Attempt:
    """Make one draw; `number` is its call number in the control arm, from 0.

    Raises:
        ServerFatal: no call of this model can work.
    """
    call = replace(start.call, call_no=number)
    sampling = replace(sampling_of(start.sampling, number, config), seed=stages.seed(call))
    request = Request(call=call, kind=CallKind.CONTROL, messages=start.messages, sampling=sampling)
    try:
        completion = stages.ask(request)
    except ServerFatal:
        raise
    except LLMError as exc:
        return unanswered(request, "", Verdict.LLM_ERROR, "llm_error", exc)
    return judged(request, completion, "", stages, [])


def sampling_of(first: Sampling, number: int, config: LoopConfig) -> Sampling:
    """Sample as the first call does; but at temperature 0, where every draw is the same, only the first does.

    The later ones are as hot as the fresh draw of a loop that is stuck.
    """
    if number and first.temperature == 0:
        return replace(first, temperature=config.fresh_temperature)
    return first
