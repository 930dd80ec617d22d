"""What compile() on this host says of a text. It ranks candidates; the guest's compile() decides.

Hostile text can crash or freeze the interpreter that parses it: outside of tests, all of this runs
in the killable child of `repair.cleaning.caged`.
"""

import ast
import builtins
import re
import symtable
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from types import CodeType

from repair.cleaning.bytecode import stored_names
from repair.cleaning.gates import refusal

_LABEL_CHARS = 40
LANGUAGE_NAMES = frozenset({"python", "py", "python3", "py3", "ipython"})
_FIRST_LETTERS = frozenset("pPiI")
_REFUSALS = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError, SystemError)
_BUILTINS = frozenset(dir(builtins))
_MODULE_NAMES = frozenset({"__name__", "__file__", "__doc__", "__builtins__", "__spec__"})
_SILENCE = ("ignore", None, Warning)
_ALREADY = nullcontext()
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
AT_MARGIN = re.compile(r"^(?:def|class|async[ ]def)[ ]+(\w+)", re.MULTILINE)
"""A definition at the margin."""
_SHORT = 200
_NAMES_OF_STUBS = frozenset(
    {"NotImplementedError", "__name__", "__module__", "__qualname__", "__doc__", "__firstlineno__"}
    | {"__static_attributes__", "__classdict__"}
)
_WRITTEN_BY_COMPILER = frozenset(
    {"__doc__", "__annotations__", "__annotate__", "__annotate_func__", "__conditional_annotations__"}
)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a source text. What few ask for is found when it is asked for."""

    compiles: bool = False
    names: frozenset[str] = frozenset()
    """Names bound at module level."""
    definitions: frozenset[str] = frozenset()
    """Those of them that a `def` or `class` binds, in no other statement."""
    substance: bool = False
    """More than names, constants and bare annotations, which prose can look like as well."""
    error: str = ""
    code: CodeType | None = field(default=None, repr=False, compare=False)
    text: str = field(default="", repr=False, compare=False)

    @cached_property
    def tree(self) -> ast.Module | None:
        """The syntax tree, of a text that compiles: it takes as long to make as the code."""
        return parsed(self.text) if self.compiles else None

    @cached_property
    def stubs(self) -> frozenset[str]:
        """Those definitions that do nothing."""
        if self.code is None or not any(map(_may_do_nothing, self.code.co_consts)):
            return frozenset()
        return frozenset(node.name for node in _defined(self.tree) if all(map(_does_nothing, node.body)))

    @cached_property
    def signatures(self) -> frozenset[tuple[str, tuple[str, ...]]]:
        """Functions at module level, each with the names of its parameters."""
        return frozenset(
            (node.name, parameters(node.args))
            for node in _defined(self.tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )


class Oracle:
    """Compiles texts, remembers the answers, and stops at a budget that is linear in the reply."""

    def __init__(self, reply_chars: int = 0) -> None:
        self._known: dict[str, Facts] = {}
        self._chars_left = 200_000 + 8 * reply_chars
        self.calls = 0
        self.chars = 0

    def facts(self, text: str) -> Facts:
        """Compile `text` once. Never raises."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._compile(text)
        return known

    def _compile(self, text: str) -> Facts:
        if len(text) > self._chars_left:
            return Facts(error="budget spent")
        self._chars_left -= len(text) + 50
        self.calls += 1
        self.chars += len(text)
        reason = refusal(text)
        return Facts(error=reason) if reason else _facts(text)


def quietly() -> AbstractContextManager[None]:
    """Keep the compiler's warnings to itself, at no cost where that is so already."""
    return _ALREADY if warnings.filters and warnings.filters[0][:3] == _SILENCE else _quiet()


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def parsed(text: str) -> ast.Module | None:
    """The syntax tree of a text; none where there is none, or it would be too deep."""
    try:
        with quietly():
            return ast.parse(text)
    except _REFUSALS:
        return None


def _facts(text: str) -> Facts:
    try:
        with quietly():
            return _facts_of(text, compile(text, "solution.py", "exec", dont_inherit=True))
    except _REFUSALS as error:
        return Facts(error=f"{type(error).__name__}: {error}"[:200])


def _facts_of(text: str, code: CodeType) -> Facts:
    """Tell what is bound, and whether there is substance; from the tree where the code leaves a doubt."""
    names = stored_names(code)
    definitions = _plainly_defined(text, code)
    substance = bool(names - _WRITTEN_BY_COMPILER) and ":=" not in text
    if definitions is None or not substance:
        body = ast.parse(text).body
        definitions = frozenset(node.name for node in body if isinstance(node, _DEFINITIONS))
        substance = any(map(_has_substance, body))
    return Facts(
        compiles=True, names=names, definitions=definitions, substance=substance, code=code, text=text
    )


def _plainly_defined(text: str, code: CodeType) -> frozenset[str] | None:
    """Names that stand behind a `def` or `class` at the margin; None where others are defined, too."""
    made = {
        const.co_name for const in code.co_consts if isinstance(const, CodeType) and const.co_name[0] != "<"
    }
    return frozenset(made) if made <= set(AT_MARGIN.findall(text)) else None


def _defined(tree: ast.Module | None) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    return (node for node in (tree.body if tree else ()) if isinstance(node, _DEFINITIONS))


def parameters(args: ast.arguments) -> tuple[str, ...]:
    """Names of all parameters, in order."""
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    return (*(each.arg for each in named), *(each.arg for each in (args.vararg, args.kwarg) if each))


def _may_do_nothing(const: object) -> bool:
    """A quick look: what does nothing is short, and names nothing of its own."""
    return (
        isinstance(const, CodeType)
        and len(const.co_code) < _SHORT
        and _NAMES_OF_STUBS.issuperset(const.co_names)
    )


def _does_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise):
        return "NotImplementedError" in ast.dump(node)
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _has_substance(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call | ast.Await | ast.Yield)
    return not isinstance(node, ast.Pass) and not (isinstance(node, ast.AnnAssign) and node.value is None)


def imported_names(tree: ast.Module) -> frozenset[str]:
    """Names that imports at module level bind."""
    return frozenset(
        alias.asname or alias.name.partition(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    )


def free_names(text: str) -> frozenset[str]:
    """Names that a compiling text uses and neither binds nor finds among the builtins."""
    try:
        with quietly():
            table = symtable.symtable(text, "solution.py", "exec")
    except _REFUSALS:
        return frozenset()
    bound = {symbol.get_name() for symbol in table.get_symbols() if _binds(symbol)}
    used: set[str] = set()
    waiting = [table]
    while waiting:
        scope = waiting.pop()
        waiting.extend(scope.get_children())
        used.update(
            symbol.get_name() for symbol in scope.get_symbols() if _uses_global(symbol, scope is table)
        )
    return frozenset(used - bound - _MODULE_NAMES - _BUILTINS)


def _binds(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def _uses_global(symbol: symtable.Symbol, at_module_level: bool) -> bool:
    return symbol.is_referenced() and (at_module_level or symbol.is_global())


def same_tree(one: str, other: str) -> bool:
    """Whether two compiling texts mean the same."""
    try:
        with quietly():
            return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    except _REFUSALS:
        return False


def starts_with_language_name(text: str) -> bool:
    """Whether the first line is `python` or the like: it compiles, as a bare name, but is a label."""
    start = text[: _LABEL_CHARS * 8].lstrip()[:_LABEL_CHARS]
    if start[:1] not in _FIRST_LETTERS:
        return False
    return start.replace("\r", "\n").partition("\n")[0].strip().casefold() in LANGUAGE_NAMES
