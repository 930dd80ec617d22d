"""Which model servers answer on this machine, what they have, and which model is meant."""

import shlex
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from evaluator.errors import UsageProblem
from evaluator.safe_text import one_line
from evaluator.servers.addresses import (
    BadAddress,
    ModelSpec,
    display_url,
    normalise_base_url,
    parse_model_spec,
)
from evaluator.servers.serverinfo import RECORDED_OWNER, ModelInfo, ServerModels
from repair.errors import AuthFailed, LLMError

__all__ = [
    "RECORDED_OWNER",
    "USUAL_ADDRESSES",
    "BadAddress",
    "ModelChoice",
    "ModelInfo",
    "ModelSpec",
    "ServerModels",
    "bench_command",
    "choose",
    "discover",
    "display_url",
    "list_models",
    "normalise_base_url",
    "parse_model_spec",
]

USUAL_ADDRESSES = tuple(f"http://127.0.0.1:{port}/v1" for port in (1234, 11434, 8000, 8080))
"""Where LM Studio, Ollama, vLLM and llama.cpp listen unless told otherwise."""

_PROBE_S = 2.0
_MAX_LISTED = 20


class ModelChoice(UsageProblem):
    """Several models could be meant, and none was named. Exit code 2."""


def list_models(
    base_url: str, api_key: str | None = None, timeout_s: float = 10.0, *, trust_env: bool = True
) -> ServerModels:
    """Ask a server what it has, within `timeout_s` seconds in all; `trust_env` as in `OpenAIClient`.

    Raises:
        BadAddress: `base_url` makes no sense.
        Transient: nobody answers there, or not in time.
        AuthFailed: the key is not accepted.
        LLMError: what answers there is no model server.
    """
    from evaluator.servers.probe import ask_server  # noqa: PLC0415 - loads httpx2

    return ask_server(normalise_base_url(base_url), api_key, timeout_s, trust_env=trust_env)


def discover(
    addresses: Iterable[str] = USUAL_ADDRESSES, timeout_s: float = _PROBE_S
) -> tuple[ServerModels, ...]:
    """Ask all `addresses` at the same time, and return those that answer like a model server, in order."""
    urls = tuple(addresses)
    if not urls:
        return ()
    with ThreadPoolExecutor(len(urls), thread_name_prefix="discover") as pool:
        found = pool.map(lambda url: _probe(url, timeout_s), urls)
        return tuple(server for server in found if server is not None)


BENCH: Final = "mendbench bench --model"


def choose(servers: Sequence[ServerModels], command: str = BENCH) -> tuple[ServerModels, ModelInfo] | None:
    """Find the one loaded chat model; None if there is none.

    A model counts as loaded unless its server says that it is not. `command` is what a model's name follows.

    Raises:
        ModelChoice: there are several; the message has the command for each.
    """
    loaded = [(s, m) for s in servers for m in s.models if m.chat and m.loaded is not False]
    if len(loaded) > 1:
        lines = [f"  {bench_command(server, model, command)}" for server, model in loaded[:_MAX_LISTED]]
        lines += (
            [f"  … {len(loaded) - _MAX_LISTED} more: mendbench models"] if len(loaded) > _MAX_LISTED else []
        )
        listed = "\n".join(lines)
        raise ModelChoice(f"{len(loaded)} models are loaded and none was named. Name one:\n{listed}")
    return loaded[0] if loaded else None


def bench_command(server: ServerModels, model: ModelInfo, command: str = BENCH) -> str:
    """Give the command that runs the bench with this model, to be copied into a shell."""
    return f"{command} {shlex.quote(one_line(f'{model.id}@{server.shown}'))}"


def _probe(url: str, timeout_s: float) -> ServerModels | None:
    try:
        return list_models(url, timeout_s=timeout_s)
    except AuthFailed as exc:
        return ServerModels(base_url=url, problem=str(exc))
    except LLMError:
        # Some other program has the port.
        return None
