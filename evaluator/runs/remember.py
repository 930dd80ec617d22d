"""A model and a sandbox that look up what is known before they do anything: resuming is running again."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from evaluator.errors import EngineGone, NotItsTurn, Stopped
from evaluator.jobs import Part
from evaluator.keys import completion_key, verdict_key
from evaluator.runs.journal import now
from evaluator.runs.records import AttemptRecord, CompletionRecord, ModelEntry, Recheck, fields_of
from repair.errors import LLMError
from repair.llm import LLM, Completion, Request
from sandbox.backend import Sandbox
from sandbox.errors import EngineUnavailable, ImageMissing, SandboxError
from sandbox.types import ImageInfo, Job, RunResult, TestOutcome
from sandbox.verdict import judge

_MOST_FAILED = 10
_INFRA_PAUSES_S = (0.5, 2.0, 8.0, 20.0)
"""An engine that is started anew, or a machine that is, takes about so long."""


class Known:
    """What a journal already holds, by content key. Thread-safe."""

    def __init__(self, completions: Iterable[CompletionRecord], attempts: Iterable[AttemptRecord]) -> None:
        self._lock = threading.Lock()
        self._completions = {record.key: record for record in completions}
        self._runs: dict[str, RunResult] = {}
        self._rechecks: dict[str, Recheck] = {}
        self._alone: dict[str, threading.Lock] = {}
        for attempt in attempts:
            self.learn(attempt)

    def completion(self, key: str) -> CompletionRecord | None:
        """Look up a reply."""
        with self._lock:
            return self._completions.get(key)

    def run(self, key: str) -> RunResult | None:
        """Look up the facts of a run."""
        with self._lock:
            return self._runs.get(key)

    def alone(self, key: str) -> threading.Lock:
        """Give the lock under which the run of a key is done."""
        with self._lock:
            return self._alone.setdefault(key, threading.Lock())

    def add_completion(self, record: CompletionRecord) -> None:
        """Remember a reply."""
        with self._lock:
            self._completions[record.key] = record

    def add_run(self, key: str, result: RunResult) -> None:
        """Remember the facts of a run. Failures of ours never come here: they are exceptions."""
        with self._lock:
            self._runs[key] = result

    def learn(self, attempt: AttemptRecord) -> None:
        """Take the runs out of an attempt's record."""
        if attempt.shown_key and attempt.shown:
            self.add_run(attempt.shown_key, attempt.shown)
        if attempt.holdout_key and attempt.holdout:
            self.add_run(attempt.holdout_key, attempt.holdout)
        for each in attempt.rechecks:
            if each.key:
                self.add_recheck(each)

    def recheck(self, key: str) -> Recheck | None:
        """Look up how a script came out again."""
        with self._lock:
            return self._rechecks.get(key)

    def add_recheck(self, each: Recheck) -> None:
        """Remember how a script came out again."""
        with self._lock:
            self._rechecks[each.key] = each


class _Writer(Protocol):
    def append(self, record: CompletionRecord) -> None: ...


class RememberingLLM:
    """Asks the model only for what the journal does not hold, and writes every reply down at once."""

    def __init__(
        self,
        inner: LLM,
        model: ModelEntry,
        journal: _Writer,
        known: Known,
        *,
        slots: AbstractContextManager[object],
        stop: threading.Event,
        asked: ModelEntry | None = None,
        its_turn: Callable[[], bool] = lambda: True,
    ) -> None:
        self._inner, self._model, self._journal, self._known = inner, model, journal, known
        self._slots, self._stop, self._its_turn = slots, stop, its_turn
        self._asked = asked or model

    @property
    def other(self) -> str:
        """Label of the model that is asked, where it is not the one whose samples these are."""
        return "" if self._asked == self._model else self._asked.label

    def complete(self, request: Request) -> tuple[Completion, str, bool]:
        """Give the reply, its key, and whether it was looked up.

        Raises:
            LLMError: as the model's client does.
            Stopped: the run is ending, and the reply is not known.
            NotItsTurn: the reply is not known, and the server is busy with another model.
        """
        key = completion_key(self._asked.server, self._asked.name, request)
        record = self._known.completion(key)
        if record is not None:
            return completion_of(record), key, True
        if not self._its_turn():
            raise NotItsTurn(self._asked.label)
        with self._slots:
            if self._stop.is_set():
                raise Stopped
            completion = self._ask(request)
        record = self._record(key, request, completion)
        self._journal.append(record)
        self._known.add_completion(record)
        return completion, key, False

    def _ask(self, request: Request) -> Completion:
        try:
            return self._inner.complete(request)
        except LLMError as exc:
            if self._stop.is_set():
                # A call that the end of the run cut short says nothing about the server.
                raise Stopped from exc
            raise

    def _record(self, key: str, request: Request, completion: Completion) -> CompletionRecord:
        return CompletionRecord(
            key=key,
            at=now(),
            **fields_of(request.call, request.kind, server=self._asked.server, model=self._model.label),
            messages=request.messages,
            sampling=request.sampling,
            text=completion.text,
            reasoning=completion.reasoning,
            finish_reason=completion.finish_reason,
            reply_model=completion.model,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            seconds=completion.seconds,
            first_token_s=completion.first_token_s,
            retries=completion.retries,
            capped=completion.capped,
            asked=self.other,
        )


def completion_of(record: CompletionRecord) -> Completion:
    """Make the reply of a record again."""
    return Completion(
        text=record.text,
        reasoning=record.reasoning,
        finish_reason=record.finish_reason,
        model=record.reply_model,
        prompt_tokens=record.prompt_tokens,
        completion_tokens=record.completion_tokens,
        seconds=record.seconds,
        first_token_s=record.first_token_s,
        retries=record.retries,
        capped=record.capped,
    )


class RememberingSandbox:
    """Runs only what is not known, within its slots; tries again what failed through no script's fault."""

    def __init__(
        self,
        inner: Sandbox,
        image: ImageInfo,
        known: Known,
        *,
        slots: AbstractContextManager[object],
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._inner, self._image, self._known, self._slots, self._pause = inner, image, known, slots, pause

    def run(self, job: Job) -> tuple[RunResult, str, bool]:
        """Give the facts, their key, and whether they were looked up.

        Raises:
            SandboxError: several tries gave no trustworthy result.
            EngineGone: no engine answers any more; the run cannot go on.
        """
        key = verdict_key(job, self._image)
        # Equal jobs wait for each other: two results under one key could tell two stories on resume.
        with self._known.alone(key):
            result = self._known.run(key)
            if result is not None:
                return result, key, True
            with self._slots:
                result = run_patiently(self._inner, job, pause=self._pause)
            self._known.add_run(key, result)
        return result, key, False

    def again(self, job: Job, part: Part, repeat_no: int) -> Recheck:
        """Run once more what was accepted; what is known of this repetition is looked up.

        Raises:
            SandboxError: several tries gave no trustworthy result.
            EngineGone: no engine answers any more; the run cannot go on.
        """
        key = verdict_key(job, self._image, repeat_no=repeat_no)
        with self._known.alone(key):
            known = self._known.recheck(key)
            if known is not None:
                return known.model_copy(update={"part": part})
            with self._slots:
                result = run_patiently(self._inner, job, pause=self._pause)
            failed = [test.id for test in result.tests if test.outcome is not TestOutcome.PASSED]
            found = Recheck(
                part=part,
                repeat_no=repeat_no,
                verdict=judge(result),
                key=key,
                hash_seed=job.hash_seed,
                failed=tuple(failed[:_MOST_FAILED]),
                wall_s=result.wall_s,
            )
            self._known.add_recheck(found)
        return found


def run_patiently(sandbox: Sandbox, job: Job, *, pause: Callable[[float], object] = time.sleep) -> RunResult:
    """Run a job; try again, after pauses, what failed through no script's fault.

    Raises:
        SandboxError: several tries gave no trustworthy result.
        EngineGone: no engine, or no image, is left.
    """
    for seconds in _INFRA_PAUSES_S:
        try:
            return sandbox.run(job)
        except ImageMissing as exc:
            raise EngineGone(str(exc)) from exc
        except SandboxError:
            pause(seconds)
    try:
        return sandbox.run(job)
    except EngineUnavailable as exc:
        raise EngineGone(str(exc)) from exc
