"""Signs in a script's syntax tree that it may aim at the tests instead of the task.

Flags stand beside a verdict and never change it: honest code may show any of these signs, and whoever
wants to hide can. Nothing of the script's own text gets into a flag.
"""

import ast
from collections.abc import Iterator

from . import suspicious_classes
from .suspicious_table import EXCUSED_STORES, FLAGS, READ_OF_CODE, SIGNS, TRACEBACK_CALLS, UNSCANNED, words

__all__ = ["FLAGS", "UNSCANNED", "scan", "scan_source"]

MAX_SOURCE = 256 * 1024
MAX_NODES = 100_000
MAX_FOLD = 20
FIRST_PRIVATE_FD = 3

_BY_NAME = {name: sign.flag for sign in SIGNS for name in sign.names}
_BY_DOTTED = {name: sign.flag for sign in SIGNS for name in sign.dotted}
_BY_MODULE = {name: sign.flag for sign in SIGNS for name in sign.modules}
_TEXTS = tuple((sign.text, sign.flag) for sign in SIGNS if sign.text is not None)

_RUNNERS = frozenset(words("exec eval compile __import__ importlib.import_module getattr"))
_DECODERS = frozenset(
    words(
        "a85decode b16decode b32decode b64decode b85decode chr decode decompress fromhex maketrans translate "
        "unhexlify urlsafe_b64decode"
    )
)
_ON_DESCRIPTORS = frozenset(
    words(
        "open os.close os.dup os.dup2 os.fdopen os.ftruncate os.lseek os.pread os.pwrite os.read os.write "
        "socket.fromfd"
    )
)


def scan_source(source: bytes) -> list[str]:
    """Parse a script and name its signs; a script that is too much for it has the flag `unscanned`."""
    if len(source) > MAX_SOURCE:
        return [UNSCANNED]
    try:
        return scan(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [UNSCANNED]


def scan(tree: ast.Module) -> list[str]:
    """Name the signs that a tree shows, each once, in the order of FLAGS. Bounded; never raises."""
    nodes = []
    for node in ast.walk(tree):
        nodes.append(node)
        if len(nodes) > MAX_NODES:
            return [UNSCANNED]
    try:
        found = set(_Scan(nodes).flags()) | set(suspicious_classes.flags(nodes))
    except RecursionError:
        return [UNSCANNED]
    return [flag for flag in FLAGS if flag in found]


class _Scan:
    """One walk over the nodes, parents before children."""

    def __init__(self, nodes: list[ast.AST]) -> None:
        self._nodes = nodes
        self._excused: set[int] = set()
        """Nodes whose parents make them harmless."""
        self._modules: dict[str, str] = {}
        """What a name of the script stands for: a module, or something imported from one."""
        self._names: dict[int, str] = {}
        """What was found out about a node, because chains of attributes may be long."""
        self._counters: set[str] = set()
        """Names that count through a range."""
        self._built: set[str] = set()
        """Names that hold a text that was put together or decoded."""
        for node in nodes:
            self._learn_import(node)
        for node in nodes:
            self._learn_value(node)
        self._names.clear()  # of what was asked before all was learnt

    def flags(self) -> Iterator[str]:
        for node in self._nodes:
            if id(node) not in self._excused:
                yield from self._of(node)

    # What names stand for

    def _learn_import(self, node: ast.AST) -> None:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    root = alias.name.partition(".")[0]
                    self._modules[alias.asname or root] = alias.name if alias.asname else root
            case ast.ImportFrom(module=str(module), names=names):
                for alias in names:
                    self._modules[alias.asname or alias.name] = f"{module}.{alias.name}"
            case ast.Expr(value=ast.Constant()):
                self._excused.add(id(node.value))
            case _:
                pass

    def _learn_value(self, node: ast.AST) -> None:
        match node:
            case (
                ast.For(target=ast.Name(id=name), iter=source)
                | ast.comprehension(target=ast.Name(id=name), iter=source)
            ):
                if isinstance(source, ast.Call) and self._dotted(source.func) == "range":
                    self._counters.add(name)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                dotted = self._imported(value)
                if dotted:
                    self._modules.setdefault(name, dotted)
                elif self._is_built(value):
                    self._built.add(name)
            case _:
                pass

    def _imported(self, node: ast.AST) -> str:
        """Name what an expression takes from a module; empty where it takes nothing from any."""
        found = self._names.get(id(node))
        if found is None:
            found = self._names[id(node)] = self._taken_from(node)
        return found

    def _taken_from(self, node: ast.AST) -> str:
        match node:
            case ast.Name(id=name):
                return self._modules.get(name, "")
            case ast.Attribute(value=base, attr=attr):
                root = self._imported(base)
                return f"{root}.{attr}" if root else ""
            case ast.Call(func=func, args=[ast.Constant(value=str(name))]):
                runs = self._dotted(func) in {"__import__", "importlib.import_module"}
                return name if runs else ""
            case ast.Call(func=ast.Name(id="getattr"), args=[base, ast.Constant(value=str(attr)), *_]):
                root = self._imported(base)
                return f"{root}.{attr}" if root else ""
            case ast.Subscript(value=held, slice=ast.Constant(value=str(attr))):
                module = _namespace_of(held)
                root = "" if module is None else self._imported(module)
                return f"{root}.{attr}" if root else ""
            case _:
                pass
        return ""

    def _dotted(self, node: ast.AST) -> str:
        """Name a function: where it is imported from, or the language's own by its bare name."""
        known = self._imported(node)
        if known:
            return known.removeprefix("builtins.")
        return node.id if isinstance(node, ast.Name) else ""

    # What nodes show

    def _of(self, node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Import(names=names):
                yield from self._of_imports([alias.name for alias in names])
            case ast.ImportFrom(module=module, names=names):
                every = [f"{module or ''}.{alias.name}" for alias in names]
                yield from self._of_imports([*every, *(alias.name for alias in names)])
            case ast.FunctionDef(name=name) if name.startswith("pytest_"):
                yield "test_runner"
            case ast.Name(id=name):
                yield from _flag(_BY_NAME, name)
            case ast.Attribute():
                yield from self._of_attribute(node)
            case ast.Subscript():
                yield from _flag(_BY_DOTTED, self._imported(node))
                self._excuse_own_module(node)
            case ast.Dict(keys=keys):
                # Whoever evaluates an expression with these taken away is careful.
                self._excused.update(
                    id(key) for key in keys if key is not None and _folded(key) == "__builtins__"
                )
            case ast.Constant() | ast.BinOp():
                yield from self._of_text(node)
            case ast.Call():
                yield from self._of_call(node)
            case _:
                pass

    def _of_imports(self, names: list[str]) -> Iterator[str]:
        for name in names:
            yield from _flag(_BY_DOTTED, name)
            yield from _flag(_BY_NAME, name)
            parts = name.split(".")
            for end in range(len(parts)):
                yield from _flag(_BY_MODULE, ".".join(parts[: end + 1]))

    def _of_attribute(self, node: ast.Attribute) -> Iterator[str]:
        own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
        if not own or node.attr.startswith("__"):
            yield from _flag(_BY_NAME, node.attr)
        dotted = self._imported(node)
        yield from _flag(_BY_DOTTED, dotted)
        if not isinstance(node.ctx, ast.Load):
            if node.attr == "__class__":
                yield "class_lie"
            if dotted and dotted not in EXCUSED_STORES:
                yield "patches"
        if node.attr == "__dict__" and self._imported(node.value):
            yield "patches"
        if node.attr in READ_OF_CODE and isinstance(node.value, ast.Attribute):
            self._excused.add(id(node.value))

    def _excuse_own_module(self, node: ast.Subscript) -> None:
        own = isinstance(node.slice, ast.Name) and node.slice.id == "__name__"
        if own and isinstance(node.ctx, ast.Load):
            self._excused.add(id(node.value))

    def _of_text(self, node: ast.AST) -> Iterator[str]:
        text = _folded(node)
        if not text:
            return
        yield from _flag(_BY_NAME, text)
        for pattern, flag in _TEXTS:
            if pattern.search(text):
                yield flag

    def _of_call(self, node: ast.Call) -> Iterator[str]:
        called = self._dotted(node.func)
        yield from _flag(_BY_DOTTED, self._imported(node))
        if isinstance(node.func, ast.Attribute):
            yield from self._of_text(node)
        if called.rpartition(".")[2] in TRACEBACK_CALLS or getattr(node.func, "attr", "") in TRACEBACK_CALLS:
            self._excused.update(id(part) for part in node.args)
        given = node.args[: 2 if called == "os.dup2" else 1]
        if called in _ON_DESCRIPTORS and any(self._is_private_fd(part) for part in given):
            yield "descriptors"
        if called in _RUNNERS and any(self._is_built(part) for part in node.args[:2]):
            yield "hidden_code"
        if called in {"setattr", "delattr", "vars"} and node.args and self._imported(node.args[0]):
            yield "patches"

    def _is_private_fd(self, node: ast.AST) -> bool:
        match node:
            case ast.Constant(value=int(number)):
                return number >= FIRST_PRIVATE_FD and not isinstance(number, bool)
            case ast.Name(id=name):
                return name in self._counters
            case _:
                pass
        return False

    def _is_built(self, node: ast.AST) -> bool:
        """Say whether an expression decodes a text, turns one around, or joins pieces that are all given."""
        if isinstance(node, ast.Name):
            return node.id in self._built
        for part in ast.walk(node):
            if {getattr(part, "attr", ""), getattr(part, "id", "")} & _DECODERS or _is_reversal(part):
                return True
        return not isinstance(node, ast.Constant) and bool(_folded(node))


def _flag(table: dict[str, str], name: str) -> Iterator[str]:
    if name in table:
        yield table[name]


def _namespace_of(node: ast.AST) -> ast.AST | None:
    """Return the module of `vars(module)` and `module.__dict__`."""
    match node:
        case ast.Call(func=ast.Name(id="vars"), args=[module]):
            return module
        case ast.Attribute(value=module, attr="__dict__"):
            return module
        case _:
            pass
    return None


def _is_reversal(node: ast.AST) -> bool:
    match node:
        case ast.Subscript(slice=ast.Slice(lower=None, upper=None, step=ast.UnaryOp(op=ast.USub()))):
            return True
        case _:
            pass
    return False


def _folded(node: ast.AST, depth: int = 0) -> str:
    """Return the text that an expression of given texts amounts to; empty if it is none."""
    if depth > MAX_FOLD:
        return ""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Constant(value=bytes(data)):
            return data.decode("latin-1")
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            one, other = _folded(left, depth + 1), _folded(right, depth + 1)
            return one + other if one and other else ""
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(glue)), attr="join"), args=[listed]):
            parts = [_folded(part, depth + 1) for part in getattr(listed, "elts", [])]
            return glue.join(parts) if all(parts) else ""
        case ast.Subscript(value=inner) if _is_reversal(node):
            return _folded(inner, depth + 1)[::-1]
        case _:
            pass
    return ""
