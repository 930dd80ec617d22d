"""What compile() on this host says of a text. It ranks candidates; the guest's compile() decides.

Hostile text can crash or freeze the interpreter that parses it: outside of tests, all of this runs
in the killable child of `repair.cleaning.caged`.
"""

import ast
import builtins
import dis
import hashlib
import symtable
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from types import CodeType

from repair.cleaning.gates import refusal

_LABEL_CHARS = 40
LANGUAGE_NAMES = frozenset({"python", "py", "python3", "py3", "ipython"})
_REFUSALS = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError, SystemError)
_BUILTINS = frozenset(dir(builtins))
_MODULE_NAMES = frozenset({"__name__", "__file__", "__doc__", "__builtins__", "__spec__"})
_SILENCE = ("ignore", None, Warning)
_ALREADY = nullcontext()
_STORE, _WIDE = (dis.opmap[name] for name in ("STORE_NAME", "EXTENDED_ARG"))
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a source text."""

    compiles: bool = False
    names: frozenset[str] = frozenset()
    """Names bound at module level."""
    definitions: frozenset[str] = frozenset()
    """Those of them that a `def` or `class` binds."""
    stubs: frozenset[str] = frozenset()
    """Those definitions that do nothing."""
    signatures: frozenset[tuple[str, tuple[str, ...]]] = frozenset()
    """Functions at module level, each with the names of its parameters."""
    substance: bool = False
    """More than names, constants and bare annotations, which prose can look like as well."""
    error: str = ""
    tree: ast.Module | None = field(default=None, repr=False, compare=False)
    code: CodeType | None = field(default=None, repr=False, compare=False)


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


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the compiler's warnings to itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _quiet() -> AbstractContextManager[None]:
    """The same, at no cost where it is quiet already: a reply is compiled many times over."""
    return _ALREADY if warnings.filters and warnings.filters[0][:3] == _SILENCE else quiet()


def _facts(text: str) -> Facts:
    try:
        with _quiet():
            tree = ast.parse(text)
            code = _to_code(tree)
    except _REFUSALS as error:
        return Facts(error=f"{type(error).__name__}: {error}"[:200])
    definitions = [node for node in tree.body if isinstance(node, _DEFINITIONS)]
    return Facts(
        compiles=True,
        names=frozenset(_bound_names(code)),
        definitions=frozenset(node.name for node in definitions),
        stubs=frozenset(node.name for node in definitions if all(map(_does_nothing, node.body))),
        signatures=frozenset(
            (node.name, parameters(node.args))
            for node in definitions
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ),
        substance=any(map(_has_substance, tree.body)),
        tree=tree,
        code=code,
    )


def parameters(args: ast.arguments) -> tuple[str, ...]:
    """Names of all parameters, in order."""
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    return (*(each.arg for each in named), *(each.arg for each in (args.vararg, args.kwarg) if each))


def _to_code(tree: ast.Module) -> CodeType:
    return compile(tree, "solution.py", "exec", dont_inherit=True)


def _does_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise):
        return "NotImplementedError" in ast.dump(node)
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _has_substance(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call | ast.Await | ast.Yield)
    return not isinstance(node, ast.Pass) and not (isinstance(node, ast.AnnAssign) and node.value is None)


def _bound_names(code: CodeType) -> Iterator[str]:
    """What the module's own code stores; a walk over the tree would take longer than compile()."""
    wide, instructions = 0, code.co_code
    for at in range(0, len(instructions), 2):
        number = wide | instructions[at + 1]
        if instructions[at] == _STORE:
            yield code.co_names[number]
        wide = number << 8 if instructions[at] == _WIDE else 0


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
        with _quiet():
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
        with _quiet():
            return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    except _REFUSALS:
        return False


def code_objects(code: CodeType) -> Iterator[CodeType]:
    """The code object and all that it holds."""
    waiting = [code]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(const for const in one.co_consts if isinstance(const, CodeType))


def code_sha256(code: CodeType) -> str:
    """Hash what a text compiles to: layout and comments do not count."""
    digest = hashlib.sha256()
    for one in code_objects(code):
        head = (one.co_name, one.co_argcount, one.co_posonlyargcount, one.co_kwonlyargcount, one.co_flags)
        names = (one.co_names, one.co_varnames, one.co_freevars, one.co_cellvars)
        consts = [_constant(const) for const in one.co_consts]
        digest.update(one.co_code)
        digest.update(repr((head, names, consts)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _constant(const: object) -> object:
    if isinstance(const, CodeType):
        return "code"
    # The order of a set differs from process to process.
    return sorted(map(repr, const)) if isinstance(const, frozenset) else repr(const)


def starts_with_language_name(text: str) -> bool:
    """Whether the first line is `python` or the like: it compiles, as a bare name, but is a label."""
    first = text[: _LABEL_CHARS * 8].lstrip()[:_LABEL_CHARS].replace("\r", "\n").partition("\n")[0]
    return first.strip().casefold() in LANGUAGE_NAMES
