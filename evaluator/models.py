"""Which models a run is about: named ones, the one that is loaded, or the recorded demo."""

from collections.abc import Sequence
from contextlib import ExitStack

from evaluator.config import Config, ModelSection, api_key
from evaluator.errors import UsageProblem
from evaluator.plan import Plan, make_plan
from evaluator.servers import (
    ModelSpec,
    ServerModels,
    choose,
    discover,
    list_models,
    parse_model_spec,
)
from repair.errors import BadReply, ModelMissing, RequestRefused

DEMO_CONCURRENCY = 4


def named_models(
    config: Config, specs: Sequence[str], api_key_env: str | None = None
) -> tuple[ModelSection, ...]:
    """Give the models of the configuration, or those that the command line names instead.

    A name without an address is looked up in the configuration, then on the servers of this machine.

    Raises:
        UsageProblem: a name is on no server, or on several.
    """
    if not specs:
        return config.models
    return tuple(_named(parse_model_spec(text), config, api_key_env) for text in specs)


def loaded_model() -> tuple[ModelSection, ...]:
    """Give the one chat model that is loaded on this machine, if there is just one; nothing if there is none.

    Raises:
        ModelChoice: several are loaded; lists the command for each.
    """
    chosen = choose(discover())
    if chosen is None:
        return ()
    server, model = chosen
    return (ModelSection(name=model.id, base_url=server.base_url),)


def demo_plan(config: Config, stack: ExitStack) -> Plan:
    """Serve the recorded replies for as long as `stack` lives, and plan a run over them.

    Raises:
        UsageProblem: more samples are wanted than were recorded.
    """
    from evaluator.recorded import RecordedServer  # noqa: PLC0415 - only the demo needs it
    from prompts.recordings import demo_root, load_recordings, recordings_sha256  # noqa: PLC0415

    if config.bench.samples != 1:
        raise UsageProblem("the recorded demo has one reply per task: leave out --samples, or name a model")
    recordings = load_recordings(demo_root())
    server = stack.enter_context(RecordedServer(recordings))
    models = [
        ModelSection(name=name, base_url=server.base_url, concurrency=DEMO_CONCURRENCY)
        for name in sorted(recordings)
    ]
    # The port differs from run to run; the replies are what the server is.
    server_id = f"recorded:{recordings_sha256(recordings)[:16]}"
    return make_plan(config, models, recorded_demo=True, server_id=server_id)


def recorded_models(plan: Plan) -> frozenset[str]:
    """Look at every server before the run, and give the labels of the models that are recordings.

    Raises:
        Transient: nobody answers at an address.
        AuthFailed: a key is not accepted.
        ConfigProblem: the key that a model's section names is not in the environment.
    """
    recorded = set()
    for model in plan.models:
        try:
            server = list_models(model.section.base_url, api_key(model.section))
        except (BadReply, ModelMissing, RequestRefused):
            continue  # some servers list no models and answer all the same
        if server.recorded:
            recorded.add(model.entry.label)
    return frozenset(recorded)


def _named(spec: ModelSpec, config: Config, api_key_env: str | None) -> ModelSection:
    if spec.base_url is not None:
        known = next((model for model in config.models if model.name == spec.name), None)
        base = known or ModelSection(name=spec.name, base_url=spec.base_url)
        update = {"base_url": spec.base_url, "api_key_env": api_key_env or base.api_key_env}
        return base.model_copy(update=update)
    configured = [model for model in config.models if model.name == spec.name]
    if len(configured) == 1:
        return configured[0]
    return ModelSection(name=spec.name, base_url=_server_of(spec.name).base_url, api_key_env=api_key_env)


def _server_of(name: str) -> ServerModels:
    servers = discover()
    having = [server for server in servers if any(model.id == name for model in server.models)]
    if len(having) == 1:
        return having[0]
    if having:
        commands = "\n".join(f"  --model '{name}@{server.shown}'" for server in having)
        raise UsageProblem(f"model {name!r} is on several servers. Say which one:\n{commands}")
    answered = ", ".join(server.shown for server in servers) or "none"
    raise UsageProblem(
        f"model {name!r} is on no server of this machine (answered: {answered}). "
        f"Name its server: --model '{name}@http://HOST:PORT/v1'"
    )
