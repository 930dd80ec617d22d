"""Code inside of data: JSON objects, calls of tools, notebooks, YAML."""

import ast
import json
import re
from collections.abc import Iterator

from repair.cleaning.fallback import looks_like_code
from repair.cleaning.lines import Lines, join_lines, resplit, trim_blank
from repair.cleaning.oracle import Oracle, quietly
from repair.cleaning.rank import Candidate
from repair.cleaning.rules import edit
from repair.cleaning.scene import Scene, all_blocks, candidate
from repair.cleaning.typography import without_colours

_TELLING = re.compile(
    r"code|solution|script|python|answer|source|content|program|completion|implementation|file_text|cmd|command",
    re.IGNORECASE,
)
_MAX_DEPTH = 6
_MAX_STRINGS = 40
_MAX_STARTS = 3
_STARTS = ("{", "[", '"', "'")
_TRIPLE = ('"""', "'''")
_YAML_KEY = re.compile(
    r"(?P<key>(?:python_)?code|solution|script|python|answer|source|content|program|completion)"
    r":[ ]*[|>][-+]?[ ]*$"
)

Found = tuple[str, str]
"""A key, and the string under it."""


def from_data(scene: Scene) -> list[Candidate]:
    """The answer is a JSON object, list or string, or a YAML block, that carries the code."""
    lines = trim_blank(scene.lines)
    return [*in_data(lines, scene.oracle), *_from_yaml(lines, scene)]


def in_data(lines: Lines, oracle: Oracle) -> Iterator[Candidate]:
    """Candidates from the strings of a JSON value, or of a Python literal, with prose around it at most."""
    if not lines:
        return
    text = join_lines(lines).strip()
    value = _loaded(text, oracle)
    if value is None:
        return
    span = (lines[0].start, lines[-1].end)
    for number, (key, code) in enumerate(_codes(value)):
        done = edit("json", detail=key[:40], dropped_chars=len(text) - len(code))
        inner = resplit(without_colours(code), span)
        whole = candidate(inner, oracle, done)
        if whole is not None and whole.facts.substance:
            yield whole
            continue
        found = [candidate(block.lines, oracle, done) for block in all_blocks(inner, oracle)]
        good = [one for one in found if one is not None and one.facts.substance]
        yield from good
        if not good and not number and key and whole is not None and looks_like_code(inner):
            yield whole


def _loaded(text: str, oracle: Oracle) -> object:
    starts = [match.start() for match in re.finditer(r'^[ \t]*(?=[{\["])', text, re.MULTILINE)][:_MAX_STARTS]
    for start in starts:
        try:
            value, _ = json.JSONDecoder(strict=False).raw_decode(text[start:].lstrip())
        except (ValueError, RecursionError):
            continue
        if not isinstance(value, str) or start == 0:
            return value
    if text[:1] in _STARTS and not text.startswith(_TRIPLE) and oracle.facts(text).compiles:
        try:
            with quietly():
                return ast.literal_eval(text)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return None
    return None


def _codes(value: object) -> list[Found]:
    """Strings that may be code: those under telling keys first and alone, if there are any."""
    found: list[Found] = []
    _collect("", value, found, 0)
    telling = [one for one in found if _TELLING.search(one[0])]
    return telling or found


def _collect(key: str, value: object, found: list[Found], depth: int) -> None:
    if depth > _MAX_DEPTH or len(found) >= _MAX_STRINGS:
        return
    if isinstance(value, str):
        inner = _object_in(value)
        if inner is None:
            found.append((key, value))
        else:
            _collect(key, inner, found, depth + 1)
    elif isinstance(value, dict):
        cells = value.get("cells")
        if isinstance(cells, list):
            found.append(("source", _notebook(cells)))
            return
        for name, item in value.items():
            _collect(str(name), item, found, depth + 1)
    elif isinstance(value, list):
        if value and all(isinstance(item, str) for item in value) and len(value) > 1:
            found.append((key, "".join(item if item.endswith("\n") else f"{item}\n" for item in value)))
            return
        for item in value:
            _collect(key, item, found, depth + 1)


def _object_in(text: str) -> object:
    """Arguments of a call are JSON inside of JSON."""
    if text[:1] != "{" or text.rstrip()[-1:] != "}":
        return None
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _notebook(cells: list[object]) -> str:
    """The code cells of a notebook, one below the other."""
    sources = [
        cell.get("source", "") for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code"
    ]
    texts = ["".join(map(str, source)) if isinstance(source, list) else str(source) for source in sources]
    return "\n\n".join(texts)


def _from_yaml(lines: Lines, scene: Scene) -> Iterator[Candidate]:
    """`code: |`, and what is indented below it."""
    for number, line in enumerate(lines):
        match = _YAML_KEY.match(line.text) if line.text[-1:] in {"|", ">", "-", "+", " "} else None
        if match is None:
            continue
        below = lines[number + 1 :]
        end = next((at for at, each in enumerate(below) if each.text[:1].strip()), len(below))
        body = trim_blank(below[:end])
        one = candidate(body, scene.oracle, scene.taken("yaml", body, match["key"]))
        if one is not None and one.facts.substance:
            yield one
