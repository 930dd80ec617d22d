"""bench.toml: flags over file over defaults; unknown keys are refused with their path."""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from evaluator.errors import ConfigProblem
from repair.attempt import LoopConfig, Style
from repair.feedback import Policy
from repair.llm import Sampling
from sandbox.types import DEFAULT_LEVEL, PROFILES, Level

DEFAULT_FILE = "bench.toml"
_SECRET = re.compile(r"(?i)(x-)?(api[_-]?key|authorization|password|secret|(access|auth|bearer)[_-]?token)")
_HARMLESS = frozenset({"bench.runs_dir", "sandbox.slots", "sandbox.hosts", "sandbox.warm"})
_LOOKED_UP = frozenset({"repair.model"})
"""Said in one way and kept in another; plans are compared by the model that was found."""
_OURS = frozenset({"model", "messages", "stream", "stream_options", "n"})


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BenchSection(_Section):
    """[bench]: which tasks, and how often."""

    tasks_dir: Path | None = None
    """A batch, or a folder of batches; None stands for the shipped ones."""
    batches: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    templates: tuple[str, ...] = ("default",)
    limit: Annotated[int, Field(ge=1)] | None = None
    samples: Annotated[int, Field(ge=1, le=1000)] = 1
    runs_dir: Path = Path("runs")
    check_tasks: bool = True
    """Run the tasks' controls first; the run is INVALID where they fail."""
    holdout: Literal["passed", "always"] = "passed"
    """When the holdout runs: only after the shown tests passed, or always (for measuring)."""
    test_writer_sees: Literal["prompt", "script"] = "prompt"
    """What a test writer writes from, for tasks without tests: one suite per task, or one per script."""

    @field_validator("tasks_dir")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        # A run is resumed from wherever its user stands then.
        return path.resolve() if path else None

    @field_validator("templates")
    @classmethod
    def _absolute_templates(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(Path(name).resolve()) if "/" in name else name for name in names)

    flake_checks: Annotated[int, Field(ge=0, le=20)] | None = None
    """How often an accepted script is run again; None: 3 times; not in the demo and in replays."""


class ModelSection(_Section):
    """[[models]]: one model behind one server."""

    name: Annotated[str, Field(min_length=1, max_length=300)]
    base_url: Annotated[str, Field(min_length=1)]
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; the key itself is never written down."""
    concurrency: Annotated[int, Field(ge=1, le=256)] = 4
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Sent with every request as it is, and written into the journal."""

    @field_validator("extra_body")
    @classmethod
    def _no_secrets(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key in value:
            if _SECRET.fullmatch(key):
                raise ValueError(f"{key!r} would be written into the journal; use api_key_env")
            if key in _OURS:
                raise ValueError(f"{key!r} is set by mendbench itself")
        return value


class SamplingSection(_Section):
    """[sampling]: parameters sent with every request."""

    temperature: Annotated[float, Field(ge=0, le=5)] | None = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = 4096
    seed: int = 0
    """Seed of the run: the seed of every call and the hash seed of every script derive from it."""
    system: str | None = None
    """Replaces the template's system message."""


class RepairSection(_Section):
    """[repair]: bounds and manner of the loop."""

    repairs: Annotated[int, Field(ge=0, le=20)] = 3
    calls: Annotated[int, Field(ge=1, le=50)] = 8
    tokens: Annotated[int, Field(ge=1)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    policy: Policy = Policy.TRACEBACK
    style: Style = "chat"
    cleanup: bool = False
    """Whether the model may mend the form of what no rule can parse."""
    model: ModelSection | str | None = None
    """Another model that repairs: NAME, NAME@URL, or a table like one of [[models]]."""
    control: bool | None = None
    """Whether fresh draws are made for what repair spends; None: where replies to them are recorded."""

    @model_validator(mode="after")
    def _shown_something(self) -> "RepairSection":
        if self.model is not None and self.policy is Policy.NONE:
            raise ValueError("policy 'none' sends no failure: there is nothing for another model to repair")
        return self


class HostSection(_Section):
    """[[sandbox.hosts]]: one Docker engine."""

    url: Annotated[str, Field(pattern=r"^(unix|ssh|tcp)://[^-]")]
    """unix:///path, ssh://user@machine or tcp://machine:2376."""
    slots: Annotated[int, Field(ge=1, le=256)]
    """Containers at a time on this engine."""
    cert_path: Path | None = None
    """Folder with ca.pem, cert.pem and key.pem, for tcp:// with TLS."""


class SandboxSection(_Section):
    """[sandbox]: how scripts run."""

    slots: Annotated[int, Field(ge=1, le=256)] | None = None
    """Containers at a time; None: one per core."""
    hosts: tuple[HostSection, ...] = ()
    """The engines to use; none: the one of DOCKER_HOST, else the usual one."""
    warm: Annotated[int, Field(ge=0, le=256)] | None = None
    """Containers kept ready on each engine; None: one more than its slots."""
    runtime: str | None = None
    """Docker runtime, such as runsc; None: the engine's default."""
    grading: Level = DEFAULT_LEVEL
    """Level at which tests are graded, unless their task says another one."""
    profile: str = "default"
    wall_s: Annotated[float, Field(gt=0, le=3600)] = 15.0
    cpu_s: Annotated[float, Field(gt=0, le=3600)] = 10.0

    @model_validator(mode="after")
    def _known_profile(self) -> "SandboxSection":
        if self.profile not in PROFILES:
            raise ValueError(f"profile {self.profile!r} is not one of {', '.join(PROFILES)}")
        if self.grading is Level.PROGRAM:
            raise ValueError("grading 'program' runs no tests; use 'process' or 'shared'")
        return self


class ServerSection(_Section):
    """[server]: patience with model servers."""

    connect_s: Annotated[float, Field(gt=0)] = 5.0
    stall_s: Annotated[float, Field(gt=0)] = 120.0
    """Longest silence within a reply."""
    deadline_s: Annotated[float, Field(gt=0)] = 600.0
    """Longest time for a whole reply."""
    max_reply_bytes: Annotated[int, Field(ge=1024)] = 2 * 1024 * 1024
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    retry_total_s: Annotated[float, Field(gt=0)] = 300.0
    """Longest waiting between the tries of one call, all together."""
    parallel_models: bool = False
    """Whether several models of one server are asked at a time."""
    trust_env: bool = True
    """Whether proxies from the environment are used."""


class SuitesSection(_Section):
    """[suites]: what models write test suites for, and how those are scored."""

    source: Annotated[str, Field(min_length=1)] = "reference"
    """`reference` (of each task), `attempts` (what models wrote in a run), or a folder of .py files."""
    run: Path | None = None
    """The run whose attempts are meant; with `reference` they are other scripts to tell apart."""
    show: Literal["description", "code"] = "description"
    """Whether the writer sees the task's text beside the script."""
    template: str = "tests"
    baselines: tuple[Literal["ghostwriter"], ...] = ()
    """Writers that are no models."""
    mutants: Annotated[int, Field(ge=0, le=1000)] = 120
    orders: Annotated[int, Field(ge=0, le=100)] = 10
    hash_seeds: Annotated[int, Field(ge=1, le=20)] = 3

    @field_validator("source")
    @classmethod
    def _absolute(cls, text: str) -> str:
        return text if text in {"reference", "attempts"} else str(Path(text).resolve())

    @field_validator("run")
    @classmethod
    def _absolute_run(cls, path: Path | None) -> Path | None:
        return path.resolve() if path else None


class Config(_Section):
    """Everything that shapes a run."""

    bench: BenchSection = BenchSection()
    models: tuple[ModelSection, ...] = ()
    test_writer: ModelSection | None = None
    """Writes tests for tasks that have none."""
    sampling: SamplingSection = SamplingSection()
    repair: RepairSection = RepairSection()
    sandbox: SandboxSection = SandboxSection()
    server: ServerSection = ServerSection()
    suites: SuitesSection = SuitesSection()

    def loop(self) -> LoopConfig:
        """Give the loop its share."""
        section = self.repair
        return LoopConfig(
            policy=section.policy,
            style=section.style,
            cleanup=section.cleanup,
            repairer=section.model is not None,
            repairs=section.repairs,
            calls=section.calls,
            tokens=section.tokens,
            seconds=section.seconds,
        )

    def first_sampling(self, extra: Mapping[str, Any]) -> Sampling:
        """Give the sampling of a first call; the seed is derived per call."""
        section = self.sampling
        return Sampling(
            temperature=section.temperature,
            top_p=section.top_p,
            max_tokens=section.max_tokens,
            extra=dict(extra),
        )


def load_config(path: Path | None, flags: Mapping[str, Mapping[str, Any]]) -> Config:
    """Read a file (None: ./bench.toml if there is one), lay the flags over it, and validate.

    Raises:
        ConfigProblem: names the file, the key's path and what is wrong with it.
    """
    raw, source = _read(path)
    return overlay(raw, flags, source)


def overlay(raw: Mapping[str, Any], flags: Mapping[str, Mapping[str, Any]], source: str) -> Config:
    """Lay flags (by section; None: not given) over what `source` says, and validate.

    Raises:
        ConfigProblem: names the source, the key's path and what is wrong with it.
    """
    merged = dict(raw)
    for section, values in flags.items():
        chosen = {key: value for key, value in values.items() if value is not None}
        if chosen:
            merged[section] = {**_table(merged, section, source), **chosen}
    try:
        return Config.model_validate(merged)
    except ValidationError as exc:
        raise ConfigProblem(_explain(exc, source)) from exc


def differences(one: Config, other: Config) -> list[str]:
    """List what two configurations say differently, as `section.key: this, not that`.

    Models are left out, and what changes no result.
    """
    first, second = (
        config.model_dump(mode="json", exclude={"models", "test_writer"}) for config in (one, other)
    )
    return [
        f"{section}.{key}: {second[section][key]}, not {values[key]}"
        for section, values in first.items()
        for key in values
        if first[section][key] != second[section][key] and f"{section}.{key}" not in _HARMLESS | _LOOKED_UP
    ]


def api_key(model: ModelSection) -> str | None:
    """Look up the key that a model's section names.

    Raises:
        ConfigProblem: the environment variable is not set.
    """
    if model.api_key_env is None:
        return None
    value = os.environ.get(model.api_key_env)
    if not value:
        raise ConfigProblem(
            f"model {model.name!r}: the environment variable {model.api_key_env} is not set. "
            "Export it, or drop api_key_env if the server needs no key."
        )
    return value


def _read(path: Path | None) -> tuple[dict[str, Any], str]:
    chosen = path or Path(DEFAULT_FILE)
    if path is None and not chosen.exists():
        return {}, "command line"
    try:
        return tomllib.loads(chosen.read_text(encoding="utf-8")), str(chosen)
    except FileNotFoundError as exc:
        raise ConfigProblem(f"{chosen}: no such file") from exc
    except UnicodeDecodeError as exc:
        raise ConfigProblem(f"{chosen}: not UTF-8 at byte {exc.start}") from exc
    except (OSError, tomllib.TOMLDecodeError) as exc:
        raise ConfigProblem(f"{chosen}: {exc}") from exc


def _table(raw: Mapping[str, Any], section: str, source: str) -> dict[str, Any]:
    value = raw.get(section, {})
    if not isinstance(value, dict):
        raise ConfigProblem(f"{source}: {section} must be a table: [{section}]")
    return value


def _unknown(place: tuple[int | str, ...]) -> str:
    """Say that a key is unknown, and which one may have been meant."""
    section: type[BaseModel] = _SECTIONS.get(str(place[0]), Config) if len(place) > 1 else Config
    if place[-1] == "api_key":
        return "keys do not belong into this file: export one, and name the variable with api_key_env"
    near = difflib.get_close_matches(str(place[-1]), section.model_fields, n=1)
    return f"unknown key; did you mean {near[0]!r}?" if near else "unknown key"


_SECTIONS: Mapping[str, type[BaseModel]] = {
    "bench": BenchSection,
    "models": ModelSection,
    "test_writer": ModelSection,
    "sampling": SamplingSection,
    "repair": RepairSection,
    "sandbox": SandboxSection,
    "hosts": HostSection,
    "server": ServerSection,
    "suites": SuitesSection,
}


def _explain(exc: ValidationError, source: str) -> str:
    lines = []
    for error in exc.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in error["loc"])
        what = _unknown(error["loc"]) if error["type"] == "extra_forbidden" else error["msg"]
        lines.append(f"{source}: {where}: {what}" if where else f"{source}: {what}")
    return "\n".join(lines)
