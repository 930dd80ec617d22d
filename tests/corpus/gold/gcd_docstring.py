def gcd(a: int, b: int) -> int:
    """Return the greatest common divisor of a and b.

    >>> gcd(12, 18)
    6
    >>> gcd(7, 3)
    1
    """
    while b != 0:
        a, b = b, a % b
    return abs(a)
