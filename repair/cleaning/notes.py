"""What is seen in code that compiles and is left alone: said beside the script, never edited."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from repair.cleaning.oracle import AT_MARGIN, Facts, parsed

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_REPEATABLE = frozenset({"overload", "setter", "getter", "deleter", "register"})
_MAX_NAMED = 3
_RUNS = re.compile(
    r"^(?!(?:def|class|async[ ]def|import|from|if|elif)[ ]|else:|\w+ = )[^\s#@)\]}]", re.MULTILINE
)
"""A line at the margin that may do more than define or import."""
_NOT_BY_LINE = ("\r", "\f", "\\\n", "input")
_DOUBTS = (*_NOT_BY_LINE, ";")
_INDENTS = frozenset(" \t")


def flags(facts: Facts) -> tuple[str, ...]:
    """`redefined: f` (the last one counts), `runs_at_import`, `reads_input`; of code that compiles."""
    if _only_defines(facts):
        return ()
    tree = _margin(facts.text) or facts.tree
    return () if tree is None else (*_redefined(tree), *_at_import(tree, reads="input" in facts.text))


def _only_defines(facts: Facts) -> bool:
    """Whether the margin shows that nothing runs and nothing is defined twice: quick, right if true."""
    heads, text = AT_MARGIN.findall(facts.text), facts.text
    doubtful = any(sign in text for sign in _DOUBTS) or _RUNS.search(text) is not None
    return not doubtful and len(heads) == len(set(heads))


def _margin(text: str) -> ast.Module | None:
    """The tree without what is indented, in a fraction of the time; None where that might not be the same."""
    if any(sign in text for sign in _NOT_BY_LINE):
        return None
    lines, quotes = [], 0
    for line in text.split("\n"):
        if line[:1] in _INDENTS:
            quotes += line.count('"""') + line.count("'''")
            continue
        if quotes % 2 or line.startswith("("):
            return None
        lines.append(f"{line} pass" if line.endswith(":") else line)
    return parsed("\n".join(lines))


def another_name(
    facts: Facts, required: Iterable[str], signatures: Iterable[tuple[str, tuple[str, ...]]]
) -> tuple[str, ...]:
    """`another_name: solve`: the one public function does not have the one name that was asked for.

    It is never renamed: whoever asked for a name asked for it. Where the prompt tells how many parameters
    the function has, those of the other one must be as many.
    """
    missing = set(required) - facts.names
    found = [one for one in facts.signatures if not one[0].startswith(("_", "test")) and one[0] != "main"]
    if len(missing) != 1 or len(found) != 1:
        return ()
    wanted = [names for name, names in signatures if name in missing]
    fits = not wanted or len(wanted[0]) == len(found[0][1])
    return (f"another_name: {found[0][0][:40]}",) if fits else ()


def _redefined(tree: ast.Module) -> Iterator[str]:
    plain = [node for node in tree.body if isinstance(node, _DEFINITIONS) and not _repeatable(node)]
    counts = Counter(node.name for node in plain)
    names = [name for name, count in counts.items() if count > 1]
    if names:
        yield f"redefined: {', '.join(name[:40] for name in names[:_MAX_NAMED])}"


def _repeatable(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    return any(
        ast.unparse(each).rpartition(".")[2].partition("(")[0] in _REPEATABLE for each in node.decorator_list
    )


def _at_import(tree: ast.Module, *, reads: bool) -> Iterator[str]:
    running = [
        node
        for node in tree.body
        if not isinstance(node, (*_DEFINITIONS, ast.Import, ast.ImportFrom, ast.If))
    ]
    calls = [
        node
        for node in running
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await)
    ]
    if calls or any(isinstance(node, ast.For | ast.While | ast.With) for node in running):
        yield "runs_at_import"
    if reads and any(_is_input(node) for each in running for node in ast.walk(each)):
        yield "reads_input"


def _is_input(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "input"
