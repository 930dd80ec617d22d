"""What the next call says: a function of the attempts so far. The only place where prompts are built."""

from collections.abc import Sequence
from functools import partial

from repair import cleanup
from repair.attempt import Attempt, LoopConfig, Start, Tell
from repair.best import broken, held
from repair.feedback import Policy, TakenBack, render
from repair.llm import CallKind, Message

_REPLY_CHARS = 16_000
"""A longer reply is not sent back whole: its script stands for it."""


def messages(
    start: Start, kind: CallKind, before: list[Attempt], config: LoopConfig, tell: Tell, *, limit: int
) -> tuple[tuple[Message, ...], str]:
    """Give the messages of the next call, and what of them is feedback."""
    if kind in {CallKind.FIRST, CallKind.FRESH} or config.policy is Policy.NONE:
        return start.messages, ""
    last = answered(before)
    if kind is CallKind.CLEANUP and last.shown is not None:
        text = cleanup.request_text(last.script, last.shown)
        return (Message(role="user", content=text),), text
    if kind is CallKind.LENGTH:
        return last.request.messages, ""
    base, undone = _base(before)
    if undone is not None:
        tell = partial(render, undone=undone)
    feedback = tell(base.verdict, base.script, base.shown, config.policy, limit=limit).text
    thread = start.messages if config.style == "fresh" else _thread(before[: before.index(base) + 1])
    said = Message(role="assistant", content=_as_said(base))
    return (*thread, said, Message(role="user", content=feedback)), feedback


def answered(before: Sequence[Attempt]) -> Attempt:
    """Give the last attempt that the model answered: what a conversation can go on from."""
    return next(attempt for attempt in reversed(before) if attempt.completion is not None)


def _base(before: list[Attempt]) -> tuple[Attempt, TakenBack | None]:
    """Give the attempt to build on: the last one, or the one that is held where the last is taken back."""
    last, best = answered(before), held(before)
    if not last.taken_back or best is None:
        return last, None
    changes = sum(attempt.taken_back for attempt in before[before.index(best) :])
    return best, TakenBack(changes=changes, tests=broken(best, last))


def _thread(before: list[Attempt]) -> tuple[Message, ...]:
    """The conversation so far; clean-up is none of it, what came of it stands for the model's last word."""
    return answered([each for each in before if each.kind is not CallKind.CLEANUP]).request.messages


def _as_said(attempt: Attempt) -> str:
    text = attempt.completion.text if attempt.completion else ""
    if len(text) > _REPLY_CHARS or attempt.kind is CallKind.CLEANUP:
        text = f"```python\n{attempt.script.code or text[:_REPLY_CHARS]}\n```"
    # Some servers refuse an empty message.
    return text if text.strip() else "(empty reply)"
