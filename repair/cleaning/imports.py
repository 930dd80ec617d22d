"""Imports that a script forgot: names of the standard library, from a fixed table."""

import ast
import re
import warnings
from collections.abc import Iterable, Mapping
from types import CodeType
from typing import Final

from repair.cleaning.bytecode import loaded_names
from repair.cleaning.oracle import Facts, free_names

_MODULE_NAMES: Final = (
    "abc argparse array ast asyncio base64 bisect calendar cmath collections contextlib copy "
    "csv dataclasses decimal difflib enum fractions functools glob hashlib heapq html inspect "
    "io itertools json logging math numbers operator os pathlib pickle queue random re shutil "
    "sqlite3 statistics string struct subprocess sys tempfile textwrap threading time traceback "
    "types typing unicodedata urllib uuid warnings zipfile zlib "
)
_MODULES: Final = frozenset(_MODULE_NAMES.split())
_FROM: Final[Mapping[str, str]] = {
    "abc": "ABC abstractmethod",
    "bisect": "bisect_left bisect_right insort",
    "collections": "ChainMap Counter OrderedDict defaultdict deque namedtuple",
    "collections.abc": "Hashable MutableMapping",
    "contextlib": "contextmanager suppress",
    "copy": "deepcopy",
    "dataclasses": "dataclass",
    "datetime": "timedelta timezone",
    "decimal": "Decimal",
    "enum": "Enum IntEnum",
    "fractions": "Fraction",
    "functools": "cached_property cmp_to_key lru_cache partial reduce singledispatch total_ordering wraps",
    "heapq": "heapify heappop heappush heappushpop nlargest nsmallest",
    "io": "BytesIO StringIO",
    "itertools": "accumulate combinations combinations_with_replacement groupby islice permutations "
    "zip_longest",
    "math": "ceil comb factorial floor gcd isqrt sqrt",
    "pathlib": "Path",
    "typing": "Any Awaitable Callable ClassVar Deque DefaultDict Dict Final FrozenSet Generator Generic "
    "Iterable Iterator List Literal Mapping NamedTuple NoReturn Optional Protocol Sequence Set Tuple Type "
    "TypedDict TypeVar Union",
}
TABLE: Final[Mapping[str, str]] = {
    **{name: f"import {name}" for name in _MODULES},
    **{name: f"from {module} import {name}" for module, names in _FROM.items() for name in names.split()},
    "datetime": "import datetime",
}
_ITS_OWN_BUSINESS = re.compile(r"import\s*\*|\bNameError\b|\bglobals\s*\(|\bexec\s*\(|__getattr__")
_SIGNS_OF_BUSINESS = ("*", "NameError", "globals", "exec", "__getattr__")
_OF_DATETIME = re.compile(r"\bdatetime\s*\.\s*(?:datetime|date|timedelta|timezone)\b(?!\s*\(\s*\))")


def missing_imports(code: str, facts: Facts) -> tuple[str, ...]:
    """Import lines for names that a compiling script uses and nowhere binds."""
    if facts.code is None or not _may_miss(code, facts.code, facts.names) or _is_its_own_business(code):
        return ()
    return tuple(sorted(_line(name, code) for name in free_names(code) & TABLE.keys() if _sure(name, code)))


def _may_miss(text: str, code: CodeType, bound: frozenset[str]) -> bool:
    """Whether some name of the table stands alone, and is not the module's own: quick, often right."""
    named = (TABLE.keys() & loaded_names(code)) - bound
    return any(re.search(rf"(?<![\w.]){name}\b", text) for name in named)


def _is_its_own_business(code: str) -> bool:
    """Whether names may come from where nobody sees them bound."""
    return any(sign in code for sign in _SIGNS_OF_BUSINESS) and _ITS_OWN_BUSINESS.search(code) is not None


def _sure(name: str, code: str) -> bool:
    """A module is meant where something is taken from it."""
    return name not in _MODULES or re.search(rf"\b{name}\s*\.", code) is not None


def _line(name: str, code: str) -> str:
    if name == "datetime" and not _OF_DATETIME.search(code):
        return "from datetime import datetime"
    return TABLE[name]


def with_imports(code: str, lines: Iterable[str]) -> str:
    """Put import lines before the first statement that is neither docstring nor `__future__`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(code)
    place = _place(tree)
    whole = code.splitlines(keepends=True)
    return "".join([*whole[:place], *(f"{line}\n" for line in lines), *whole[place:]])


def _place(tree: ast.Module) -> int:
    """Number of physical lines before the place; right also where a line holds several statements."""
    place = 0
    for number, node in enumerate(tree.body):
        docstring = number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not (docstring or future):
            break
        place = node.end_lineno or place
    return place
