"""What compiled code tells of a text, cheaper than a walk over its tree. For the Python that compiled it."""

import dis
import hashlib
from collections.abc import Iterator
from types import CodeType

_WIDE = dis.opmap["EXTENDED_ARG"]
_STORE = {dis.opmap["STORE_NAME"]: 0}


def code_objects(code: CodeType) -> Iterator[CodeType]:
    """The code object and all that it holds."""
    waiting = [code]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(const for const in one.co_consts if isinstance(const, CodeType))


def stored_names(code: CodeType) -> frozenset[str]:
    """Names that the code itself binds, not what it holds: of a module, its names."""
    return frozenset(_named(code, _STORE))


def loaded_names(code: CodeType) -> frozenset[str]:
    """Names that the code or what it holds takes from module level, or from the builtins."""
    return frozenset(name for one in code_objects(code) for name in _named(one, _LOADS))


def _named(code: CodeType, wanted: dict[int, int]) -> Iterator[str]:
    """Names that instructions of some kinds speak of; how many bits stand below the number of the name."""
    opcodes, numbers = code.co_code[::2], code.co_code[1::2]
    for opcode, low_bits in wanted.items():
        at = opcodes.find(opcode)
        while at >= 0:
            number, before = numbers[at], at - 1
            while before >= 0 and opcodes[before] == _WIDE:
                number |= numbers[before] << 8 * (at - before)
                before -= 1
            yield code.co_names[number >> low_bits]
            at = opcodes.find(opcode, at + 1)


def _low_bits_of_global() -> int:
    """Some Pythons keep a flag below the number of a global name."""
    module = compile("def f():\n    return first, second\n", "f", "exec")
    code = next(const for const in module.co_consts if isinstance(const, CodeType))
    place = code.co_code[::2].rfind(dis.opmap["LOAD_GLOBAL"])
    return code.co_code[1::2][place].bit_length() - 1


_LOADS = {
    dis.opmap["LOAD_GLOBAL"]: _low_bits_of_global(),
    **{dis.opmap[name]: 0 for name in ("LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS") if name in dis.opmap},
}


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
