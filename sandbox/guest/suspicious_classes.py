"""Classes that lie: comparisons that do not look, builtins that compare in their own way."""

import ast
from collections.abc import Iterator, Sequence

from .suspicious_table import words

_ORDER = words("__eq__ __ne__ __lt__ __le__ __gt__ __ge__")
BINARY = frozenset(_ORDER + words("__contains__ __instancecheck__ __subclasscheck__ __subclasshook__"))
UNARY = frozenset(words("__hash__ __bool__"))
MAKERS = frozenset(words("__getattr__ __getattribute__"))
"""What makes up methods: one that always gives the same answer compares nothing."""
COMPARISONS = frozenset(_ORDER) | UNARY
BUILTINS = frozenset(
    words(
        "bool bytearray bytes complex dict float frozenset int list set str tuple "
        "OrderedDict defaultdict Decimal Fraction UserDict"
    )
)
CONSTANT, BUILTIN, LIE = "constant_comparison", "builtin_comparison", "class_lie"

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def flags(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Yield the flags that classes, and functions put into classes, raise."""
    named = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            yield from _of_class(node)
        for name, value in _bound(node):
            function = named.get(value.id, value) if isinstance(value, ast.Name) else value
            if isinstance(function, _Function) and _answers_blindly(name, function):
                yield CONSTANT


def _of_class(node: ast.ClassDef) -> Iterator[str]:
    bases = {getattr(base, "id", getattr(base, "attr", "")) for base in node.bases}
    own = {name for part in node.body for name, _ in _bound(part)}
    if "__class__" in own:
        yield LIE
    if bases & BUILTINS and not any(base.endswith("Enum") for base in bases) and own & COMPARISONS:
        yield BUILTIN


def _bound(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield what a node binds to a name: by `def`, assignment, `setattr` or in a dict for `type()`."""
    match node:
        case ast.FunctionDef(name=name):
            yield name, node
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield getattr(target, "attr", getattr(target, "id", "")), value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value=str(name)), value]):
            yield name, value
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value, value
        case ast.Call(keywords=keywords):
            yield from ((keyword.arg or "", keyword.value) for keyword in keywords)
        case _:
            pass


def _answers_blindly(name: str, function: _Function) -> bool:
    """Say whether a comparison always gives the same answer, or never looks at the other side."""
    answers = list(_answers(function)) if name in BINARY | UNARY | MAKERS else []
    if name in MAKERS:
        return any(isinstance(answer, ast.Lambda) and _is_literal(answer.body) for answer in answers)
    if not answers:
        return False
    if all(_is_literal(answer) for answer in answers):
        return len({ast.dump(answer) for answer in answers}) == 1
    return name in BINARY and not _looks_at(function)


def _answers(function: _Function) -> Iterator[ast.expr]:
    """Yield what a function returns; the answer `NotImplemented` is none."""
    if isinstance(function, ast.Lambda):
        yield function.body
        return
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Return) and node.value is not None:
            if getattr(node.value, "id", "") != "NotImplemented":
                yield node.value
            continue
        waiting.extend(ast.iter_child_nodes(node))


def _is_literal(node: ast.expr) -> bool:
    """Say whether an expression is made of constants alone, `bool(1)` among them."""
    called = {
        id(part.func)
        for part in ast.walk(node)
        if isinstance(part, ast.Call) and getattr(part.func, "id", "") in BUILTINS
    }
    return not any(isinstance(part, ast.Name) and id(part) not in called for part in ast.walk(node))


def _looks_at(function: _Function) -> bool:
    """Say whether a function ever reads its second parameter."""
    arguments = function.args
    given = [*arguments.posonlyargs, *arguments.args]
    if arguments.vararg is not None:
        given.append(arguments.vararg)
    wanted = {part.arg for part in given[1:]}
    body: list[ast.AST] = [function.body] if isinstance(function, ast.Lambda) else list(function.body)
    return any(isinstance(part, ast.Name) and part.id in wanted for node in body for part in ast.walk(node))
