import textwrap

from solution import table

EXPECTED = textwrap.dedent(
    """
    | a | b |
    |---|---|
    | 1 | 2 |
    """
).strip()


def test_table():
    assert table([["a", "b"], [1, 2]]) == EXPECTED


def test_docstring_shows_a_fence():
    assert table.__doc__.count("```") == 4, """
```python
this is part of the message
```
"""
