"""Recorded replies, found by the call that they answer. They were written by hand; no model made them.

`<folder>/<model>/<batch>/<task>.yaml` is a list of entries:

    - calls: [default/0/repair/0, plan/0/repair/2+]
      content: |
        the reply; null for a reply without content
      reasoning: what a server keeps apart as reasoning (optional)
      finish_reason: stop or length
      prompt_tokens: 120
      completion_tokens: 80

A call is `template/sample/arm/call_no`; `2+` stands for call 2 and every later one.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from prompts.errors import RecordingError
from prompts.strict_yaml import StrictLoader, line_of, problem_of

LAST_CALL = 15
"""The last call that `n+` stands for; more than any loop makes by default."""
_CALL = re.compile(r"(?P<draw>[a-z0-9_-]+/[0-9]+/(?:repair|control))/(?P<number>[0-9]+)(?P<on>\+?)")
_FINISH = ("stop", "length")
_KEYS = frozenset({"calls", "content", "reasoning", "finish_reason", "prompt_tokens", "completion_tokens"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One recorded reply."""

    content: str | None
    reasoning: str = ""
    finish_reason: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


Recordings = Mapping[str, Mapping[str, Reply]]
"""Model → call (`task_id/template/sample/arm/call_no`) → reply."""


def demo_root() -> Path:
    """The folder of the recorded replies that ship with the project."""
    return Path(__file__).resolve().parent / "demo"


def writers_root() -> Path:
    """The folder of the recorded test suites that ship with the project."""
    return demo_root() / "writers"


def load_recordings(folder: Path) -> dict[str, dict[str, Reply]]:
    """Load every recorded reply below `folder`, by model and call.

    Raises:
        RecordingError: there is none, or a file is broken; says which file, entry and line.
    """
    recordings: dict[str, dict[str, Reply]] = {}
    for path in sorted(folder.glob("*/*/*.yaml")):
        batch = path.parent
        replies = recordings.setdefault(batch.parent.name, {})
        for call, reply in _read(path):
            replies[f"{batch.name}/{path.stem}/{call}"] = reply
    if not recordings:
        raise RecordingError(f"{folder}: no recorded replies (MODEL/BATCH/TASK.yaml) here")
    return recordings


def recordings_sha256(recordings: Recordings) -> str:
    """Hash of all replies and the calls they answer."""
    plain = {
        model: {call: asdict(reply) for call, reply in replies.items()}
        for model, replies in recordings.items()
    }
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> Iterator[tuple[str, Reply]]:
    seen: set[str] = set()
    for number, (line, entry) in enumerate(_entries(path), start=1):
        where = f"{path}:{line}: entry {number}"
        reply = _reply(entry, where)
        for call in _calls(entry["calls"], where):
            if call in seen:
                raise RecordingError(f"{where}: call `{call}` has a reply already; remove one of them")
            seen.add(call)
            yield call, reply


def _entries(path: Path) -> list[tuple[int, dict[str, Any]]]:
    try:
        loader = StrictLoader(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecordingError(f"{path}: cannot be read: {error}; save the file as UTF-8 text") from None
    try:
        root = loader.get_single_node()
        values = loader.construct_document(root) if root else None
    except yaml.YAMLError as error:
        raise RecordingError(f"{path}:{line_of(error) + 1}: bad YAML: {problem_of(error)}") from None
    finally:
        loader.dispose()
    if not isinstance(values, list) or not values or not all(isinstance(entry, dict) for entry in values):
        raise RecordingError(f"{path}:1: must be a list of entries, each with `calls` and `content`")
    return [(node.start_mark.line + 1, entry) for node, entry in zip(root.value, values, strict=True)]


def _reply(entry: Mapping[str, Any], where: str) -> Reply:
    missing = {"calls", "content"} - entry.keys()
    unknown = entry.keys() - _KEYS
    if missing or unknown:
        faults = [f"`{key}` is missing" for key in sorted(missing)]
        faults += [f"unknown key `{key}`" for key in sorted(map(str, unknown))]
        raise RecordingError(f"{where}: {', '.join(faults)}")
    reply = Reply(**{key: value for key, value in entry.items() if key != "calls"})
    if reply.finish_reason not in _FINISH:
        raise RecordingError(f"{where}: finish_reason must be one of {', '.join(_FINISH)}")
    if not isinstance(reply.content, str | None) or not isinstance(reply.reasoning, str):
        raise RecordingError(f"{where}: content and reasoning must be texts; quote them")
    if not all(_is_count(count) for count in (reply.prompt_tokens, reply.completion_tokens)):
        raise RecordingError(f"{where}: token counts must be whole numbers")
    return reply


def _is_count(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def _calls(calls: object, where: str) -> Iterator[str]:
    if not isinstance(calls, Sequence) or isinstance(calls, str) or not calls:
        raise RecordingError(f"{where}: calls must be a list such as [default/0/repair/0]")
    for call in calls:
        match = _CALL.fullmatch(str(call))
        if match is None:
            raise RecordingError(f"{where}: bad call `{call}`; write template/sample/repair/number")
        first = int(match["number"])
        for number in range(first, LAST_CALL + 1 if match["on"] else first + 1):
            yield f"{match['draw']}/{number}"
