import pytest

from solution import gcd


def test_gcd_of_coprimes():
    assert gcd(7, 3) == 1


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(12, 18, 6), (0, 5, 5), (-4, 6, 2)],
)
def test_gcd(a, b, expected):
    assert gcd(a, b) == expected


def test_gcd_refuses_text():
    with pytest.raises(TypeError):
        gcd("a", 3)
