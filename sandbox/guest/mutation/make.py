"""Child: make the mutants of the script, and write them into the file that the warden has given.

Nothing of the script or of the suite runs here, so which of them are mutants, and which only look like it,
is known to the warden and to nobody else.
"""

import ast
import json
import marshal
import os
import random
import warnings
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from types import CodeType
from typing import Any, NoReturn

from .. import suite
from ..child import REPORT_FD
from ..names import bound_names
from ..report import Reporter
from . import instrument, sites, variants
from .change import Change
from .hints import hints

FILE_FD = 5
MAX_BYTES = 10 * 1024 * 1024
MAX_EXTREMES = 80
MAX_NULLS = 16
MAX_COSMETIC = 10
MAX_SITES = 20_000
REFUSALS = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError, TypeError)


def main() -> NoReturn:
    """Make them."""
    warnings.simplefilter("ignore")
    spec = suite.read_spec()
    source = spec["script"].encode("utf-8", "surrogatepass")
    reporter = Reporter(REPORT_FD)
    reporter.send("hints", **_hints(source, spec["tests"].encode("utf-8", "surrogatepass")))
    try:
        maker = Maker(source, spec["seed"])
        maker.fill(spec["mutants"])
    except REFUSALS as exc:
        reporter.send("unmade", why=f"{type(exc).__name__}: {exc}"[:500])
        os._exit(0)
    with os.fdopen(FILE_FD, "wb") as file:
        file.write(json.dumps(maker.result()).encode())
    reporter.send("made", count=len(maker.tasks), found=maker.found)
    os._exit(0)


def _hints(script: bytes, tests: bytes) -> dict[str, Any]:
    try:
        return hints(tests, bound_names(script)["names"])
    except REFUSALS:
        return {}


class Maker:
    """One script's mutants."""

    def __init__(self, source: bytes, seed: int) -> None:
        """Parse and compile the unchanged script.

        Raises:
            those of REFUSALS: the compiler refuses, or the script is too deep for it.
        """
        self._source = source
        tree = ast.parse(source)
        self._flags = instrument.future_flags(tree)
        self._pieces = instrument.pieces(tree)
        instrument.instrument(tree)
        self.base = [self._compile(piece) for piece in self._pieces]
        self._seen = {(at, instrument.fingerprint(code)) for at, code in enumerate(self.base)}
        self._random = random.Random(seed)  # noqa: S311 -- a sample that is the same every time
        self._bytes = 0
        self.tasks: list[dict[str, Any]] = []
        self.found = 0
        """Places and ways to change the script, before any is left out."""
        self.left_out = {"equivalent": 0, "uncompilable": 0}

    def _compile(self, piece: ast.stmt) -> CodeType:
        return instrument.compile_piece(piece, suite.SOLUTION, self._flags)

    def fill(self, mutants: int) -> None:
        """Draw the mutants, and add the extreme and the null versions."""
        found: list[tuple[int, Change]] = []
        for at, piece in enumerate(self._pieces):
            found += [(at, change) for change in sites.changes(piece)]
            if len(found) > MAX_SITES:
                break
        self.found = len(found)
        real = [entry for entry in found if not entry[1].cosmetic]
        cosmetic = [entry for entry in found if entry[1].cosmetic]
        self._take("mutant", self._drawn(real), mutants)
        self._take("cosmetic", self._drawn(cosmetic), min(MAX_COSMETIC, mutants))
        if mutants:
            pieces = list(enumerate(self._pieces))
            self._take(
                "extreme", [(at, c) for at, piece in pieces for c in variants.extremes(piece)], MAX_EXTREMES
            )
            self._add_stub()
            nulls = [(at, c) for at, piece in pieces for c in variants.nulls(piece)]
            self._random.shuffle(nulls)
            self._take("null", nulls, MAX_NULLS)
            self._add("null", 0, None, self.base[0], cold=True) if self.base else None

    def _drawn(self, found: list[tuple[int, Change]]) -> Iterator[tuple[int, Change]]:
        """Put the changes in an order in which any beginning is a fair sample: by function and operator."""
        groups: dict[tuple[str, str], list[tuple[int, Change]]] = defaultdict(list)
        for entry in found:
            groups[entry[1].scope, entry[1].operator].append(entry)
        for group in groups.values():
            self._random.shuffle(group)
            group.sort(key=lambda entry: entry[1].rank)
        order = list(groups.values())
        self._random.shuffle(order)
        return chain.from_iterable(_rounds(order))

    def _take(self, kind: str, changes: Iterable[tuple[int, Change]], most: int) -> None:
        taken = 0
        for at, change in changes:
            if taken >= most or self._bytes > MAX_BYTES:
                return
            taken += self._try(kind, at, change)

    def _try(self, kind: str, at: int, change: Change) -> bool:
        try:
            with change.applied():
                code = self._compile(self._pieces[at])
        except REFUSALS:
            self.left_out["uncompilable"] += 1
            return False
        mark = (at, instrument.fingerprint(code))
        if kind != "null" and mark in self._seen:
            # The same program as the script, or as another mutant.
            self.left_out["equivalent"] += 1
            return False
        self._seen.add(mark)
        cold = instrument.changes_outside_functions(self.base[at], code)
        self._add(kind, at, change, code, cold=cold)
        return True

    def _add(self, kind: str, at: int, change: Change | None, code: CodeType, *, cold: bool) -> None:
        data = b64encode(marshal.dumps(code)).decode()
        self._bytes += len(data)
        place = (
            {"line": 1, "column": 0, "end_line": 1, "end_column": 0} if change is None else change.location()
        )
        self.tasks.append(
            {
                "kind": kind,
                "operator": "NUL" if change is None else change.operator,
                "scope": "" if change is None else change.scope,
                "text": "" if change is None or kind == "null" else change.text(),
                **place,
                "task": {
                    "piece": at,
                    "code": data,
                    "cold": cold,
                    "lines": [0, 0] if change is None else [change.first, change.last],
                },
            }
        )

    def _add_stub(self) -> None:
        names = [name for name in bound_names(self._source)["names"] if name.isidentifier()]
        public = [name for name in names if not name.startswith("_")]
        text = f"{variants.ANYTHING}\n__all__ = {public!r}\n"
        code = compile(text, suite.SOLUTION, "exec", dont_inherit=True)
        self._add("extreme", -1, None, code, cold=True)
        self.tasks[-1]["operator"] = "XST"

    def result(self) -> dict[str, Any]:
        """Return all that was made."""
        base = [b64encode(marshal.dumps(code)).decode() for code in self.base]
        return {"base": base, "tasks": self.tasks, "found": self.found, "left_out": self.left_out}


def _rounds(groups: list[list[Any]]) -> Iterator[list[Any]]:
    """Yield the first of each group, then the second, and so on."""
    for number in range(max(map(len, groups), default=0)):
        yield [group[number] for group in groups if number < len(group)]
