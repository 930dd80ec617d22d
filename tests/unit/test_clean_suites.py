"""Replies that should be test suites: the tests are found beside the script, all of them, and bound to it."""

import ast

import pytest

from repair.cleaning.clean import Asked, clean_reply

SCRIPT = "def f(x):\n    y = x\n    y = y + 0\n    return y + 1\n\n\ndef g(x):\n    return x - 1\n"
TEST_F = "import solution\n\ndef test_f():\n    assert solution.f(1) == 2\n"
TEST_G = (
    "from module import g\n\ndef test_g():\n    assert g(1) == 0\n\ndef test_h():\n    assert g(2) == 1\n"
)
ASKED = Asked(required=("f", "g"), kind="tests", subject=SCRIPT)


def block(code):
    return f"```python\n{code}```\n"


def cleaned(*parts):
    return clean_reply("\n".join(parts), asked=ASKED)


def defined(script):
    return [node.name for node in ast.parse(script.code).body if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("order", [(SCRIPT, TEST_F), (TEST_F, SCRIPT)])
def test_the_tests_and_not_the_script_beside_them(order):
    """A copy of the script in a block of its own is no suite, however large it is."""
    script = cleaned("The module:", block(order[0]), "And:", block(order[1]))

    assert defined(script) == ["test_f"]


def test_several_blocks_of_tests_are_one_suite():
    """Tests in sections are put together in their order, and each module name is bound."""
    script = cleaned("First f:", block(TEST_F), "Then g:", block(TEST_G))

    assert defined(script) == ["test_f", "test_g", "test_h"]
    assert "joined_blocks" in [edit.rule for edit in script.edits]
    assert "from module" not in script.code


def test_a_corrected_version_is_no_second_part():
    """A later block with the same tests takes the place of the earlier one."""
    script = cleaned("A draft:", block(TEST_G), "Corrected:", block(TEST_G.replace("== 1\n", "== 11\n")))

    assert defined(script) == ["test_g", "test_h"]
    assert "== 11" in script.code


def test_an_equal_copy_goes_and_a_changed_one_stays():
    """What differs from the script is the suite's own doing, and is left to be judged."""
    tests = TEST_G.partition("\n")[2]

    assert "def g" not in cleaned(block(f"{SCRIPT}\n{tests}")).code
    assert "def g" in cleaned(block(f"{SCRIPT.replace('x - 1', 'x - 2')}\n{tests}")).code
