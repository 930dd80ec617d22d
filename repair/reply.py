"""Puts a reply together from the pieces that a server sends, whatever shape they have."""

import time
from collections.abc import Mapping
from typing import Any

from repair.llm import Completion

_BROKEN = {"abort", "error"}


class Malformed(Exception):
    """Not a chat completion; `sample` is how the body begins."""

    def __init__(self, why: str, sample: str = "") -> None:
        super().__init__(why)
        self.sample = sample


class BrokenStream(Exception):
    """The stream ended before the reply did."""


class ErrorInside(Exception):
    """A piece is the server's error report."""

    def __init__(self, body: object) -> None:
        super().__init__()
        self.body = body


class ReplyBuilder:
    """Collects stream chunks, or one whole completion, up to `max_bytes` of text and reasoning."""

    def __init__(self, *, max_bytes: int) -> None:
        self._left = max_bytes
        self._started = time.monotonic()
        self._first: float | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._usage: Mapping[str, Any] = {}
        self._model = ""
        self.any_choice = False
        self.finish_reason = ""
        self.capped = False

    def feed(self, piece: object) -> None:
        """Take in one chunk or one whole completion.

        Raises:
            ErrorInside: the piece is an error report.
            Malformed: it is nothing that the protocol knows.
        """
        if not isinstance(piece, Mapping):
            raise Malformed(f"a JSON {type(piece).__name__} in place of an object")
        if piece.get("error") or piece.get("object") == "error":
            raise ErrorInside(piece.get("error") or piece)
        self._model = _string(piece.get("model")) or self._model
        usage = piece.get("usage")
        self._usage = usage if isinstance(usage, Mapping) else self._usage
        choice = _first_choice(piece.get("choices"))
        if choice is not None:
            self._take(choice)

    def _take(self, choice: Mapping[str, Any]) -> None:
        self.any_choice = True
        part = choice.get("delta") or choice.get("message")
        part = part if isinstance(part, Mapping) else {}
        self._add(self._reasoning, _string(part.get("reasoning_content")) or _string(part.get("reasoning")))
        self._add(self._text, _content(part.get("content")) or _string(part.get("refusal")))
        reason = _string(choice.get("finish_reason"))
        if reason in _BROKEN:
            raise ErrorInside(f"the server gave up (finish_reason {reason!r})")
        self.finish_reason = reason or self.finish_reason

    def _add(self, where: list[str], text: str) -> None:
        if not text or self.capped:
            return
        if self._first is None:
            self._first = time.monotonic() - self._started
        raw = text.encode("utf-8", "surrogatepass")
        self.capped = len(raw) > self._left
        where.append(raw[: self._left].decode("utf-8", "ignore") if self.capped else text)
        self._left -= len(raw)

    def build(self) -> Completion:
        """The reply as far as it came."""
        return Completion(
            text=plain("".join(self._text)),
            reasoning=plain("".join(self._reasoning)),
            finish_reason=plain(self.finish_reason)[:64],
            model=plain(self._model)[:256],
            prompt_tokens=_count(self._usage.get("prompt_tokens")),
            completion_tokens=_count(self._usage.get("completion_tokens")),
            seconds=time.monotonic() - self._started,
            first_token_s=self._first,
            capped=self.capped,
        )


def plain(text: str) -> str:
    """`text` as valid Unicode without NUL: surrogate pairs joined, lone surrogates replaced."""
    # Two halves of a pair may come in two chunks, so this happens once, on the whole.
    return text.replace("\0", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _first_choice(choices: object) -> Mapping[str, Any] | None:
    if not isinstance(choices, list):
        return None
    return next((c for c in choices if isinstance(c, Mapping) and not c.get("index")), None)


def _content(content: object) -> str:
    """Text of a content field: a string, or a list of parts of which some are text."""
    if isinstance(content, list):
        texts = (_string(part.get("text")) for part in content if isinstance(part, Mapping))
        return "".join(texts)
    return _string(content)


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
