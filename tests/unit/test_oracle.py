"""What compile() tells of a text, beside what its syntax tree tells."""

import ast

import pytest

from repair.cleaning import oracle
from repair.cleaning.bytecode import loaded_names
from repair.cleaning.notes import flags
from repair.cleaning.oracle import Oracle, free_names
from tests.corpus.table import clean_cases

SNIPPETS = (
    "x = 1\n", "x: int\n", "x: int = 1\n", "(x := 1)\n", "print(x := 1)\n", "1\n", '"""Only words."""\n', "pass\n", "f()\n",
    "lambda: 0\n", "[x for x in y]\n", "del x\n", "import os\n", "from a import b as c\n", "x.y = 1\n", "x[0] = 1\n", "await_ = 1\n",
    "if x:\n    def f(): pass\n", "try:\n    import a\nexcept ImportError:\n    def a(): return 1\n", "def  f(): pass\n",
    "x = 1; \\\ndef_ = 2\n", "def f():\n    def g(): pass\n    return g\n", "class A:\n    def f(self): pass\n    class B: pass\n",
    "async def f(): pass\nasync  def g(): await f()\n", "@wraps\ndef f(): raise NotImplementedError\n", "def f(): ...\ndef g(): return 1\n",
    'def f():\n    """Later."""\n\nclass A:\n    """Later."""\n\nclass B(Exception): pass\nclass C:\n    x = 1\n',
    "def f():\n    raise NotImplementedError('later')\ndef g(): raise ValueError\ndef h(): 'x'; 1\n", "f = lambda: 0\ng = [i for i in ()]\n",
    'def f(): pass\ns = """\ndef g(): pass\n"""\n', "if 0:\n    def f(): pass\n", "\u00e9 = 1\ndef \u00e9t\u00e9(): return \u00e9\n",
    "".join(f"x{number} = {number}\n" for number in range(600)) + "def f(): return x599\n",
    "class A:\n    pass\nA.b = 1\n", "global x\nx = 1\n", "for i in (): pass\n", "with a as b: pass\n",
)  # fmt: skip
TEXTS = (*SNIPPETS, *(case.text for case in clean_cases()))


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_facts_are_those_of_the_tree(text):
    """Definitions, stubs and substance, found without the tree where that is quicker, are what the tree says."""
    facts = Oracle(len(text)).facts(text)
    assert facts.compiles
    defined = [
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    assert facts.definitions == {node.name for node in defined}
    assert facts.stubs == {node.name for node in defined if all(map(oracle._does_nothing, node.body))}
    assert facts.substance == any(map(oracle._has_substance, ast.parse(text).body))
    assert facts.names >= facts.definitions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(): pass\nLIMIT = g()\nif __name__ == '__main__':\n    main()\n", ()),
        ("import a\rmain()\n", ("runs_at_import",)),
        ("import a; main()\n", ("runs_at_import",)),
        ("\fmain()\n", ("runs_at_import",)),
        ("x = 1\nwhile x: x = 0\n", ("runs_at_import",)),
        ("name = input()\n", ("reads_input",)),
        ("def f(): pass\n\ndef f(): return 1\n", ("redefined: f",)),
        ("def f(): pass\ndef  f(): return 1\n", ("redefined: f",)),
        ('def f():\n    s = """\nprint(1)\n"""\n', ()),
    ],
)
def test_what_is_seen_and_left_alone(text, expected):
    """A look at the margin must not hide what the tree shows."""
    assert flags(Oracle(len(text)).facts(text)) == expected


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_no_free_name_is_missed(text):
    """The quick look at what code loads finds at least what the symbol table says is taken from elsewhere."""
    facts = Oracle(len(text)).facts(text)
    assert facts.code is not None
    assert free_names(text) <= loaded_names(facts.code)


def test_a_name_of_an_attribute_is_not_loaded():
    """`copy` of `x.copy()` is no name that an import could bring."""
    code = compile("def f(x):\n    return x.copy(random.random())\n", "f", "exec")
    assert loaded_names(code) == {"random"}


@pytest.mark.parametrize(
    "text",
    [
        "x = (\n    f()\n)\n",
        "(\n    f()\n)\n",
        "f(\n    1,\n)\n",
        "x = 1 + \\\n    f()\nf() \\\n    .g\n",
        'def f():\n    """\nprint(1)\n    """\n',
        'def f():\n    x = \'"""\'; """\nprint(1)\n    """\n',
        "for x in y:\n    f()\nelse:\n    g()\n",
        "if x:\n    f()\nelif y:  # why\n    g()\nelse: h()\n",
        "@overload\ndef f(\n    a,\n): ...\n@overload\ndef f(\n    a,\n    b,\n): ...\ndef f(*a):\n    return a\n",
        "@f.setter\ndef f(): pass\ndef f():\n    pass\ndef f():\n    pass\n",
        "match x:\n    case 1:\n        f()\nf()\n",
        "try:\n    f()\nexcept E:\n    g()\nfinally:\n    h()\n",
        "with a(\n    b,\n) as c:\n    d()\n",
        "x = {\n    'a': f(),\n}\nx['a']\n",
        "class A:\n    f()\nA()\n",
        "f(); x = 1\n",
        'print("""\n    words:\n""")\n',
        "f() if x else g()\nx and f()\n[f()]\nawait_(f)\n",
    ],
)
def test_the_margin_says_what_the_tree_says(text):
    """Flags found without what is indented are those of the whole tree."""
    facts = Oracle(len(text)).facts(text)
    whole = Oracle(len(text) + 9).facts(text + "\f\n" if not text.endswith("\f\n") else text)
    assert flags(facts) == flags(whole)
