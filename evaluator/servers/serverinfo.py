"""What is known of a model server and its models."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repair.server_errors import display_url

RECORDED_OWNER = "mendbench-recorded"
"""Who owns the models of a server of recorded replies."""

_NOT_CHAT = re.compile(
    r"(?:^|[-_/.:\s])"
    r"(?:embed(?:ding)?s?|bge|gte|e5|minilm|rerank(?:er)?|colbert|clip|whisper|transcribe|tts|"
    r"dall-e|stable-diffusion|moderation|davinci|babbage)"
    r"(?:$|[-_/.:\s])",
    re.IGNORECASE,
)
_SERVED = {"vllm": "vllm", "sglang": "sglang", "llamacpp": "llama.cpp", RECORDED_OWNER: "recorded"}
"""Owners of servers that list only what they serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """A model as its server lists it. What the server does not tell is None."""

    id: str
    owned_by: str = ""
    loaded: bool | None = None
    chat: bool = True
    """False for embeddings and the like, by what the server says or by the name."""
    context: int | None = None
    """Tokens of context that it is served with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerModels:
    """A server that answered. `problem` says why it lists no models."""

    base_url: str
    kind: str = ""
    """What runs there, such as `ollama`; empty if it does not show."""
    models: tuple[ModelInfo, ...] = ()
    problem: str = ""

    @property
    def shown(self) -> str:
        """The address without credentials."""
        return display_url(self.base_url)

    @property
    def recorded(self) -> bool:
        """Whether the replies are recordings: no model answers here."""
        return any(model.owned_by == RECORDED_OWNER for model in self.models)


def kind_of(models: tuple[ModelInfo, ...]) -> str:
    """Tell the server by the owner of its models; empty if that does not show."""
    return next((_SERVED[model.owned_by] for model in models if model.owned_by in _SERVED), "")


def model_info(entry: Mapping[str, Any]) -> ModelInfo:
    """Read one entry of `/v1/models`."""
    name, owner = str(entry["id"]), str(entry.get("owned_by") or "")
    return ModelInfo(
        id=name,
        owned_by=owner,
        loaded=_loaded(entry, owner),
        chat=is_chat(name),
        context=_context(entry),
    )


def is_chat(name: str) -> bool:
    """Tell by its name whether a model chats."""
    return _NOT_CHAT.search(name) is None


def count(value: object) -> int | None:
    """A positive whole number, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _context(entry: Mapping[str, Any]) -> int | None:
    """Tokens of one request: `max_model_len` of vLLM, `meta.n_ctx` of llama.cpp."""
    meta = entry.get("meta")
    slot = meta.get("n_ctx") if isinstance(meta, Mapping) else None
    return count(entry.get("max_model_len")) or count(slot)


def _loaded(entry: Mapping[str, Any], owner: str) -> bool | None:
    # llama.cpp in router mode lists models that it would load, with their status.
    status = entry.get("status")
    if isinstance(status, Mapping) and status.get("value"):
        return bool(status["value"] == "loaded")
    return True if owner in _SERVED else None
