"""From a configuration to a plan: which tasks, templates, models and samples, and how many calls at most."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from evaluator.config import Config, ModelSection
from evaluator.errors import RunIncompatible, UsageProblem
from evaluator.running.control import DRAWS_PER_CALL
from evaluator.running.sample import SampleSpec
from evaluator.runs.records import Draw, Manifest, ModelEntry
from evaluator.servers.find import display_url, normalise_base_url
from prompts.render import Template, load_template
from prompts.tasks import Task, batch_root, load

FLAKE_CHECKS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedModel:
    """A model of the run, and how to call it."""

    entry: ModelEntry
    section: ModelSection

    def is_same(self, other: "PlannedModel") -> bool:
        """Whether both are one model of one server."""
        return (self.entry.name, self.entry.server) == (other.entry.name, other.entry.server)

    def shares_server(self, other: "PlannedModel") -> bool:
        """Whether both are on one server, which has to load now this one and now that one."""
        return self.entry.server == other.entry.server and not self.is_same(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do."""

    config: Config
    tasks: tuple[Task, ...]
    templates: tuple[Template, ...]
    models: tuple[PlannedModel, ...]
    repairer: PlannedModel | None = None
    """The model that repairs, where it is another one."""
    recorded_demo: bool = False
    draws: tuple[Draw, ...] = ()
    """What is drawn; empty: every model on every task and template."""
    replayed: str = ""
    """File of recorded histories that the replies come from."""
    test_writer: PlannedModel | None = None
    """Writes tests for tasks that have none."""

    @property
    def samples(self) -> int:
        """Independent draws of all models."""
        if self.draws:
            return len(self.draws)
        return len(self.tasks) * len(self.templates) * self.config.bench.samples * len(self.models)

    @property
    def flake_checks(self) -> int:
        """How often an accepted script is run again."""
        wanted = self.config.bench.flake_checks
        if wanted is not None:
            return wanted
        # The demo is to be over soon, and what is replayed comes in large numbers.
        return 0 if self.replayed or self.recorded_demo else FLAKE_CHECKS

    @property
    def control(self) -> bool:
        """Whether there is a control arm."""
        return bool(self.config.repair.control)

    @property
    def most_draws(self) -> int:
        """Upper bound of the calls of the control arm."""
        return self.control * DRAWS_PER_CALL * self.most_calls

    @property
    def most_calls(self) -> int:
        """Upper bound of the calls of the repair arm."""
        section = self.config.repair
        # Besides repairs there is at most one call each of the kinds length, format, fresh and cleanup.
        per_sample = min(section.calls, 1 + section.repairs + 3 + section.cleanup) if section.repairs else 1
        return self.samples * per_sample

    def specs(self, model: PlannedModel) -> tuple[SampleSpec, ...]:
        """Every sample of one model; whole passes over the tasks, so that a cut-off run is balanced."""
        if self.draws:
            return self._drawn(model.entry)
        return tuple(
            SampleSpec(model=model.entry, task=task, template=template, sample=sample)
            for sample in range(self.config.bench.samples)
            for template in self.templates
            for task in self.tasks
        )

    def _drawn(self, model: ModelEntry) -> tuple[SampleSpec, ...]:
        tasks = {task.task_id: task for task in self.tasks}
        templates = {template.name: template for template in self.templates}
        return tuple(
            SampleSpec(
                model=model,
                task=tasks[draw.task_id],
                template=templates[draw.template],
                sample=draw.sample,
            )
            for draw in self.draws
            if draw.model == model.label
        )


def make_plan(
    config: Config,
    models: Sequence[ModelSection],
    *,
    recorded_demo: bool = False,
    server_id: str | None = None,
    tasks: Sequence[Task] | None = None,
) -> Plan:
    """Load what the configuration names.

    `server_id` stands for the servers' addresses in content keys, where those change from run to run.
    `tasks` stand in place of those of the configuration.

    Raises:
        PromptError: a task or a template is missing or broken.
        UsageProblem: two templates share a name, or a model is named twice.
    """
    bench = config.bench
    if tasks is None:
        tasks = load(bench.tasks_dir or batch_root(), bench.batches or None, bench.tasks or None)
    templates = tuple(load_template(name) for name in bench.templates)
    _refuse_twice([template.name for template in templates], "template")
    return Plan(
        config=config,
        tasks=tuple(tasks[: bench.limit]),
        templates=templates,
        models=planned_models(models, server_id),
        repairer=_repairer(config),
        test_writer=next(
            iter(planned_models([writer] if (writer := config.test_writer) else [], None)), None
        ),
        recorded_demo=recorded_demo,
    )


def check_same(plan: Plan, manifest: Manifest) -> None:
    """Make sure that a plan continues the run of a manifest.

    Raises:
        RunIncompatible: says which tasks, templates or models differ.
    """
    changed = [
        *_changed("task", {task.task_id: task.sha256 for task in plan.tasks}, _task_hashes(manifest)),
        *_changed("template", {item.name: item.sha256 for item in plan.templates}, manifest.templates),
        *_changed(
            "model",
            {model.entry.label: model.entry.server for model in plan.models},
            {entry.label: entry.server for entry in manifest.models},
        ),
        *_changed("the repairing model", _by_name(_entry_of(plan)), _by_name(manifest.repair_model)),
    ]
    if changed:
        raise RunIncompatible(
            f"run {manifest.run_id} cannot be continued: {'; '.join(changed)}. "
            "Restore what it ran with, or start a new run."
        )


def planned_models(models: Sequence[ModelSection], server_id: str | None) -> tuple[PlannedModel, ...]:
    """Give each model its label and its server's identity.

    Raises:
        UsageProblem: a model is named twice.
    """
    shared = Counter(model.name for model in models)
    planned = []
    for model in models:
        url = normalise_base_url(model.base_url)
        label = model.name if shared[model.name] == 1 else f"{model.name}@{_place(url)}"
        entry = ModelEntry(
            label=label, name=model.name, server=server_id or display_url(url), base_url=display_url(url)
        )
        planned.append(PlannedModel(entry=entry, section=model.model_copy(update={"base_url": url})))
    _refuse_twice([model.entry.label for model in planned], "model")
    return tuple(planned)


def _repairer(config: Config) -> PlannedModel | None:
    section = config.repair.model
    if section is None:
        return None
    if isinstance(section, str):
        raise UsageProblem(f"the repairing model {section!r} has not been looked up")
    (found,) = planned_models((section,), None)
    return found


def _place(url: str) -> str:
    """Name a server by host and port, and by its path where that is not the usual one."""
    parts = urlsplit(display_url(url))
    host = parts.netloc.rpartition("@")[2]
    return host if parts.path == "/v1" else host + parts.path


def _refuse_twice(names: Sequence[str], what: str) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise UsageProblem(f"{what} named twice: {', '.join(twice)}")


def _entry_of(plan: Plan) -> ModelEntry | None:
    return plan.repairer.entry if plan.repairer else None


def _by_name(entry: ModelEntry | None) -> dict[str, str]:
    return {entry.name: entry.server} if entry else {}


def _task_hashes(manifest: Manifest) -> dict[str, str]:
    return {entry.task_id: entry.sha256 for entry in manifest.tasks}


def _changed(what: str, ours: dict[str, str], theirs: dict[str, str]) -> list[str]:
    names = sorted(ours.keys() | theirs.keys())
    different = [name for name in names if ours.get(name) != theirs.get(name)]
    shown = ", ".join(different[:5]) + (", …" if len(different) > 5 else "")  # noqa: PLR2004 - a list to read
    return [f"{what} {shown} changed"] if different else []
