"""One strategy in a process of its own: a JSON line with a reply in, a JSON line with the code out.

Runs in our environment (`python -m perf.cleaning.host ours`) and, as a file, in that of a peer, so that
nothing but the standard library is imported before the strategy is known. Times are those of the processor:
what else the machine does is not the strategy's doing.
"""

import ast
import gc
import json
import re
import sys
import time
import types
import warnings
from collections.abc import Callable
from typing import Any

Strategy = Callable[[str, "dict[str, Any]"], "tuple[str | None, bool]"]
"""From a reply and what was asked for to the code and whether it is said to be lossy."""
BLOCK = re.compile(r"```[^\n]*\n(.*?)```", re.DOTALL)


def main() -> None:
    """Answer until the input ends."""
    warnings.simplefilter("ignore")
    strategy = STRATEGIES[sys.argv[1]]()
    strategy("```python\nx = 1\n```", {"required": [], "kind": "script"})
    gc.freeze()
    if sys.argv[1] == "ours":
        from repair.cleaning.caged_worker import settle  # noqa: PLC0415 a peer's environment lacks it

        settle()  # as the children do in which the bench cleans
    for line in sys.stdin:
        asked = json.loads(line)
        sys.stdout.write(json.dumps(_answer(strategy, asked)) + "\n")
        sys.stdout.flush()


def _answer(strategy: Strategy, asked: dict[str, Any]) -> dict[str, Any]:
    began = time.process_time()
    try:
        code, lossy = strategy(asked["text"], asked)
        took = time.process_time() - began
        # Left out on request: it doubles the time, and it is asked of ours alone.
        stable = not asked["twice"] or code is None or strategy(code, asked)[0] == code
    except Exception as error:  # noqa: BLE001 whatever a strategy raises is a finding
        return {"error": f"{type(error).__name__}: {error}"[:300], "ms": 1000 * (time.process_time() - began)}
    return {"code": code, "lossy": lossy, "ms": 1000 * took, "stable": stable}


def _ours() -> Strategy:
    from repair.cleaning.clean import Asked, clean_reply  # noqa: PLC0415 a peer's environment lacks it
    from repair.script import CleanOutcome  # noqa: PLC0415

    def run(text: str, asked: dict[str, Any]) -> tuple[str | None, bool]:
        script = clean_reply(text, asked=Asked(required=tuple(asked["required"]), kind=asked["kind"]))
        return script.code, script.outcome in {CleanOutcome.LOSSY, CleanOutcome.LLM_CLEANED}

    return run


def _evalplus() -> Strategy:
    # Its data module, for the command line alone, wants a large package of data sets.
    data = types.ModuleType("evalplus.data")
    for name in ("get_human_eval_plus", "get_mbpp_plus", "load_solutions", "write_directory", "write_jsonl"):
        setattr(data, name, None)
    sys.modules["evalplus.data"] = data
    from evalplus.sanitize import sanitize  # type: ignore[import-not-found] # noqa: PLC0415

    return lambda text, asked: (sanitize(text, (asked["required"] or [None])[0]) or None, False)


def _inspect_evals() -> Strategy:
    # The file alone: its package imports a whole framework.
    import importlib.util  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    found = importlib.util.find_spec("inspect_evals")
    assert found is not None
    assert found.origin is not None
    spec = importlib.util.spec_from_file_location("peer", Path(found.origin).parent / "utils" / "code.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda text, _: (module.extract_code_block(text) or None, False)


def _markdown_it() -> Strategy:
    from markdown_it import MarkdownIt  # noqa: PLC0415

    parser = MarkdownIt()

    def run(text: str, _: dict[str, Any]) -> tuple[str | None, bool]:
        blocks = [token.content for token in parser.parse(text) if token.type in {"fence", "code_block"}]
        return max(blocks, key=len, default=None), False

    return run


def _picking(pick: Callable[[list[str], str], str | None]) -> Callable[[], Strategy]:
    return lambda: lambda text, _: (pick(BLOCK.findall(text), text), False)


def _parsing(blocks: list[str], text: str) -> list[str]:
    return [each for each in (*blocks, text) if each.strip() and _parses(each)]


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "ours": _ours,
    "as is": _picking(lambda _, text: text),
    "first block": _picking(lambda blocks, text: (blocks or [text])[0]),
    "last block": _picking(lambda blocks, text: (blocks or [text])[-1]),
    "longest block": _picking(lambda blocks, text: max(blocks or [text], key=len)),
    "longest that parses": _picking(lambda blocks, text: max(_parsing(blocks, text), key=len, default=None)),
    "last that parses": _picking(lambda blocks, text: next(iter((*_parsing(blocks[::-1], text), None)))),
    "markdown-it-py, longest block": _markdown_it,
    "EvalPlus sanitize": _evalplus,
    "inspect_evals extract_code_block": _inspect_evals,
}

if __name__ == "__main__":
    main()
