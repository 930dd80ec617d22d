"""Content keys: what is found again is found by what it is, never by a file name."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from repair.llm import Request
from sandbox.types import PROFILES, ImageInfo, Job


def digest(value: Any) -> str:
    """Hash any JSON-ready value by its canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def text_sha256(text: str) -> str:
    """Hash a text; lone surrogates count as themselves."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def completion_key(server: str, model: str, request: Request) -> str:
    """Key of a reply: (server, model, sampling, messages, task, template, sample, arm, call number)."""
    sampling = request.sampling
    return digest(
        {
            "server": server,
            "model": model,
            "sampling": {
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "max_tokens": sampling.max_tokens,
                "seed": sampling.seed,
                "extra": _plain(sampling.extra),
            },
            "messages": [asdict(message) for message in request.messages],
            "call": {**asdict(request.call), "arm": str(request.call.arm)},
        }
    )


def verdict_key(job: Job, image: ImageInfo, *, repeat_no: int = 0) -> str:
    """Key of a run's facts: (script, tests, image, guest, limits and profile, grading, hash seed, repeat)."""
    return digest(
        {
            "script": text_sha256(job.script),
            "tests": None if job.tests is None else text_sha256(job.tests),
            "image": image.identity,
            "guest": image.guest_version,
            "limits": asdict(job.limits),
            "profile": asdict(PROFILES[job.profile]),
            "level": str(job.level),
            "hash_seed": job.hash_seed,
            "may_skip": sorted(job.may_skip),
            "stdin": text_sha256(job.stdin),
            "argv": list(job.argv),
            "repeat_no": repeat_no,
            **({} if job.suite is None else {"suite": asdict(job.suite)}),
        }
    )


def derived_int(bits: int, *parts: str | int) -> int:
    """Derive a stable non-negative integer of `bits` bits from a seed and names (model seeds, hash seeds)."""
    return int(digest([str(part) for part in parts])[:16], 16) >> (64 - bits)


def _plain(value: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(dict(value), sort_keys=True, default=str))
