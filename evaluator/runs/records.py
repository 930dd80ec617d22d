"""The journal's lines and the run's manifest: the only shapes that are ever stored.

Field names are a contract with readers outside this project; `evaluator/runs/journal.schema.json` is
generated from them (`python -m evaluator.runs.records`) and a test keeps both equal.

Fields are written in the order in which they stand here: what numbers are made of first, long texts last.
`evaluator.statistics.lines` cuts lines before the latter. Any other order is read too, but not as fast.
"""

import json
import sys
from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from repair.llm import Arm, CallId, CallKind, Message, Sampling
from repair.outcome import Verdict
from repair.script import CleanOutcome, Edit
from sandbox.types import ImageInfo, Level, RunResult
from sandbox.verdict import RunVerdict

SCHEMA_VERSION: Final = 1
ARTIFACT_CHARS = 64 * 1024
"""Texts longer than this are stored once under artifacts/ and referred to by their hash."""

_ARTIFACT_SCHEMA = {
    "type": "object",
    "properties": {"artifact": {"type": "string"}, "chars": {"type": "integer"}},
    "required": ["artifact", "chars"],
}
BigText: TypeAlias = Annotated[str, WithJsonSchema({"anyOf": [{"type": "string"}, _ARTIFACT_SCHEMA]})]


class _Stored(BaseModel):
    # Lines of a newer minor version may carry more than this version knows.
    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal[1] = SCHEMA_VERSION


class _CallRecord(_Stored):
    """Which call of which sample a line is about."""

    at: str
    """UTC, ISO 8601."""
    server: str
    model: str
    """The model's label in this run: its name, with its server where two share a name."""
    task_id: str
    template: str
    sample: int
    arm: Arm
    call_no: int
    kind: CallKind

    @property
    def sample_key(self) -> tuple[str, str, str, int, str]:
        """The trajectory that this line belongs to."""
        return (self.model, self.task_id, self.template, self.sample, str(self.arm))

    @property
    def call_key(self) -> tuple[str, str, str, int, str, int]:
        """The call that this line is about."""
        return (*self.sample_key, self.call_no)


def fields_of(call: CallId, kind: CallKind, *, server: str, model: str) -> dict[str, Any]:
    """Give what every line about a call says of it, but when it was written."""
    return {
        "server": server,
        "model": model,
        "task_id": call.task_id,
        "template": call.template,
        "sample": call.sample,
        "arm": call.arm,
        "call_no": call.call_no,
        "kind": kind,
    }


class CompletionRecord(_CallRecord):
    """One reply, written as soon as it is complete."""

    type: Literal["completion"] = "completion"
    key: str
    """Content key: see `evaluator.keys.completion_key`."""
    sampling: Sampling
    finish_reason: str = ""
    capped: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float = 0.0
    first_token_s: float | None = None
    retries: int = 0
    reply_model: str = ""
    asked: str = ""
    """Label of the model that replied, where it is not the one whose sample this is."""
    messages: tuple[Message, ...]
    text: BigText
    reasoning: BigText = ""


class ScriptRecord(BaseModel):
    """The code of an attempt and how it came out of the reply."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sha256: str
    syntax_sha256: str = ""
    """Hash of the syntax tree: equal for scripts that differ in layout alone; empty where there is none."""
    outcome: CleanOutcome
    raw_compiles: bool = False
    edits: tuple[Edit, ...] = ()
    compiles: bool = False
    reason: str = ""
    flags: tuple[str, ...] = ()
    """What was seen in the code and left alone."""
    code: BigText | None


Basis: TypeAlias = Literal["own", "program", "model-written"]
"""What a verdict rests on: the task's own tests, no tests at all, or tests that a model wrote."""


class Recheck(BaseModel):
    """One more run of a script that was accepted, with another hash seed. No other number depends on it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    part: Literal["shown", "holdout"]
    repeat_no: int
    """From 1."""
    verdict: RunVerdict
    key: str = ""
    """Content key of the run; empty where there is no result."""
    hash_seed: int = 0
    failed: tuple[str, ...] = ()
    """Tests that did not pass, some of them."""
    wall_s: float = 0.0


class AttemptRecord(_CallRecord):
    """One attempt: completion, script, runs, verdict."""

    type: Literal["attempt"] = "attempt"
    completion_key: str | None
    """None where no reply came."""
    reply_sha256: str
    basis: Basis
    level: Level
    verdict: Verdict
    holdout_verdict: RunVerdict | None = None
    """None where the holdout was not run."""
    has_holdout: bool = False
    """Whether success needs the holdout, too."""
    flags: tuple[str, ...] = ()
    suspicious: tuple[str, ...] = ()
    """Signs that the script may aim at the tests; no verdict and no number depends on them."""
    stop: str | None = None
    """Why no call follows this attempt; None where one does."""
    rechecks: tuple[Recheck, ...] = ()
    """Of an accepted script: how it came out again (`--flake-checks`)."""
    taken_back: bool = False
    """Whether the script breaks a shown test that the one held before passes: then that one still stands."""
    script: ScriptRecord
    shown_key: str | None = None
    holdout_key: str | None = None
    reused: tuple[Literal["completion", "shown", "holdout"], ...] = ()
    """What was looked up instead of done again."""
    asked: str = ""
    """Label of the model that replied, where it is not the one whose sample this is."""
    shown: RunResult | None = None
    """The run with the shown tests, or as a program where the task has no tests."""
    holdout: RunResult | None = None
    feedback: BigText = ""
    """What the model was told for this call beyond the first prompt."""
    error: str = ""
    """What failed, where the verdict is a failure of ours."""

    @property
    def unscored(self) -> bool:
        """Whether a failure of ours hides what the model is worth here."""
        return self.verdict.ours or self.holdout_verdict is RunVerdict.SANDBOX_ERROR

    @property
    def flaky(self) -> bool | None:
        """Whether an accepted script failed when it was run again; None where it was not."""
        judged = [each.verdict for each in self.rechecks if each.verdict is not RunVerdict.SANDBOX_ERROR]
        return any(verdict is not RunVerdict.PASSED for verdict in judged) if judged else None

    @property
    def success(self) -> bool:
        """Shown tests passed, and the holdout too where there is one."""
        if self.verdict is not Verdict.PASSED:
            return False
        return self.holdout_verdict is RunVerdict.PASSED if self.has_holdout else True


class SiblingRecord(BaseModel):
    """What a suite made of another script for the same task."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    right: bool
    signature: str = ""
    """Which tests that script fails; wrong ones with equal signatures count once."""
    result: RunResult


class SuiteRecord(_CallRecord):
    """All runs of one test suite that a model wrote: the facts from which its score follows."""

    type: Literal["suite"] = "suite"
    key: str
    """Content key: see `evaluator.suites.writing.suite_key`."""
    suite_sha256: str
    code: BigText | None = None
    """The suite, where no attempt has it: written for `bench`."""
    main: RunResult | None = None
    """None where a failure of ours left nothing."""
    other_seeds: tuple[RunResult, ...] = ()
    siblings: tuple[SiblingRecord, ...] = ()
    reused: bool = False
    error: str = ""
    """What failed, where it is a failure of ours."""


class SubjectEntry(BaseModel):
    """A script that suites are written for; the manifest's entry of the same `task_id` has its family."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    task_id: str
    """Its own id: that of its task, with a mark of the script where one task has several."""
    of_task: str = ""
    """The task that it solves, if there is one."""
    code: str
    sha256: str
    prompt: str = ""
    """What the writer was told about it besides."""
    authors: tuple[str, ...] = ()
    """Who wrote it: models of the run that it was taken from, `reference` or `file`."""
    right: bool = True
    """Whether it is a right solution, as far as is known."""
    right_others: int = 0
    """Other right scripts that its suites are tried on."""
    wrong_others: int = 0


class TaskEntry(BaseModel):
    """What the manifest keeps of a task."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    task_id: str
    batch: str
    family: str
    sha256: str
    basis: Basis
    has_holdout: bool
    tags: tuple[str, ...] = ()
    difficulty: str = ""
    level: Level | None = None
    """Level at which the tests that decide are graded; None in runs of before it was written down."""
    tests_sha256: str = ""
    """Hash of the tests, where a model wrote them for the whole task."""


class ModelEntry(BaseModel):
    """What the manifest keeps of a model."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    label: str
    name: str
    server: str
    """The server's identity in content keys."""
    base_url: str
    """As called, credentials removed."""


class Draw(BaseModel):
    """One planned draw, where a run does not draw every model on every task."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str
    """The model's label."""
    task_id: str
    template: str
    sample: int


class Manifest(_Stored):
    """run.json: everything that is fixed for a run. Holds no secret."""

    type: Literal["manifest"] = "manifest"
    run_id: str
    created: str
    finished: str | None = None
    """When the run ended by itself; None while it runs or after it was cut off."""
    version: str
    recorded_demo: bool = False
    """No model was measured: the replies were shipped with the project."""
    replayed: str = ""
    """File of recorded histories that the replies came from; they answered other prompts."""
    regraded_from: str = ""
    """Run whose replies were judged anew; no model was asked."""
    config: dict[str, Any]
    """The resolved configuration; keys and URL credentials are redacted."""
    tasks: tuple[TaskEntry, ...]
    templates: dict[str, str]
    """Template name → sha256."""
    models: tuple[ModelEntry, ...]
    repair_model: ModelEntry | None = None
    """The model that repairs, where it is another than the one that is measured."""
    samples: int
    draws: tuple[Draw, ...] = ()
    """What was to be drawn; empty: every model on every task and template, `samples` times."""
    image: ImageInfo
    levels: tuple[Level, ...]
    host: dict[str, str] = Field(default_factory=dict)
    packages: dict[str, str] = Field(default_factory=dict)
    git: dict[str, str] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()
    """Why the run proves nothing, if it does not: controls that failed."""
    track: Literal["scripts", "suites"] = "scripts"
    """What the models were asked to write."""
    subjects: tuple[SubjectEntry, ...] = ()
    """The scripts under test, where suites were asked for."""
    baselines: tuple[str, ...] = ()
    """Labels among the models of writers that are no models."""

    def planned(self) -> Iterator[tuple[str, str, str, int]]:
        """Yield every planned draw: model, task, template, sample."""
        if self.draws:
            return ((draw.model, draw.task_id, draw.template, draw.sample) for draw in self.draws)
        models, tasks = [model.label for model in self.models], [task.task_id for task in self.tasks]
        return product(models, tasks, self.templates, range(self.samples))


def json_schema() -> dict[str, Any]:
    """Describe every line of a run folder as one JSON Schema document."""
    models: dict[str, type[BaseModel]] = {
        "completion": CompletionRecord,
        "attempt": AttemptRecord,
        "suite": SuiteRecord,
        "manifest": Manifest,
    }
    definitions: dict[str, Any] = {}
    for name, model in models.items():
        schema = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(schema.pop("$defs", {}))
        definitions[name] = schema
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mendbench journal",
        "version": SCHEMA_VERSION,
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in models],
        "$defs": dict(sorted(definitions.items())),
    }


if __name__ == "__main__":
    json.dump(json_schema(), sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")
