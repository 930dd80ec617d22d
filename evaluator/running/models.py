"""Which models a run is about: named ones, the one that is loaded, or the recorded demo."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack

from evaluator.config import Config, ModelSection, api_key
from evaluator.errors import UsageProblem
from evaluator.running.plan import Plan, make_plan
from evaluator.servers.find import (
    BENCH,
    ModelSpec,
    ServerModels,
    choose,
    discover,
    display_url,
    list_models,
    normalise_base_url,
    parse_model_spec,
)
from repair.errors import BadReply, ModelMissing, RequestRefused
from repair.llm import Arm

DEMO_CONCURRENCY = 4


def named_models(
    config: Config, specs: Sequence[str], api_key_env: str | None = None, *, flag: str = "--model"
) -> tuple[ModelSection, ...]:
    """Give the models of the configuration, or those that the command line names instead.

    A name without an address is looked up in the configuration, then on the servers of this machine.
    `flag` is how the command line names them.

    Raises:
        UsageProblem: a name is on no server, or on several.
    """
    if not specs:
        update = {"api_key_env": api_key_env} if api_key_env else {}
        return tuple(model.model_copy(update=update) for model in config.models)
    return tuple(_named(parse_model_spec(text), config, api_key_env, flag) for text in specs)


def repairing_model(config: Config) -> ModelSection | None:
    """Give the model that repairs, where it is another one, looked up as a measured one is.

    Raises:
        UsageProblem: its name is on no server, or on several.
    """
    named = config.repair.model
    if not isinstance(named, str):
        return named
    return _named(parse_model_spec(named), config, None, flag="--repair-model")


def loaded_model(command: str = BENCH) -> tuple[ModelSection, ...]:
    """Give the one chat model that is loaded on this machine, if there is just one; nothing if there is none.

    Raises:
        ModelChoice: several are loaded; lists the command for each.
    """
    chosen = choose(discover(), command)
    if chosen is None:
        return ()
    server, model = chosen
    return (ModelSection(name=model.id, base_url=server.base_url),)


def demo_plan(config: Config, stack: ExitStack) -> Plan:
    """Serve the recorded replies for as long as `stack` lives, and plan a run over them.

    Raises:
        UsageProblem: more samples are wanted than were recorded.
    """
    from evaluator.replay.recorded import RecordedServer  # noqa: PLC0415 - only the demo needs it
    from prompts.recordings import demo_root, load_recordings, recordings_sha256  # noqa: PLC0415

    if config.repair.model is not None:
        raise UsageProblem("the recorded demo asks no model, and none can repair: name the model to measure")
    if config.bench.samples != 1:
        raise UsageProblem("the recorded demo has one reply per task: leave out --samples, or name a model")
    recordings = load_recordings(demo_root())
    server = stack.enter_context(RecordedServer(recordings))
    _refuse_unrecorded(config, recordings.values())
    models = [
        ModelSection(name=name, base_url=server.base_url, concurrency=DEMO_CONCURRENCY)
        for name in sorted(recordings)
    ]
    # The port differs from run to run; the replies are what the server is.
    server_id = f"recorded:{recordings_sha256(recordings)[:16]}"
    if config.repair.control is None:
        repair = config.repair.model_copy(update={"control": True})
        config = config.model_copy(update={"repair": repair})
    return make_plan(config, models, recorded_demo=True, server_id=server_id)


def _refuse_unrecorded(config: Config, replies: Iterable[Mapping[str, object]]) -> None:
    """Make sure that the demo has replies for what was asked for: it knows the shipped tasks alone."""
    calls = {call for recorded in replies for call in recorded}
    plan = make_plan(config, ())
    for task in plan.tasks:
        for template in plan.templates:
            if f"{task.task_id}/{template.name}/0/{Arm.REPAIR}/0" not in calls:
                raise UsageProblem(
                    "no model was named, none is loaded on this machine, and the recorded demo has no reply "
                    f"for task {task.task_id} with template {template.name}. Name a model: "
                    "--model NAME@http://HOST:PORT/v1"
                )


def recorded_models(plan: Plan) -> frozenset[str]:
    """Look at every server before the run, and give the labels of the models that are recordings.

    Raises:
        Transient: nobody answers at an address.
        AuthFailed: a key is not accepted.
        ConfigProblem: the key that a model's section names is not in the environment.
    """
    recorded = set()
    others = [other for other in (plan.repairer, plan.test_writer) if other]
    for model in (*plan.models, *others):
        try:
            trust_env = plan.config.server.trust_env
            server = list_models(model.section.base_url, api_key(model.section), trust_env=trust_env)
        except (BadReply, ModelMissing, RequestRefused):
            continue  # some servers list no models and answer all the same
        if server.recorded:
            recorded.add(model.entry.label)
    return frozenset(recorded)


def _named(spec: ModelSpec, config: Config, api_key_env: str | None, flag: str) -> ModelSection:
    known = [model for model in config.models if model.name == spec.name]
    if spec.base_url is not None:
        # Key and parameters belong to an address: nothing of another server's section is sent there.
        place = display_url(spec.base_url)
        known = [model for model in known if display_url(normalise_base_url(model.base_url)) == place]
    if len(known) > 1:
        raise UsageProblem(_which(spec.name, [display_url(model.base_url) for model in known], flag))
    url = spec.base_url or (known[0].base_url if known else _server_of(spec.name, flag).base_url)
    section = known[0] if known else ModelSection(name=spec.name, base_url=url)
    return section.model_copy(update={"base_url": url, "api_key_env": api_key_env or section.api_key_env})


def _which(name: str, places: Sequence[str], flag: str) -> str:
    commands = "\n".join(f"  {flag} '{name}@{place}'" for place in places)
    return f"model {name!r} is on several servers. Say which one:\n{commands}"


def _server_of(name: str, flag: str) -> ServerModels:
    servers = discover()
    having = [server for server in servers if any(model.id == name for model in server.models)]
    if len(having) == 1:
        return having[0]
    if having:
        raise UsageProblem(_which(name, [server.shown for server in having], flag))
    answered = ", ".join(server.shown for server in servers) or "none"
    raise UsageProblem(
        f"model {name!r} is on no server of this machine (answered: {answered}). "
        f"Name its server: {flag} '{name}@http://HOST:PORT/v1'"
    )
